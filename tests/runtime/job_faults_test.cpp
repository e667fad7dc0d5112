// What goes wrong around a job: a function that always throws, or says something else each time; a quarantine that takes nothing; a
// start after one that was cut off (faults F01, F04, F07, F13, F35, F36, F38).

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <thread>
#include <tuple>

#include <gmock/gmock.h>

#include <tidemark/checkpoint/layout.hpp>
#include <tidemark/file/pace.hpp>
#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/memory/memory_source.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/instrumented.hpp"
#include "../support/recording_file_system.hpp"
#include "../support/temporary_directory.hpp"
#include "numbers.hpp"

namespace tidemark {
namespace {

using namespace numbers;
using ::testing::Contains;
using ::testing::HasSubstr;

JobResult run(Graph graph, const RuntimeOptions& options) {
  auto runtime = Runtime::start(std::move(graph), options);
  if (!runtime.ok()) return {JobState::kFailed, runtime.error()};
  return (*runtime)->wait();
}

template <class Throw>
Graph throwing_at(std::int64_t poison, const MemorySink<std::int64_t>& target, Throw raise) {
  Graph graph;
  graph.from("numbers", numbers_source())
      .map([=](std::int64_t number) {
        if (number == poison) raise();
        return number;
      })
      .to("target", target.sink());
  return graph;
}

TEST(JobFaults, F07FailsAtARecordThatAlwaysFailsAndLosesNothingThatWasCommitted) {
  const test_support::TemporaryDirectory directory;
  const MemorySink<std::int64_t> target;
  std::size_t before = 0;
  for (int start = 0; start < 3; ++start) {
    const JobResult result = run(throwing_at(217, target, [] { throw std::runtime_error("no such card"); }), options_in(directory));
    ASSERT_EQ(result.state, JobState::kFailed);
    EXPECT_EQ(result.error->code, ErrorCode::kUserFunction);
    EXPECT_THAT(result.error->describe(), HasSubstr("position 217"));
    EXPECT_THAT(result.error->describe(), HasSubstr("no such card"));
    const Numbers committed = target.committed();
    EXPECT_GE(committed.size(), before);
    before = committed.size();
    EXPECT_LE(before, 217U);
  }
  // Repaired, it goes on from the newest checkpoint.
  EXPECT_EQ(run(throwing_at(-1, target, [] {}), options_in(directory)).state, JobState::kFinished);
  EXPECT_EQ(target.committed(), all_numbers());
}

TEST(JobFaults, F36FailsWithThePositionWhenAFunctionThrowsWhatIsNoException) {
  const test_support::TemporaryDirectory directory;
  const MemorySink<std::int64_t> target;
  const JobResult result = run(throwing_at(217, target, [] { throw 42; }), options_in(directory));
  ASSERT_EQ(result.state, JobState::kFailed);
  EXPECT_EQ(result.error->code, ErrorCode::kUserFunction);
  EXPECT_THAT(result.error->describe(), HasSubstr("position 217"));
}

// Throws when an epoch is prepared: on the task's thread, or on that for disk work.
class ThrowingSink final : public SinkBase {
 public:
  ThrowingSink(std::function<void()> on_task, std::function<void()> beside_it)
      : on_task_(std::move(on_task)), beside_it_(std::move(beside_it)) {}
  std::string describe() const override { return under_.describe(); }
  SinkGuarantee guarantee() const override { return under_.guarantee(); }
  Result<std::unique_ptr<SinkWriterBase>> open_writer(const IoContext&, const SinkIdentity&) override {
    return std::unique_ptr<SinkWriterBase>{std::make_unique<Writer>(*this)};
  }
  Result<std::unique_ptr<SinkCommitter>> open_committer(const IoContext& io, const SinkIdentity& identity) override {
    return under_.open_committer(io, identity);
  }

 private:
  struct Writer final : SinkWriter<std::int64_t> {
    explicit Writer(const ThrowingSink& made_by) : sink(made_by) {}
    Status write(const Batch<std::int64_t>&) override { return {}; }
    EpochSeal seal(CheckpointId) override {
      sink.on_task_();
      return [this]() -> Result<Bytes> {
        sink.beside_it_();
        return Bytes{};
      };
    }
    const ThrowingSink& sink;
  };

  std::function<void()> on_task_;
  std::function<void()> beside_it_;
  std::shared_ptr<memory_internal::MemoryTarget<std::int64_t>> target_ = std::make_shared<memory_internal::MemoryTarget<std::int64_t>>();
  memory_internal::TransactionalMemorySink<std::int64_t> under_{target_};
};

TEST(JobFaults, F36FailsWhenASinkThrowsWhileItPreparesAnEpoch) {
  const auto fine = [] {};
  const auto error = [] { throw std::runtime_error("no paper"); };
  const auto number = [] { throw 42; };
  using Case = std::tuple<std::function<void()>, std::function<void()>, const char*>;
  for (const auto& [on_task, beside_it, word] : {Case{error, fine, "no paper"}, Case{number, fine, "no std::exception"},
                                                 Case{fine, error, "no paper"}, Case{fine, number, "no std::exception"}}) {
    const test_support::TemporaryDirectory directory;
    Graph graph;
    graph.from("numbers", numbers_source()).to("printer", Sink<std::int64_t>(std::make_shared<ThrowingSink>(on_task, beside_it)));
    const JobResult result = run(std::move(graph), options_in(directory));
    ASSERT_EQ(result.state, JobState::kFailed);
    EXPECT_EQ(result.error->code, ErrorCode::kSinkFailed);
    EXPECT_THAT(result.error->describe(), HasSubstr("sink \"printer\" threw"));
    EXPECT_THAT(result.error->describe(), HasSubstr(word));
  }
}

TEST(JobFaults, F36FailsWhenTheOrderOfTiesThrows) {
  for (const bool number : {false, true}) {
    const test_support::TemporaryDirectory directory;
    const MemorySink<std::int64_t> target;
    Graph graph;
    graph.from("numbers", numbers_source())
        .with_event_time([](const std::int64_t&) { return event_time(5); })
        .key_by([](const std::int64_t&) { return 1; })
        .process<std::int64_t>("ties", [](const std::int64_t& each, ProcessContext<int>&, Collector<std::int64_t>& out) { out(each); },
                               event_time_order([number](const std::int64_t&) -> int {
                                 if (number) throw 42;
                                 throw std::runtime_error("no order");
                               }))
        .to("target", target.sink());
    const JobResult result = run(std::move(graph), options_in(directory));
    ASSERT_EQ(result.state, JobState::kFailed);
    EXPECT_EQ(result.error->code, ErrorCode::kUserFunction);
    EXPECT_THAT(result.error->describe(), HasSubstr("operator \"ties\" threw"));
  }
}

// Takes nothing while it is broken.
class BreakableQuarantine final : public SinkBase {
 public:
  bool broken = true;

  std::string describe() const override { return under_.describe(); }
  SinkGuarantee guarantee() const override { return under_.guarantee(); }
  Result<std::unique_ptr<SinkWriterBase>> open_writer(const IoContext& io, const SinkIdentity& identity) override {
    TIDEMARK_ASSIGN(auto writer, under_.open_writer(io, identity));
    return std::unique_ptr<SinkWriterBase>{std::make_unique<Writer>(*this, std::move(writer))};
  }
  Result<std::unique_ptr<SinkCommitter>> open_committer(const IoContext& io, const SinkIdentity& identity) override {
    return under_.open_committer(io, identity);
  }
  std::size_t taken() const { return target_->committed().size(); }

 private:
  class Writer final : public SinkWriter<Quarantined> {
   public:
    Writer(const BreakableQuarantine& sink, std::unique_ptr<SinkWriterBase> under) : sink_(sink), under_(std::move(under)) {}
    Status write(const Batch<Quarantined>& batch) override {
      if (sink_.broken) return Error{.code = ErrorCode::kSinkFailed, .message = "the quarantine is full"};
      return under_->write_batch(batch);
    }
    EpochSeal seal(CheckpointId epoch) override { return under_->seal(epoch); }

   private:
    const BreakableQuarantine& sink_;
    std::unique_ptr<SinkWriterBase> under_;
  };

  std::shared_ptr<memory_internal::MemoryTarget<Quarantined>> target_ = std::make_shared<memory_internal::MemoryTarget<Quarantined>>();
  memory_internal::TransactionalMemorySink<Quarantined> under_{target_};
};

TEST(JobFaults, F35FailsWhenTheQuarantineFailsAndDropsNothing) {
  const test_support::TemporaryDirectory directory;
  const MemorySink<std::int64_t> target;
  const auto quarantine = std::make_shared<BreakableQuarantine>();
  const auto graph = [&] {
    Graph built;
    // Every hundredth record has no time that is possible.
    built.from("numbers", numbers_source())
        .with_event_time([](std::int64_t number) { return number % 100 == 99 ? kPlusInfinity : event_time(number); })
        .to("target", target.sink());
    built.quarantine_to("refused", Sink<Quarantined>{quarantine});
    return built;
  };
  const JobResult failed = run(graph(), options_in(directory));
  ASSERT_EQ(failed.state, JobState::kFailed);
  EXPECT_THAT(failed.error->describe(), HasSubstr("the quarantine is full"));
  EXPECT_LE(target.committed().size(), 99U);   // nothing behind the record that could not be set aside
  quarantine->broken = false;
  EXPECT_EQ(run(graph(), options_in(directory)).state, JobState::kFinished);
  EXPECT_EQ(quarantine->taken(), 4U);
  EXPECT_EQ(target.committed().size(), kRecords - 4U);
}

// Each output tells in which start it was made: whatever is made again would be something else.
TEST(JobFaults, F38KeepsWhatWasCommittedThoughTheFunctionSaysSomethingElseWhenItRunsAgain) {
  const auto graph = [](std::int64_t start, const MemorySink<std::int64_t>& target) {
    const Source<std::int64_t> source = memory_source(all_numbers());
    Graph built;
    built.from("numbers", start == 1 ? paced(source, Pace::records_per_second(1'000)) : source)   // time for checkpoints before the crash
        .map([=](std::int64_t number) { return 10 * number + start; })
        .to("target", target.sink());
    return built;
  };
  constexpr std::size_t kStride = test_support::kInstrumented ? 97 : 61;
  std::size_t of_both = 0;
  for (std::size_t step = 0;; step += kStride) {
    SCOPED_TRACE(testing::Message() << "crash at step " << step);
    const test_support::TemporaryDirectory directory;
    const MemorySink<std::int64_t> target;
    RuntimeOptions options = options_in(directory);
    options.tolerated_checkpoint_failures = 0;
    test_support::RecordingFileSystem files{posix_file_system()};
    files.fail_at(step, test_support::Failure::kCrash);
    options.files = &files;
    (void)run(graph(1, target), options);
    const Numbers before = target.committed();

    options.files = &posix_file_system();
    const JobResult result = run(graph(2, target), options);
    ASSERT_TRUE(result.state == JobState::kFinished || result.state == JobState::kAlreadyFinished);
    Numbers after = target.committed();
    ASSERT_GE(after.size(), before.size());
    ASSERT_TRUE(std::equal(before.begin(), before.end(), after.begin())) << "what was committed has changed";
    if (after.front() % 10 == 1 && after.back() % 10 == 2) ++of_both;
    for (std::int64_t& number : after) number /= 10;
    ASSERT_EQ(after, all_numbers());
    if (!files.fired()) break;
  }
  EXPECT_GT(of_both, 0U);
}

// Over the numbers; `copy` is new in a later release of the job.
Graph to_sinks(const MemorySink<std::int64_t>& target, const MemorySink<std::int64_t>* copy, double per_second = 2000) {
  Graph graph;
  auto numbers = graph.from("numbers", paced(memory_source(all_numbers()), Pace::records_per_second(per_second)));
  numbers.to("target", target.sink());
  if (copy != nullptr) numbers.to("copy", copy->sink());
  return graph;
}
void run_and_stop(Graph graph, RuntimeOptions options) {
  options.checkpoint_every = {};
  auto job = Runtime::start(std::move(graph), options);
  ASSERT_TRUE(job.ok()) << job.error().describe();
  (*job)->request_stop();
  EXPECT_EQ((*job)->wait().state, JobState::kStopped);
}

TEST(JobFaults, F01OutputOfASinkThatIsNewGoesIfItsFirstCheckpointWasCutOff) {   // I6
  const test_support::TemporaryDirectory directory;
  const MemorySink<std::int64_t> target, copy;
  RuntimeOptions options = options_in(directory);
  run_and_stop(to_sinks(target, nullptr), options);
  {
    test_support::RecordingFileSystem files{posix_file_system(), [](const std::string& step) -> Status {
      if (!step.starts_with("rename") || step.find("/checkpoints/") == std::string::npos) return {};
      return Error{.code = ErrorCode::kStorageFailed, .message = "cut off"};
    }};
    options.files = &files;
    options.tolerated_checkpoint_failures = 0;
    options.checkpoint_every = std::chrono::milliseconds{50};   // there is output by then
    EXPECT_EQ(run(to_sinks(target, &copy), options).state, JobState::kFailed);
    EXPECT_GT(copy.prepared_records(), 0u);
    options.files = nullptr;
  }
  options = options_in(directory);
  options.checkpoint_every = {};
  auto job = Runtime::start(to_sinks(target, &copy, 10), options);   // far from its end, and so from its own first checkpoint
  ASSERT_TRUE(job.ok()) << job.error().describe();
  (*job)->request_cancel();
  (*job)->wait();
  EXPECT_EQ(copy.prepared_records(), 0u);
}

// Commits nothing while `*broken`.
class BreakableCommits final : public SinkBase {
 public:
  using Target = memory_internal::MemoryTarget<std::int64_t>;
  BreakableCommits(std::shared_ptr<Target> target, const bool* broken) : under_(std::move(target)), broken_(broken) {}
  std::string describe() const override { return under_.describe(); }
  SinkGuarantee guarantee() const override { return under_.guarantee(); }
  Result<std::unique_ptr<SinkWriterBase>> open_writer(const IoContext& io, const SinkIdentity& identity) override {
    return under_.open_writer(io, identity);
  }
  Result<std::unique_ptr<SinkCommitter>> open_committer(const IoContext& io, const SinkIdentity& identity) override {
    TIDEMARK_ASSIGN(auto under, under_.open_committer(io, identity));
    return std::unique_ptr<SinkCommitter>{std::make_unique<Committer>(std::move(under), broken_)};
  }

 private:
  struct Committer final : SinkCommitter {
    Committer(std::unique_ptr<SinkCommitter> of, const bool* flag) : under(std::move(of)), broken(flag) {}
    Result<CheckpointId> committed_epoch() override { return under->committed_epoch(); }
    Status commit(CheckpointId epoch, CheckpointId previous, const std::vector<Committable>& committables) override {
      if (*broken) return Error{.code = ErrorCode::kSinkFailed, .message = "no commit today"};
      return under->commit(epoch, previous, committables);
    }
    Status discard_unlisted() override { return under->discard_unlisted(); }
    std::unique_ptr<SinkCommitter> under;
    const bool* broken;
  };

  memory_internal::TransactionalMemorySink<std::int64_t> under_;
  const bool* broken_;
};

TEST(JobFaults, F04OutputOfADrainThatWasPublishedIsCommittedThoughTheJobMayNotGoOn) {   // C9
  const test_support::TemporaryDirectory directory;
  const auto target = std::make_shared<BreakableCommits::Target>();
  bool broken = true;
  const auto graph = [&] {
    Graph made;
    auto numbers = made.from("numbers", paced(memory_source(all_numbers()), Pace::records_per_second(500)));
    numbers.to("target", Sink<std::int64_t>(std::make_shared<BreakableCommits>(target, &broken)));
    return made;
  };
  RuntimeOptions options = options_in(directory);
  options.checkpoint_every = {};
  {
    auto job = Runtime::start(graph(), options);
    ASSERT_TRUE(job.ok()) << job.error().describe();
    while ((*job)->snapshot().records_out < 20) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    (*job)->request_stop({.drain = true});
    EXPECT_EQ((*job)->wait().state, JobState::kFailed);
  }
  EXPECT_EQ(target->committed().size(), 0u);
  broken = false;
  const auto refused = Runtime::start(graph(), options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kDrained);
  EXPECT_GE(target->committed().size(), 20u);
}

// Whoever wrote the manifest may have died before its name was to last, and output must not outlive it.
TEST(JobFaults, F13AStartSyncsWhatItCommitsAgainHoweverTheDirectoryIsWritten) {   // R1
  const test_support::TemporaryDirectory directory;
  const MemorySink<std::int64_t> target;
  RuntimeOptions options = options_in(directory);
  run_and_stop(to_sinks(target, nullptr), options);
  for (const char* written : {"/state", "/state/", "//state", "/./state//"}) {
    test_support::RecordingFileSystem files{posix_file_system()};
    options.files = &files;
    options.state_directory = directory.path() + written;
    options.checkpoint_every = {};
    auto job = Runtime::start(to_sinks(target, nullptr), options);
    ASSERT_TRUE(job.ok()) << written << ": " << job.error().describe();
    const CheckpointId restored = (*job)->start_report().restored_checkpoint;
    (*job)->request_cancel();
    (*job)->wait();
    EXPECT_THAT(files.steps(), Contains("sync_directory " + checkpoint_path(options.state_directory, restored))) << written;
  }
}

}  // namespace
}  // namespace tidemark

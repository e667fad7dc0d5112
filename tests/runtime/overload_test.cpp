// More than a job can take: a slow sink, a sink that hangs, bursts, one key that has nearly all records. What must hold: nothing is lost,
// records and checkpoints go on, and what waits between source and sink is bounded (faults F06, F40, F44, F45, F46).

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <numeric>
#include <thread>
#include <utility>

#include <tidemark/file/pace.hpp>
#include <tidemark/memory/callback.hpp>
#include <tidemark/memory/generator.hpp>
#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/memory/memory_source.hpp>
#include <tidemark/memory/push_source.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/gate.hpp"
#include "../support/job_result.hpp"
#include "../support/temporary_directory.hpp"

namespace tidemark {
namespace {

using namespace std::chrono_literals;
using test_support::comes_true;
using test_support::describe;
using test_support::Gate;

RuntimeOptions options_in(const test_support::TemporaryDirectory& directory) {
  RuntimeOptions options;
  options.state_directory = directory / "state";
  options.checkpoint_every = 10ms;
  options.logger = Logger::silent();
  return options;
}

// A transactional sink in memory with a gate before each of its calls.
class GatedSink final : public SinkBase {
 public:
  Gate write;
  Gate seal;
  Gate commit;

  std::string describe() const override { return under_.describe(); }
  SinkGuarantee guarantee() const override { return under_.guarantee(); }
  Result<std::unique_ptr<SinkWriterBase>> open_writer(const IoContext& io, const SinkIdentity& identity) override {
    TIDEMARK_ASSIGN(auto writer, under_.open_writer(io, identity));
    return std::unique_ptr<SinkWriterBase>{std::make_unique<Writer>(*this, std::move(writer))};
  }
  Result<std::unique_ptr<SinkCommitter>> open_committer(const IoContext& io, const SinkIdentity& identity) override {
    TIDEMARK_ASSIGN(auto committer, under_.open_committer(io, identity));
    return std::unique_ptr<SinkCommitter>{std::make_unique<Committer>(*this, std::move(committer))};
  }
  std::vector<std::uint64_t> committed() const { return target_->committed(); }

 private:
  class Writer final : public SinkWriter<std::uint64_t> {
   public:
    Writer(GatedSink& sink, std::unique_ptr<SinkWriterBase> under) : sink_(sink), under_(std::move(under)) {}
    Status write(const Batch<std::uint64_t>& batch) override {
      sink_.write.pass();
      return under_->write_batch(batch);
    }
    EpochSeal seal(CheckpointId epoch) override {
      return [this, under = under_->seal(epoch)] {
        sink_.seal.pass();
        return under();
      };
    }

   private:
    GatedSink& sink_;
    std::unique_ptr<SinkWriterBase> under_;
  };
  class Committer final : public SinkCommitter {
   public:
    Committer(GatedSink& sink, std::unique_ptr<SinkCommitter> under) : sink_(sink), under_(std::move(under)) {}
    Result<CheckpointId> committed_epoch() override { return under_->committed_epoch(); }
    Status commit(CheckpointId epoch, CheckpointId previous, const std::vector<Committable>& committables) override {
      sink_.commit.pass();
      return under_->commit(epoch, previous, committables);
    }
    Status discard_unlisted() override { return under_->discard_unlisted(); }

   private:
    GatedSink& sink_;
    std::unique_ptr<SinkCommitter> under_;
  };

  std::shared_ptr<memory_internal::MemoryTarget<std::uint64_t>> target_ =
      std::make_shared<memory_internal::MemoryTarget<std::uint64_t>>();
  memory_internal::TransactionalMemorySink<std::uint64_t> under_{target_};
};

constexpr std::uint64_t kNumbers = 300'000;

std::vector<std::uint64_t> all_numbers() {
  std::vector<std::uint64_t> numbers(kNumbers);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}
std::vector<std::uint64_t> sorted(std::vector<std::uint64_t> numbers) {
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// An exchange between source and sink, so that there is a queue to fill.
Graph numbers_into(Source<std::uint64_t> source, const Sink<std::uint64_t>& sink) {
  Graph graph;
  graph.from("numbers", std::move(source))
      .key_by([](const std::uint64_t& number) { return number % 64; })
      .process<std::uint64_t>("pass", [](const std::uint64_t& number, char&, ProcessContext<std::uint64_t>&,
                                         Collector<std::uint64_t>& out) { out(number); })
      .to("sink", sink);
  return graph;
}

Source<std::uint64_t> numbers() { return memory_source(all_numbers()); }
// For more than a second: there is input left when something has been waited for.
Source<std::uint64_t> at_a_pace() { return paced(numbers(), Pace::records_per_second(kNumbers / 1.5)); }

TEST(Overload, F44KeepsWhatWaitsForASlowSinkWithinTheQueuesAndGoesOn) {
  const test_support::TemporaryDirectory directory;
  RuntimeOptions options = options_in(directory);
  options.parallelism = 2;
  options.max_batch = 100;
  options.queue_bytes = 16 << 10;
  std::atomic<std::uint64_t> written{0};
  std::atomic<bool> slow{true};
  auto runtime = Runtime::start(numbers_into(numbers(), callback_sink<std::uint64_t>([&](const Batch<std::uint64_t>& batch) {
                                               if (slow) std::this_thread::sleep_for(1ms);
                                               written += batch.size();
                                             })),
                                options);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  std::uint64_t most_waiting = 0;
  EXPECT_TRUE(comes_true([&] {
    const std::uint64_t before = written;   // read first: what is written meanwhile counts as waiting, not the other way round
    const JobSnapshot now = (*runtime)->snapshot();
    most_waiting = std::max(most_waiting, now.records_in - std::min(now.records_in, before));
    return now.checkpoints >= 3 || now.state != JobState::kRunning;
  }));
  EXPECT_EQ((*runtime)->snapshot().state, JobState::kRunning) << "the sink was not slow enough to be seen";
  // Four queues of 2,000 numbers at the most, what a task has at hand beside them, and what was written between the two looks.
  EXPECT_LE(most_waiting, 20'000U);
  slow = false;
  const JobResult result = (*runtime)->wait();
  EXPECT_EQ(result.state, JobState::kFinished) << describe(result);
  EXPECT_EQ(written, kNumbers);
}

// Of records that own memory the bytes are bounded, not the number.
TEST(Overload, F44KeepsLargeRecordsThatWaitForASlowSinkWithinTheQueues) {
  const test_support::TemporaryDirectory directory;
  RuntimeOptions options = options_in(directory);
  options.parallelism = 2;
  constexpr std::uint64_t kTexts = 300;
  std::atomic<std::uint64_t> made{0};
  std::atomic<std::uint64_t> written{0};
  std::atomic<bool> slow{true};
  const auto text_of = [&made](std::uint64_t i) {
    ++made;
    return std::string(std::size_t{1} << 20, static_cast<char>('A' + i % 26));
  };
  Graph graph;
  graph.from("texts", generator_source<std::string>("texts", kTexts, text_of))
      .key_by([](const std::string& text) { return static_cast<std::uint64_t>(text.front()); })
      .process<std::string>("pass", [](const std::string& text, char&, ProcessContext<std::uint64_t>&,
                                       Collector<std::string>& out) { out(text); })
      .to("sink", callback_sink<std::string>([&](const Batch<std::string>& batch) {
            if (slow) std::this_thread::sleep_for(5ms * batch.size());
            written += batch.size();
          }));
  auto runtime = Runtime::start(std::move(graph), options);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  std::uint64_t most_waiting = 0;
  EXPECT_TRUE(comes_true([&] {
    const std::uint64_t before = written;
    most_waiting = std::max(most_waiting, made - before);
    return before >= kTexts / 3 || (*runtime)->snapshot().state != JobState::kRunning;
  }));
  // The source's first batch, before it knows how large its records are: 16. Then one in each of four queues, and one at hand beside each.
  EXPECT_LE(most_waiting, 30U);
  slow = false;
  const JobResult result = (*runtime)->wait();
  EXPECT_EQ(result.state, JobState::kFinished) << describe(result);
  EXPECT_EQ(written, kTexts);
}

TEST(Overload, F45HoldsTheSourceBackWhileWriteHangsAndLosesNothing) {
  const test_support::TemporaryDirectory directory;
  RuntimeOptions options = options_in(directory);
  options.parallelism = 2;
  options.queue_bytes = 16 << 10;
  const auto sink = std::make_shared<GatedSink>();
  sink->write.close();
  auto runtime = Runtime::start(numbers_into(numbers(), Sink<std::uint64_t>{sink}), options);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  ASSERT_TRUE(comes_true([&] { return sink->write.holds_somebody(); }));
  std::uint64_t before = 0;
  EXPECT_TRUE(comes_true([&] {   // the source comes to rest
    std::this_thread::sleep_for(50ms);
    const std::uint64_t now = (*runtime)->snapshot().records_in;
    return std::exchange(before, now) == now;
  }));
  EXPECT_LT(before, kNumbers / 4);
  EXPECT_EQ((*runtime)->stop(50ms).error().code, ErrorCode::kStopTimeout);   // by its deadline, whoever hangs
  sink->write.open();
  EXPECT_EQ((*runtime)->wait().state, JobState::kCancelled);
  runtime->reset();
  auto again = Runtime::start(numbers_into(numbers(), Sink<std::uint64_t>{sink}), options);
  ASSERT_TRUE(again.ok()) << again.error().describe();
  EXPECT_EQ((*again)->wait().state, JobState::kFinished);
  EXPECT_EQ(sorted(sink->committed()), all_numbers());
}

// A job whose sink hangs at `gate` until so many checkpoints have failed: records go on beside it, and all is committed later.
void expect_records_go_on_beside(Gate GatedSink::*gate, const RuntimeOptions& options, std::uint64_t failures) {
  const auto sink = std::make_shared<GatedSink>();
  (*sink.*gate).close();
  auto runtime = Runtime::start(numbers_into(at_a_pace(), Sink<std::uint64_t>{sink}), options);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  ASSERT_TRUE(comes_true([&] { return (*sink.*gate).holds_somebody(); }));
  const std::uint64_t before = (*runtime)->snapshot().records_in;
  EXPECT_TRUE(comes_true([&] { return (*runtime)->snapshot().failed_checkpoints >= failures; }));
  EXPECT_TRUE(comes_true([&] { return (*runtime)->snapshot().records_in > before; }));
  EXPECT_TRUE(sink->committed().empty());
  (*sink.*gate).open();
  const JobResult result = (*runtime)->wait();
  EXPECT_EQ(result.state, JobState::kFinished) << describe(result);
  EXPECT_EQ(sorted(sink->committed()), all_numbers());
}

// The seal is I/O, and the checkpoint that waits for it is given up at its time-out.
TEST(Overload, F45GivesCheckpointsUpWhileSealHangsAndGoesOnBesideThem) {
  const test_support::TemporaryDirectory directory;
  RuntimeOptions options = options_in(directory);
  options.checkpoint_timeout = 50ms;
  options.tolerated_checkpoint_failures = 1000;
  expect_records_go_on_beside(&GatedSink::seal, options, 1);
}

TEST(Overload, F45GoesOnWithRecordsWhileCommitHangsAndCommitsLater) {
  const test_support::TemporaryDirectory directory;
  expect_records_go_on_beside(&GatedSink::commit, options_in(directory), 0);
}

TEST(Overload, F45NamesTheSinkWhileCommitHangs) {
  const test_support::TemporaryDirectory directory;
  RuntimeOptions options = options_in(directory);
  options.step_warning = 250ms;   // no other call is so slow for want of a processor
  const auto sink = std::make_shared<GatedSink>();
  sink->commit.close();
  auto runtime = Runtime::start(numbers_into(at_a_pace(), Sink<std::uint64_t>{sink}), options);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  EXPECT_TRUE(comes_true([&] {
    const JobSnapshot snapshot = (*runtime)->snapshot();
    return std::any_of(snapshot.hangs.begin(), snapshot.hangs.end(),
                       [](const auto& hang) { return hang.what == "commit of epoch 1 by sink \"sink\""; });
  }));
  sink->commit.open();
  EXPECT_TRUE(comes_true([&] { return (*runtime)->snapshot().hangs.empty(); }));
  EXPECT_EQ((*runtime)->wait().state, JobState::kFinished);
}

// What is asked for meanwhile is answered when its turn has come, not refused and not forgotten.
TEST(Overload, F45LetsOtherSinksCommitWhileOneHangsAndAnswersLater) {
  const test_support::TemporaryDirectory directory;
  const RuntimeOptions options = options_in(directory);
  const auto sink = std::make_shared<GatedSink>();
  const MemorySink<std::uint64_t> other;
  sink->commit.close();
  Graph graph;
  auto stream = graph.from("numbers", at_a_pace());
  stream.to("sink", Sink<std::uint64_t>{sink});
  stream.to("other", other.sink());
  auto runtime = Runtime::start(std::move(graph), options);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  EXPECT_TRUE(comes_true([&] { return other.committed_epoch() == 1; }));
  ASSERT_TRUE(comes_true([&] { return sink->commit.holds_somebody(); }));
  CheckpointAnswer savepoint = (*runtime)->request_savepoint("later");
  EXPECT_EQ(savepoint.wait_for(50ms), std::future_status::timeout);
  EXPECT_EQ(other.committed_epoch(), 1U);   // no sink is ever more than an epoch ahead of another
  sink->commit.open();
  const Result<CheckpointId> kept = savepoint.get();
  EXPECT_TRUE(kept.ok()) << kept.error().describe();
  EXPECT_EQ((*runtime)->wait().state, JobState::kFinished);
  EXPECT_EQ(sorted(sink->committed()), all_numbers());
  EXPECT_EQ(sorted(other.committed()), all_numbers());
}

TEST(Overload, F45EndsAStopByItsDeadlineWithTheNameOfTheSinkWhileCommitHangs) {
  const test_support::TemporaryDirectory directory;
  const RuntimeOptions options = options_in(directory);
  const auto sink = std::make_shared<GatedSink>();
  sink->commit.close();
  auto runtime = Runtime::start(numbers_into(at_a_pace(), Sink<std::uint64_t>{sink}), options);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  ASSERT_TRUE(comes_true([&] { return sink->commit.holds_somebody(); }));
  const Status stopped = (*runtime)->stop(50ms);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, ErrorCode::kStopTimeout);
  EXPECT_NE(stopped.error().describe().find("commit of epoch 1 by sink \"sink\""), std::string::npos) << stopped.error().describe();
  sink->commit.open();
  EXPECT_EQ((*runtime)->wait().state, JobState::kCancelled);
  runtime->reset();
  auto again = Runtime::start(numbers_into(numbers(), Sink<std::uint64_t>{sink}), options);
  ASSERT_TRUE(again.ok()) << again.error().describe();
  EXPECT_EQ((*again)->wait().state, JobState::kFinished);
  EXPECT_EQ(sorted(sink->committed()), all_numbers());
}

TEST(Overload, F06StopsWithinItsDeadlineInTheMiddleOfACommitAndAtOnceTheSecondTime) {
  const test_support::TemporaryDirectory directory;
  const RuntimeOptions options = options_in(directory);
  const auto sink = std::make_shared<GatedSink>();
  sink->commit.close();
  auto runtime = Runtime::start(numbers_into(at_a_pace(), Sink<std::uint64_t>{sink}), options);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  ASSERT_TRUE(comes_true([&] { return sink->commit.holds_somebody(); }));
  std::thread opener([&] {
    std::this_thread::sleep_for(20ms);
    sink->commit.open();
  });
  const Status stopped = (*runtime)->stop(30s);
  opener.join();
  EXPECT_TRUE(stopped.ok()) << stopped.error().describe();
  EXPECT_EQ((*runtime)->snapshot().state, JobState::kStopped);
  EXPECT_TRUE((*runtime)->stop(0ms).ok());
  EXPECT_EQ(sink->committed().size(), (*runtime)->snapshot().records_in);   // all that was read is visible
}

TEST(Overload, F46LosesNothingInBurstsAndTakesCheckpointsInTheSilenceBetween) {
  const test_support::TemporaryDirectory directory;
  const RuntimeOptions options = options_in(directory);
  const MemorySink<std::uint64_t> sink;
  PushSource<std::uint64_t> source;
  auto runtime = Runtime::start(numbers_into(source.source(), sink.sink()), options);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  constexpr std::uint64_t kBurst = kNumbers / 5;
  for (std::uint64_t number = 0; number < kNumbers; ++number) {
    ASSERT_TRUE(source.push(number));
    if (number % kBurst != kBurst - 1) continue;
    // In the silence behind a burst all of it becomes visible, without a record that would push it on.
    EXPECT_TRUE(comes_true([&] { return sink.committed().size() == number + 1; })) << number;
  }
  source.close();
  EXPECT_EQ((*runtime)->wait().state, JobState::kFinished);
  EXPECT_EQ(sorted(sink.committed()), all_numbers());
}

// Of every hundred records 99 are of one key.
TEST(Overload, F40ServesTheOtherKeysBesideOneThatHasNearlyAllRecords) {
  const test_support::TemporaryDirectory directory;
  RuntimeOptions options = options_in(directory);
  options.parallelism = 2;
  constexpr std::uint64_t kHot = 1;
  const auto key_of = [](const std::uint64_t& number) { return number % 100 == 0 ? number + 2 : kHot; };
  const MemorySink<std::uint64_t> sink;
  Graph graph;
  graph.from("numbers", generator_source<std::uint64_t>("numbers", kNumbers, [](std::uint64_t i) { return i; }))
      .key_by(key_of)
      .process<std::uint64_t>("counts", [](const std::uint64_t&, std::uint64_t& count, ProcessContext<std::uint64_t>&,
                                           Collector<std::uint64_t>& out) { out(++count); })
      .to("sink", sink.sink());
  auto runtime = Runtime::start(std::move(graph), options);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  const JobResult result = (*runtime)->wait();
  ASSERT_EQ(result.state, JobState::kFinished) << describe(result);
  std::vector<std::uint64_t> expected(kNumbers / 100, 1);   // the others have one record each
  for (std::uint64_t count = 1; count <= kNumbers - kNumbers / 100; ++count) expected.push_back(count);
  EXPECT_EQ(sorted(sink.committed()), sorted(expected));
}

}  // namespace
}  // namespace tidemark

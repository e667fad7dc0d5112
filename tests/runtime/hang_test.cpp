// A function of the user that does not return, or calls back into the runtime that runs it (fault F37).

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/memory/memory_source.hpp>
#include <tidemark/memory/push_source.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/gate.hpp"
#include "../support/temporary_directory.hpp"
#include "numbers.hpp"

namespace tidemark {
namespace {

using namespace numbers;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;
using test_support::comes_true;
using test_support::Gate;
using test_support::TemporaryDirectory;

constexpr std::int64_t kHeld = 217;

// Hands every number on when `look_at` has returned.
Graph calling(const std::function<void(std::int64_t)>& look_at, const Sink<std::int64_t>& sink,
              Source<std::int64_t> source = numbers_source()) {
  Graph graph;
  graph.from("numbers", std::move(source))
      .key_by([](const std::int64_t& number) { return number % 4; })
      .process<std::int64_t>("look", [look_at](const std::int64_t& number, char&, ProcessContext<std::int64_t>&,
                                               Collector<std::int64_t>& out) {
        look_at(number);
        out(number);
      })
      .to("sink", sink);
  return graph;
}
Graph held_by(Gate& gate, const Sink<std::int64_t>& sink) {
  return calling([&gate](std::int64_t number) { if (number == kHeld) gate.pass(); }, sink);
}

std::unique_ptr<Runtime> start(Graph graph, const RuntimeOptions& options) {
  auto runtime = Runtime::start(std::move(graph), options);
  EXPECT_TRUE(runtime.ok()) << runtime.error().describe();
  return runtime.ok() ? *std::move(runtime) : nullptr;
}

// What a job says.
class Said {
 public:
  Logger logger() {
    return Logger::to_sink([this](LogLevel, std::string_view line) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(line);
    });
  }
  std::vector<std::string> with(std::string_view part) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    for (const std::string& line : lines_) {
      if (line.find(part) != std::string::npos) found.push_back(line);
    }
    return found;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

// The record is somewhere in a batch of ten.
TEST(Hang, F37IsNamedOnceWithOperatorAndRecordsAndSoIsItsEnd) {
  const TemporaryDirectory directory;
  const MemorySink<std::int64_t> sink;
  Said said;
  Gate gate;
  Gate later;
  gate.close();
  later.close();
  RuntimeOptions options = options_in(directory);
  options.logger = said.logger();
  options.step_warning = 250ms;   // no call is so slow for want of a processor
  options.tolerated_checkpoint_failures = 1000;
  const auto runtime = start(calling([&](std::int64_t number) {
                               if (number == kHeld) gate.pass();
                               if (number == kHeld + 100) later.pass();
                             }, sink.sink()), options);
  ASSERT_TRUE(comes_true([&] { return !runtime->snapshot().hangs.empty(); }));
  const JobSnapshot snapshot = runtime->snapshot();
  ASSERT_EQ(snapshot.hangs.size(), 1U);
  EXPECT_EQ(snapshot.hangs.front().what, "operator \"look\" of task numbers/0");
  EXPECT_GE(snapshot.hangs.front().lasts, 250ms);
  EXPECT_EQ(snapshot.state, JobState::kRunning);
  std::this_thread::sleep_for(600ms);   // more looks at the same call
  const auto lines = said.with("has not returned for");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines.front(), HasSubstr("operator \"look\" of task numbers/0"));
  EXPECT_THAT(lines.front(), HasSubstr("its last batch: split \"numbers/0\" position 210 to 219"));
  EXPECT_THAT(said.with("has returned"), IsEmpty());
  gate.open();
  EXPECT_TRUE(comes_true([&] { return said.with("operator \"look\" of task numbers/0 has returned after ").size() == 1; }));
  later.open();
  EXPECT_EQ(runtime->wait().state, JobState::kFinished);
  EXPECT_TRUE(comes_true([&] { return runtime->snapshot().hangs.empty(); }));
  EXPECT_EQ(sink.committed(), all_numbers());
}

TEST(Hang, F37GivesCheckpointsUpAndTheJobGoesOnAfterwardsWithNothingLost) {
  const TemporaryDirectory directory;
  const MemorySink<std::int64_t> sink;
  Gate gate;
  gate.close();
  RuntimeOptions options = options_in(directory);
  options.checkpoint_timeout = 20ms;
  options.tolerated_checkpoint_failures = 1000;
  const auto runtime = start(held_by(gate, sink.sink()), options);
  ASSERT_TRUE(comes_true([&] { return gate.holds_somebody(); }));
  const std::uint64_t before = runtime->snapshot().failed_checkpoints;
  EXPECT_TRUE(comes_true([&] { return runtime->snapshot().failed_checkpoints >= before + 2; }));
  EXPECT_LT(sink.committed().size(), static_cast<std::size_t>(kHeld) + 1);
  gate.open();
  EXPECT_EQ(runtime->wait().state, JobState::kFinished);
  EXPECT_EQ(sink.committed(), all_numbers());
}

TEST(Hang, F37EndsAStopByItsDeadlineWithTheNameOfTheOperatorAndIsWaitedForByTheDestructor) {
  const TemporaryDirectory directory;
  const MemorySink<std::int64_t> sink;
  Gate gate;
  gate.close();
  RuntimeOptions options = options_in(directory);
  options.parallelism = 2;
  options.workers = 2;
  auto runtime = start(held_by(gate, sink.sink()), options);
  ASSERT_TRUE(comes_true([&] { return gate.holds_somebody(); }));
  const Status stopped = runtime->stop(100ms);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, ErrorCode::kStopTimeout);
  EXPECT_THAT(stopped.error().describe(), HasSubstr("operator \"look\" of task look/"));
  EXPECT_THAT(stopped.error().describe(), HasSubstr("its last batch: split \"numbers/0\" position "));
  EXPECT_FALSE(runtime->wait_for(0ms));
  EXPECT_EQ(runtime->stop(10ms).error().code, ErrorCode::kStopTimeout);   // again, when the job is being taken down
  std::atomic<bool> gone{false};
  std::thread destroyer([&] {
    runtime.reset();
    gone = true;
  });
  std::this_thread::sleep_for(50ms);
  EXPECT_FALSE(gone);
  gate.open();
  destroyer.join();
  const auto again = start(held_by(gate, sink.sink()), options);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->wait().state, JobState::kFinished);
  EXPECT_THAT(sink.committed(), UnorderedElementsAreArray(all_numbers()));
}

// A job whose function gets at it: it waits for the start to hand it over.
class SelfAware {
 public:
  Runtime& itself() {
    while (itself_.load() == nullptr) std::this_thread::yield();
    return *itself_.load();
  }
  void is(Runtime& runtime) { itself_.store(&runtime); }

 private:
  std::atomic<Runtime*> itself_{nullptr};
};

TEST(Hang, F37IsNotWhatAFunctionDoesThatAsksForASavepointAndThenForAStop) {
  const TemporaryDirectory directory;
  const MemorySink<std::int64_t> sink;
  SelfAware job;
  CheckpointAnswer savepoint;
  CheckpointAnswer stop;
  PushSource<std::int64_t> source;   // which does not end
  const auto runtime = start(calling([&](std::int64_t number) {
                               if (number == 1) savepoint = job.itself().request_savepoint("kept");
                               if (number == 2) stop = job.itself().request_stop();
                             }, sink.sink(), source.source()), options_in(directory));
  job.is(*runtime);
  for (const std::int64_t number : {0, 1, 2}) ASSERT_TRUE(source.push(number));
  EXPECT_EQ(runtime->wait().state, JobState::kStopped);
  const Result<CheckpointId> kept = savepoint.get();
  const Result<CheckpointId> last = stop.get();
  ASSERT_TRUE(kept.ok()) << kept.error().describe();
  ASSERT_TRUE(last.ok()) << last.error().describe();
  EXPECT_LE(*kept, *last);
  EXPECT_THAT(sink.committed(), ElementsAre(0, 1, 2));
}

TEST(Hang, F37IsNotWhatAFunctionDoesThatCancelsItsJob) {
  const TemporaryDirectory directory;
  const MemorySink<std::int64_t> sink;
  SelfAware job;
  PushSource<std::int64_t> source;
  const auto runtime =
      start(calling([&](std::int64_t) { job.itself().request_cancel(); }, sink.sink(), source.source()), options_in(directory));
  job.is(*runtime);
  ASSERT_TRUE(source.push(1));
  EXPECT_EQ(runtime->wait().state, JobState::kCancelled);
}

TEST(Hang, F37IsRefusedToAFunctionThatWaitsForItsOwnJob) {
  const TemporaryDirectory directory;
  const MemorySink<std::int64_t> sink;
  SelfAware job;
  JobResult waited;
  std::optional<JobResult> waited_for;
  Status stopped;
  const auto runtime = start(calling([&](std::int64_t number) {
                               if (number != kHeld) return;
                               waited = job.itself().wait();
                               waited_for = job.itself().wait_for(1h);
                               stopped = job.itself().stop(1h);
                             }, sink.sink()), options_in(directory));
  job.is(*runtime);
  EXPECT_EQ(runtime->wait().state, JobState::kFinished);
  EXPECT_EQ(waited.state, JobState::kRunning);
  ASSERT_TRUE(waited.error && waited_for && waited_for->error && !stopped.ok());
  EXPECT_EQ(waited.error->message, "wait() was called on a thread of the job");
  EXPECT_EQ(waited_for->error->message, "wait_for() was called on a thread of the job");
  EXPECT_EQ(stopped.error().message, "stop() was called on a thread of the job");
  EXPECT_EQ(stopped.error().code, ErrorCode::kUsage);
  EXPECT_EQ(sink.committed(), all_numbers());
}

// A destructor can neither wait for its own thread nor return an error.
TEST(Hang, F37EndsTheProcessWithASentenceIfAFunctionDestroysItsOwnRuntime) {
  const TemporaryDirectory directory;
  const MemorySink<std::int64_t> sink;
  EXPECT_DEATH(
      {
        std::unique_ptr<Runtime> runtime;
        std::atomic<bool> started{false};
        runtime = start(calling([&](std::int64_t) {
                          while (!started) std::this_thread::yield();
                          runtime.reset();
                        }, sink.sink()), options_in(directory));
        started = true;
        std::this_thread::sleep_for(1min);
      },
      "a Runtime is destroyed on one of its own threads");
}

}  // namespace
}  // namespace tidemark

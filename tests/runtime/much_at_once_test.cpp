// Much that is due at one instant: all timers of a job, or all results of a window. It fires in steps, between which everybody else goes
// on; a checkpoint that is asked for in the middle is one of the end of the firing, and a crash there changes no output (F40, W8,
// promise 1).

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <tidemark/memory/callback.hpp>
#include <tidemark/memory/generator.hpp>
#include <tidemark/memory/memory_sink.hpp>
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
using test_support::TemporaryDirectory;

constexpr std::uint64_t kKeys = 200'000;
constexpr EventTime kInstant = event_time(3'600'000'000);

RuntimeOptions options_in(const TemporaryDirectory& directory, std::uint32_t parallelism = 1) {
  RuntimeOptions options;
  options.state_directory = directory / "state";
  options.parallelism = parallelism;
  options.checkpoint_every = 10ms;
  options.logger = Logger::silent();
  return options;
}

// A record for each key, and one more at the instant, whose watermark lets everything fire that is due before it.
auto records_before_the_instant(Graph& graph) {
  return graph.from("records", generator_source<std::uint64_t>("records", kKeys + 1, [](std::uint64_t i) { return i; }))
      .with_event_time([](const std::uint64_t& i) { return i < kKeys ? event_time(static_cast<std::int64_t>(i)) : kInstant; }, {})
      .key_by([](const std::uint64_t& i) { return i; });
}

struct AtTheInstant {
  void operator()(const std::uint64_t& record, char&, ProcessContext<std::uint64_t>& context, Collector<std::uint64_t>&) {
    if (record < kKeys) context.set_timer(kInstant - 1us);
  }
  void on_timer(const Timer&, char&, ProcessContext<std::uint64_t>& context, Collector<std::uint64_t>& out) { out(context.key()); }
};

TEST(MuchAtOnce, TimersOfOneInstantFireInStepsBetweenWhichTheOtherTasksOfTheirThreadGoOn) {
  const TemporaryDirectory directory;
  std::atomic<std::uint64_t> fired{0};
  std::set<std::uint64_t> seen;   // of `fired`, by the task beside
  Graph graph;
  records_before_the_instant(graph)
      .process<std::uint64_t>("at_the_instant", AtTheInstant{})
      .to("out", callback_sink<std::uint64_t>([&](const Batch<std::uint64_t>& batch) { fired += batch.size(); }));
  graph.from("beside", generator_source<std::uint64_t>("beside", ~std::uint64_t{0} >> 1, [](std::uint64_t i) { return i; }))
      .to("beside_out", callback_sink<std::uint64_t>([&](const Batch<std::uint64_t>&) { seen.insert(fired); }));
  auto runtime = Runtime::start(std::move(graph), options_in(directory));
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  EXPECT_TRUE(comes_true([&] { return fired == kKeys || (*runtime)->snapshot().state != JobState::kRunning; }));
  (*runtime)->request_stop();
  const JobResult result = (*runtime)->wait();
  EXPECT_EQ(result.state, JobState::kStopped) << describe(result);
  EXPECT_EQ(fired, kKeys);
  EXPECT_GT(seen.size(), kKeys / 5000) << "steps of more than a few thousand timers";
}

using Count = WindowResult<std::uint64_t, std::uint64_t>;

// Counts of one window. Whoever brings the result that is the `closes_at`th finds the gate closed.
struct WindowJob {
  MemorySink<Count> sink;
  std::uint64_t closes_at = ~std::uint64_t{0};
  Gate gate;
  std::atomic<bool> fires_slowly{false};
  std::atomic<std::uint64_t> fired{0};

  Graph graph() {
    Graph graph;
    fired = 0;
    records_before_the_instant(graph)
        .window(tumbling(1h))
        .aggregate("counts", count())
        .map([this](const Count& result) {
          if (++fired == closes_at) gate.close();
          gate.pass();
          if (fires_slowly && fired % 64 == 0) std::this_thread::sleep_for(1ms);
          return result;
        })
        .to("out", sink.sink());
    return graph;
  }
  // The window's results; the last record is alone in the next one.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> committed() const {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> counts;
    for (const Count& result : sink.committed()) counts.emplace_back(result.key, result.value);
    std::sort(counts.begin(), counts.end());
    return counts;
  }
};

std::vector<std::pair<std::uint64_t, std::uint64_t>> each_key_once() {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> counts;
  for (std::uint64_t key = 0; key <= kKeys; ++key) counts.emplace_back(key, 1);
  return counts;
}

TEST(MuchAtOnce, F40ACrashInTheMiddleOfAFiringWindowChangesNoOutput) {   // Promise 1
  for (const std::uint32_t parallelism : {1U, 2U}) {
    SCOPED_TRACE(parallelism);
    const TemporaryDirectory directory;
    WindowJob job;
    for (const std::uint64_t closes_at : {kKeys / 3, kKeys / 3 * 2}) {
      job.closes_at = closes_at;
      auto runtime = Runtime::start(job.graph(), options_in(directory, parallelism));
      ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
      ASSERT_TRUE(comes_true([&] { return job.gate.holds_somebody(); }));
      CheckpointAnswer none = (*runtime)->request_savepoint("none");   // it waits for the firing, and is refused when the job is cancelled
      (*runtime)->request_cancel();
      EXPECT_FALSE(none.get().ok());
      job.fires_slowly = true;   // so that the rest is not over before the tasks know that they are cancelled
      job.gate.open();
      EXPECT_EQ((*runtime)->wait().state, JobState::kCancelled);
      job.fires_slowly = false;
      EXPECT_LT(job.fired, kKeys) << "the crash came too late";
      EXPECT_TRUE(job.sink.committed().empty());
    }
    job.closes_at = 0;
    auto runtime = Runtime::start(job.graph(), options_in(directory, 3 - parallelism));
    ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
    const JobResult result = (*runtime)->wait();
    ASSERT_EQ(result.state, JobState::kFinished) << describe(result);
    EXPECT_EQ(job.committed(), each_key_once());
  }
}

TEST(MuchAtOnce, F40ACheckpointThatIsAskedForWhileAWindowFiresIsOneOfTheEndOfTheFiring) {   // W8
  for (const std::uint32_t parallelism : {1U, 2U}) {
    SCOPED_TRACE(parallelism);
    const TemporaryDirectory directory;
    WindowJob job;
    job.closes_at = kKeys / 3;
    auto runtime = Runtime::start(job.graph(), options_in(directory, parallelism));
    ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
    ASSERT_TRUE(comes_true([&] { return job.gate.holds_somebody(); }));
    CheckpointAnswer answer = (*runtime)->request_savepoint("middle");
    std::this_thread::sleep_for(20ms);   // for its barrier to come while the window fires
    job.gate.open();
    const Result<CheckpointId> taken = answer.get();
    ASSERT_TRUE(taken.ok()) << taken.error().describe();
    EXPECT_GE(job.sink.committed().size(), kKeys);
    ASSERT_EQ((*runtime)->wait().state, JobState::kFinished);
    EXPECT_EQ(job.committed(), each_key_once());
  }
}

}  // namespace
}  // namespace tidemark

// What a running job writes: the same at every parallelism, batch size and queue size, and across stops and crashes.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <iterator>
#include <set>
#include <thread>

#include <tidemark/file/pace.hpp>
#include <tidemark/memory/callback.hpp>
#include <tidemark/memory/generator.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/instrumented.hpp"
#include "../support/recording_file_system.hpp"
#include "../support/temporary_directory.hpp"
#include "payments.hpp"

namespace tidemark {
namespace {

using namespace payments;
using namespace std::chrono_literals;

struct Shape {
  std::uint32_t parallelism = 1;
  std::uint32_t workers = 0;
  std::uint32_t max_batch = 1000;
  std::size_t queue_bytes = 256 << 10;
};

RuntimeOptions options_for(const Shape& shape) {
  RuntimeOptions options;
  options.parallelism = shape.parallelism;
  options.workers = shape.workers;
  options.max_batch = shape.max_batch;
  options.queue_bytes = shape.queue_bytes;
  return options;
}

TEST(Job, WritesTheSameAtEveryParallelismBatchSizeAndQueueSize) {   // D1, W5, L2, P3
  const Splits splits = make_payments(7, 3, 3000);
  const Expected expected = model(splits);
  ASSERT_FALSE(expected.late.empty());
  for (const Shape shape : {Shape{}, Shape{1, 1, 1}, Shape{1, 1, 7}, Shape{1, 1, 4096}, Shape{2, 1, 1000}, Shape{2, 2, 1},
                            Shape{3, 2, 999, 1}, Shape{3, 3, 64}, Shape{7, 2, 1000}, Shape{128, 2, 100}}) {
    SCOPED_TRACE(testing::Message() << "parallelism " << shape.parallelism << " workers " << shape.workers << " batch " << shape.max_batch
                                    << " queue " << shape.queue_bytes);
    MemorySink<Line> lines;
    MemorySink<Line> late;
    auto runtime = Runtime::start(make_graph(memory_source(splits), lines.sink(), late.sink()), options_for(shape));
    ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
    const JobResult result = (*runtime)->wait();
    ASSERT_EQ(result.state, JobState::kFinished) << (result.error ? result.error->describe() : "");
    EXPECT_EQ(sorted(lines.committed()), expected.lines);
    EXPECT_EQ(sorted(late.committed()), expected.late);
  }
}

TEST(Job, KeepsTheResultsOfOneKeyInEventTimeOrder) {   // D3, P3
  const Splits splits = make_payments(8, 2, 2000);
  MemorySink<Line> lines;
  MemorySink<Line> late;
  auto runtime = Runtime::start(make_graph(memory_source(splits), lines.sink(), late.sink()), options_for({1, 1, 100}));
  ASSERT_TRUE(runtime.ok());
  (*runtime)->wait();
  for (const auto& [key, totals] : by_key(lines.committed(), "total")) {
    std::int64_t last = INT64_MIN;
    for (const std::string& total : totals) {
      const std::int64_t at = std::stoll(total.substr(6));
      EXPECT_LE(last, at) << key;
      last = at;
    }
  }
}

TEST(Job, GoesOnAfterAStopAsIfNothingHadHappened) {   // C9, C3
  const Splits splits = make_payments(9, 3, test_support::kInstrumented ? 4000 : 20000);
  const Expected expected = model(splits);
  for (const std::uint32_t parallelism : {1U, 2U, 3U, 64U}) {   // 23 keys: most of 64 tasks have none
    test_support::TemporaryDirectory directory;
    MemorySink<Line> lines;
    MemorySink<Line> late;
    JobState state = JobState::kRunning;
    constexpr int kStops = 7;
    const Source<Payment> source = memory_source(splits);
    const Source<Payment> slow_source = paced(memory_source(splits), Pace::records_per_second(500));   // not read before it is stopped
    for (int start = 1; state != JobState::kFinished; ++start) {
      ASSERT_LE(start, kStops + 1);
      RuntimeOptions options = options_for({parallelism, 2, 50});
      options.state_directory = directory.path() + "/state";
      options.checkpoint_every = 5ms;
      auto runtime = Runtime::start(make_graph(start <= kStops ? slow_source : source, lines.sink(), late.sink()), options);
      ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
      if (start <= kStops) {
        std::this_thread::sleep_for(std::chrono::milliseconds{10 * start});
        (*runtime)->request_stop();
      }
      const JobResult result = (*runtime)->wait();
      ASSERT_NE(result.state, JobState::kFailed) << result.error->describe();
      if (start == 1) {
        EXPECT_EQ(result.state, JobState::kStopped);
      }
      state = result.state;
    }
    EXPECT_EQ(sorted(lines.committed()), expected.lines);
    EXPECT_EQ(sorted(late.committed()), expected.late);
  }
}

TEST(Job, WritesWhatAnUnbrokenRunWritesWhenItIsCutOffAgainAndAgain) {   // C1, C6, promise 1
  const Splits splits = make_payments(10, 3, test_support::kInstrumented ? 4000 : 20000);
  const Expected expected = model(splits);
  for (const std::uint32_t parallelism : {1U, 2U, 3U, 64U}) {   // 23 keys: most of 64 tasks have none
    test_support::TemporaryDirectory directory;
    MemorySink<Line> lines;
    MemorySink<Line> late;
    JobState state = JobState::kRunning;
    CheckpointId restored = 0;
    const Source<Payment> source = memory_source(splits);
    const Source<Payment> slow_source = paced(memory_source(splits), Pace::records_per_second(1'000));   // not read before it is cut off
    for (int start = 0; state != JobState::kFinished; ++start) {
      ASSERT_LT(start, 100);
      RuntimeOptions options = options_for({parallelism, 2, 50});
      options.state_directory = directory.path() + "/state";
      options.checkpoint_every = 3ms;
      auto runtime = Runtime::start(make_graph(start < 12 ? slow_source : source, lines.sink(), late.sink()), options);
      ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
      EXPECT_GE((*runtime)->start_report().restored_checkpoint, restored);   // I3
      restored = (*runtime)->start_report().restored_checkpoint;
      if (start < 12) {
        // Cut off before the first checkpoint of this start, after one, or after two; each a little later.
        while ((*runtime)->snapshot().checkpoints < static_cast<std::uint64_t>(start % 3) && !(*runtime)->wait_for(0ms)) {
          std::this_thread::sleep_for(1ms);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{start});
        (*runtime)->request_cancel();
      }
      const JobResult result = (*runtime)->wait();
      ASSERT_NE(result.state, JobState::kFailed) << result.error->describe();
      state = result.state;
    }
    EXPECT_GT(restored, 0U);
    EXPECT_EQ(sorted(lines.committed()), expected.lines);
    EXPECT_EQ(sorted(late.committed()), expected.late);
  }
}

TEST(Job, F01SurvivesACrashAtEveryStepThatTouchesTheDisk) {
  const Splits splits = make_payments(11, 2, 300);
  const Expected expected = model(splits);
  std::size_t crashes = 0;
  constexpr std::size_t kStride = test_support::kInstrumented ? 7 : 1;
  for (std::size_t step = 0;; step += kStride) {
    SCOPED_TRACE(testing::Message() << "crash at step " << step);
    test_support::TemporaryDirectory directory;
    MemorySink<Line> lines;
    MemorySink<Line> late;
    RuntimeOptions options = options_for({1, 1, 20});
    options.state_directory = directory.path() + "/state";
    options.checkpoint_every = 1ms;
    options.tolerated_checkpoint_failures = 0;
    options.logger = Logger::silent();
    bool fired = false;
    {
      test_support::RecordingFileSystem files{posix_file_system()};
      files.fail_at(step, test_support::Failure::kCrash);
      options.files = &files;
      auto broken = Runtime::start(make_graph(memory_source(splits), lines.sink(), late.sink()), options);
      if (broken.ok()) (*broken)->wait();
      fired = files.fired();
    }
    options.files = &posix_file_system();
    auto runtime = Runtime::start(make_graph(memory_source(splits), lines.sink(), late.sink()), options);
    ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
    const JobResult result = (*runtime)->wait();
    ASSERT_TRUE(result.state == JobState::kFinished || result.state == JobState::kAlreadyFinished)
        << (result.error ? result.error->describe() : "");
    ASSERT_EQ(sorted(lines.committed()), expected.lines);
    ASSERT_EQ(sorted(late.committed()), expected.late);
    if (!fired) break;
    ++crashes;
  }
  EXPECT_GT(crashes, 30U / kStride);
}

TEST(Job, SaysSoWhenItHadFinishedBeforeAndWritesNothing) {   // C8
  const Splits splits = make_payments(12, 1, 100);
  test_support::TemporaryDirectory directory;
  MemorySink<Line> lines;
  MemorySink<Line> late;
  RuntimeOptions options;
  options.state_directory = directory.path() + "/state";
  for (const JobState expected : {JobState::kFinished, JobState::kAlreadyFinished}) {
    auto runtime = Runtime::start(make_graph(memory_source(splits), lines.sink(), late.sink()), options);
    ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
    EXPECT_EQ((*runtime)->wait().state, expected);
    EXPECT_EQ(sorted(lines.committed()), model(splits).lines);
  }
}

TEST(Job, F09RefusesAStateDirectoryThatAnotherRuntimeOwns) {
  const Splits splits = make_payments(13, 1, 10);
  test_support::TemporaryDirectory directory;
  MemorySink<Line> lines;
  MemorySink<Line> late;
  RuntimeOptions options;
  options.state_directory = directory.path() + "/state";
  auto first = Runtime::start(make_graph(memory_source(splits), lines.sink(), late.sink()), options);
  ASSERT_TRUE(first.ok());
  auto second = Runtime::start(make_graph(memory_source(splits), lines.sink(), late.sink()), options);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kDirectoryInUse);
}

// The first lines that only one of two sorted lists has.
std::string difference(const std::vector<Line>& got, const std::vector<Line>& expected) {
  std::vector<Line> extra, missing;
  std::set_difference(got.begin(), got.end(), expected.begin(), expected.end(), std::back_inserter(extra));
  std::set_difference(expected.begin(), expected.end(), got.begin(), got.end(), std::back_inserter(missing));
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(extra.size(), 5); ++i) text += "extra: " + extra[i].key + " " + extra[i].text + "\n";
  for (std::size_t i = 0; i < std::min<std::size_t>(missing.size(), 5); ++i) {
    text += "missing: " + missing[i].key + " " + missing[i].text + "\n";
  }
  return text;
}

using MakePaced = std::function<Graph(RecordPace, const MemorySink<Line>&, const MemorySink<Line>&)>;
// Starts the job again and again, each time at another parallelism, and ends each start by a stop or by cutting it off.
// Adds up in `restores` how many checkpoints it went on from.
void expect_the_same_at_changing_parallelism(std::uint64_t seed, const Splits& splits, std::size_t& restores,
                                             const MakePaced& graph) {
  const Expected expected = model(splits);
  SeededRandom random(seed);
  test_support::TemporaryDirectory directory;
  MemorySink<Line> lines;
  MemorySink<Line> late;
  JobState state = JobState::kRunning;
  std::set<CheckpointId> restored;
  std::string history;
  for (int start = 0; state != JobState::kFinished; ++start) {
    ASSERT_LT(start, 100);
    constexpr std::array<std::uint32_t, 7> kParallelisms = {1, 2, 3, 1, 7, 128, 2};
    RuntimeOptions options = options_for({kParallelisms[random.next() % kParallelisms.size()], 2, 50});
    options.state_directory = directory.path() + "/state";
    options.checkpoint_every = 1ms;
    const bool is_ended = start < 14;
    const RecordPace pace = Pace::records_per_second(is_ended ? 30'000 : 0);   // not read before it is ended
    auto runtime = Runtime::start(graph(pace, lines, late), options);
    ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
    restored.insert((*runtime)->start_report().restored_checkpoint);
    history += " " + std::to_string(options.parallelism);
    if (is_ended) {
      const std::uint64_t checkpoints = random.next() % 2;
      while ((*runtime)->snapshot().checkpoints < checkpoints && !(*runtime)->wait_for(0ms)) std::this_thread::sleep_for(1ms);
      if (random.next() % 2 == 0) {
        (*runtime)->request_stop();
      } else {
        (*runtime)->request_cancel();
      }
    }
    const JobResult result = (*runtime)->wait();
    ASSERT_NE(result.state, JobState::kFailed) << result.error->describe();
    state = result.state;
  }
  restores += restored.size() - restored.count(0);
  EXPECT_EQ(difference(sorted(lines.committed()), expected.lines), "") << "seed " << seed << ", parallelism" << history;
  EXPECT_EQ(difference(sorted(late.committed()), expected.late), "") << "seed " << seed << ", parallelism" << history;
}

TEST(Job, F49WritesTheSameWhenItsParallelismChangesFromStartToStart) {   // K5, D1
  std::size_t restores = 0;
  for (std::uint64_t seed = 1; seed <= (test_support::kInstrumented ? 2 : 6); ++seed) {
    Splits splits = make_payments(14 + seed, 3, 60000);
    splits[seed % 3].resize(seed * 1000);   // a split that ends long before the others
    const auto graph = [&](RecordPace pace, const MemorySink<Line>& lines, const MemorySink<Line>& late) {
      return make_graph(paced(memory_source(splits), pace), lines.sink(), late.sink());
    };
    expect_the_same_at_changing_parallelism(seed, splits, restores, graph);
  }
  EXPECT_GT(restores, test_support::kInstrumented ? 2U : 10U);
}

TEST(Job, WritesTheSameWhenTheParallelismOfAUnionChanges) {   // K5, P1
  std::size_t restores = 0;
  for (std::uint64_t seed = 1; seed <= (test_support::kInstrumented ? 1 : 4); ++seed) {
    Splits splits = make_payments(30 + seed, 4, 40000);
    splits[seed % 4].resize(2000);
    const Splits first{splits[0], splits[1], splits[2]};
    const Splits second{splits[3]};
    const auto graph = [&](RecordPace pace, const MemorySink<Line>& lines, const MemorySink<Line>& late) {
      return make_graph_of_two(paced(memory_source(first), pace), paced(memory_source(second), pace), lines.sink(), late.sink());
    };
    expect_the_same_at_changing_parallelism(seed, splits, restores, graph);
  }
  EXPECT_GT(restores, test_support::kInstrumented ? 0U : 5U);
}

TEST(Job, HasEachRecordTwiceOfAStreamThatIsUnitedWithItself) {   // P1
  for (const std::uint32_t parallelism : {1U, 2U}) {
    MemorySink<int> target;
    Graph graph;
    auto numbers = graph.from("numbers", memory_source<int>({1, 2, 3}));
    numbers.union_with(numbers).to("twice", target.sink());
    RuntimeOptions options;
    options.parallelism = parallelism;
    options.logger = Logger::silent();
    auto started = Runtime::start(std::move(graph), options);
    ASSERT_TRUE(started.ok()) << started.status().error().describe();
    EXPECT_FALSE((*started)->wait().error);
    const std::vector<int> committed = target.committed();
    EXPECT_EQ(std::multiset<int>(committed.begin(), committed.end()), (std::multiset<int>{1, 1, 2, 2, 3, 3}));
  }
}

// A restored job looks up every key of them before the first result is out.
TEST(Job, BeginsWithSmallBatches) {
  std::vector<std::size_t> sizes;
  Graph graph;
  graph.from("numbers", generator_source<std::uint64_t>("numbers", 1000, [](std::uint64_t i) { return i; }))
      .to("out", callback_sink_by_task<std::uint64_t>([&](std::uint32_t) {
            return [&](const Batch<std::uint64_t>& batch) { sizes.push_back(batch.size()); };
          }));
  RuntimeOptions options;
  options.max_batch = 100;
  const auto runtime = Runtime::start(std::move(graph), options);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  ASSERT_EQ((*runtime)->wait().state, JobState::kFinished);
  EXPECT_EQ(std::vector<std::size_t>(sizes.begin(), sizes.begin() + 5), (std::vector<std::size_t>{16, 32, 64, 100, 100}));
}

TEST(Job, NamesTheProblemWhenItsOptionsMakeNoSense) {
  const Splits splits = make_payments(15, 1, 10);
  MemorySink<Line> lines;
  MemorySink<Line> late;
  for (const Shape shape : {Shape{0}, Shape{129}, Shape{1, 1, 0}, Shape{1, 1, 70000}, Shape{1, 1, 1, 0}}) {
    auto runtime = Runtime::start(make_graph(memory_source(splits), lines.sink(), late.sink()), options_for(shape));
    ASSERT_FALSE(runtime.ok());
    EXPECT_EQ(runtime.error().code, ErrorCode::kBadConfiguration);
    EXPECT_FALSE(runtime.error().fix.empty());
  }
}

}  // namespace
}  // namespace tidemark

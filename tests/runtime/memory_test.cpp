// State larger than the memory that the job may use, and what a restore reads before the first record (design: state outgrows memory, a
// restore is lazy; R3, promise 7).

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>
#include <tuple>

#include <tidemark/memory/generator.hpp>
#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/faulty_file_system.hpp"
#include "../support/gate.hpp"
#include "../support/instrumented.hpp"
#include "../support/temporary_directory.hpp"

namespace tidemark {
namespace {

using namespace std::chrono_literals;
using Key = std::uint64_t;

constexpr std::uint64_t kKeys = 200'000;
constexpr std::size_t kMemory = std::size_t{4} << 20;   // of which half is for hot tables; the keys need 12 MiB

Key key_of(std::uint64_t i) { return (i * 0x9E3779B97F4A7C15u >> 20) % kKeys; }

// A key's sum each time its count becomes a power of two.
struct Milestones {
  struct State {
    std::uint64_t count = 0;
    std::uint64_t sum = 0;

    bool add(std::uint64_t record) {
      sum += record;
      ++count;
      return (count & (count - 1)) == 0;
    }
  };
  using Out = std::pair<Key, std::uint64_t>;
  void operator()(const std::uint64_t& record, State& state, ProcessContext<Key>&, Collector<Out>& out) {
    if (state.add(record)) out({key_of(record), state.sum});
  }
};
// And once more at the end, by a timer.
struct MilestonesAndEnd : Milestones {
  void operator()(const std::uint64_t& record, State& state, ProcessContext<Key>& context, Collector<Out>& out) {
    if (state.add(record)) out({key_of(record), state.sum});
    if (state.count == 1) context.set_timer(event_time(1'000'000'000));
  }
  void on_timer(const Timer&, State& state, ProcessContext<Key>& context, Collector<Out>& out) {
    out({context.key(), state.sum});
    context.forget();
  }
};

std::vector<Milestones::Out> expected(std::uint64_t records, bool and_end) {
  std::map<Key, Milestones::State> states;
  std::vector<Milestones::Out> outputs;
  for (std::uint64_t i = 0; i < records; ++i) {
    Milestones::State& state = states[key_of(i)];
    if (state.add(i)) outputs.emplace_back(key_of(i), state.sum);
  }
  for (const auto& [key, state] : states) {
    if (and_end) outputs.emplace_back(key, state.sum);
  }
  std::sort(outputs.begin(), outputs.end());
  return outputs;
}

// While it is set no record comes.
std::atomic<bool> held_up{false};
// The records from this one on come slowly, so that there are some left when a job is stopped.
std::atomic<std::uint64_t> slow_from{UINT64_MAX};

std::uint64_t record_at(std::uint64_t i) {
  while (held_up) std::this_thread::sleep_for(1ms);
  if (i >= slow_from && i % 16 == 0) std::this_thread::sleep_for(100us);
  return i;
}
auto timed_records(Graph& graph, std::uint64_t records, std::uint32_t splits, Duration out_of_orderness = {}) {
  return graph.from("records", generator_source<std::uint64_t>("records", records, record_at, {.splits = splits}))
      .with_event_time([](const std::uint64_t& i) { return event_time(static_cast<std::int64_t>(i)); },
                       {.out_of_orderness = out_of_orderness});
}
auto records_by_key(Graph& graph, std::uint64_t records, std::uint32_t splits, Duration out_of_orderness = {}) {
  return timed_records(graph, records, splits, out_of_orderness).key_by([](const std::uint64_t& i) { return key_of(i); });
}
template <class Function = MilestonesAndEnd>
Graph milestones(std::uint64_t records, MemorySink<Milestones::Out>& sink, std::uint32_t splits = 1) {
  Graph graph;
  auto keyed = records_by_key(graph, records, splits);
  keyed.process<Milestones::Out>("milestones", Function{}).to("out", sink.sink());
  return graph;
}

template <class Out>
std::vector<Out> sorted(std::vector<Out> outputs) {
  std::sort(outputs.begin(), outputs.end());
  return outputs;
}

RuntimeOptions bounded(const test_support::TemporaryDirectory& directory) {
  RuntimeOptions options;
  options.state_directory = directory.path() + "/state";
  options.memory = kMemory;
  options.queue_bytes = 16 << 10;
  return options;
}

TEST(Memory, F41IsKeptToByAStateThatIsLarger) {
  const std::uint64_t records = 300'000;
  test_support::TemporaryDirectory directory;
  MemorySink<Milestones::Out> sink;
  RuntimeOptions options = bounded(directory);
  options.checkpoint_every = 50ms;
  auto runtime = Runtime::start(milestones<Milestones>(records, sink), options);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  std::size_t most = 0;
  while (!(*runtime)->wait_for(2ms)) most = std::max(most, (*runtime)->snapshot().state_memory);
  ASSERT_EQ((*runtime)->wait().state, JobState::kFinished);
  EXPECT_GT(most, kMemory / 8);
  // Where checkpoints are slow relieve() lets a little more in; without a bound it would be 12 MiB.
  EXPECT_LT(most, 2 * kMemory);
  EXPECT_EQ(sorted(sink.committed()), expected(records, false));
}

TEST(Memory, WhereItIsShortChangesNothingThatIsWrittenAcrossCrashesAndParallelisms) {   // D1, D5, K5, promise 1
  const std::uint64_t records = 300'000;
  const std::vector<Milestones::Out> wanted = expected(records, true);
  test_support::TemporaryDirectory directory;
  MemorySink<Milestones::Out> sink;
  JobState state = JobState::kRunning;
  std::size_t crashes = 0;
  for (std::uint32_t start = 0; state != JobState::kFinished; ++start) {
    ASSERT_LT(start, 100u);
    RuntimeOptions options;
    options.state_directory = directory.path() + "/state";
    options.parallelism = std::array{1u, 2u, 3u, 1u}[start % 4];
    options.memory = start % 3 == 2 ? 0 : 3 * kMemory;
    options.queue_bytes = 16 << 10;
    options.checkpoint_every = 20ms;
    const bool is_cut_off = start < 8;
    slow_from = is_cut_off ? records / 2 : UINT64_MAX;   // not read before it is cut off
    auto runtime = Runtime::start(milestones(records, sink, 4), options);
    ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
    if (is_cut_off) {
      const std::uint64_t wait_for = start % 3;
      while ((*runtime)->snapshot().checkpoints < wait_for && !(*runtime)->wait_for(0ms)) std::this_thread::sleep_for(1ms);
      (*runtime)->request_cancel();
      ++crashes;
    }
    const JobResult result = (*runtime)->wait();
    ASSERT_NE(result.state, JobState::kFailed) << result.error->describe();
    state = result.state;
  }
  slow_from = UINT64_MAX;
  EXPECT_GE(crashes, 2u);
  EXPECT_EQ(sorted(sink.committed()), wanted);
}

// Most keys of a window with one record, some with two or three.
constexpr Duration kWindow = 200ms;
constexpr Duration kSlide = 40ms;
const auto kTumbling = tumbling(kWindow);
const auto kSliding = sliding(kWindow, kSlide);

template <class R>
using WindowOf = WindowResult<Key, R>;
template <class R>
using WindowOutputs = std::vector<std::tuple<EventTime, Key, R>>;

template <class Spec, class R, class... Aggregates>
Graph windows(const Spec& spec, std::uint64_t records, MemorySink<WindowResult<Key, R>>& sink, std::uint32_t splits,
              Aggregates... aggregates) {
  Graph graph;
  records_by_key(graph, records, splits).window(spec).aggregate("windows", aggregates...).to("out", sink.sink());
  return graph;
}
template <class R>
WindowOutputs<R> sorted(const std::vector<WindowResult<Key, R>>& results) {
  WindowOutputs<R> outputs;
  for (const auto& result : results) outputs.emplace_back(result.window.start, result.key, result.value);
  std::sort(outputs.begin(), outputs.end());
  return outputs;
}
// fold(value, record), in the order of the records.
template <class R, class Fold>
WindowOutputs<R> expected_windows(Duration slide, std::uint64_t records, Fold fold) {
  std::map<std::pair<EventTime, Key>, R> values;
  for (std::uint64_t i = 0; i < records; ++i) {
    const WindowStarts starts = sliding_window_starts(event_time(static_cast<std::int64_t>(i)), kWindow, slide);
    for (EventTime start = starts.first; start <= starts.last; start += slide) fold(values[{start, key_of(i)}], i);
  }
  WindowOutputs<R> outputs;
  for (const auto& [at, value] : values) outputs.emplace_back(at.first, at.second, value);
  return outputs;
}

using Exact = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>;
template <class Spec>
Graph exact_windows(const Spec& spec, std::uint64_t records, MemorySink<WindowResult<Key, Exact>>& sink) {
  const auto self = [](const std::uint64_t& i) { return i; };
  return windows(spec, records, sink, 4, count(), sum(self), max(self));
}
WindowOutputs<Exact> expected_exact(Duration slide, std::uint64_t records) {
  return expected_windows<Exact>(slide, records, [](Exact& value, std::uint64_t i) {
    auto& [count, sum, greatest] = value;
    ++count;
    sum += i;
    greatest = std::max(greatest, i);
  });
}
// Of one split, so that the order of the records of a key, and with it the last bit, is given (D2).
double tenth_of(const std::uint64_t& i) { return static_cast<double>(i) / 10; }
template <class Spec>
Graph floating_windows(const Spec& spec, std::uint64_t records, MemorySink<WindowResult<Key, double>>& sink) {
  return windows(spec, records, sink, 1, sum(tenth_of));
}
WindowOutputs<double> expected_floating(std::uint64_t records) {
  return expected_windows<double>(kWindow, records, [](double& value, std::uint64_t i) { value += tenth_of(i); });
}

// The most that the state of a job held while it ran to its end.
std::size_t most_memory_of(Graph graph, std::size_t memory, std::uint32_t parallelism = 1) {
  test_support::TemporaryDirectory directory;
  RuntimeOptions options;
  options.state_directory = directory.path() + "/state";
  options.memory = memory;
  options.parallelism = parallelism;
  options.queue_bytes = 16 << 10;
  auto runtime = Runtime::start(std::move(graph), options);
  if (!runtime.ok()) return ADD_FAILURE() << runtime.error().describe(), 0;
  std::size_t most = 0;
  while (!(*runtime)->wait_for(1ms)) most = std::max(most, (*runtime)->snapshot().state_memory);
  EXPECT_EQ((*runtime)->wait().state, JobState::kFinished);
  return most;
}

constexpr std::uint64_t kRecords = test_support::kInstrumented ? 120'000 : 300'000;

TEST(Memory, IsKeptToByExactWindowsThatAreLarger) {
  MemorySink<WindowResult<Key, Exact>> sink;
  const std::size_t most = most_memory_of(exact_windows(kTumbling, kRecords, sink), kMemory);
  EXPECT_GT(most, kMemory / 8);
  EXPECT_LT(most, 3 * kMemory / 2);
  EXPECT_EQ(sorted(sink.committed()), expected_exact(kWindow, kRecords));
}

TEST(Memory, IsKeptToByExactWindowsWhoseRecordsComeFromOtherTasks) {
  MemorySink<WindowResult<Key, Exact>> sink;
  const std::size_t most = most_memory_of(exact_windows(kTumbling, kRecords, sink), 3 * kMemory / 2, 2);
  EXPECT_GT(most, kMemory / 8);
  EXPECT_LT(most, 2 * kMemory);
  EXPECT_EQ(sorted(sink.committed()), expected_exact(kWindow, kRecords));
}

TEST(Memory, IsKeptToByFloatingPointWindowsThatAreLarger) {
  MemorySink<WindowResult<Key, double>> sink;
  const std::size_t most = most_memory_of(floating_windows(kTumbling, kRecords, sink), kMemory);
  EXPECT_GT(most, kMemory / 8);
  EXPECT_LT(most, 3 * kMemory / 2);
  EXPECT_EQ(sorted(sink.committed()), expected_floating(kRecords));
}

// What they derive from their slices would be several times the memory as well.
TEST(Memory, IsKeptToByExactWindowsThatOverlap) {
  MemorySink<WindowResult<Key, Exact>> sink;
  const std::size_t most = most_memory_of(exact_windows(kSliding, kRecords, sink), kMemory);
  EXPECT_GT(most, kMemory / 8);
  EXPECT_LT(most, 3 * kMemory / 2);
  EXPECT_EQ(sorted(sink.committed()), expected_exact(kSlide, kRecords));
}

// Which values are merged in which order is the operator's own affair: what it gives with everything in memory says it.
WindowOutputs<double> floating_windows_in_memory(std::uint64_t records) {
  MemorySink<WindowResult<Key, double>> sink;
  most_memory_of(floating_windows(kSliding, records, sink), 0);
  return sorted(sink.committed());
}

TEST(Memory, IsKeptToByFloatingPointWindowsThatOverlap) {
  MemorySink<WindowResult<Key, double>> sink;
  const std::size_t most = most_memory_of(floating_windows(kSliding, kRecords, sink), kMemory);
  EXPECT_GT(most, kMemory / 8);
  EXPECT_LT(most, 3 * kMemory / 2);
  EXPECT_EQ(sorted(sink.committed()), floating_windows_in_memory(kRecords));
}

// What comes of a job that is started again and again, in turn at another parallelism and with and without a bound, and is broken off the
// first times.
template <class Out, class MakeGraph>
auto committed_across_crashes(MakeGraph make_graph) {
  test_support::TemporaryDirectory directory;
  MemorySink<Out> sink;
  using Outputs = decltype(sorted(sink.committed()));
  JobState state = JobState::kRunning;
  for (std::uint32_t start = 0; state != JobState::kFinished; ++start) {
    if (start == 100) return ADD_FAILURE() << "no start came to the end", Outputs{};
    RuntimeOptions options;
    options.state_directory = directory.path() + "/state";
    options.parallelism = std::array{1u, 2u, 3u, 1u}[start % 4];
    options.memory = start % 3 == 2 ? 0 : 2 * kMemory;
    options.queue_bytes = 16 << 10;
    options.checkpoint_every = 20ms;
    auto runtime = Runtime::start(make_graph(sink), options);
    if (!runtime.ok()) return ADD_FAILURE() << runtime.error().describe(), Outputs{};
    if (start < 8) {
      const std::uint64_t wait_for = 1 + start % 3;
      while ((*runtime)->snapshot().checkpoints < wait_for && !(*runtime)->wait_for(0ms)) std::this_thread::sleep_for(1ms);
      (*runtime)->request_cancel();
    }
    const JobResult result = (*runtime)->wait();
    if (result.state == JobState::kFailed) return ADD_FAILURE() << result.error->describe(), Outputs{};
    state = result.state;
  }
  return sorted(sink.committed());
}

TEST(Memory, WhereItIsShortChangesNoExactWindowAcrossCrashesAndParallelisms) {   // D1, D5, K5, promise 1
  EXPECT_EQ(committed_across_crashes<WindowOf<Exact>>([](auto& sink) { return exact_windows(kTumbling, kRecords, sink); }),
            expected_exact(kWindow, kRecords));
}

TEST(Memory, WhereItIsShortChangesNoBitOfAFloatingPointWindow) {   // D1, D5, K5, promise 1
  EXPECT_EQ(committed_across_crashes<WindowOf<double>>([](auto& sink) { return floating_windows(kTumbling, kRecords, sink); }),
            expected_floating(kRecords));
}

TEST(Memory, WhereItIsShortChangesNoExactWindowThatOverlaps) {   // D1, D5, K5, promise 1
  EXPECT_EQ(committed_across_crashes<WindowOf<Exact>>([](auto& sink) { return exact_windows(kSliding, kRecords, sink); }),
            expected_exact(kSlide, kRecords));
}

TEST(Memory, WhereItIsShortChangesNoBitOfAFloatingPointWindowThatOverlaps) {   // D1, D5, K5, promise 1
  EXPECT_EQ(committed_across_crashes<WindowOf<double>>([](auto& sink) { return floating_windows(kSliding, kRecords, sink); }),
            floating_windows_in_memory(kRecords));
}

// What waits for the watermark: always some 150,000 timers, waiting records or open sessions, each of which needs about a hundred bytes.
// All have come by the last record, since a checkpoint cannot begin in the middle of the step that ends the input.
constexpr std::uint64_t kWaiting = 600'000;
constexpr std::int64_t kWait = 150'000;

// Records again, when their time to wait is over.
struct Reminders {
  using Out = std::pair<Key, std::int64_t>;
  void operator()(const std::uint64_t& record, ProcessContext<Key>& context, Collector<Out>&) {
    if (record + kWait < kWaiting) context.set_timer(event_time(static_cast<std::int64_t>(record) + kWait));
  }
  void on_timer(const Timer& timer, ProcessContext<Key>& context, Collector<Out>& out) { out({context.key(), micros(timer.time)}); }
};
Graph reminders(MemorySink<Reminders::Out>& sink) {
  Graph graph;
  auto keyed = records_by_key(graph, kWaiting, 4);
  keyed.process<Reminders::Out>("reminders", Reminders{}).to("out", sink.sink());
  return graph;
}
std::vector<Reminders::Out> expected_reminders() {
  std::vector<Reminders::Out> outputs;
  for (std::uint64_t i = 0; i + kWait < kWaiting; ++i) outputs.emplace_back(key_of(i), static_cast<std::int64_t>(i) + kWait);
  std::sort(outputs.begin(), outputs.end());
  return outputs;
}

TEST(Memory, IsKeptToByTimersThatAreMore) {
  MemorySink<Reminders::Out> sink;
  const std::size_t most = most_memory_of(reminders(sink), kMemory);
  EXPECT_GT(most, kMemory / 8);
  EXPECT_LT(most, 3 * kMemory / 2);
  EXPECT_EQ(sorted(sink.committed()), expected_reminders());
}

TEST(Memory, WhereItIsShortChangesNoTimerAcrossCrashesAndParallelisms) {   // D1, D5, K5, T7, promise 1
  EXPECT_EQ(committed_across_crashes<Reminders::Out>([](auto& sink) { return reminders(sink); }), expected_reminders());
}

// Records in order of their times, which waits for the watermark.
struct InOrder {
  using Out = std::pair<Key, std::uint64_t>;
  void operator()(const std::uint64_t& record, ProcessContext<Key>& context, Collector<Out>& out) { out({context.key(), record}); }
};
Graph in_order(MemorySink<InOrder::Out>& sink) {
  Graph graph;
  auto keyed = records_by_key(graph, kWaiting, 4, Duration{kWait});
  keyed.process<InOrder::Out>("in_order", InOrder{}, event_time_order()).to("out", sink.sink());
  return graph;
}
std::vector<InOrder::Out> expected_in_order() {
  std::vector<InOrder::Out> outputs;
  for (std::uint64_t i = 0; i < kWaiting; ++i) outputs.emplace_back(key_of(i), i);
  std::sort(outputs.begin(), outputs.end());
  return outputs;
}

TEST(Memory, IsKeptToByWaitingRecordsThatAreMore) {
  MemorySink<InOrder::Out> sink;
  const std::size_t most = most_memory_of(in_order(sink), kMemory);
  EXPECT_GT(most, kMemory / 8);
  EXPECT_LT(most, 3 * kMemory / 2);
  EXPECT_EQ(sorted(sink.committed()), expected_in_order());
}

TEST(Memory, WhereItIsShortChangesNoWaitingRecordAcrossCrashesAndParallelisms) {   // D1, D5, K5, P3, promise 1
  EXPECT_EQ(committed_across_crashes<InOrder::Out>([](auto& sink) { return in_order(sink); }), expected_in_order());
}

// Sessions, nearly all of which end before the last records come: those are of one key.
Key key_of_session(std::uint64_t i) { return i + kWait < kWaiting ? key_of(i) : kKeys; }
Graph sessions(MemorySink<WindowOf<Exact>>& sink) {
  const auto self = [](const std::uint64_t& i) { return i; };
  Graph graph;
  timed_records(graph, kWaiting, 4)
      .key_by([](const std::uint64_t& i) { return key_of_session(i); })
      .window(session(Duration{kWait}))
      .aggregate("sessions", count(), sum(self), max(self))
      .to("out", sink.sink());
  return graph;
}
WindowOutputs<Exact> expected_sessions() {
  std::map<Key, WindowOutputs<Exact>> by_key;
  for (std::uint64_t i = 0; i < kWaiting; ++i) {
    const EventTime time = event_time(static_cast<std::int64_t>(i));
    WindowOutputs<Exact>& of_key = by_key[key_of_session(i)];
    if (of_key.empty() || event_time(static_cast<std::int64_t>(std::get<2>(std::get<2>(of_key.back())))) + Duration{kWait} <= time) {
      of_key.emplace_back(time, key_of_session(i), Exact{});
    }
    auto& [count, sum, greatest] = std::get<2>(of_key.back());
    ++count;
    sum += i;
    greatest = i;
  }
  WindowOutputs<Exact> outputs;
  for (const auto& [key, of_key] : by_key) outputs.insert(outputs.end(), of_key.begin(), of_key.end());
  std::sort(outputs.begin(), outputs.end());
  return outputs;
}

TEST(Memory, IsKeptToBySessionsThatAreMore) {
  MemorySink<WindowOf<Exact>> sink;
  const std::size_t most = most_memory_of(sessions(sink), kMemory);
  EXPECT_GT(most, kMemory / 8);
  EXPECT_LT(most, 3 * kMemory / 2);
  EXPECT_EQ(sorted(sink.committed()), expected_sessions());
}

TEST(Memory, WhereItIsShortChangesNoSessionAcrossCrashesAndParallelisms) {   // D1, D5, K5, S1, promise 1
  EXPECT_EQ(committed_across_crashes<WindowOf<Exact>>([](auto& sink) { return sessions(sink); }), expected_sessions());
}

// What a job that was stopped with all that waits holds right after its next start, before anything is due.
template <class Out>
std::size_t memory_after_a_restart(Graph (*make_graph)(MemorySink<Out>&)) {
  test_support::TemporaryDirectory directory;
  MemorySink<Out> sink;
  RuntimeOptions options;
  options.state_directory = directory.path() + "/state";
  options.memory = std::size_t{256} << 20;
  slow_from = kWait;
  auto runtime = Runtime::start(make_graph(sink), options);
  if (!runtime.ok()) return ADD_FAILURE() << runtime.error().describe(), 0;
  while ((*runtime)->snapshot().records_in < kWait) std::this_thread::sleep_for(1ms);
  (*runtime)->request_stop();
  const std::size_t before = (*runtime)->snapshot().state_memory;
  EXPECT_EQ((*runtime)->wait().state, JobState::kStopped);
  runtime->reset();
  slow_from = UINT64_MAX;
  held_up = true;
  auto restarted = Runtime::start(make_graph(sink), options);
  if (!restarted.ok()) return held_up = false, ADD_FAILURE() << restarted.error().describe(), 0;
  const std::size_t after = (*restarted)->snapshot().state_memory;
  held_up = false;
  (*restarted)->request_cancel();
  (*restarted)->wait();
  EXPECT_GT(before, std::size_t{8} << 20);
  return after;
}

TEST(Memory, HoldsNothingOfWhatWaitsAfterARestart) {
  EXPECT_LT(memory_after_a_restart(reminders), std::size_t{1} << 20);
  EXPECT_LT(memory_after_a_restart(in_order), std::size_t{1} << 20);
  EXPECT_LT(memory_after_a_restart(sessions), std::size_t{1} << 20);
}

// Every key is dirty, and no checkpoint completes; so no record may come in any more.
TEST(Memory, ThatIsSpentDoesNotKeepAJobFromBeingDrained) {
  const std::uint64_t records = 300'000;
  test_support::TemporaryDirectory directory;
  test_support::FaultyFileSystem files{posix_file_system()};
  files.inject({.steps = static_cast<test_support::Steps>(test_support::Step::kCreate), .times = UINT64_MAX, .on_path_with = "/rows/"});
  MemorySink<Milestones::Out> sink;
  RuntimeOptions options = bounded(directory);
  options.checkpoint_every = 1h;
  options.logger = Logger::silent();
  options.files = &files;
  auto runtime = Runtime::start(milestones<Milestones>(records, sink), options);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  const auto failed = [&] { return (*runtime)->snapshot().failed_checkpoints > 0; };
  ASSERT_TRUE(test_support::comes_true(failed)) << "no checkpoint for memory";
  std::uint64_t before = 0;
  const auto stands = [&] { return before == std::exchange(before, (*runtime)->snapshot().records_in); };
  ASSERT_TRUE(test_support::comes_true(stands));
  ASSERT_LT(before, records);
  files.heal();
  auto answer = (*runtime)->request_stop({.drain = true});
  ASSERT_EQ(answer.wait_for(60s), std::future_status::ready) << "the job neither reads nor ends";
  ASSERT_TRUE(answer.get().ok());
  EXPECT_EQ((*runtime)->wait().state, JobState::kStopped);
  EXPECT_EQ(sorted(sink.committed()), expected((*runtime)->snapshot().records_in, false));
}

TEST(Memory, TakesTheCheckpointsThatItNeedsWhereOnlyTheFinalOneIsWanted) {
  const std::uint64_t records = 300'000;
  test_support::TemporaryDirectory directory;
  MemorySink<Milestones::Out> sink;
  RuntimeOptions options = bounded(directory);
  options.checkpoint_every = 0ms;
  auto runtime = Runtime::start(milestones<Milestones>(records, sink), options);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  ASSERT_TRUE((*runtime)->wait_for(60s)) << "it neither reads nor ends";
  ASSERT_EQ((*runtime)->wait().state, JobState::kFinished);
  EXPECT_GT((*runtime)->snapshot().checkpoints, 1U);
  EXPECT_EQ(sorted(sink.committed()), expected(records, false));
}

// As another sink, but a commit takes some time, as one on a disk does.
class SlowToCommit final : public SinkBase {
 public:
  explicit SlowToCommit(std::shared_ptr<SinkBase> under) : under_(std::move(under)) {}
  std::string describe() const override { return under_->describe(); }
  SinkGuarantee guarantee() const override { return under_->guarantee(); }
  Result<std::unique_ptr<SinkWriterBase>> open_writer(const IoContext& io, const SinkIdentity& identity) override {
    return under_->open_writer(io, identity);
  }
  Result<std::unique_ptr<SinkCommitter>> open_committer(const IoContext& io, const SinkIdentity& identity) override {
    TIDEMARK_ASSIGN(auto committer, under_->open_committer(io, identity));
    return std::unique_ptr<SinkCommitter>{std::make_unique<Committer>(std::move(committer))};
  }

 private:
  struct Committer final : SinkCommitter {
    explicit Committer(std::unique_ptr<SinkCommitter> of_under) : under(std::move(of_under)) {}
    Result<CheckpointId> committed_epoch() override { return under->committed_epoch(); }
    Status commit(CheckpointId epoch, CheckpointId previous, const std::vector<Committable>& committables) override {
      std::this_thread::sleep_for(5ms);
      return under->commit(epoch, previous, committables);
    }
    std::unique_ptr<SinkCommitter> under;
  };
  std::shared_ptr<SinkBase> under_;
};

// The last task to make room is not the one that brings records in, which sleeps by then.
TEST(Memory, ThatIsMadeByAnotherTaskLetsTheSourcesGoOn) {
  const std::uint64_t records = 300'000;
  for (const std::uint32_t workers : {1U, 2U}) {
    test_support::TemporaryDirectory directory;
    MemorySink<Milestones::Out> sink;
    Graph graph;
    records_by_key(graph, records, 2)
        .process<Milestones::Out>("milestones", Milestones{})
        .to("out", Sink<Milestones::Out>(std::make_shared<SlowToCommit>(sink.sink().base())));
    RuntimeOptions options = bounded(directory);
    options.memory *= 2;
    options.checkpoint_every = 0ms;
    options.parallelism = 2;
    options.workers = workers;
    auto runtime = Runtime::start(std::move(graph), options);
    ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
    ASSERT_TRUE((*runtime)->wait_for(180s)) << "it neither reads nor ends";
    EXPECT_EQ(sorted(sink.committed()), expected(records, false));
  }
}

TEST(Memory, ThatIsTooLittleForTheQueuesIsRefusedWithTheNumbers) {
  test_support::TemporaryDirectory directory;
  MemorySink<Milestones::Out> sink;
  RuntimeOptions options;
  options.state_directory = directory.path() + "/state";
  options.parallelism = 8;
  options.memory = kMemory;
  const auto refused = Runtime::start(milestones(1, sink), options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kBadConfiguration);
  EXPECT_NE(refused.error().describe().find("queue_bytes"), std::string::npos) << refused.error().describe();
}

TEST(Memory, IsNotBoundedWithoutAPlaceForWhatLeavesIt) {
  MemorySink<Milestones::Out> sink;
  RuntimeOptions options;
  options.memory = kMemory;
  const auto refused = Runtime::start(milestones(1, sink), options);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().describe().find("state_directory"), std::string::npos) << refused.error().describe();
}

// A job that was stopped in its middle, with one byte wrong in the largest row file of its checkpoint.
class DamagedCheckpoint : public testing::Test {
 protected:
  void SetUp() override {
    options_.state_directory = directory_.path() + "/state";
    auto runtime = Runtime::start(milestones(kRecords, sink_), options_);
    ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
    while ((*runtime)->snapshot().records_in < 200'000) std::this_thread::sleep_for(1ms);
    (*runtime)->request_stop();
    ASSERT_EQ((*runtime)->wait().state, JobState::kStopped);
    std::filesystem::path newest;
    for (const auto& entry : std::filesystem::directory_iterator(options_.state_directory + "/checkpoints")) {
      newest = std::max(newest, entry.path());
    }
    for (const auto& entry : std::filesystem::directory_iterator(newest / "store")) {
      if (entry.path().extension() != ".sst") continue;
      if (damaged_.empty() || entry.file_size() > std::filesystem::file_size(damaged_)) damaged_ = entry.path();
    }
    // A file of its own, so that other links to the old content keep it.
    std::ifstream in(damaged_, std::ios::binary);
    std::string content{std::istreambuf_iterator<char>(in), {}};
    content[content.size() / 3] = static_cast<char>(content[content.size() / 3] ^ 0x20);
    std::filesystem::remove(damaged_);
    std::ofstream(damaged_, std::ios::binary) << content;
  }

  static constexpr std::uint64_t kRecords = 1'000'000'000;   // more than any test reads
  test_support::TemporaryDirectory directory_;
  MemorySink<Milestones::Out> sink_;
  RuntimeOptions options_;
  std::filesystem::path damaged_;
};

TEST_F(DamagedCheckpoint, F16StopsTheRunningJobAndNamesTheFile) {   // R3
  auto runtime = Runtime::start(milestones(kRecords, sink_), options_);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  const JobResult result = (*runtime)->wait();
  ASSERT_EQ(result.state, JobState::kFailed);
  EXPECT_EQ(result.error->code, ErrorCode::kCheckpointCorrupt) << result.error->describe();
  EXPECT_NE(result.error->describe().find(damaged_.filename().string()), std::string::npos) << result.error->describe();
}

TEST_F(DamagedCheckpoint, IsRefusedBeforeTheFirstRecordWhenEverythingIsVerified) {   // R3, fault F16
  options_.verify = RuntimeOptions::Verify::kFull;
  const auto refused = Runtime::start(milestones(kRecords, sink_), options_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kCheckpointCorrupt);
  EXPECT_NE(refused.error().describe().find(damaged_.filename().string()), std::string::npos) << refused.error().describe();
}

TEST_F(DamagedCheckpoint, IsRefusedBeforeTheFirstRecordInADirectoryThatWasCopied) {   // R3, fault F16
  const std::string copy = directory_.path() + "/copy";
  ASSERT_EQ(std::system(("cp -a '" + options_.state_directory + "' '" + copy + "'").c_str()), 0);
  options_.state_directory = copy;
  for (int start = 0; start < 2; ++start) {   // nor is it taken for the place of its checkpoints afterwards
    const auto refused = Runtime::start(milestones(kRecords, sink_), options_);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::kCheckpointCorrupt);
    EXPECT_NE(refused.error().describe().find(copy), std::string::npos) << refused.error().describe();
    EXPECT_NE(refused.error().describe().find(damaged_.filename().string()), std::string::npos) << refused.error().describe();
  }
}

TEST_F(DamagedCheckpoint, F15IsRefusedBeforeTheFirstRecordWhenAFileIsShort) {   // R3
  std::filesystem::resize_file(damaged_, std::filesystem::file_size(damaged_) - 1);
  const auto refused = Runtime::start(milestones(kRecords, sink_), options_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kCheckpointCorrupt);
}

}  // namespace
}  // namespace tidemark

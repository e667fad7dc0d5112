// How often a timer that sets itself again runs before the end of the input stops it (T4) depends on what was in the input, and not on how
// it was read (D1).

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/file/pace.hpp>
#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/memory/memory_source.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/temporary_directory.hpp"

namespace {

using namespace tidemark;
using namespace std::chrono_literals;

struct Beat {
  std::int64_t key;
  EventTime time;
};
using Splits = std::vector<std::vector<Beat>>;

// From a key's first full ten on, every 10 us.
struct Clock {
  void operator()(const Beat& beat, ProcessContext<std::int64_t>& context, Collector<std::string>&) const {
    if (micros(beat.time) % 10 == 0) context.set_timer(beat.time + Duration{10});
  }
  void on_timer(const Timer& timer, ProcessContext<std::int64_t>& context, Collector<std::string>& out) const {
    out(std::to_string(context.key()) + " at " + std::to_string(micros(timer.time)));
    context.set_timer(timer.time + Duration{10});
  }
};

struct Way {
  std::uint32_t parallelism = 1;
  std::uint32_t max_batch = 1000;
};

template <class Order>
Graph clocks(const Source<Beat>& beats, Order order, Duration out_of_orderness, const MemorySink<std::string>& sink) {
  Graph graph;
  graph.from("beats", beats)
      .with_event_time(&Beat::time, {.out_of_orderness = out_of_orderness})
      .filter([](const Beat& beat) { return beat.key >= 0; })
      .key_by(&Beat::key)
      .template process<std::string>("clock", Clock{}, order)
      .to("ticks", sink.sink());
  return graph;
}

template <class Order>
std::vector<std::string> ticks(const Splits& splits, Order order, Duration out_of_orderness, Way way) {
  const MemorySink<std::string> sink;
  const RuntimeOptions options{.parallelism = way.parallelism, .max_batch = way.max_batch, .logger = Logger::silent()};
  auto job = Runtime::start(clocks(memory_source(splits), order, out_of_orderness, sink), options);
  EXPECT_TRUE(job.ok());
  EXPECT_EQ((*job)->wait().state, JobState::kFinished);
  return sink.committed();
}

template <class Order>
void expect_same(const Splits& splits, Order order, Duration out_of_orderness, std::size_t count) {
  for (const Way way :
       {Way{}, Way{.max_batch = 10}, Way{.max_batch = 300}, Way{.parallelism = 2}, Way{.parallelism = 4, .max_batch = 50}}) {
    SCOPED_TRACE("parallelism " + std::to_string(way.parallelism) + ", batches of " + std::to_string(way.max_batch));
    EXPECT_EQ(ticks(splits, order, out_of_orderness, way).size(), count);
  }
}

// One split has the greatest times and few records; which ends first depends on the size of batches.
Splits long_and_late() {
  Splits splits(2);
  for (int i = 0; i < 1060; ++i) splits[0].push_back({-1, event_time(i)});
  for (int i = 0; i < 900; ++i) splits[1].push_back({1, event_time(i / 10)});
  splits[1].push_back({-1, event_time(5000)});
  return splits;
}

TEST(EndOfInput, LetsTimersRunUpToTheLastRecordOfAnySplitWhicheverEndsFirst_D1) {
  // From 10 to 5000, and the one at 5010, which is set before the end.
  expect_same(long_and_late(), ArrivalOrder{}, {}, 501);
  expect_same(long_and_late(), event_time_order(), {}, 501);
}

TEST(EndOfInput, LetsTimersOfEachKeyRunUpToTheLastRecordOfAnyOther_D1) {
  // Up to 50, and once more: 1 from 10 to 60, 2 from 50, 3 from 30, 4 at 60.
  const Splits splits{{{1, event_time(0)}, {2, event_time(40)}, {3, event_time(20)}, {4, event_time(50)}, {1, event_time(30)}}};
  expect_same(splits, ArrivalOrder{}, Duration{100}, 6 + 2 + 4 + 1);
  expect_same(splits, event_time_order(), Duration{100}, 6 + 2 + 4 + 1);
}

TEST(EndOfInput, FiresTheWindowOfTheLastTimeThatARecordMayHave_A6) {
  const MemorySink<std::uint64_t> sink;
  Graph graph;
  const Splits splits{{{1, kLastRecordTime - Duration{7}}, {1, kLastRecordTime - Duration{1}}, {1, kLastRecordTime}}};
  graph.from("beats", memory_source(splits))
      .with_event_time(&Beat::time)
      .key_by(&Beat::key)
      .window(tumbling(Duration{5}))   // the last one would end behind that time
      .aggregate("windows", count())
      .map([](const auto& window) { return static_cast<std::uint64_t>(window.value); })
      .to("counts", sink.sink());
  auto job = Runtime::start(graph, {.logger = Logger::silent()});
  ASSERT_TRUE(job.ok()) << job.error().describe();
  EXPECT_EQ((*job)->wait().state, JobState::kFinished);
  EXPECT_EQ(sink.committed(), (std::vector<std::uint64_t>{1, 2}));
}

// Whoever has the split then that had ended tells of its last record, whether it has another one beside or not.
TEST(EndOfInput, LetsTimersRunUpToTheLastRecordAlsoAfterADrain_D1) {
  Splits splits{{{-1, event_time(5000)}}, {}};
  for (int i = 0; i < 3000; ++i) splits[1].push_back({1, event_time(i / 10)});
  for (const std::uint32_t parallelism : {1U, 2U}) {
    const test_support::TemporaryDirectory directory;
    const MemorySink<std::string> sink;
    RuntimeOptions options;
    options.state_directory = directory / "state";
    options.checkpoint_every = 0ms;
    options.logger = Logger::silent();
    const auto slowly = paced(memory_source(splits), Pace::records_per_second(5000));
    auto drained = Runtime::start(clocks(slowly, event_time_order(), {}, sink), options);
    ASSERT_TRUE(drained.ok());
    while ((*drained)->snapshot().records_in < 1000) std::this_thread::sleep_for(1ms);
    (*drained)->request_stop({.drain = true});
    ASSERT_EQ((*drained)->wait().state, JobState::kStopped);
    drained->reset();
    options.parallelism = parallelism;
    options.allow_drained = true;
    auto job = Runtime::start(clocks(memory_source(splits), event_time_order(), {}, sink), options);
    ASSERT_TRUE(job.ok()) << job.error().describe();
    EXPECT_EQ((*job)->wait().state, JobState::kFinished);
    EXPECT_EQ(sink.committed().back(), "1 at 5010") << "parallelism " << parallelism;
  }
}

}  // namespace

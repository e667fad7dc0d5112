// How often a timer that sets itself again runs before the end of the input stops it (T4) depends on what was in the input, and not on how
// it was read (D1).

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/memory/memory_source.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

namespace {

using namespace tidemark;

struct Beat {
  std::int64_t key;
  EventTime time;
};
using Splits = std::vector<std::vector<Beat>>;

// From a key's first record on, every 10 us.
struct Clock {
  struct State {
    bool runs = false;
  };
  void operator()(const Beat& beat, State& state, ProcessContext<std::int64_t>& context, Collector<std::string>&) const {
    if (!state.runs) context.set_timer(beat.time + Duration{10});
    state.runs = true;
  }
  void on_timer(const Timer& timer, State&, ProcessContext<std::int64_t>& context, Collector<std::string>& out) const {
    out(std::to_string(context.key()) + " at " + std::to_string(micros(timer.time)));
    context.set_timer(timer.time + Duration{10});
  }
};

struct Way {
  std::uint32_t parallelism = 1;
  std::uint32_t max_batch = 1000;
};

template <class Order>
std::vector<std::string> ticks(const Splits& splits, Order order, Duration out_of_orderness, Way way) {
  MemorySink<std::string> sink;
  Graph graph;
  graph.from("beats", memory_source(splits))
      .with_event_time(&Beat::time, {.out_of_orderness = out_of_orderness})
      .filter([](const Beat& beat) { return beat.key >= 0; })
      .key_by(&Beat::key)
      .template process<std::string>("clock", Clock{}, order)
      .to("ticks", sink.sink());
  auto job = Runtime::start(graph, {.parallelism = way.parallelism, .max_batch = way.max_batch, .logger = Logger::silent()});
  EXPECT_TRUE(job.ok());
  EXPECT_EQ((*job)->wait().state, JobState::kFinished);
  std::vector<std::string> found = sink.committed();
  std::sort(found.begin(), found.end());
  return found;
}

template <class Order>
void expect_same(const Splits& splits, Order order, Duration out_of_orderness, std::size_t count) {
  for (const Way way : {Way{}, Way{.max_batch = 10}, Way{.max_batch = 300}, Way{.parallelism = 2}, Way{.parallelism = 4, .max_batch = 50}}) {
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

TEST(EndOfInput, StopsTimersAfterTheGreatestWatermarkOfAnySplitWhicheverEndsFirst_D1) {
  // From 10 to 4990, up to the watermark 4999; and the one at 5000, which is set before the end.
  expect_same(long_and_late(), ArrivalOrder{}, {}, 500);
  expect_same(long_and_late(), event_time_order(), {}, 500);
}

TEST(EndOfInput, StopsTheTimersOfAKeyBehindItsOwnLastRecordInEventTimeOrder_D1) {
  // No watermark before the end: the clocks of 2, 3 and 4 run once, and that of 1 up to its last record, at 30.
  const Splits splits{{{1, event_time(0)}, {2, event_time(45)}, {3, event_time(15)}, {4, event_time(50)}, {1, event_time(30)}}};
  expect_same(splits, event_time_order(), Duration{100}, 3 + 3);
}

}  // namespace

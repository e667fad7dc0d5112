// In arrival order a timer sees the records of its key that came before the watermark passed it. Where all of them come from one bounded
// split (P2), that is the same at any parallelism, whenever the tasks of the source that have no split come to their end (W9, D1, K5).

#include <algorithm>
#include <compare>
#include <cstdint>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/memory/generator.hpp>
#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/temporary_directory.hpp"

namespace {

using namespace tidemark;
using namespace std::chrono_literals;

struct Seen {
  std::uint64_t key = 0;
  std::int64_t timer = 0;
  std::uint64_t records = 0;
  friend auto operator<=>(const Seen&, const Seen&) = default;
};

struct CountSoFar {
  struct State {
    std::uint64_t records = 0;
  };
  void operator()(const std::uint64_t&, State& state, ProcessContext<std::uint64_t>& context, Collector<Seen>&) const {
    ++state.records;
    context.set_timer(context.time() + Duration{10});
  }
  void on_timer(const Timer& timer, const State& state, ProcessContext<std::uint64_t>& context, Collector<Seen>& out) const {
    out({context.key(), micros(timer.time), state.records});
  }
};

Graph counts(std::uint64_t records, bool slow, const MemorySink<Seen>& sink) {
  const auto number = [slow](std::uint64_t i) {
    if (slow && i % 64 == 0) std::this_thread::sleep_for(1ms);
    return i;
  };
  Graph graph;
  graph.from("numbers", generator_source<std::uint64_t>("numbers", records, number, {.splits = 1}))
      .with_event_time([](const std::uint64_t& i) { return event_time(static_cast<std::int64_t>(i)); }, {})
      .key_by([](const std::uint64_t& i) { return i % 16; })
      .process<Seen>("counts", CountSoFar{}, arrival_order())
      .to("seen", sink.sink());
  return graph;
}

RuntimeOptions options(std::uint32_t parallelism) {
  RuntimeOptions made;
  made.parallelism = parallelism;
  made.workers = parallelism;
  made.logger = Logger::silent();
  return made;
}

// By key, and within a key in the order of arrival.
std::vector<Seen> by_key(const MemorySink<Seen>& sink) {
  std::vector<Seen> seen = sink.committed();
  std::stable_sort(seen.begin(), seen.end(), [](const Seen& a, const Seen& b) { return a.key < b.key; });
  return seen;
}

std::vector<Seen> run(std::uint64_t records, std::uint32_t parallelism) {
  const MemorySink<Seen> sink;
  auto runtime = Runtime::start(counts(records, false, sink), options(parallelism));
  EXPECT_TRUE(runtime.ok() && (*runtime)->wait().state == JobState::kFinished);
  return by_key(sink);
}

TEST(OneSplit, GivesTheSameInArrivalOrderAtAnyParallelism) {  // D1, P2
  const std::vector<Seen> expected = run(20'000, 1);
  EXPECT_EQ(expected.size(), 20'000U);
  for (const std::uint32_t parallelism : {2U, 4U, 8U}) {
    for (int round = 0; round < 10; ++round) ASSERT_TRUE(run(20'000, parallelism) == expected) << parallelism << ", round " << round;
  }
}

TEST(OneSplit, GivesTheSameInArrivalOrderWhereAJobGoesOnAtAnotherParallelism) {  // D1, K5
  const std::vector<Seen> expected = run(60'000, 1);
  for (int round = 0; round < 3; ++round) {
    const test_support::TemporaryDirectory directory;
    const MemorySink<Seen> sink;
    RuntimeOptions with = options(1);
    with.state_directory = directory.path() + "/state";
    with.checkpoint_every = 5ms;
    {
      auto runtime = Runtime::start(counts(60'000, true, sink), with);
      ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
      while ((*runtime)->snapshot().records_in < 2'000) std::this_thread::sleep_for(1ms);
      ASSERT_TRUE((*runtime)->request_stop({}).get().ok());
      ASSERT_EQ((*runtime)->wait().state, JobState::kStopped);
    }
    with.parallelism = with.workers = 4;
    auto runtime = Runtime::start(counts(60'000, false, sink), with);
    ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
    ASSERT_EQ((*runtime)->wait().state, JobState::kFinished);
    ASSERT_TRUE(by_key(sink) == expected) << "round " << round;
  }
}

}  // namespace

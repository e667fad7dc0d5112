// A job in steady state allocates nothing per record: everything that the data path needs is kept and used again. This program counts every
// operator new of all threads, in the second half of a job's input.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

#include <tidemark/memory/callback.hpp>
#include <tidemark/memory/generator.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/replaced_new.hpp"

namespace {

std::atomic<bool> counting{false};
std::atomic<std::uint64_t> allocations{0};

}  // namespace

void tidemark::test_support::on_allocation() {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
}

namespace tidemark {
namespace {

constexpr std::uint64_t kRecords = 4'000'000;
constexpr std::uint64_t kKeys = 1'000;
constexpr std::uint64_t kRecordsPerSecond = 100'000;   // of event time: twenty windows of a second in the second half

struct Payment {
  std::uint64_t key;
  std::int64_t amount;
  EventTime time;
};

// Counts from the record in the middle to the last but one: what ends the job may allocate.
Source<Payment> payments(std::uint32_t splits) {
  const auto make = [](std::uint64_t i) {
    if (i == kRecords / 2) counting = true;
    if (i == kRecords - 2) counting = false;
    return Payment{i * 2'654'435'761 % kKeys, static_cast<std::int64_t>(i % 100),
        event_time(static_cast<std::int64_t>(i * 1'000'000 / kRecordsPerSecond))};
  };
  return generator_source<Payment>("payments", kRecords, make, {.splits = splits});
}

// Runs the job to its end and returns how often it allocated while it was counted.
std::uint64_t allocations_of(Graph graph, std::uint32_t parallelism) {
  allocations = 0;
  counting = false;
  RuntimeOptions options;
  options.parallelism = parallelism;
  options.workers = parallelism;
  auto runtime = Runtime::start(std::move(graph), options);
  if (!runtime.ok()) {
    ADD_FAILURE() << runtime.error().describe();
    return 0;
  }
  const JobResult result = (*runtime)->wait();
  EXPECT_EQ(result.state, JobState::kFinished) << (result.error ? result.error->describe() : "");
  EXPECT_GT((*runtime)->snapshot().records_out, 0u);
  return allocations;
}

template <class T>
Sink<T> swallow() {
  return callback_sink<T>([](const Batch<T>&) {});
}

struct Totals {
  struct State {
    std::int64_t count = 0;
    std::int64_t amount = 0;
  };
  void operator()(const Payment& payment, State& state, ProcessContext<std::uint64_t>&, Collector<std::int64_t>& out) {
    ++state.count;
    out(state.amount += payment.amount);
  }
};

// 2,000,000 records are counted. What does not depend on their number may allocate a little: a worker that goes to sleep and wakes, a
// queue that meets its
// greatest length late. A window that opens and fires may allocate once for each of its 128 sub-tables, to note which memory is free.
constexpr std::uint64_t kBound = 400;
constexpr std::uint64_t kWindows = kRecords / 2 / kRecordsPerSecond;
constexpr std::uint64_t kBoundWithWindows = kBound + kWindows * 128;

class Allocations : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(Allocations, AreNotMadePerRecordByFilterAndMap) {
  Graph graph;
  graph.from("payments", payments(GetParam()))
      .filter([](const Payment& payment) { return payment.key % 4 != 0; })
      .map([](const Payment& payment) { return payment.amount; })
      .to("out", swallow<std::int64_t>());
  EXPECT_LE(allocations_of(std::move(graph), GetParam()), kBound);
}

TEST_P(Allocations, AreNotMadePerRecordByATumblingWindow) {
  using Sums = WindowResult<std::uint64_t, std::tuple<std::uint64_t, std::int64_t>>;
  Graph graph;
  graph.from("payments", payments(GetParam()))
      .with_event_time(&Payment::time)
      .key_by(&Payment::key)
      .window(tumbling(std::chrono::seconds{1}))
      .aggregate("sums", count(), sum(&Payment::amount))
      .to("out", swallow<Sums>());
  EXPECT_LE(allocations_of(std::move(graph), GetParam()), kBoundWithWindows);
}

TEST_P(Allocations, AreNotMadePerRecordByKeyedState) {
  Graph graph;
  graph.from("payments", payments(GetParam())).key_by(&Payment::key).process<std::int64_t>("totals", Totals{}).to("out",
      swallow<std::int64_t>());
  EXPECT_LE(allocations_of(std::move(graph), GetParam()), kBound);
}

INSTANTIATE_TEST_SUITE_P(AtParallelism, Allocations, ::testing::Values(1u, 2u));

}  // namespace
}  // namespace tidemark

// process() against hand-written loops, in one process and without a runtime: the workloads `total` (a running count and sum for each key)
// in order of arrival, and `velocity` (more than five events of a key within 60 s) in event-time order. usage: process [WORKLOAD [EVENTS
// [ROUNDS]]]      prints one line for each round; the check values of both sides must be equal
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include <tidemark/operators/process.hpp>
#include <tidemark/operators/sink.hpp>
#include <tidemark/state/backend.hpp>

namespace {

using namespace tidemark;

std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

struct Event {
  std::uint64_t key;
  std::uint64_t amount;
  std::int64_t time;   // ms
};
struct Shape {
  std::uint64_t keys;
  std::uint64_t rate;
};
constexpr std::int64_t kBase = 1700000000000;

Event event(std::uint64_t i, const Shape& shape) {
  const std::uint64_t h = mix(i);
  return {h % shape.keys, (h >> 40) % 10000, kBase + static_cast<std::int64_t>(i * 1000 / shape.rate)};
}

struct Row {
  std::uint64_t key, a, b, c;
};
struct Check {
  std::uint64_t outputs = 0;
  std::uint64_t hash = 0;
  void add(const Row& row) {
    hash += mix(mix(mix(mix(row.key) ^ row.a) ^ row.b) ^ row.c);
    ++outputs;
  }
  friend bool operator==(const Check&, const Check&) = default;
};

struct Sum {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
};

Check loop_total(std::uint64_t n, const Shape& shape) {
  Check check;
  boost::unordered_flat_map<std::uint64_t, Sum> table;
  for (std::uint64_t i = 0; i < n; ++i) {
    const Event e = event(i, shape);
    Sum& sum = table[e.key];
    ++sum.count;
    sum.sum += e.amount;
    check.add({e.key, sum.count, sum.sum, 0});
  }
  return check;
}

Check loop_velocity(std::uint64_t n, const Shape& shape) {
  Check check;
  std::vector<std::deque<std::int64_t>> recent(shape.keys);
  for (std::uint64_t i = 0; i < n; ++i) {
    const Event e = event(i, shape);
    std::deque<std::int64_t>& times = recent[e.key];
    while (!times.empty() && times.front() <= e.time - 60000) times.pop_front();
    times.push_back(e.time);
    if (times.size() > 5) check.add({e.key, static_cast<std::uint64_t>(e.time), times.size(), 0});
  }
  return check;
}

struct Total {
  void operator()(const Event& e, Sum& sum, ProcessContext<std::uint64_t>&, Collector<Row>& out) const {
    ++sum.count;
    sum.sum += e.amount;
    out({e.key, sum.count, sum.sum, 0});
  }
};

struct Velocity {
  struct State {
    std::vector<std::int64_t> times;   // few: one small block of memory for each key
  };
  void operator()(const Event& e, State& state, ProcessContext<std::uint64_t>&, Collector<Row>& out) const {
    std::vector<std::int64_t>& times = state.times;
    times.erase(times.begin(), std::find_if(times.begin(), times.end(), [&](std::int64_t time) { return time > e.time - 60000; }));
    times.push_back(e.time);
    if (times.size() > 5) out({e.key, static_cast<std::uint64_t>(e.time), times.size(), 0});
  }
};

struct CheckingSink final : Receiver {
  Check check;
  Progress on_batch(BatchBase& batch) override {
    for (const Row& row : static_cast<Batch<Row>&>(batch).values) check.add(row);
    return Progress::kDone;
  }
  Progress on_watermark(EventTime) override { return Progress::kDone; }
  Progress on_status(bool) override { return Progress::kDone; }
  Progress on_end() override { return Progress::kDone; }
};

// Batches of 1,000 and a watermark after each, as a source gives them (W4).
template <class F, class Order>
Check engine(std::uint64_t n, const Shape& shape, F f, Order order) {
  Node node = operators_internal::process_node<std::uint64_t, Event, Row>("process", &Event::key, f, order);
  const std::unique_ptr<Operator> op = node.make();
  StateBackend state{KeySpace{}, 0, KeySpace{}.groups};
  state.set_tracking(false);
  OperatorContext context;
  context.name = "process";
  context.state = &state;
  if (!op->open(context).ok() || !op->started().ok()) std::abort();
  CheckingSink sink;
  StepBudget budget;
  op->outlet(kMainOutlet).connect(&sink, &budget);

  Batch<Event> batch;
  Bytes scratch;
  auto drain = [&](Progress progress) {
    while (progress == Progress::kMore || op->pending()) {
      budget.batches = 16;
      progress = op->resume();
    }
  };
  for (std::uint64_t i = 0; i < n;) {
    const std::size_t size = std::min<std::uint64_t>(1000, n - i);
    batch.clear();
    batch.values.resize(size);
    batch.times.resize(size);
    batch.hashes.resize(size);
    for (std::size_t k = 0; k < size; ++k) {
      batch.values[k] = event(i++, shape);
      batch.times[k] = event_time(batch.values[k].time * 1000);
    }
    for (std::size_t k = 0; k < size; ++k) batch.hashes[k] = hash_key(batch.values[k].key, 0, scratch);
    const EventTime watermark = batch.times.back() - Duration{1};
    budget.batches = 16;
    drain(op->on_batch(batch));
    drain(op->on_watermark(watermark));
  }
  drain(op->on_watermark(kPlusInfinity));
  return sink.check;
}

// Seconds of this thread's processor time, so that other programs disturb less.
double now() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}
template <class Run>
double timed(Check& check, Run run) {
  const double begin = now();
  check = run();
  return now() - begin;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view wanted = argc > 1 ? argv[1] : "all";
  const std::uint64_t n = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 20'000'000;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 3;
  struct Workload {
    std::string_view name;
    Shape shape;
  };
  bool equal = true;
  for (const auto& [name, shape] : {Workload{"total-1e5", {100'000, 1'000'000}}, Workload{"total-1e6", {1'000'000, 1'000'000}},
                                    Workload{"total-1e7", {10'000'000, 1'000'000}}, Workload{"velocity", {100'000, 10'000}}}) {
    if (wanted != "all" && wanted != name) continue;
    for (int round = 0; round < rounds; ++round) {
      Check loop_check;
      Check engine_check;
      const bool total = name != "velocity";
      const double loop = timed(loop_check, [&] { return total ? loop_total(n, shape) : loop_velocity(n, shape); });
      const double ours = timed(engine_check, [&] {
        return total ? engine(n, shape, Total{}, arrival_order()) : engine(n, shape, Velocity{}, event_time_order());
      });
      equal = equal && loop_check == engine_check;
      std::printf("%-10s n=%llu loop %6.1f ns  process %6.1f ns  speed of the loop's %.2f  %s\n", std::string{name}.c_str(),
                  static_cast<unsigned long long>(n), loop / static_cast<double>(n) * 1e9, ours / static_cast<double>(n) * 1e9, loop / ours,
                  loop_check == engine_check ? "equal" : "DIFFERENT");
    }
  }
  return equal ? 0 : 1;
}

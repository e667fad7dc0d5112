// Window operators, driven directly, against hand-written loops that do the same work in the same process. Prints the speed of both and their ratio.
// usage: windows [WORKLOAD] [EVENTS] [checkpoints]      "checkpoints": the state marks what changed, as it does in a job that takes checkpoints
//
// The workloads are those of the peer engines: event i is a pure function of i, and every result goes into a sum that both sides must agree on.

#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include <tidemark/core/clock.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/operators/windows.hpp>
#include <tidemark/state/backend.hpp>

namespace {

using namespace tidemark;
using u64 = std::uint64_t;
using i64 = std::int64_t;

u64 mix(u64 x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

struct Shape {
  u64 keys;
  u64 rate;   // events in an event-second
  i64 size;   // milliseconds
  i64 slide;  // 0: sessions with gap `size`
};
constexpr i64 kDisorder = 5;
constexpr i64 kBase = 1'700'000'000'000;

struct Event {
  u64 key;
  u64 amount;
  i64 time;   // milliseconds
};
Event event(u64 i, const Shape& shape) {
  const u64 h = mix(i);
  return {h % shape.keys, (h >> 40) % 10000, kBase + static_cast<i64>(i * 1000 / shape.rate) - static_cast<i64>(mix(h) % kDisorder)};
}

struct Check {
  u64 outputs = 0;
  u64 hash = 0;
  void take(u64 key, u64 a, u64 b, u64 c) {
    hash += mix(mix(mix(mix(key) ^ a) ^ b) ^ c);
    ++outputs;
  }
  friend bool operator==(const Check&, const Check&) = default;
};

struct Total {
  u64 count = 0;
  u64 sum = 0;
};
using Table = boost::unordered_flat_map<u64, Total>;

// Every event goes into the table of its slice; a sliding window is a running table from which leaving slices are subtracted.
Check windows_loop(u64 n, const Shape& shape) {
  Check sink;
  std::deque<Table> slices;
  Table running;
  const i64 start = kBase - 1000;
  i64 first = start - start % shape.slide;
  i64 next_end = first + shape.slide;
  i64 max_time = INT64_MIN;
  auto fire_until = [&](i64 watermark) {
    while (next_end - 1 <= watermark && (!slices.empty() || !running.empty())) {
      const i64 entering = next_end - shape.slide;
      const i64 leaving = entering - shape.size;
      if (shape.size == shape.slide) {
        if (!slices.empty()) {
          for (auto& [key, v] : slices.front()) sink.take(key, static_cast<u64>(next_end), v.count, v.sum);
          slices.pop_front();
          first += shape.slide;
        }
      } else {
        const auto at = static_cast<std::size_t>((entering - first) / shape.slide);
        if (at < slices.size()) {
          for (auto& [key, v] : slices[at]) {
            Total& r = running[key];
            r.count += v.count;
            r.sum += v.sum;
          }
        }
        if (leaving >= first) {
          for (auto& [key, v] : slices.front()) {
            auto r = running.find(key);
            if ((r->second.count -= v.count) == 0) {
              running.erase(r);
            } else {
              r->second.sum -= v.sum;
            }
          }
          slices.pop_front();
          first += shape.slide;
        }
        for (auto& [key, v] : running) sink.take(key, static_cast<u64>(next_end), v.count, v.sum);
      }
      next_end += shape.slide;
    }
  };
  for (u64 i = 0; i < n; ++i) {
    const Event e = event(i, shape);
    const auto at = static_cast<std::size_t>((e.time - first) / shape.slide);
    while (slices.size() <= at) slices.emplace_back();
    Total& v = slices[at][e.key];
    ++v.count;
    v.sum += e.amount;
    if (e.time > max_time) {
      max_time = e.time;
      fire_until(max_time - kDisorder - 1);
    }
  }
  fire_until(INT64_MAX - 1);
  return sink;
}

Check sessions_loop(u64 n, const Shape& shape) {
  struct Session {
    i64 first, last;
    u64 count, sum;
  };
  Check sink;
  std::vector<std::vector<Session>> open(shape.keys);
  i64 max_time = INT64_MIN;
  for (u64 i = 0; i < n; ++i) {
    const Event e = event(i, shape);
    max_time = std::max(max_time, e.time);
    const i64 watermark = max_time - kDisorder - 1;
    auto& list = open[e.key];
    std::erase_if(list, [&](Session& x) {
      if (x.last + shape.size - 1 > watermark) return false;
      sink.take(e.key, static_cast<u64>(x.first), x.count, x.sum);
      return true;
    });
    Session merged{e.time, e.time, 1, e.amount};
    std::erase_if(list, [&](Session& x) {
      if (e.time - x.last >= shape.size || x.first - e.time >= shape.size) return false;
      merged = {std::min(merged.first, x.first), std::max(merged.last, x.last), merged.count + x.count, merged.sum + x.sum};
      return true;
    });
    list.push_back(merged);
  }
  for (u64 key = 0; key < shape.keys; ++key) {
    for (auto& x : open[key]) sink.take(key, static_cast<u64>(x.first), x.count, x.sum);
  }
  return sink;
}

EventTime from_ms(i64 ms) { return event_time(ms * 1000); }
i64 to_ms(EventTime time) { return micros(time) / 1000; }

using Sums = operators_internal::Combined<Event, operators_internal::Count, operators_internal::Sum<u64 Event::*>>;
using Out = WindowResult<u64, Sums::Result>;

// Takes the results, as the sink of a job would.
class Results final : public Receiver {
 public:
  explicit Results(bool sessions) : sessions_(sessions) {}
  Progress on_batch(BatchBase& batch) override {
    for (const Out& out : static_cast<Batch<Out>&>(batch).values) {
      sink.take(out.key, static_cast<u64>(to_ms(sessions_ ? out.window.start : out.window.end)), std::get<0>(out.value), std::get<1>(out.value));
    }
    return Progress::kDone;
  }
  Progress on_watermark(EventTime) override { return Progress::kDone; }
  Progress on_status(bool) override { return Progress::kDone; }
  Progress on_end() override { return Progress::kDone; }

  Check sink;

 private:
  bool sessions_;
};

Check with_operator(u64 n, const Shape& shape, bool checkpoints) {
  const auto ms = [](i64 count) { return Duration{count * 1000}; };
  const WindowSpec spec = shape.slide == 0 ? session(ms(shape.size))
                          : shape.slide == shape.size ? tumbling(ms(shape.size))
                                                      : sliding(ms(shape.size), ms(shape.slide));
  const auto window = operators_internal::make_window_operator<u64, Event>(&Event::key, spec, Sums{count(), sum(&Event::amount)});
  const KeySpace space{.groups = 128, .seed = 1};
  StateBackend state(space, 0, space.groups);
  state.set_tracking(checkpoints);
  IoContext io{posix_file_system(), system_clock(), Logger::silent()};
  OperatorContext context;
  context.name = "window";
  context.key_space = space;
  context.state = &state;
  context.io = &io;
  Results results(shape.slide == 0);
  StepBudget budget;
  window->outlet(kMainOutlet).connect(&results, &budget);
  if (!window->open(context).ok() || !window->started().ok()) std::abort();
  auto run = [&](Progress) {
    while (window->pending()) {
      budget.batches = 16;
      (void)window->resume();
    }
    budget.batches = 16;
  };
  Batch<Event> batch;
  i64 max_time = INT64_MIN;
  Bytes scratch;
  budget.batches = 16;
  for (u64 i = 0; i < n;) {
    const u64 end = std::min(n, i + 1000);
    const std::size_t size = end - i;
    batch.clear();
    batch.values.resize(size);
    batch.times.resize(size);
    batch.hashes.resize(size);
    const u64 begin = i;
    for (; i < end; ++i) {
      const Event e = event(i, shape);
      batch.values[i - begin] = e;
      batch.times[i - begin] = from_ms(e.time);
      max_time = std::max(max_time, e.time);
    }
    for (std::size_t k = 0; k < size; ++k) batch.hashes[k] = hash_key(batch.values[k].key, space.seed, scratch);
    run(window->on_batch(batch));
    run(window->on_watermark(event_time(max_time * 1000 - kDisorder * 1000 - 1)));
  }
  run(window->on_watermark(kPlusInfinity));
  return results.sink;
}

// Of processor time: other programs on the machine then disturb less.
template <class F>
double seconds_of(F f) {
  const std::clock_t begin = std::clock();
  f();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, Shape> workloads = {
      {"tumble-1e3", {1'000, 1'000'000, 1'000, 1'000}}, {"tumble-1e5", {100'000, 1'000'000, 1'000, 1'000}},
      {"tumble-1e6", {1'000'000, 1'000'000, 1'000, 1'000}}, {"slide", {10'000, 100'000, 10'000, 1'000}},
      {"slide-fine", {10'000, 100'000, 10'000, 100}}, {"session", {100'000, 1'000'000, 100, 0}}};
  const std::string wanted = argc > 1 ? argv[1] : "all";
  const u64 n = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 5'000'000;
  const bool checkpoints = argc > 3;
  bool same = true;
  for (const auto& [name, shape] : workloads) {
    if (wanted != "all" && wanted != name) continue;
    Check loop;
    Check ours;
    // The better of two, in turn, so that a disturbance of the machine does not decide.
    double loop_seconds = 1e9;
    double our_seconds = 1e9;
    for (int round = 0; round < 2; ++round) {
      loop_seconds = std::min(loop_seconds, seconds_of([&, s = shape] { loop = s.slide == 0 ? sessions_loop(n, s) : windows_loop(n, s); }));
      our_seconds = std::min(our_seconds, seconds_of([&, s = shape] { ours = with_operator(n, s, checkpoints); }));
    }
    same = same && loop == ours;
    std::printf("%-10s  loop %6.1f M/s  operator %6.1f M/s  ratio %.2f  outputs %" PRIu64 " hash %016" PRIx64 "%s\n", name.c_str(),
                static_cast<double>(n) / loop_seconds / 1e6, static_cast<double>(n) / our_seconds / 1e6, loop_seconds / our_seconds, ours.outputs,
                ours.hash, loop == ours ? "" : "  RESULTS DIFFER");
  }
  return same ? 0 : 1;
}

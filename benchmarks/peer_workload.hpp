#pragma once
// The peer workloads as data: the events, the shapes, and what a run of them yields. Shared by the hand-written loop and the Tidemark
// job, so that both
// do the same work on the same events.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peer {

inline std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// The hash of one output; a run's hash is the sum over all its outputs.
inline std::uint64_t output_hash(std::uint64_t key, std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  return mix(mix(mix(mix(key) ^ a) ^ b) ^ c);
}

// Shapes of events. Where a plain program would know them when it is compiled, so do both sides here.
struct AnyShape {
  std::uint64_t keys;
  std::uint64_t rate;           // events per second of event time
  std::uint64_t disorder_ms;
};
template <std::uint64_t kRate>
struct OrderedShape {           // any keys, but a fixed rate and no disorder
  std::uint64_t keys;
  static constexpr std::uint64_t rate = kRate;
  static constexpr std::uint64_t disorder_ms = 0;
};
template <std::uint64_t kKeys, std::uint64_t kRate>
struct FixedShape {
  static constexpr std::uint64_t keys = kKeys;
  static constexpr std::uint64_t rate = kRate;
  static constexpr std::uint64_t disorder_ms = 0;
};

struct Event {
  std::uint64_t key;
  std::uint64_t amount;         // cents
  std::int64_t time_ms;
};

inline constexpr std::int64_t kFirstTimeMs = 1'700'000'000'000;

template <class Shape>
inline Event event_at(std::uint64_t i, const Shape& shape) {
  const std::uint64_t h = mix(i);
  const std::uint64_t back = shape.disorder_ms > 0 ? mix(h) % shape.disorder_ms : 0;
  return {h % shape.keys, (h >> 40) % 10'000, kFirstTimeMs +
      static_cast<std::int64_t>(i * 1000 / shape.rate) - static_cast<std::int64_t>(back)};
}

enum class Work : std::uint8_t { kPass, kWindow, kSession, kTotal, kVelocity };

struct Workload {
  std::string name;
  Work work{};
  AnyShape shape{};
  std::chrono::milliseconds size{};     // of windows; of velocity's look back
  std::chrono::milliseconds slide{};    // of windows
  std::chrono::milliseconds gap{};      // of sessions
  bool reshaped = false;                // by options: then there is no published answer
};

inline constexpr std::size_t kVelocityLimit = 5;

// The workload of this name with its usual shape.
std::optional<Workload> find_workload(std::string_view name);
// Names of all workloads, parted by blanks.
std::string workload_names();

// What a run must give.
struct Answer {
  std::uint64_t outputs = 0;
  std::uint64_t hash = 0;
  std::optional<std::uint64_t> final;   // of total-*: the hash over the last output of each key
};

// The published answer for a usual shape, if there is one for this number of events.
std::optional<Answer> published_answer(const Workload& workload, std::uint64_t events);

struct Outcome {
  Answer answer;
  double seconds = 0;                   // from the first event to the end
  double second_half_seconds = 0;       // from event N/2 to the end
  double cpu_seconds = 0;               // of all threads; on a busy machine the steadier figure
  std::uint64_t checkpoints = 0;
  double max_rss_mib = 0;
};

// The same work by hand, on one thread.
Outcome run_loop(const Workload& workload, std::uint64_t events);

// Calls f with the narrowest shape type that a plain program for the workload would have.
template <class F>
auto with_shape(const Workload& workload, F f) {
  const AnyShape& shape = workload.shape;
  if (!workload.reshaped && workload.work == Work::kPass) return f(FixedShape<100'000, 1'000'000>{});
  if (!workload.reshaped && workload.work == Work::kVelocity) return f(FixedShape<100'000, 10'000>{});
  if (!workload.reshaped && workload.work == Work::kTotal) return f(OrderedShape<1'000'000>{shape.keys});
  return f(shape);
}

// The peak of the process' memory since reset_peak_memory(), or since its start where the system does not let it be reset.
void reset_peak_memory();
double peak_memory_mib();
// Processor time of the process so far.
double cpu_seconds();

}  // namespace peer

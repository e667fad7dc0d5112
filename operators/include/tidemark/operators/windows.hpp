#pragma once
// Windows of event time: tumbling, sliding and session windows, and their results.
//
// A window fires once, when the watermark has reached its last microsecond (F1); its results carry the time end - 1 (A5).
// A record is late for a window that its own split's watermark had closed before it (L1, L2), and late altogether if that holds for all
// its windows (L4). Late records go to the stage's late() stream, else to quarantine, else they are dropped and logged; they are always
// counted. Nothing here allows extra lateness.
//
// D1 (the same results at any parallelism, batch size and crash) holds with these exceptions of D2: floating-point sums and averages, and
// session windows, if a key's records come from several splits, or from one by several paths: a union of streams that stem from it or,
// above parallelism 1, an earlier key_by; for sessions only if one of the records is behind (S4).
// For the least and greatest of equal values that differ, as +0.0 and -0.0 do, it does not say which of them is the result.

#include <compare>
#include <string>
#include <utility>

#include <tidemark/core/status.hpp>
#include <tidemark/core/time.hpp>
#include <tidemark/operators/aggregates.hpp>
#include <tidemark/operators/detail/window_math.hpp>
#include <tidemark/operators/late.hpp>

namespace tidemark {
inline namespace v0 {

enum class WindowKind : std::uint8_t { kTumbling, kSliding, kSession };

struct WindowOptions {
  // Windows start at offset + n * size (tumbling) or offset + n * slide; any duration. Days of UTC+1: tumbling(24h, {.offset = -1h}) (A7).
  Duration offset{0};
};

// Which windows there are. Made by the functions below; an impossible one is refused when the job starts.
struct WindowSpec {
  WindowKind kind = WindowKind::kTumbling;
  Duration size{};      // of sessions: the gap
  Duration slide{};     // tumbling: the size
  Duration offset{};

  // kBadGraph if a duration is not positive or longer than kLongestDuration.
  Status check() const;
  // For people: "tumbling window 1min", "sliding window 10s by 1s", "session window, gap 30min".
  std::string describe() const;
  // For schemas (K11): "tumbling(1min,0s)".
  std::string parameters() const;
};

// A spec whose kind the type tells, so that a stage is compiled for that kind alone. A plain WindowSpec may be chosen at run time.
template <WindowKind kKind>
struct WindowsOf : WindowSpec {};

// [start, start + size), one after the other (A1).
inline WindowsOf<WindowKind::kTumbling> tumbling(Duration size, WindowOptions options = {}) {
  return {{WindowKind::kTumbling, size, size, options.offset}};
}
// [start, start + size) at every multiple of slide (A2). With slide > size, records between two windows are in none and are counted (A3).
inline WindowsOf<WindowKind::kSliding> sliding(Duration size, Duration slide, WindowOptions options = {}) {
  return {{WindowKind::kSliding, size, slide, options.offset}};
}
// For each key, records closer than `gap` are in one session, which ends `gap` after the last. Records exactly `gap` apart are in two (S1).
inline WindowsOf<WindowKind::kSession> session(Duration gap) { return {{WindowKind::kSession, gap, gap, Duration{0}}}; }

// The tumbling window that contains t (A1). Precondition: size > 0.
constexpr Window tumbling_window(EventTime t, Duration size, Duration offset = Duration{0}) {
  const EventTime start = operators_internal::period_start(operators_internal::clipped(t), size, offset);
  return {start, operators_internal::saturated_end(start + size)};
}

// The sliding windows that contain t are those with a start in [first, last], one for each slide; none if first > last (A2, A3).
struct WindowStarts {
  EventTime first{};
  EventTime last{};
  friend constexpr bool operator==(const WindowStarts&, const WindowStarts&) = default;
};
constexpr WindowStarts sliding_window_starts(EventTime t, Duration size, Duration slide, Duration offset = Duration{0}) {
  const EventTime time = operators_internal::clipped(t);
  return {operators_internal::period_start(time - size, slide, offset) + slide, operators_internal::period_start(time, slide, offset)};
}

// One result of a window stage.
template <class Key, class R>
struct WindowResult {
  Key key{};
  Window window{};
  R value{};
  friend bool operator==(const WindowResult&, const WindowResult&) = default;
};

}  // namespace v0
}  // namespace tidemark

#include <tidemark/operators/detail/window_node.hpp>

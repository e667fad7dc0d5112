#pragma once
// Event time: the time at which something happened, as the record says; never the time of day at which it is processed.

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <tidemark/core/detail/planted.hpp>

namespace tidemark {
inline namespace v0 {

template <class T>
class Result;

// The clock of event time. It has no now(): only records and watermarks move it.
struct EventClock {
  using rep = std::int64_t;
  using period = std::micro;
  using duration = std::chrono::duration<rep, period>;
  using time_point = std::chrono::time_point<EventClock, duration>;
  static constexpr bool is_steady = false;
};

// A signed 64-bit count of microseconds since 1970-01-01 UTC (W1). min() stands for -infinity, max() for +infinity.
using EventTime = EventClock::time_point;
using Duration = EventClock::duration;

inline constexpr EventTime kMinusInfinity = EventTime::min();
inline constexpr EventTime kPlusInfinity = EventTime::max();

// Records outside [kFirstRecordTime, kLastRecordTime] are refused (quarantine reason `time_out_of_range`, W1).
inline constexpr EventTime kFirstRecordTime{Duration{-(std::int64_t{1} << 62)}};
inline constexpr EventTime kLastRecordTime{Duration{std::int64_t{1} << 62}};
// Sizes, gaps and delays are at most this long (W1).
inline constexpr Duration kLongestDuration{std::int64_t{1} << 61};

constexpr EventTime event_time(std::int64_t microseconds_since_epoch) { return EventTime{Duration{microseconds_since_epoch}}; }
constexpr std::int64_t micros(EventTime time) { return time.time_since_epoch().count(); }

// Sum that stays at the infinities instead of wrapping (W1): an infinity plus anything is that infinity.
constexpr EventTime saturating_add(EventTime time, Duration delta) {
  if (time == kMinusInfinity || time == kPlusInfinity) return time;
  std::int64_t sum = 0;
  if (__builtin_add_overflow(micros(time), delta.count(), &sum)) return delta.count() > 0 ? kPlusInfinity : kMinusInfinity;
  return event_time(sum);
}

// Remainder that is never negative, so that windows below zero start where they should (A1). Precondition: divisor > 0.
constexpr Duration floor_mod(Duration value, Duration divisor) {
  const std::int64_t remainder = value.count() % divisor.count();
  if (planted(core_internal::Bug::kP14)) return Duration{remainder};   // truncates
  return Duration{remainder < 0 ? remainder + divisor.count() : remainder};
}

// ISO 8601 in UTC with as many digits of the second as needed ("2026-01-31T12:00:59.999999Z"); "-inf" and "+inf" for the infinities.
std::string to_string(EventTime time);
// Reads what to_string() writes, and ISO 8601 with an offset ("2026-01-31 13:00+01:00"). A zone is required; digits of the second beyond
// the sixth are cut off. kDecodeFailed: not such a time, or out of the range of EventTime. Needs <tidemark/core/status.hpp>.
Result<EventTime> parse_event_time(std::string_view text);

// The half-open interval [start, end).
struct Window {
  EventTime start{};
  EventTime end{};
  friend constexpr auto operator<=>(const Window&, const Window&) = default;
  // The greatest time that can lie in the window, the event time of its results (A5).
  constexpr EventTime max_time() const { return end == kPlusInfinity ? kPlusInfinity : end - Duration{1}; }
};

}  // namespace v0
}  // namespace tidemark

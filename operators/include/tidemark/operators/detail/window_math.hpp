#pragma once
// The arithmetic of windows (A1-A3, A6): pure functions of times. Included by windows.hpp.
//
// Internally every window and slice goes by its unclipped bounds. Times lie in [-2^62, 2^62] and durations are at most 2^61, so the bounds
// fit; only what users see, and what decides when a window is due, saturates (A6).

#include <algorithm>
#include <cstdint>
#include <limits>

#include <tidemark/core/time.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

// Rounds down, like A1. Precondition: divisor > 0.
constexpr std::int64_t floor_div(Duration value, Duration divisor) { return value / divisor - (value % divisor < Duration{0} ? 1 : 0); }

// The end that users see: ends beyond 2^62 are +infinity (A6).
constexpr EventTime saturated_end(EventTime end) { return end > kLastRecordTime ? kPlusInfinity : end; }

// The result of a window whose end saturated has the time +infinity; in the next window stage it counts as the last possible time.
constexpr EventTime clipped(EventTime time) { return std::min(time, kLastRecordTime); }

// Whether a window with this unclipped end fires, or is late, at a watermark: end - 1 <= watermark (F1, L1), at the end of input only if it
// saturated.
constexpr bool is_reached(EventTime end, EventTime watermark) {
  if (watermark == kPlusInfinity) return true;
  return end <= kLastRecordTime && end - Duration{1} <= watermark;
}

// Start of the last period that begins at or before t; periods begin at offset + n * period (A1).
constexpr EventTime period_start(EventTime t, Duration period, Duration offset) {
  return t - floor_mod(t.time_since_epoch() - floor_mod(offset, period), period);
}

// Sliding windows cut time into slices, so that each window is a run of whole slices. Where `slide` divides `size` a slice is one slide.
// Where it does
// not, each slide is cut in two, at size mod slide: a window then is an odd number of slices (paired slices), however small the greatest
// common divisor is.
// Slices are numbered; a window goes by the number of its first slice.
class Slicing {
 public:
  // A number below that of every slice.
  static constexpr std::int64_t kBeforeAll = std::numeric_limits<std::int64_t>::min();

  // Precondition: 0 < slide < size.
  constexpr Slicing(Duration size, Duration slide, Duration offset)
      : size_(size), slide_(slide), offset_(floor_mod(offset, slide)), rest_(size % slide) {}

  // Slices from the start of a window to the start of the next.
  constexpr std::int64_t step() const { return paired() ? 2 : 1; }
  // Slices in a window.
  constexpr std::int64_t length() const { return paired() ? 2 * (size_ / slide_) + 1 : size_ / slide_; }

  constexpr std::int64_t slice_of(EventTime t) const { return slice_at(clipped(t)); }
  constexpr EventTime slice_start(std::int64_t slice) const {
    if (!paired()) return EventTime{offset_ + slice * slide_};
    return EventTime{offset_ + (slice >> 1) * slide_ + ((slice & 1) != 0 ? rest_ : Duration{0})};
  }
  constexpr EventTime slice_end(std::int64_t slice) const { return slice_start(slice + 1); }
  // The slice that ends there. Precondition: one does.
  constexpr std::int64_t slice_ending_at(EventTime end) const { return slice_at(end) - 1; }

  constexpr Window window(std::int64_t first_slice) const {
    const EventTime start = slice_start(first_slice);
    return {start, start + size_};
  }
  // The first and the last window that contain the slice.
  constexpr std::int64_t first_window_with(std::int64_t slice) const {
    const std::int64_t first = slice - length() + 1;
    return paired() ? first + (first & 1) : first;
  }
  constexpr std::int64_t last_window_with(std::int64_t slice) const { return paired() ? slice - (slice & 1) : slice; }
  // The first window that is not reached by the watermark, which is not +infinity; kBeforeAll if that can be any window.
  constexpr std::int64_t first_window_after(EventTime watermark) const {
    if (watermark < kFirstRecordTime) return kBeforeAll;
    const Duration last_start = std::min(watermark, kLastRecordTime - Duration{1}).time_since_epoch() + Duration{1} - size_ - offset_;
    return (floor_div(last_start, slide_) + 1) * step();
  }

 private:
  constexpr bool paired() const { return rest_ != Duration{0}; }
  constexpr std::int64_t slice_at(EventTime t) const {
    const Duration since = t.time_since_epoch() - offset_;
    const std::int64_t period = floor_div(since, slide_);
    return paired() ? 2 * period + (floor_mod(since, slide_) >= rest_ ? 1 : 0) : period;
  }

  Duration size_;
  Duration slide_;
  Duration offset_;
  Duration rest_;   // size mod slide
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

// Z8: the arithmetic of windows against one of 128 bits, where nothing can overflow (A1-A3, A6, W1, fault F24).

#include <tidemark/operators/detail/window_math.hpp>

#include "fuzz.hpp"

namespace tidemark::fuzz {
namespace {

using namespace operators_internal;

__extension__ using Wide = __int128;

Wide wide(EventTime time) { return micros(time); }
Wide wide_floor(Wide value, Wide divisor) { return value / divisor - (value % divisor < 0 ? 1 : 0); }

constexpr std::int64_t kFirst = micros(kFirstRecordTime);
constexpr std::int64_t kLast = micros(kLastRecordTime);
constexpr std::int64_t kLongest = kLongestDuration.count();

void check_sum(EventTime time, Duration delta) {
  const Wide sum = wide(time) + delta.count();
  Wide expected = std::clamp<Wide>(sum, INT64_MIN, INT64_MAX);
  if (time == kMinusInfinity || time == kPlusInfinity) expected = wide(time);
  require(wide(saturating_add(time, delta)) == expected, "a sum stays at the infinities");
}

void check_tumbling(EventTime time, Duration size, Duration offset) {
  const Wide expected = wide_floor(wide(time) - offset.count(), size.count()) * size.count() + offset.count();
  require(wide(period_start(time, size, offset)) == expected, "a window begins where it should");
}

void check_sliding(EventTime time, Duration size, Duration slide, Duration offset) {
  const Slicing slicing{size, slide, offset};
  const std::int64_t slice = slicing.slice_of(time);
  require(slicing.slice_start(slice) <= time && time < slicing.slice_end(slice), "a slice holds its times");
  require(slicing.slice_ending_at(slicing.slice_end(slice)) == slice, "a slice is known by its end");
  const auto start_of = [&](Wide number) { return offset.count() + number * slide.count(); };
  const Wide last = wide_floor(wide(time) - offset.count(), slide.count());
  const Wide first = wide_floor(wide(time) - size.count() - offset.count(), slide.count()) + 1;
  const Window newest = slicing.window(slicing.last_window_with(slice));
  require(wide(newest.start) == start_of(last) && wide(newest.end) == start_of(last) + size.count(), "the last window that holds a time");
  require(wide(slicing.window(slicing.first_window_with(slice)).start) == start_of(first), "the first window that holds a time");
  require(wide(slicing.slice_start(slicing.last_window_with(slice) + slicing.length())) == wide(newest.end), "a window is whole slices");
}

void check_due(EventTime watermark, Duration size, Duration slide, Duration offset) {
  const Slicing slicing{size, slide, offset};
  const std::int64_t first = slicing.first_window_after(watermark);
  if (watermark < kFirstRecordTime) return require(first == Slicing::kBeforeAll, "before all records any window is to come");
  const EventTime end = slicing.window(first).end;
  require(!is_reached(end, watermark), "the first window after a watermark is not reached by it");
  require(is_reached(end - slide, watermark), "and the one before it is");
}

}  // namespace

void run(ByteView input) {
  Choices choices{input};
  const EventTime time = event_time(choices.integer(kFirst, kLast));
  const Duration size{choices.integer(2, kLongest)};
  const Duration slide{choices.integer(1, size.count() - 1)};
  const Duration offset{choices.integer(-kLongest, kLongest)};
  const EventTime watermark = event_time(choices.integer(INT64_MIN, INT64_MAX - 1));
  check_sum(event_time(choices.integer()), Duration{choices.integer()});
  check_tumbling(time, size, offset);
  check_sliding(time, size, slide, offset);
  check_due(watermark, size, slide, offset);
}

}  // namespace tidemark::fuzz

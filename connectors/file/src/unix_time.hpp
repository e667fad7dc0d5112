#pragma once
// Times given as numbers.

#include <cstdint>

#include <tidemark/core/time.hpp>

namespace tidemark {
inline namespace v0 {
namespace file_internal {

// The infinity on its side if EventTime cannot hold it.
constexpr EventTime time_since_epoch(std::int64_t count, std::int64_t micros_per_unit) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(count, micros_per_unit, &product)) return count > 0 ? kPlusInfinity : kMinusInfinity;
  return event_time(product);
}

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

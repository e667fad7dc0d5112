#pragma once
// How far a timed state is in memory: what is due soon is; what lies beyond may be in the store alone, until its time comes near.

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/time.hpp>
#include <tidemark/state/detail/cold_fetch.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

// Of a row among those of its state, which lie by time and hash. Rows of one position are in memory together or not at all.
struct RowPosition {
  EventTime time = kMinusInfinity;
  std::uint64_t hash = 0;
  friend auto operator<=>(const RowPosition&, const RowPosition&) = default;
};
// No row of this time lies behind it.
constexpr RowPosition end_of(EventTime time) { return {time, std::numeric_limits<std::uint64_t>::max()}; }

// At first all is in memory.
class Horizon {
 public:
  bool is_beyond(const RowPosition& position) const {
    if (position.time < through_.time) [[likely]] return false;
    return position > through_;
  }
  // Everything with a time at or before `time` is in memory.
  bool covers(EventTime time) const { return through_ >= end_of(time); }

  // What lies behind `position` may leave memory, or has left.
  void lower(const RowPosition& position) { through_ = std::min(through_, position); }
  // No row at or before `position` is of use any more.
  void raise(const RowPosition& position) { through_ = std::max(through_, position); }

  // Reads the next rows of `state`: so many that reading them together is cheap, and all of one position. take(position, key after the
  // state id, value) says whether the row is in memory now. Throws JobFailure.
  enum class Taken : std::uint8_t { kYes, kNo, kMalformed };
  void read_more(ColdFetch& cold, StateId state, const std::function<Taken(const RowPosition&, ByteView key, ByteView value)>& take);

 private:
  static constexpr std::size_t kReadTogether = 4096;

  RowPosition through_ = end_of(kPlusInfinity);
};

// Lets go of what `ladder` holds, in steps until enough() is true: what lies behind the middle, then what lies behind the first quarter,
// and so on. leave(position) lets go of all that is clean behind a position. The ladder's items have a time and a hash.
template <class Ladder, class Leave, class Enough>
void leave_from_the_end(Ladder& ladder, Leave leave, Enough enough) {
  constexpr std::size_t kSample = 1024;
  std::vector<RowPosition> positions;
  ladder.each([&positions, at = std::size_t{0}, step = ladder.size() / kSample + 1](const auto& item) mutable {
    if (at++ % step == 0) positions.push_back({item.time, item.hash});
  });
  std::sort(positions.begin(), positions.end());
  for (std::size_t kept = positions.size() / 2; !enough() && kept > 0; kept /= 2) leave(positions[kept]);
}

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

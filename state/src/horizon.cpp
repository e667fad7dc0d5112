#include <tidemark/state/detail/horizon.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

void Horizon::read_more(ColdFetch& cold, StateId state,
                        const std::function<Taken(const RowPosition&, ByteView key, ByteView value)>& take) {
  Bytes first;
  if (through_ != RowPosition{}) {
    // The position behind that which was read last.
    const bool last_hash = through_ == end_of(through_.time);
    append_time_big_endian(first, last_hash ? through_.time + Duration{1} : through_.time);
    append_u64_big_endian(first, through_.hash + 1);
  }
  RowPosition last;
  ReadQuota quota{kReadTogether};
  bool stopped = false;
  cold.read_range(state, first, {}, [&](ByteView key, ByteView value) {
    RowPosition position;
    ByteView rest = key;
    if (!take_time_big_endian(rest, position.time) || !take_u64_big_endian(rest, position.hash)) return ColdFetch::Next::kMalformed;
    if (quota.spent() && position != last) {
      stopped = true;
      return ColdFetch::Next::kStop;
    }
    last = position;
    const Taken taken = take(position, key, value);
    if (taken == Taken::kMalformed) return ColdFetch::Next::kMalformed;
    quota.count(taken == Taken::kYes ? key.size() + value.size() : 0);
    return ColdFetch::Next::kGoOn;
  });
  through_ = stopped ? last : end_of(kPlusInfinity);
}

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

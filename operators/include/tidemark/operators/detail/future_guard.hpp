#pragma once
// The guard against times in the far future, for one split (W15-W17).

#include <algorithm>
#include <cstdint>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/time.hpp>
#include <tidemark/operators/event_time_options.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

// Precondition of all that take options: they have a max_ahead.
class FutureGuard {
 public:
  // The greatest time that the next record may have. `watermark` is its split's; kMinusInfinity: the split has had none.
  static EventTime limit(const EventTimeOptions& options, EventTime watermark) {
    if (watermark == kMinusInfinity) watermark = options.time_origin.value_or(kPlusInfinity);
    return saturating_add(watermark, *options.max_ahead);
  }
  // To be asked for the records of the split one after the other.
  bool refuses(EventTime time, EventTime watermark, const EventTimeOptions& options) {
    if (time <= limit(options, watermark)) {
      end_row();
      return false;
    }
    if (options.confirm_jump == 0) return true;
    least_ = std::min(least_, time);
    greatest_ = std::max(greatest_, time);
    if (greatest_ > saturating_add(least_, *options.max_ahead)) {
      refused_ = 0;
      least_ = greatest_ = time;
    }
    if (++refused_ < options.confirm_jump) return true;
    end_row();
    return false;
  }
  // Records have come that are not too far ahead.
  void end_row() { *this = {}; }
  bool in_row() const { return refused_ > 0; }

  void save(Bytes& out) const {
    append_u32(out, refused_);
    append_time(out, least_);
    append_time(out, greatest_);
  }
  [[nodiscard]] bool load(ByteView& in) { return take_u32(in, refused_) && take_time(in, least_) && take_time(in, greatest_); }

 private:
  // The records in a row that were too far ahead, up to now.
  std::uint32_t refused_ = 0;
  EventTime least_ = kPlusInfinity;
  EventTime greatest_ = kMinusInfinity;
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

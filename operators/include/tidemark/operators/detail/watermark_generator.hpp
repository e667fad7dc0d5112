#pragma once
// Bounded out-of-orderness for one split (W3, W5): the greatest time so far, minus B, minus 1.

#include <cstdint>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/time.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

class WatermarkGenerator {
 public:
  static constexpr std::uint32_t kRecordsPerWatermark = 1000;   // W4

  explicit WatermarkGenerator(Duration out_of_orderness = {}) : lag_(out_of_orderness + Duration{1}) {}

  EventTime watermark() const { return greatest_ == kMinusInfinity ? kMinusInfinity : saturating_add(greatest_, -lag_); }
  EventTime greatest() const { return greatest_; }
  // The watermark as if `greatest` were the greatest time so far.
  EventTime watermark_at(EventTime greatest) const { return saturating_add(greatest, -lag_); }
  void advance_to(EventTime greatest) {
    if (greatest > greatest_) greatest_ = greatest;
  }

  // Counted from the start of the split, not of the run.
  std::uint64_t records() const { return records_; }
  void count(std::uint64_t records) { records_ += records; }
  std::uint32_t records_until_watermark() const {
    return kRecordsPerWatermark - static_cast<std::uint32_t>(records_ % kRecordsPerWatermark);
  }

  void save(Bytes& out) const {
    append_time(out, greatest_);
    append_u64(out, records_);
  }
  [[nodiscard]] bool load(ByteView& in) { return take_time(in, greatest_) && take_u64(in, records_); }

 private:
  Duration lag_;
  EventTime greatest_ = kMinusInfinity;
  std::uint64_t records_ = 0;
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

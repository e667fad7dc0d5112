#include <tidemark/operators/quarantine.hpp>

#include <tidemark/core/check.hpp>
#include <tidemark/operators/refusals.hpp>

namespace tidemark {
inline namespace v0 {

template <>
const RecordType& record_type<Quarantined>() {
  static constexpr RecordType type = operators_internal::make_record_type<Quarantined>();
  return type;
}

std::string_view to_string(QuarantineReason reason) {
  switch (reason) {
    case QuarantineReason::kDecode: return "decode";
    case QuarantineReason::kTimeOutOfRange: return "time_out_of_range";
    case QuarantineReason::kLate: return "late";
    case QuarantineReason::kTooLarge: return "too_large";
    case QuarantineReason::kTooFarAhead: return "too_far_ahead";
  }
  TIDEMARK_CHECK(false, "unknown reason");
}

OnRefused QuarantinePolicy::operator[](QuarantineReason reason) const {
  switch (reason) {
    case QuarantineReason::kDecode: return decode;
    case QuarantineReason::kTimeOutOfRange: return time_out_of_range;
    case QuarantineReason::kLate: return late;
    case QuarantineReason::kTooLarge: return too_large;
    case QuarantineReason::kTooFarAhead: return too_far_ahead;
  }
  TIDEMARK_CHECK(false, "unknown reason");
}

void Refusals::refuse(Quarantined record, const Origin* origin) {
  record.operator_name = context_->name;
  if (origin != nullptr && context_->split_names != nullptr && origin->split < context_->split_names->size()) {
    record.position = origin->position;
    record.split = (*context_->split_names)[origin->split];
  }
  const std::string reason{to_string(record.reason)};
  const std::string where =
      record.split.empty() ? std::string{} : " at split \"" + record.split + "\" position " + std::to_string(record.position);
  const auto number = static_cast<std::size_t>(record.reason);
  const OnRefused action = context_->policy[record.reason];
  if (action == OnRefused::kFail) {
    throw JobFailure(Error{.code = record.reason == QuarantineReason::kDecode ? ErrorCode::kDecodeFailed : ErrorCode::kRecordRefused,
                           .message = "operator \"" + context_->name + "\" cannot take a record (" + reason + ")" + where,
                           .facts = {{"record", record.error}},
                           .why = "the job's policy for the reason \"" + reason + "\" is to fail",
                           .fix = "mend the input, or choose OnRefused::kQuarantine or kDrop for this reason"});
  }
  if (action == OnRefused::kQuarantine && outlet_->connected()) {
    ++counters_->quarantined[number];
    if (record.payload.size() > kQuarantinePayloadLimit) record.payload.resize(kQuarantinePayloadLimit);
    if (record.time <= record.decision_watermark)
      batch_.behind.push_back({static_cast<std::uint32_t>(batch_.size()), record.decision_watermark});
    batch_.times.push_back(record.time);
    batch_.values.push_back(std::move(record));
    return;
  }
  ++counters_->dropped[number];
  // The first ones, then one for each power of two.
  const std::uint64_t n = ++logged_;
  if (n <= 4 || (n & (n - 1)) == 0) {
    context_->io->logger.warning("operator \"" + context_->name + "\" dropped a record (" + reason + ")" + where + ": " + record.error +
                                 " [" + std::to_string(n) + " so far]");
  }
}

Progress Refusals::flush() {
  if (batch_.empty()) return Progress::kDone;
  // The receiver may need what it was given until we are resumed: it keeps that batch, and we fill the other one.
  sent_.clear();
  std::swap(sent_, batch_);
  return outlet_->emit(sent_);
}

}  // namespace v0
}  // namespace tidemark

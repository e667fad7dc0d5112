#pragma once
// Records that cannot be processed, and what becomes of them (Q1, Q2).

#include <cstdint>
#include <string>
#include <string_view>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/time.hpp>
#include <tidemark/operators/record_type.hpp>

namespace tidemark {
inline namespace v0 {

enum class QuarantineReason : std::uint8_t { kDecode, kTimeOutOfRange, kLate, kTooLarge, kTooFarAhead };
inline constexpr std::size_t kQuarantineReasons = 5;

// "decode", "time_out_of_range", "late", "too_large", "too_far_ahead": the names used in metrics and in quarantined records.
std::string_view to_string(QuarantineReason reason);

// A record set aside, with all that is known of it.
struct Quarantined {
  std::string operator_name{};         // where it was refused
  QuarantineReason reason{};
  std::string split{};                 // of the record or of its source ancestor; empty if unknown
  std::uint64_t position = 0;          // in the split, in the units of the source; meaningful if split is not empty
  EventTime time = kMinusInfinity;     // kMinusInfinity: not known
  EventTime decision_watermark = kMinusInfinity;
  std::string error{};                 // one line for a person
  Bytes payload{};                     // raw bytes (decode) or the encoded record, cut at kQuarantinePayloadLimit
};
inline constexpr std::size_t kQuarantinePayloadLimit = 64 * 1024;

enum class OnRefused : std::uint8_t {
  kFail,         // the job fails with the record's position
  kQuarantine,   // the record goes to the job's quarantine sink
  kDrop,         // counted and logged
};

// What to do for each reason (Q2). The defaults quarantine what a stream may always contain, if the job has a quarantine sink, and drop it
// (counted and logged) if it has none; what points to a defect fails the job.
struct QuarantinePolicy {
  OnRefused decode = OnRefused::kFail;
  OnRefused time_out_of_range = OnRefused::kQuarantine;
  OnRefused late = OnRefused::kQuarantine;
  OnRefused too_large = OnRefused::kFail;
  OnRefused too_far_ahead = OnRefused::kQuarantine;

  OnRefused operator[](QuarantineReason reason) const;
};

// Every job has this type: it is compiled once, in the library.
template <>
const RecordType& record_type<Quarantined>();

}  // namespace v0
}  // namespace tidemark

#include <tidemark/file/quarantine.hpp>

#include <tidemark/file/csv.hpp>

#include "src/text.hpp"

namespace tidemark {
inline namespace v0 {

namespace {

std::string known_time(EventTime time) { return time == kMinusInfinity ? std::string() : to_string(time); }

}  // namespace

Sink<Quarantined> quarantine_csv_sink(std::string directory) {
  return csv_sink<Quarantined>(
      std::move(directory), {"operator", "reason", "split", "position", "time", "decision_watermark", "error", "payload"},
      [](CsvWriter& row, const Quarantined& record) {
        row.fields(record.operator_name, to_string(record.reason), record.split, record.position, known_time(record.time),
                   known_time(record.decision_watermark), record.error, file_internal::escape_bytes(record.payload));
      });
}

}  // namespace v0
}  // namespace tidemark

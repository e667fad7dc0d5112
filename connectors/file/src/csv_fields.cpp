#include "src/csv_fields.hpp"

#include <algorithm>

#include "src/byte_scan.hpp"
#include "src/text.hpp"

namespace tidemark {
inline namespace v0 {
namespace file_internal {

namespace {

constexpr std::size_t kMostColumns = 65536;
constexpr std::size_t kFirstFields = 32;

}  // namespace

SplitFields split_fields(ByteView record, const CsvFormat& format, std::size_t most_fields, std::vector<CsvField>& fields) {
  SplitFields result;
  std::size_t field = 0;                       // where the field begins
  std::size_t second_of_doubled = ByteView::npos;
  bool open = false;                           // in quotes
  bool doubled = false;
  std::size_t close = ByteView::npos;          // the closing quote of the field
  const auto end_field = [&](std::size_t end) {
    if (result.count == most_fields) {
      result.fault = FieldsError::kTooMany;
      return false;
    }
    if (result.count == fields.size()) fields.resize(std::max(kFirstFields, 2 * fields.size()));
    CsvField& out = fields[result.count++];
    if (close == ByteView::npos) {
      out = {.bytes = {record.data() + field, end - field}, .doubled = false};
    } else {
      out = {.bytes = {record.data() + field + 1, close - field - 1}, .doubled = doubled};
      doubled = false;
      if (close + 1 != end) result.fault = FieldsError::kTextAfterQuote;
      close = ByteView::npos;
    }
    field = end + 1;
    return result.fault == FieldsError::kNone;
  };
  const char quote = format.quoted ? '"' : format.delimiter;
  scan_for(record, format.delimiter, quote, quote, [&](std::size_t at) {
    if (!open) {
      if (record[at] == format.delimiter) return end_field(at);
      open = at == field;
      return true;
    }
    if (record[at] == format.delimiter || at == second_of_doubled) return true;
    if (at + 1 < record.size() && record[at + 1] == '"') {
      second_of_doubled = at + 1;
      doubled = true;
      return true;
    }
    open = false;
    close = at;
    return true;
  });
  // A quote stays open only behind text that follows a closing one: there the framing does not look for quotes.
  if (open && result.fault == FieldsError::kNone) result.fault = FieldsError::kTextAfterQuote;
  if (result.fault == FieldsError::kNone) end_field(record.size());
  return result;
}

void unquote(ByteView bytes, std::string& out) {
  out.clear();
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    out.push_back(bytes[at]);
    if (bytes[at] == '"') ++at;
  }
}

bool needs_quotes(ByteView value, const CsvFormat& format) {
  const char quote = format.quoted ? '"' : format.delimiter;
  for (const char byte : value) {
    if (byte == format.delimiter || byte == quote || byte == '\n' || byte == '\r') return true;
  }
  return false;
}

void append_quoted(Bytes& out, ByteView value) {
  out.push_back('"');
  for (const char byte : value) {
    if (byte == '"') out.push_back('"');
    out.push_back(byte);
  }
  out.push_back('"');
}

Result<std::vector<std::string>> parse_header(ByteView header, const std::string& file, const CsvFormat& format) {
  std::vector<CsvField> fields;
  const auto [fault, count] = split_fields(header, format, kMostColumns, fields);
  if (fault != FieldsError::kNone || !is_text(header)) {
    return Error{.code = ErrorCode::kSourceFailed,
                 .message = "\"" + file + "\" does not begin with a CSV header",
                 .facts = {{"found", shown(header)},
                           {"fault", fault == FieldsError::kTooMany          ? "too many columns"
                                     : fault == FieldsError::kTextAfterQuote ? "text after a closing quote"
                                                                             : "not UTF-8 text"}},
                 .why = "the first line of the file must name its columns",
                 .fix = "give a CSV file with a header line, or leave this one out"};
  }
  std::vector<std::string> names(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (fields[i].doubled) unquote(fields[i].bytes, names[i]);
    else names[i] = std::string(fields[i].bytes);
  }
  return names;
}

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

#include "src/csv_fields.hpp"

#include "src/text.hpp"

namespace tidemark {
inline namespace v0 {
namespace file_internal {

namespace {

constexpr std::size_t kMostColumns = 65536;

}  // namespace

FieldsError split_fields(ByteView record, const CsvFormat& format, std::size_t most_fields, std::vector<CsvField>& fields) {
  fields.clear();
  const bool quotes = format.quoted && record.find('"') != ByteView::npos;
  for (std::size_t at = 0;;) {
    if (fields.size() == most_fields) return FieldsError::kTooMany;
    if (quotes && at < record.size() && record[at] == '"') {
      bool doubled = false;
      std::size_t close = record.find('"', at + 1);
      while (close != ByteView::npos && close + 1 < record.size() && record[close + 1] == '"') {
        doubled = true;
        close = record.find('"', close + 2);
      }
      if (close == ByteView::npos) return FieldsError::kTextAfterQuote;   // behind such text the framing does not look for quotes
      fields.push_back({.bytes = record.substr(at + 1, close - at - 1), .doubled = doubled});
      if (close + 1 == record.size()) return FieldsError::kNone;
      if (record[close + 1] != format.delimiter) return FieldsError::kTextAfterQuote;
      at = close + 2;
      continue;
    }
    const std::size_t end = record.find(format.delimiter, at);
    fields.push_back({.bytes = record.substr(at, end - at), .doubled = false});
    if (end == ByteView::npos) return FieldsError::kNone;
    at = end + 1;
  }
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
  const FieldsError fault = split_fields(header, format, kMostColumns, fields);
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
  std::vector<std::string> names(fields.size());
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].doubled) unquote(fields[i].bytes, names[i]);
    else names[i] = std::string(fields[i].bytes);
  }
  return names;
}

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

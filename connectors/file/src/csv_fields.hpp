#pragma once
// The fields of a CSV record.

#include <cstddef>
#include <string>
#include <vector>

#include <tidemark/core/bytes.hpp>
#include <tidemark/file/csv.hpp>

namespace tidemark {
inline namespace v0 {
namespace file_internal {

enum class FieldsError { kNone, kTooMany, kTextAfterQuote };

struct SplitFields {
  FieldsError fault = FieldsError::kNone;
  std::size_t count = 0;
};
// Puts views of the record's fields into the first `count` places of `fields`, which is made longer where needed. Stops at the first fault.
SplitFields split_fields(ByteView record, const CsvFormat& format, std::size_t most_fields, std::vector<CsvField>& fields);
// Doubled quotes become single ones.
void unquote(ByteView bytes, std::string& out);
// Also if the format has no quotes: then the field cannot be written.
bool needs_quotes(ByteView value, const CsvFormat& format);
void append_quoted(Bytes& out, ByteView value);
// The names in a header line. An error names the file.
Result<std::vector<std::string>> parse_header(ByteView header, const std::string& file, const CsvFormat& format);

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

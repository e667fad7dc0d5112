#include <charconv>
#include <cmath>

#include <tidemark/file/ndjson.hpp>

#include "src/text.hpp"

namespace tidemark {
inline namespace v0 {

namespace {

void append_string(Bytes& out, std::string_view value) {
  constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  while (!value.empty()) {
    const std::size_t length = file_internal::utf8_length(value);
    const auto first = static_cast<unsigned char>(value.front());
    if (length == 0) out += "\xEF\xBF\xBD";
    else if (first == '"' || first == '\\') out += {'\\', value.front()};
    else if (first == '\n') out += "\\n";
    else if (first == '\r') out += "\\r";
    else if (first == '\t') out += "\\t";
    else if (first < 0x20) out += {'\\', 'u', '0', '0', kHex[first >> 4], kHex[first & 0x0F]};
    else out += value.substr(0, length);
    value.remove_prefix(length == 0 ? 1 : length);
  }
  out.push_back('"');
}

template <class Number, class... Format>
void append_number(Bytes& out, Number number, Format... format) {
  char digits[32];
  const auto written = std::to_chars(digits, digits + sizeof digits, number, format...);
  out.append(digits, written.ptr);
}

// Readers of JSON take a number without fraction and exponent for an integer, so what an integer of theirs cannot hold gets an exponent.
bool is_no_integer(double value) { return std::abs(value) >= 0x1p63 || (value == 0 && std::signbit(value)); }

}  // namespace

void JsonWriter::name(std::string_view name) {
  if (!empty_) out_.push_back(',');
  empty_ = false;
  append_string(out_, name);
  out_.push_back(':');
}

JsonWriter& JsonWriter::field(std::string_view key, std::string_view value) {
  name(key);
  append_string(out_, value);
  return *this;
}

JsonWriter& JsonWriter::field(std::string_view key, double value) {
  name(key);
  if (!std::isfinite(value)) out_ += "null";
  else if (is_no_integer(value)) append_number(out_, value, std::chars_format::scientific);
  else append_number(out_, value);
  return *this;
}

JsonWriter& JsonWriter::field(std::string_view key, EventTime value) { return field(key, to_string(value)); }

JsonWriter& JsonWriter::field(std::string_view key, bool value) {
  name(key);
  out_ += value ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::signed_field(std::string_view key, std::int64_t value) {
  name(key);
  append_number(out_, value);
  return *this;
}

JsonWriter& JsonWriter::unsigned_field(std::string_view key, std::uint64_t value) {
  name(key);
  append_number(out_, value);
  return *this;
}

Status JsonWriter::finish() {
  out_ += "}\n";
  return {};
}

}  // namespace v0
}  // namespace tidemark

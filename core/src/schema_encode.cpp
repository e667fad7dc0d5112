// Schema::from_text: a value as a person or a program writes it, as bytes.

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include <tidemark/core/schema.hpp>
#include <tidemark/core/time.hpp>

#include "src/schema_node.hpp"

namespace tidemark {
inline namespace v0 {

using core_internal::SchemaNode;
using Kind = SchemaNode::Kind;

namespace {

constexpr const char* kSomeTime = "a time such as 2026-01-31T12:00:59Z";

// Every function returns false where the text is no such value; the first reason is kept.
class Encoder {
 public:
  explicit Encoder(std::string_view text) : text_(text) {}

  // `schema` is that of the whole value.
  bool encode_whole(const SchemaNode& node, std::string_view schema) {
    if (!bare(node) && !whole_unsayable(node, schema) && !encode(node)) return false;
    skip_blanks();
    return at_ == text_.size() || expected("nothing more");
  }

  Bytes take_bytes() { return std::move(out_); }
  // "expected a whole number at character 3".
  const std::string& reason() const { return reason_; }

 private:
  bool expected(const std::string& what) {
    if (reason_.empty()) reason_ = "expected " + what + " at character " + std::to_string(at_ + 1);
    return false;
  }

  bool expected_at(std::size_t place, const std::string& what) {
    at_ = place;
    return expected(what);
  }

  void skip_blanks() {
    while (at_ < text_.size() && std::string_view{" \t\r\n"}.find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool next_is(char c) {
    skip_blanks();
    return at_ < text_.size() && text_[at_] == c;
  }
  bool take(char c) {
    if (!next_is(c)) return false;
    ++at_;
    return true;
  }
  bool need(char c) { return take(c) || expected(std::string{'\''} + c + '\''); }
  bool take_word(std::string_view word) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  // Letters, digits, signs and points.
  std::string_view peek_scalar() {
    skip_blanks();
    std::size_t end = at_;
    while (end < text_.size() && std::string_view{" \t\r\n,:[]{}\""}.find(text_[end]) == std::string_view::npos) ++end;
    return text_.substr(at_, end - at_);
  }

  // A whole text without quotation marks.
  bool bare(const SchemaNode& node) {
    if (node.kind != Kind::kString && node.kind != Kind::kChar && node.kind != Kind::kTime) return false;
    if (text_.starts_with('"') || text_.starts_with('{')) return false;
    if (node.kind == Kind::kChar && text_.size() != 1) return false;
    std::int64_t count = 0;
    if (node.kind == Kind::kTime && (whole_number(text_, count) || !parse_event_time(text_).ok())) return false;
    append_text(node, text_);
    at_ = text_.size();
    return true;
  }
  void append_text(const SchemaNode& node, std::string_view text) {
    if (node.kind == Kind::kString) append_sized(out_, text);
    if (node.kind == Kind::kChar) out_ += text.front();
    if (node.kind == Kind::kTime) append_time(out_, *parse_event_time(text));
  }

  bool encode(const SchemaNode& node) {
    switch (node.kind) {
      case Kind::kOpaque:
        if (next_is('{')) return unsayable(node);
        return expected(R"({"hex":"..."}, the bytes that the codec of the user writes)");
      case Kind::kInteger: return integer(node);
      case Kind::kFloat: return node.size == 4 ? floating<float>() : floating<double>();
      case Kind::kBool: return boolean();
      case Kind::kChar:
      case Kind::kString:
      case Kind::kTime: return text(node);
      case Kind::kStruct:
        if (node.parts.empty()) append_u8(out_, 0);
        return need('[') && parts(node) && need(']');
      case Kind::kArray: return need('[') && array(node) && need(']');
      case Kind::kList:
      case Kind::kMap: return list(node);
      case Kind::kOptional: return optional(node.parts.front());
      case Kind::kVariant: return variant(node);
    }
    return false;
  }

  template <class Number>
  static bool whole_number(std::string_view word, Number& number) {
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    return error == std::errc{} && end == word.data() + word.size();
  }
  template <class Number>
  bool integer_of() {
    const std::string_view word = peek_scalar();
    Number number{};
    if (!whole_number(word, number)) {
      return expected("a whole number from " + std::to_string(std::numeric_limits<Number>::min()) + " to " +
                      std::to_string(std::numeric_limits<Number>::max()));
    }
    at_ += word.size();
    append_little_endian(out_, number);
    return true;
  }
  bool integer(const SchemaNode& node) {
    switch (node.size) {
      case 1: return node.is_signed ? integer_of<std::int8_t>() : integer_of<std::uint8_t>();
      case 2: return node.is_signed ? integer_of<std::int16_t>() : integer_of<std::uint16_t>();
      case 4: return node.is_signed ? integer_of<std::int32_t>() : integer_of<std::uint32_t>();
      default: return node.is_signed ? integer_of<std::int64_t>() : integer_of<std::uint64_t>();
    }
  }
  template <class Number>
  bool floating() {
    Number number{};
    if (take_word("\"NaN\"")) {
      number = std::numeric_limits<Number>::quiet_NaN();
    } else if (take_word("\"Infinity\"")) {
      number = std::numeric_limits<Number>::infinity();
    } else if (take_word("\"-Infinity\"")) {
      number = -std::numeric_limits<Number>::infinity();
    } else {
      const std::string_view word = peek_scalar();
      if (!whole_number(word, number) || !std::isfinite(number)) return expected("a number");
      at_ += word.size();
    }
    append_little_endian(out_, number);
    return true;
  }
  bool boolean() {
    const bool value = take_word("true");
    if (!value && !take_word("false")) return expected("true or false");
    append_u8(out_, value ? 1 : 0);
    return true;
  }
  bool text(const SchemaNode& node) {
    if (next_is('{') && node.kind != Kind::kTime) return unsayable(node);
    std::int64_t count = 0;
    const std::string_view word = peek_scalar();
    if (node.kind == Kind::kTime && whole_number(word, count)) {
      append_i64(out_, count);
      at_ += word.size();
      return true;
    }
    const std::size_t from = at_;
    std::string value;
    if (node.kind == Kind::kTime && !next_is('"')) return expected(kSomeTime);
    if (!json_text(value)) return false;
    if (node.kind == Kind::kChar && value.size() != 1) return expected_at(from, "one character of one byte");
    if (node.kind == Kind::kTime && !parse_event_time(value).ok()) return expected_at(from, kSomeTime);
    append_text(node, value);
    return true;
  }

  bool parts(const SchemaNode& node) {
    for (std::size_t i = 0; i < node.parts.size(); ++i) {
      if ((i > 0 && !need(',')) || !encode(node.parts[i])) return false;
    }
    return true;
  }
  bool array(const SchemaNode& node) {
    for (std::size_t i = 0; i < node.size; ++i) {
      if ((i > 0 && !need(',')) || !encode(node.parts.front())) return false;
    }
    return true;
  }
  bool list(const SchemaNode& node) {
    if (!need('[')) return false;
    // The count stands before the elements, which are known after it.
    Bytes before = std::exchange(out_, {});
    std::uint64_t count = 0;
    if (!next_is(']')) {
      do {
        if (node.kind == Kind::kMap ? !(need('[') && parts(node) && need(']')) : !encode(node.parts.front())) return false;
        ++count;
      } while (take(','));
    }
    append_varint(before, count);
    out_ = std::move(before) + out_;
    return need(']');
  }
  bool optional(const SchemaNode& part) {
    const bool in_brackets = part.kind == Kind::kOptional;
    if (in_brackets && !need('[')) return false;
    const bool absent = in_brackets ? next_is(']') : take_word("null");
    append_u8(out_, absent ? 0 : 1);
    return (absent || encode(part)) && (!in_brackets || need(']'));
  }
  bool variant(const SchemaNode& node) {
    const std::size_t from = at_;
    std::string name;
    if (!need('{') || !json_text(name)) return false;
    std::uint8_t index = 0;
    if (!whole_number(std::string_view{name}, index) || index >= node.parts.size()) {
      return expected_at(from, "the number of an alternative below " + std::to_string(node.parts.size()));
    }
    append_u8(out_, index);
    return need(':') && encode(node.parts[index]) && need('}');
  }

  // A part whose end is known: {"schema":"text","hex":"0361"}
  bool unsayable(const SchemaNode& node) {
    std::string schema;
    Bytes bytes;
    if (!take_unsayable(schema, bytes)) return false;
    if (node.kind == Kind::kString) {
      append_sized(out_, bytes);
    } else {
      out_ += bytes;
    }
    return true;
  }
  // The whole value, since the end of some part is not known: the schema is the whole one then.
  bool whole_unsayable(const SchemaNode& node, std::string_view whole_schema) {
    std::string schema;
    Bytes bytes;
    if (node.kind != Kind::kString && next_is('{') && take_unsayable(schema, bytes) && schema == whole_schema) {
      out_ = std::move(bytes);
      return true;
    }
    at_ = 0;
    reason_.clear();
    return false;
  }
  bool take_unsayable(std::string& schema, Bytes& bytes) {
    bool found = false;
    if (!need('{')) return false;
    do {
      const std::size_t from = at_;
      std::string name;
      std::string value;
      if (!json_text(name) || !need(':') || !json_text(value)) return false;
      if (name == "hex") {
        const std::optional<Bytes> read = from_hex(value);
        if (!read) return expected_at(from, "an even number of hex digits");
        bytes = *read;
        found = true;
      } else if (name == "schema") {
        schema = value;
      } else {
        return expected_at(from, "\"schema\" or \"hex\"");
      }
    } while (take(','));
    return (found || expected("\"hex\"")) && need('}');
  }
  static std::optional<Bytes> from_hex(std::string_view digits) {
    Bytes bytes;
    for (; digits.size() >= 2; digits.remove_prefix(2)) {
      std::uint8_t byte = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + 2, byte, 16);
      if (error != std::errc{} || end != digits.data() + 2) return {};
      append_u8(bytes, byte);
    }
    return digits.empty() ? std::optional{std::move(bytes)} : std::nullopt;
  }

  // --- JSON's texts

  bool json_text(std::string& value) {
    if (!take('"')) return expected("a text in quotation marks");
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\') {
        if (!escape(value)) return false;
      } else {
        value += text_[at_++];
      }
    }
    if (at_ == text_.size()) return expected("a quotation mark");
    ++at_;
    return true;
  }
  bool escape(std::string& value) {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    const char letter = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (const std::size_t found = kLetters.find(letter); letter != '\0' && found != std::string_view::npos) {
      value += kMeant[found];
      at_ += 2;
      return true;
    }
    std::uint32_t code = 0;
    if (!code_unit(code)) return false;
    if (code >= 0xD800 && code < 0xDC00) {
      std::uint32_t low = 0;
      if (!code_unit(low)) return false;
      if (low < 0xDC00 || low > 0xDFFF) return expected("the second half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
      return expected("the first half of a surrogate pair");
    }
    append_utf8(value, code);
    return true;
  }
  bool code_unit(std::uint32_t& code) {
    const std::string_view text = text_.substr(at_, 6);
    if (!text.starts_with("\\u") || text.size() < 6) return expected("an escape such as \\n or \\u00fc");
    const auto [end, error] = std::from_chars(text.data() + 2, text.data() + 6, code, 16);
    if (error != std::errc{} || end != text.data() + 6) return expected("an escape such as \\n or \\u00fc");
    at_ += 6;
    return true;
  }
  static void append_utf8(std::string& out, std::uint32_t code) {
    const auto append = [&out](std::uint32_t byte) { append_u8(out, static_cast<std::uint8_t>(byte)); };
    if (code < 0x80) return append(code);
    if (code < 0x800) {
      append(0xC0 | (code >> 6));
    } else {
      if (code < 0x10000) {
        append(0xE0 | (code >> 12));
      } else {
        append(0xF0 | (code >> 18));
        append(0x80 | ((code >> 12) & 0x3F));
      }
      append(0x80 | ((code >> 6) & 0x3F));
    }
    append(0x80 | (code & 0x3F));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Bytes out_;
  std::string reason_;
};

}  // namespace

Result<Bytes> Schema::from_text(std::string_view text) const {
  Encoder encoder(text);
  if (encoder.encode_whole(*root_, text_)) return encoder.take_bytes();
  return Error{.code = ErrorCode::kUsage,
               .message = "\"" + std::string{text} + "\" is no value of this schema",
               .facts = {{"schema", text_}},
               .why = encoder.reason(),
               .fix = "write it as JSON, as it is shown: a text, a number, or an array of a struct's fields"};
}

}  // namespace v0
}  // namespace tidemark

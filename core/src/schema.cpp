#include <tidemark/core/schema.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include <tidemark/core/time.hpp>

#include "src/schema_node.hpp"

namespace tidemark {
inline namespace v0 {

using core_internal::SchemaNode;
using Kind = SchemaNode::Kind;

namespace {

constexpr std::size_t kLongest = std::size_t{64} << 10;
constexpr int kDeepest = 32;

// Reads a schema text. What it does not know is opaque; nothing: the text does not go on as a schema must.
class SchemaReader {
 public:
  explicit SchemaReader(std::string_view text) : left_(text) {}

  bool at_end() const { return left_.empty(); }

  std::optional<SchemaNode> next(int depth = 0) {
    const std::string_view from = left_;
    if (depth < kDeepest) {
      if (std::optional<SchemaNode> known = next_known(depth)) return known;
    }
    left_ = from;
    return next_opaque();
  }

 private:
  bool take(std::string_view word) {
    if (!left_.starts_with(word)) return false;
    left_.remove_prefix(word.size());
    return true;
  }

  bool take_number(std::size_t& number) {
    const auto [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), number);
    if (error != std::errc{}) return false;
    left_.remove_prefix(static_cast<std::size_t>(end - left_.data()));
    return true;
  }

  static bool is_number(std::string_view name, SchemaNode& node) {
    for (const char letter : {'i', 'u', 'f'}) {
      for (const std::size_t bits : {8U, 16U, 32U, 64U}) {
        if (name != letter + std::to_string(bits) || (letter == 'f' && bits < 32)) continue;
        node = {.kind = letter == 'f' ? Kind::kFloat : Kind::kInteger, .is_signed = letter == 'i', .size = bits / 8};
        return true;
      }
    }
    return false;
  }

  std::optional<SchemaNode> next_known(int depth) {
    const std::string_view name = left_.substr(0, left_.find_first_of("<>{},"));
    left_.remove_prefix(name.size());
    SchemaNode node;
    if (left_.empty() || left_.front() == ',' || left_.front() == '>' || left_.front() == '}') {
      if (is_number(name, node)) return node;
      if (name == "bool") return SchemaNode{.kind = Kind::kBool};
      if (name == "char") return SchemaNode{.kind = Kind::kChar};
      if (name == "string") return SchemaNode{.kind = Kind::kString};
      return {};
    }
    if (take("{")) {
      node.kind = name == "struct" ? Kind::kStruct : name == "variant" ? Kind::kVariant : Kind::kOpaque;
      if (node.kind == Kind::kOpaque) return {};
      if (node.kind == Kind::kStruct && take("}")) return node;
      do {
        if (!add_part(node, depth)) return {};
      } while (take(","));
      return take("}") && (node.kind == Kind::kStruct || node.parts.size() < 256) ? std::optional{std::move(node)} : std::nullopt;
    }
    return take("<") ? next_template(name, depth) : std::nullopt;
  }

  std::optional<SchemaNode> next_template(std::string_view name, int depth) {
    SchemaNode node;
    if (name == "duration" || name == "time") {
      std::optional<SchemaNode> count = next(depth + 1);
      if (!count || count->kind == Kind::kOpaque || !count->parts.empty()) return {};
      if (name == "time" && count->kind == Kind::kInteger && count->is_signed && count->size == 8 && take(",1/1000000>")) {
        return SchemaNode{.kind = Kind::kTime};
      }
      std::size_t unit = 0;
      if (!take(",") || !take_number(unit) || !take("/") || !take_number(unit) || !take(">")) return {};
      return count;
    }
    if (!add_part(node, depth)) return {};
    if (name == "list" || name == "set") {
      node.kind = Kind::kList;
    } else if (name == "optional") {
      node.kind = Kind::kOptional;
    } else if (name == "map") {
      node.kind = Kind::kMap;
      if (!take(",") || !add_part(node, depth)) return {};
    } else if (name == "array") {
      node.kind = Kind::kArray;
      if (!take(",") || !take_number(node.size) || node.size == 0) return {};
    } else {
      return {};
    }
    return take(">") ? std::optional{std::move(node)} : std::nullopt;
  }

  bool add_part(SchemaNode& node, int depth) {
    std::optional<SchemaNode> part = next(depth + 1);
    if (!part) return false;
    node.parts.push_back(*std::move(part));
    return true;
  }

  // Up to the comma or the bracket that ends it.
  std::optional<SchemaNode> next_opaque() {
    std::size_t open = 0;
    std::size_t size = 0;
    for (; size < left_.size(); ++size) {
      const char c = left_[size];
      const bool closes = std::string_view{">})]"}.find(c) != std::string_view::npos;
      if (open == 0 && (c == ',' || closes)) break;
      if (closes) --open;
      if (std::string_view{"<{(["}.find(c) != std::string_view::npos) ++open;
    }
    if (open > 0 || size == 0) return {};
    SchemaNode node{.text = std::string{left_.substr(0, size)}};
    left_.remove_prefix(size);
    return node;
  }

  std::string_view left_;
};

void append_unsayable(std::string& out, std::string_view schema, ByteView bytes) {
  out += R"({"schema":)" + json_string(schema) + R"(,"hex":")" + hex_text(bytes) + "\"}";
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = core_internal::utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, 32> text;
  out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr);
}

template <class Float>
void append_float(std::string& out, Float number) {
  if (std::isnan(number)) {
    out += "\"NaN\"";
  } else if (std::isinf(number)) {
    out += number < 0 ? "\"-Infinity\"" : "\"Infinity\"";
  } else {
    append_number(out, number);
  }
}

class Decoder {
 public:
  enum class Outcome : std::uint8_t { kDone, kMalformed, kUnknowable };   // the end of a user's codec is not known

  explicit Decoder(ByteView in) : in_(in) {}

  // `last`: nothing follows this part in the value.
  Outcome decode(const SchemaNode& node, bool last) {
    switch (node.kind) {
      case Kind::kOpaque:
        if (!last) return Outcome::kUnknowable;
        if (in_.empty()) return Outcome::kMalformed;
        append_unsayable(out_, node.text, std::exchange(in_, {}));
        return Outcome::kDone;
      case Kind::kInteger: return done(integer(node));
      case Kind::kFloat: return done(node.size == 4 ? number<float>() : number<double>());
      case Kind::kBool: return done(boolean());
      case Kind::kChar: return done(character());
      case Kind::kString: return done(string());
      case Kind::kTime: return done(time());
      case Kind::kStruct: return structure(node, last);
      case Kind::kList: return list(node, last);
      case Kind::kMap: return list(node, last);
      case Kind::kArray: return elements(node, node.size, last);
      case Kind::kOptional: return optional(node.parts.front(), last);
      case Kind::kVariant: return variant(node, last);
    }
    return Outcome::kMalformed;
  }

  bool at_end() const { return in_.empty(); }
  std::size_t bytes_left() const { return in_.size(); }
  std::string take_json() { return std::move(out_); }

 private:
  static Outcome done(bool read) { return read ? Outcome::kDone : Outcome::kMalformed; }

  template <class Number>
  bool number() {
    Number value{};
    if (!take_little_endian(in_, value)) return false;
    if constexpr (std::is_floating_point_v<Number>) {
      append_float(out_, value);
    } else {
      append_number(out_, value);
    }
    return true;
  }
  bool integer(const SchemaNode& node) {
    switch (node.size) {
      case 1: return node.is_signed ? number<std::int8_t>() : number<std::uint8_t>();
      case 2: return node.is_signed ? number<std::int16_t>() : number<std::uint16_t>();
      case 4: return node.is_signed ? number<std::int32_t>() : number<std::uint32_t>();
      default: return node.is_signed ? number<std::int64_t>() : number<std::uint64_t>();
    }
  }
  bool boolean() {
    std::uint8_t byte = 0;
    if (!take_u8(in_, byte) || byte > 1) return false;
    out_ += byte != 0 ? "true" : "false";
    return true;
  }
  bool character() {
    if (in_.empty()) return false;
    text(in_.substr(0, 1), "char");
    in_.remove_prefix(1);
    return true;
  }
  bool string() {
    ByteView bytes;
    if (!take_sized(in_, bytes)) return false;
    text(bytes, "string");
    return true;
  }
  void text(ByteView bytes, std::string_view schema) {
    if (is_utf8(bytes)) {
      out_ += json_string(bytes);
    } else {
      append_unsayable(out_, schema, bytes);
    }
  }
  bool time() {
    EventTime value{};
    if (!take_time(in_, value)) return false;
    out_ += '"' + to_string(value) + '"';
    return true;
  }

  Outcome structure(const SchemaNode& node, bool last) {
    if (node.parts.empty()) {
      std::uint8_t byte = 0;
      if (!take_u8(in_, byte) || byte != 0) return Outcome::kMalformed;
    }
    out_ += '[';
    for (std::size_t i = 0; i < node.parts.size(); ++i) {
      if (i > 0) out_ += ',';
      if (const Outcome part = decode(node.parts[i], last && i + 1 == node.parts.size()); part != Outcome::kDone) return part;
    }
    out_ += ']';
    return Outcome::kDone;
  }
  Outcome list(const SchemaNode& node, bool last) {
    std::uint64_t count = 0;
    if (!take_varint(in_, count)) return Outcome::kMalformed;
    return elements(node, count, last);
  }
  // Every part takes a byte at least, so a forged count ends with the bytes.
  Outcome elements(const SchemaNode& node, std::uint64_t count, bool last) {
    if (count > in_.size()) return Outcome::kMalformed;
    out_ += '[';
    for (std::uint64_t i = 0; i < count; ++i) {
      if (i > 0) out_ += ',';
      const bool last_one = last && i + 1 == count;
      const Outcome element = node.kind == Kind::kMap ? structure(node, last_one) : decode(node.parts.front(), last_one);
      if (element != Outcome::kDone) return element;
    }
    out_ += ']';
    return Outcome::kDone;
  }
  Outcome optional(const SchemaNode& part, bool last) {
    std::uint8_t present = 0;
    if (!take_u8(in_, present) || present > 1) return Outcome::kMalformed;
    const bool in_brackets = part.kind == Kind::kOptional;
    if (present == 0) {
      out_ += in_brackets ? "[]" : "null";
      return Outcome::kDone;
    }
    if (in_brackets) out_ += '[';
    if (const Outcome value = decode(part, last); value != Outcome::kDone) return value;
    if (in_brackets) out_ += ']';
    return Outcome::kDone;
  }
  Outcome variant(const SchemaNode& node, bool last) {
    std::uint8_t index = 0;
    if (!take_u8(in_, index) || index >= node.parts.size()) return Outcome::kMalformed;
    out_ += "{\"" + std::to_string(index) + "\":";
    if (const Outcome value = decode(node.parts[index], last); value != Outcome::kDone) return value;
    out_ += '}';
    return Outcome::kDone;
  }

  ByteView in_;
  std::string out_;
};

}  // namespace

Schema::Schema(std::string text) : text_(std::move(text)) {
  SchemaReader reader(text_);
  std::optional<SchemaNode> root;
  if (text_.size() <= kLongest) root = reader.next();
  if (!root || !reader.at_end()) root = SchemaNode{.text = text_};
  root_ = std::make_shared<const SchemaNode>(*std::move(root));
}

std::optional<std::size_t> Schema::size_of_first(ByteView bytes) const {
  Decoder decoder(bytes);
  if (decoder.decode(*root_, false) != Decoder::Outcome::kDone) return std::nullopt;
  return bytes.size() - decoder.bytes_left();
}

std::optional<std::string> Schema::to_json(ByteView bytes) const {
  Decoder decoder(bytes);
  switch (decoder.decode(*root_, true)) {
    case Decoder::Outcome::kDone: return decoder.at_end() ? std::optional{decoder.take_json()} : std::nullopt;
    case Decoder::Outcome::kMalformed: return {};
    case Decoder::Outcome::kUnknowable: break;
  }
  std::string json;
  append_unsayable(json, text_, bytes);
  return json;
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto code = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F have two bytes in UTF-8.
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    const bool high_control = code == 0xC2 && next >= 0x80 && next < 0xA0;
    if (high_control) {
      code = next;
      ++i;
    }
    if (high_control || code < 0x20 || code == 0x7F) {
      out += "\\u00" + hex_text(ByteView{reinterpret_cast<const char*>(&code), 1});
    } else {
      if (code == '"' || code == '\\') out += '\\';
      out += static_cast<char>(code);
    }
  }
  return out + '"';
}

std::string hex_text(ByteView bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += {kDigits[byte >> 4], kDigits[byte & 0x0F]};
  }
  return text;
}

std::size_t core_internal::utf8_length(std::string_view text) {
  const auto byte = [&text](std::size_t i) { return i < text.size() ? static_cast<unsigned>(static_cast<unsigned char>(text[i])) : 0U; };
  const unsigned first = byte(0);
  if (text.empty() || first < 0x80) return text.empty() ? 0 : 1;
  const std::size_t length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Longer than need be, a half of a surrogate pair, or above U+10FFFF.
  if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) || (first == 0xF0 && byte(1) < 0x90) ||
      (first == 0xF4 && byte(1) > 0x8F)) {
    return 0;
  }
  return length;
}

}  // namespace v0
}  // namespace tidemark

#include "src/text.hpp"

#include <cstdint>
#include <cstring>

#include <tidemark/core/log.hpp>

namespace tidemark {
inline namespace v0 {
namespace file_internal {

namespace {

constexpr std::size_t kLongestShown = 64;

unsigned char byte_at(ByteView bytes, std::size_t index) { return static_cast<unsigned char>(bytes[index]); }

bool continues(ByteView bytes, std::size_t index) { return index < bytes.size() && (byte_at(bytes, index) & 0xC0) == 0x80; }

// Whether all eight bytes are ASCII other than NUL.
bool is_plain_word(const char* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  constexpr std::uint64_t kHighs = 0x8080808080808080ULL;
  constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
  return ((word | (word - kOnes)) & kHighs) == 0;
}

}  // namespace

std::size_t utf8_length(ByteView bytes) {
  if (bytes.empty()) return 0;
  const unsigned char first = byte_at(bytes, 0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || !continues(bytes, 1)) return 0;
  const unsigned char second = byte_at(bytes, 1);
  if (first < 0xE0) return 2;
  if (!continues(bytes, 2)) return 0;
  if (first < 0xF0) {
    const bool over_long = first == 0xE0 && second < 0xA0;
    const bool surrogate = first == 0xED && second >= 0xA0;
    return over_long || surrogate ? 0 : 3;
  }
  if (first > 0xF4 || !continues(bytes, 3)) return 0;
  const bool over_long = first == 0xF0 && second < 0x90;
  const bool too_high = first == 0xF4 && second >= 0x90;
  return over_long || too_high ? 0 : 4;
}

bool is_text(ByteView bytes) {
  while (!bytes.empty()) {
    while (bytes.size() >= sizeof(std::uint64_t) && is_plain_word(bytes.data())) bytes.remove_prefix(sizeof(std::uint64_t));
    if (bytes.empty()) break;
    const std::size_t length = utf8_length(bytes);
    if (length == 0 || bytes.front() == '\0') return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string escape_bytes(ByteView bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string escaped;
  escaped.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    const unsigned char first = byte_at(bytes, 0);
    const bool control = (first < 0x20 && first != '\t' && first != '\n' && first != '\r') || first == 0x7F;
    if (length == 0 || control) {
      escaped += {'\\', 'x', kHex[first >> 4], kHex[first & 0x0F]};
      bytes.remove_prefix(1);
      continue;
    }
    if (first == '\\') escaped += '\\';
    escaped += bytes.substr(0, length);
    bytes.remove_prefix(length);
  }
  return escaped;
}

std::string shown(ByteView header) {
  const bool cut = header.size() > kLongestShown;
  return '"' + escape_control(escape_bytes(header.substr(0, kLongestShown))) + (cut ? "...\"" : "\"");
}

std::string described(ByteView value) {
  return value.empty() ? "an empty value" : "a value of " + std::to_string(value.size()) + (value.size() == 1 ? " byte" : " bytes");
}

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

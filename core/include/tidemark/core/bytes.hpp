#pragma once
// Byte strings and the few primitive encodings that every stored format shares. Integers in values are little-endian; integers in row keys
// are big-endian, so that bytes order as numbers do.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <bit>
#include <string>
#include <string_view>

#include <tidemark/core/time.hpp>

namespace tidemark {
inline namespace v0 {

using Bytes = std::string;           // owned bytes
using ByteView = std::string_view;   // borrowed bytes; valid as long as what it was taken from

static_assert(std::endian::native == std::endian::little, "stored formats are written as on a little-endian machine");

inline void append_u8(Bytes& out, std::uint8_t value) { out.push_back(static_cast<char>(value)); }
template <class Integer>
void append_little_endian(Bytes& out, Integer value) {
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  out.append(raw, sizeof value);
}
inline void append_u32(Bytes& out, std::uint32_t value) { append_little_endian(out, value); }
inline void append_u64(Bytes& out, std::uint64_t value) { append_little_endian(out, value); }
inline void append_i64(Bytes& out, std::int64_t value) { append_little_endian(out, value); }
inline void append_u16_big_endian(Bytes& out, std::uint16_t value) { append_little_endian(out, __builtin_bswap16(value)); }
inline void append_u64_big_endian(Bytes& out, std::uint64_t value) { append_little_endian(out, __builtin_bswap64(value)); }
// Sign flipped, so that negative times order before positive ones.
inline void append_time_big_endian(Bytes& out, EventTime time) {
  append_u64_big_endian(out, static_cast<std::uint64_t>(micros(time)) ^ (std::uint64_t{1} << 63));
}
// Variable length: 7 bits a byte, low ones first.
inline void append_varint(Bytes& out, std::uint64_t value) {
  while (value >= 0x80) {
    append_u8(out, static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  append_u8(out, static_cast<std::uint8_t>(value));
}
// Length-prefixed bytes.
inline void append_sized(Bytes& out, ByteView bytes) {
  append_varint(out, bytes.size());
  out.append(bytes);
}

// Each take_* removes a value from the front of `in`. false: `in` is too short or malformed, and what is left of it is unspecified.
template <class Integer>
[[nodiscard]] bool take_little_endian(ByteView& in, Integer& value) {
  if (in.size() < sizeof value) return false;
  std::memcpy(&value, in.data(), sizeof value);
  in.remove_prefix(sizeof value);
  return true;
}
[[nodiscard]] inline bool take_u8(ByteView& in, std::uint8_t& value) { return take_little_endian(in, value); }
[[nodiscard]] inline bool take_u32(ByteView& in, std::uint32_t& value) { return take_little_endian(in, value); }
[[nodiscard]] inline bool take_u64(ByteView& in, std::uint64_t& value) { return take_little_endian(in, value); }
[[nodiscard]] inline bool take_i64(ByteView& in, std::int64_t& value) { return take_little_endian(in, value); }
[[nodiscard]] inline bool take_time(ByteView& in, EventTime& value) {
  std::int64_t count = 0;
  if (!take_i64(in, count)) return false;
  value = event_time(count);
  return true;
}
inline void append_time(Bytes& out, EventTime time) { append_i64(out, micros(time)); }
[[nodiscard]] inline bool take_u16_big_endian(ByteView& in, std::uint16_t& value) {
  if (!take_little_endian(in, value)) return false;
  value = __builtin_bswap16(value);
  return true;
}
[[nodiscard]] inline bool take_u64_big_endian(ByteView& in, std::uint64_t& value) {
  if (!take_little_endian(in, value)) return false;
  value = __builtin_bswap64(value);
  return true;
}
[[nodiscard]] inline bool take_time_big_endian(ByteView& in, EventTime& value) {
  std::uint64_t raw = 0;
  if (!take_u64_big_endian(in, raw)) return false;
  value = event_time(static_cast<std::int64_t>(raw ^ (std::uint64_t{1} << 63)));
  return true;
}
[[nodiscard]] inline bool take_varint(ByteView& in, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    std::uint8_t byte = 0;
    if (!take_u8(in, byte)) return false;
    if (shift == 63 && byte > 1) return false;
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}
// The view lies in what `in` was taken from.
[[nodiscard]] inline bool take_sized(ByteView& in, ByteView& bytes) {
  std::uint64_t size = 0;
  if (!take_varint(in, size) || size > in.size()) return false;
  bytes = in.substr(0, size);
  in.remove_prefix(size);
  return true;
}

}  // namespace v0
}  // namespace tidemark

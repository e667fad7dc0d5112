#pragma once
// Built-in codecs of numbers, enums, chrono times and strings.

#include <chrono>
#include <concepts>
#include <string>
#include <type_traits>

#include <tidemark/core/detail/codec_support.hpp>

namespace tidemark {
inline namespace v0 {
namespace core_internal {

template <class T>
concept Number = std::is_integral_v<T> || std::same_as<T, float> || std::same_as<T, double>;

// Little-endian at its full width: "i64", "u8", "f64", "bool", "char".
template <class T>
  requires Number<T> && std::same_as<T, std::remove_cv_t<T>>
struct BuiltInCodec<T> {
  static constexpr bool kMemory = true;
  static constexpr bool kAnyBytes = !std::same_as<T, bool>;
  static constexpr KeyFault kKeyFault = std::is_floating_point_v<T> ? KeyFault::kFloatingPoint : KeyFault::kNone;

  static void encode(const T& value, Bytes& out) { encode_memory(value, out); }
  [[nodiscard]] static bool decode(ByteView& in, T& value) {
    if constexpr (std::same_as<T, bool>) {
      std::uint8_t byte = 0;
      if (!take_u8(in, byte) || byte > 1) return false;
      value = byte != 0;
      return true;
    } else {
      return decode_memory(in, value);
    }
  }
  static std::string schema() {
    if constexpr (std::same_as<T, bool>) return "bool";
    if constexpr (std::same_as<T, char>) return "char";   // whether it is signed is the machine's business
    return (std::is_floating_point_v<T> ? "f" : std::is_signed_v<T> ? "i" : "u") + std::to_string(8 * sizeof(T));
  }
};

// As the underlying number. Any value of it is accepted, known to the enum or not.
template <class T>
  requires std::is_enum_v<T> && std::same_as<T, std::remove_cv_t<T>>
struct BuiltInCodec<T> {
  using Underlying = std::underlying_type_t<T>;
  static constexpr bool kMemory = true;
  static constexpr bool kAnyBytes = kDecodedFromMemory<Underlying>;
  static constexpr KeyFault kKeyFault = KeyFault::kNone;

  static void encode(const T& value, Bytes& out) { encode_memory(value, out); }
  [[nodiscard]] static bool decode(ByteView& in, T& value) {
    Underlying number{};
    if (!Codec<Underlying>::decode(in, number)) return false;
    value = static_cast<T>(number);
    return true;
  }
  static std::string schema() { return Codec<Underlying>::schema(); }
};

// The unit is part of the schema: "duration<i64,1/1000000>".
template <class Rep, class Period>
  requires Number<Rep>
struct BuiltInCodec<std::chrono::duration<Rep, Period>> {
  using Duration = std::chrono::duration<Rep, Period>;
  static constexpr bool kMemory = sizeof(Duration) == sizeof(Rep);
  static constexpr bool kAnyBytes = kDecodedFromMemory<Rep>;
  static constexpr KeyFault kKeyFault = key_fault<Rep>();

  static void encode(const Duration& value, Bytes& out) { Codec<Rep>::encode(value.count(), out); }
  [[nodiscard]] static bool decode(ByteView& in, Duration& value) {
    Rep count{};
    if (!Codec<Rep>::decode(in, count)) return false;
    value = Duration{count};
    return true;
  }
  static std::string schema() { return "duration" + unit(); }
  static std::string unit() {
    return "<" + Codec<Rep>::schema() + "," + std::to_string(Period::num) + "/" + std::to_string(Period::den) + ">";
  }
};

// Time since the epoch of its clock: "time<i64,1/1000000>".
template <class Clock, class Span>
  requires HasCodec<Span>
struct BuiltInCodec<std::chrono::time_point<Clock, Span>> {
  using Time = std::chrono::time_point<Clock, Span>;
  static constexpr bool kMemory = kIsMemory<Span> && sizeof(Time) == sizeof(Span);
  static constexpr bool kAnyBytes = kDecodedFromMemory<Span>;
  static constexpr KeyFault kKeyFault = key_fault<Span>();

  static void encode(const Time& value, Bytes& out) { Codec<Span>::encode(value.time_since_epoch(), out); }
  [[nodiscard]] static bool decode(ByteView& in, Time& value) {
    Span span{};
    if (!Codec<Span>::decode(in, span)) return false;
    value = Time{span};
    return true;
  }
  static std::string schema() { return "time" + BuiltInCodec<Span>::unit(); }
};

// Its length as a varint, then its bytes.
template <>
struct BuiltInCodec<std::string> {
  static constexpr KeyFault kKeyFault = KeyFault::kNone;
  static void encode(const std::string& value, Bytes& out) { append_sized(out, value); }
  [[nodiscard]] static bool decode(ByteView& in, std::string& value) {
    ByteView bytes;
    if (!take_sized(in, bytes)) return false;
    value.assign(bytes);
    return true;
  }
  static std::string schema() { return "string"; }
  static std::size_t footprint(const std::string& value) {
    static const std::size_t inside = std::string{}.capacity();   // short strings own no heap memory
    return value.capacity() > inside ? value.capacity() + 1 : 0;
  }
};

}  // namespace core_internal
}  // namespace v0
}  // namespace tidemark

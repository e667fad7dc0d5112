#pragma once
// What the built-in codecs share.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

#include <tidemark/core/bytes.hpp>

// A macro, since a static_assert takes nothing but a literal.
#define TIDEMARK_NO_CODEC_SENTENCE                                                                                                  \
  "Tidemark cannot store this type: it is no number, enum, chrono time, std::string, standard container of storable types or plain " \
  "struct of storable fields (no constructors, bases, C arrays or pointers): specialise tidemark::Codec for it"

namespace tidemark {
inline namespace v0 {

namespace core_internal {
template <class T>
struct BuiltInCodec;
}

// Promised and explained in codec.hpp.
template <class T>
struct Codec : core_internal::BuiltInCodec<T> {};

namespace core_internal {

template <class T>
concept HasCodec = std::is_object_v<T> && std::same_as<T, std::remove_cv_t<T>> && !requires { typename Codec<T>::Missing; } &&
                   requires(const T& value, T& target, Bytes& out, ByteView& in) {
                     Codec<T>::encode(value, out);
                     { Codec<T>::decode(in, target) } -> std::same_as<bool>;
                     { Codec<T>::schema() } -> std::convertible_to<std::string>;
                   };

template <class T>
inline constexpr bool kIsMemory = requires { requires Codec<T>::kMemory; };

// Why a type cannot be a key.
enum class KeyFault { kNone, kNoCodec, kFloatingPoint, kUnordered, kNotCanonical };

// Every built-in codec tells its own fault as kKeyFault; a user's codec may promise kCanonical.
template <class T>
constexpr KeyFault key_fault() {
  if constexpr (!HasCodec<T>) {
    return KeyFault::kNoCodec;
  } else if constexpr (requires { Codec<T>::kKeyFault; }) {
    return Codec<T>::kKeyFault;
  } else if constexpr (requires { requires Codec<T>::kCanonical; }) {
    return KeyFault::kNone;
  } else {
    return KeyFault::kNotCanonical;
  }
}

// The first fault among the parts of a type.
template <class... Parts>
constexpr KeyFault key_fault_of_parts() {
  KeyFault first = KeyFault::kNone;
  for (const KeyFault fault : std::initializer_list<KeyFault>{KeyFault::kNone, key_fault<Parts>()...}) {
    if (first == KeyFault::kNone) first = fault;
  }
  return first;
}

// The encoding is the memory, and any bytes are a valid value: not so for bool.
template <class T>
inline constexpr bool kDecodedFromMemory = requires { requires Codec<T>::kMemory&& Codec<T>::kAnyBytes; };

template <class T>
void encode_memory(const T& value, Bytes& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
[[nodiscard]] bool decode_memory(ByteView& in, T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (in.size() < sizeof value) return false;
  std::memcpy(static_cast<void*>(&value), in.data(), sizeof value);
  in.remove_prefix(sizeof value);
  return true;
}

// "struct{i64,string}"
template <class... Parts>
std::string schema_of_parts(std::string_view name) {
  std::string schema{name};
  schema += '{';
  [[maybe_unused]] const char* separator = "";
  ((schema += separator, schema += Codec<Parts>::schema(), separator = ","), ...);
  schema += '}';
  return schema;
}

// Finds `std::size_t footprint(const T&)` by argument-dependent look-up alone.
namespace footprint_look_up {
void footprint() = delete;
template <class T>
concept Found = requires(const T& value) {
  { footprint(value) } -> std::convertible_to<std::size_t>;
};
template <class T>
std::size_t call(const T& value) {
  return footprint(value);
}
}  // namespace footprint_look_up

// Whether it can be seen how much heap memory a T owns.
template <class T>
concept HasFootprint = footprint_look_up::Found<T> || std::is_trivially_copyable_v<T> ||
                       requires(const T& value) { Codec<T>::footprint(value); };

struct Footprint {
  template <class T>
  std::size_t operator()(const T& value) const {
    if constexpr (footprint_look_up::Found<T>) {
      return footprint_look_up::call(value);
    } else if constexpr (std::is_trivially_copyable_v<T>) {
      return 0;
    } else if constexpr (HasFootprint<T>) {
      return Codec<T>::footprint(value);
    } else {
      static_assert(footprint_look_up::Found<T>,
                    "Tidemark cannot see how much heap memory a value of this type owns: write `std::size_t footprint(const T&)` in the "
                    "namespace of the type");
      return 0;
    }
  }
};

// The primary template: no codec. Its functions exist so that a use is refused by one sentence instead of a page about overloads.
template <class T>
constexpr void refuse_missing_codec() {
  static_assert(HasCodec<T>, TIDEMARK_NO_CODEC_SENTENCE);
}

template <class T>
struct BuiltInCodec {
  using Missing = void;
  static void encode(const T&, Bytes&) { refuse_missing_codec<T>(); }
  [[nodiscard]] static bool decode(ByteView&, T&) {
    refuse_missing_codec<T>();
    return false;
  }
  static std::string schema() {
    refuse_missing_codec<T>();
    return {};
  }
};

}  // namespace core_internal
}  // namespace v0
}  // namespace tidemark

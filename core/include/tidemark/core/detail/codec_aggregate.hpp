#pragma once
// The built-in codec of plain aggregates, by Boost.PFR.

#include <concepts>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include <boost/pfr/core.hpp>

#include <tidemark/core/detail/codec_support.hpp>

namespace tidemark {
inline namespace v0 {
namespace core_internal {

// Boost.PFR breaks the build inside itself on bases and C arrays; the next two find them first, so that the user reads our sentence.

// Converts to a base of T alone: if it can initialise T's first element, T has a base.
template <class T>
struct OnlyBaseOf {
  template <class Base>
    requires(std::is_base_of_v<Base, T> && !std::same_as<Base, T>)
  operator Base&() const;
};
template <class T>
concept HasBase = requires { T{OnlyBaseOf<T>{}}; };

struct AnyField {
  template <class Field>
  operator Field&() const&&;
  template <class Field>
  operator Field&() const&;
};
template <std::size_t>
using AnyFieldAt = AnyField;

// PFR counts the elements of a C array as fields. A {} in place of the array's first element initialises the whole array, and then the
// initialisers behind it are too many.
template <class T, std::size_t... Before, std::size_t... After>
constexpr bool takes_empty_braces(std::index_sequence<Before...>, std::index_sequence<After...>) {
  return requires { T{AnyFieldAt<Before>{}..., {}, AnyFieldAt<After>{}...}; };
}
template <class T, std::size_t... I>
constexpr bool has_no_c_array(std::index_sequence<I...>) {
  return (takes_empty_braces<T>(std::make_index_sequence<I>{}, std::make_index_sequence<sizeof...(I) - 1 - I>{}) && ...);
}

template <class T>
struct IsStdArray : std::false_type {};

template <class T>
constexpr bool is_reflectable() {
  if constexpr (std::is_class_v<T> && std::is_aggregate_v<T> && !std::is_polymorphic_v<T> && !IsStdArray<T>::value &&
                std::is_copy_constructible_v<T> && std::same_as<T, std::remove_cv_t<T>>) {
    if constexpr (requires { T{}; } && (std::is_empty_v<T> || !HasBase<T>)) {
      return has_no_c_array<T>(std::make_index_sequence<boost::pfr::tuple_size_v<T>>{});
    }
  }
  return false;
}

template <class T>
using FieldsOf = decltype(boost::pfr::structure_tie(std::declval<T&>()));   // std::tuple<Field&...>

template <class Tie>
struct Fields;
template <class... Field>
struct Fields<std::tuple<Field&...>> {
  static constexpr bool kStorable = (HasCodec<Field> && ...);
  static constexpr bool kFootprint = (HasFootprint<Field> && ...);
  static constexpr bool kMemory = (kIsMemory<Field> && ...);
  static constexpr bool kAnyBytes = (kDecodedFromMemory<Field> && ...);
  static constexpr std::size_t kSize = (std::size_t{0} + ... + sizeof(Field));
  static constexpr KeyFault kKeyFault = key_fault_of_parts<Field...>();
  static std::string schema() { return schema_of_parts<Field...>("struct"); }
};

template <class T>
constexpr bool is_storable_aggregate() {
  if constexpr (is_reflectable<T>()) {
    return Fields<FieldsOf<T>>::kStorable;
  } else {
    return false;
  }
}

// Field by field; "struct{i64,string}". A struct without fields is one zero byte, so that a length is never more than the bytes behind it.
template <class T>
  requires(is_storable_aggregate<T>())
struct BuiltInCodec<T> {
  using Parts = Fields<FieldsOf<T>>;
  static constexpr bool kMemory =
      Parts::kMemory && Parts::kSize == sizeof(T) && std::is_trivially_copyable_v<T>;   // the sizes add up: no padding
  static constexpr bool kAnyBytes = Parts::kAnyBytes;
  static constexpr KeyFault kKeyFault = Parts::kKeyFault;

  static void encode(const T& value, Bytes& out) {
    if constexpr (kMemory) {
      encode_memory(value, out);
    } else if constexpr (std::is_empty_v<T>) {
      append_u8(out, 0);
    } else {
      std::apply([&out](const auto&... field) { (Codec<std::remove_cvref_t<decltype(field)>>::encode(field, out), ...); },
                 boost::pfr::structure_tie(value));
    }
  }
  [[nodiscard]] static bool decode(ByteView& in, T& value) {
    if constexpr (kMemory && kAnyBytes) {
      return decode_memory(in, value);
    } else if constexpr (std::is_empty_v<T>) {
      std::uint8_t byte = 0;
      return take_u8(in, byte) && byte == 0;
    } else {
      return std::apply([&in](auto&... field) { return (Codec<std::remove_cvref_t<decltype(field)>>::decode(in, field) && ...); },
                        boost::pfr::structure_tie(value));
    }
  }
  static std::string schema() { return Parts::schema(); }
  static std::size_t footprint(const T& value)
    requires(Parts::kFootprint)
  {
    return std::apply([](const auto&... field) { return (std::size_t{0} + ... + Footprint{}(field)); }, boost::pfr::structure_tie(value));
  }
};

}  // namespace core_internal
}  // namespace v0
}  // namespace tidemark

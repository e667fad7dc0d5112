#pragma once
// Built-in codecs of the standard containers and of pair, tuple, array, optional and variant.

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include <tidemark/core/check.hpp>
#include <tidemark/core/detail/codec_aggregate.hpp>
#include <tidemark/core/detail/codec_support.hpp>

namespace tidemark {
inline namespace v0 {
namespace core_internal {

// What a container's element or an alternative must be: storable, and decoded into a fresh one.
template <class T>
concept Element = HasCodec<T> && std::default_initializable<T>;

template <class T, std::size_t Size>
struct IsStdArray<std::array<T, Size>> : std::true_type {};

// Takes a count of elements. Every encoding has at least one byte, so a count above the bytes that are left is malformed.
[[nodiscard]] inline bool take_count(ByteView& in, std::size_t& count) {
  std::uint64_t number = 0;
  if (!take_varint(in, number) || number > in.size()) return false;
  count = static_cast<std::size_t>(number);
  return true;
}

// Pairs and tuples have the schema of a struct with the same fields, and its bytes.
template <class Tuple, class... Part>
struct TupleCodec {
  static constexpr KeyFault kKeyFault = key_fault_of_parts<Part...>();
  static void encode(const Tuple& value, Bytes& out) {
    std::apply([&out](const Part&... part) { (Codec<Part>::encode(part, out), ...); }, value);
  }
  [[nodiscard]] static bool decode(ByteView& in, Tuple& value) {
    return std::apply([&in](Part&... part) { return (Codec<Part>::decode(in, part) && ...); }, value);
  }
  static std::string schema() { return schema_of_parts<Part...>("struct"); }
  static std::size_t footprint(const Tuple& value)
    requires(HasFootprint<Part> && ...)
  {
    return std::apply([](const Part&... part) { return (std::size_t{0} + ... + Footprint{}(part)); }, value);
  }
};
template <HasCodec First, HasCodec Second>
struct BuiltInCodec<std::pair<First, Second>> : TupleCodec<std::pair<First, Second>, First, Second> {};
template <HasCodec First, HasCodec... Rest>
struct BuiltInCodec<std::tuple<First, Rest...>> : TupleCodec<std::tuple<First, Rest...>, First, Rest...> {};

// The elements alone: "array<i64,4>".
template <HasCodec T, std::size_t Size>
  requires(Size > 0)
struct BuiltInCodec<std::array<T, Size>> {
  using Array = std::array<T, Size>;
  static constexpr bool kMemory = kIsMemory<T> && sizeof(Array) == Size * sizeof(T);
  static constexpr bool kAnyBytes = kDecodedFromMemory<T>;
  static constexpr KeyFault kKeyFault = key_fault<T>();
  static void encode(const Array& value, Bytes& out) {
    if constexpr (kMemory) {
      encode_memory(value, out);
    } else {
      for (const T& element : value) Codec<T>::encode(element, out);
    }
  }
  [[nodiscard]] static bool decode(ByteView& in, Array& value) {
    if constexpr (kMemory && kAnyBytes) {
      return decode_memory(in, value);
    } else {
      for (T& element : value) {
        if (!Codec<T>::decode(in, element)) return false;
      }
      return true;
    }
  }
  static std::string schema() { return "array<" + Codec<T>::schema() + "," + std::to_string(Size) + ">"; }
  static std::size_t footprint(const Array& value)
    requires HasFootprint<T>
  {
    std::size_t bytes = 0;
    for (const T& element : value) bytes += Footprint{}(element);
    return bytes;
  }
};

// A byte that is 0 or 1, then the value if there is one.
template <Element T>
struct BuiltInCodec<std::optional<T>> {
  static constexpr KeyFault kKeyFault = key_fault<T>();
  static void encode(const std::optional<T>& value, Bytes& out) {
    append_u8(out, value.has_value() ? 1 : 0);
    if (value) Codec<T>::encode(*value, out);
  }
  [[nodiscard]] static bool decode(ByteView& in, std::optional<T>& value) {
    std::uint8_t present = 0;
    if (!take_u8(in, present) || present > 1) return false;
    value.reset();
    return present == 0 || Codec<T>::decode(in, value.emplace());
  }
  static std::string schema() { return "optional<" + Codec<T>::schema() + ">"; }
  static std::size_t footprint(const std::optional<T>& value)
    requires HasFootprint<T>
  {
    return value ? Footprint{}(*value) : 0;
  }
};

// The number of the alternative in one byte, then its value: "variant{i64,string}".
template <Element... T>
  requires(sizeof...(T) > 0 && sizeof...(T) < 256)
struct BuiltInCodec<std::variant<T...>> {
  using Variant = std::variant<T...>;
  static constexpr KeyFault kKeyFault = key_fault_of_parts<T...>();
  static void encode(const Variant& value, Bytes& out) {
    TIDEMARK_CHECK(!value.valueless_by_exception(), "a variant that lost its value in an exception cannot be encoded");
    append_u8(out, static_cast<std::uint8_t>(value.index()));
    std::visit([&out]<class Alternative>(const Alternative& alternative) { Codec<Alternative>::encode(alternative, out); }, value);
  }
  [[nodiscard]] static bool decode(ByteView& in, Variant& value) {
    std::uint8_t index = 0;
    if (!take_u8(in, index) || index >= sizeof...(T)) return false;
    return decode_alternative(index, in, value, std::index_sequence_for<T...>{});
  }
  static std::string schema() {
    return schema_of_parts<T...>("variant");
  }
  static std::size_t footprint(const Variant& value)
    requires(HasFootprint<T> && ...)
  {
    return value.valueless_by_exception() ? 0 : std::visit([](const auto& alternative) { return Footprint{}(alternative); }, value);
  }

 private:
  template <std::size_t... I>
  static bool decode_alternative(std::size_t index, ByteView& in, Variant& value, std::index_sequence<I...>) {
    return ((index == I && Codec<T>::decode(in, value.template emplace<I>())) || ...);
  }
};

// Vectors and deques: the number of elements as a varint, then each: "list<f64>".
template <class List>
struct ListCodec {
  using T = typename List::value_type;
  static constexpr KeyFault kKeyFault = key_fault<T>();
  static void encode(const List& value, Bytes& out) {
    append_varint(out, value.size());
    if constexpr (kIsMemory<T> && requires { value.data(); }) {
      out.append(reinterpret_cast<const char*>(value.data()), value.size() * sizeof(T));
    } else {
      for (const T& element : value) Codec<T>::encode(element, out);
    }
  }
  [[nodiscard]] static bool decode(ByteView& in, List& value) {
    std::size_t count = 0;
    value.clear();
    if (!take_count(in, count)) return false;
    if constexpr (kDecodedFromMemory<T> && requires { value.data(); }) {
      if (count > in.size() / sizeof(T)) return false;
      value.resize(count);
      if (count > 0) std::memcpy(static_cast<void*>(value.data()), in.data(), count * sizeof(T));
      in.remove_prefix(count * sizeof(T));
      return true;
    } else {
      // Grows with what was decoded: a forged count must not make a small input a large allocation.
      for (std::size_t i = 0; i < count; ++i) {
        T element{};
        if (!Codec<T>::decode(in, element)) return false;
        value.push_back(std::move(element));
      }
      return true;
    }
  }
  static std::string schema() { return "list<" + Codec<T>::schema() + ">"; }
  static std::size_t footprint(const List& value)
    requires HasFootprint<T>
  {
    std::size_t bytes = 0;
    if constexpr (std::same_as<T, bool>) {
      return value.size() / 8;
    } else {
      if constexpr (requires { value.capacity(); }) {
        bytes = value.capacity() * sizeof(T);
      } else {
        bytes = value.size() * sizeof(T);
      }
      if constexpr (!std::is_trivially_copyable_v<T>) {
        for (const T& element : value) bytes += Footprint{}(element);
      }
      return bytes;
    }
  }
};
template <Element T, class Allocator>
struct BuiltInCodec<std::vector<T, Allocator>> : ListCodec<std::vector<T, Allocator>> {};
template <Element T, class Allocator>
struct BuiltInCodec<std::deque<T, Allocator>> : ListCodec<std::deque<T, Allocator>> {};

// Sets and maps: the number of entries as a varint, then each in the order of iteration: "set<string>", "map<string,i64>". Any order is
// read back, so that a changed comparator or hash does no harm; an entry that is there twice is malformed.
template <class Table, class Entry>
struct TableCodec {
  static constexpr bool kOrdered = requires { typename Table::key_compare; };
  // What the nodes cost beside their entries, about: three pointers and a colour, or a pointer, a hash and a bucket.
  static constexpr std::size_t kNodeBytes = kOrdered ? 4 * sizeof(void*) : 3 * sizeof(void*);
  static constexpr KeyFault kKeyFault = kOrdered ? key_fault<Entry>() : KeyFault::kUnordered;
  static void encode(const Table& value, Bytes& out) {
    append_varint(out, value.size());
    for (const auto& entry : value) encode_entry(entry, out);
  }
  [[nodiscard]] static bool decode(ByteView& in, Table& value) {
    std::size_t count = 0;
    value.clear();
    if (!take_count(in, count)) return false;
    for (std::size_t i = 0; i < count; ++i) {
      Entry entry{};
      if (!Codec<Entry>::decode(in, entry)) return false;
      value.insert(value.end(), std::move(entry));
      if (value.size() != i + 1) return false;
    }
    return true;
  }
  static std::size_t footprint(const Table& value)
    requires HasFootprint<Entry>
  {
    std::size_t bytes = value.size() * (sizeof(typename Table::value_type) + kNodeBytes);
    if constexpr (!std::is_trivially_copyable_v<Entry>) {
      for (const auto& entry : value) bytes += footprint_of_entry(entry);
    }
    return bytes;
  }

 private:
  template <class Key>
  static void encode_entry(const Key& key, Bytes& out) {
    Codec<Key>::encode(key, out);
  }
  template <class Key, class Value>
  static void encode_entry(const std::pair<const Key, Value>& entry, Bytes& out) {
    Codec<Key>::encode(entry.first, out);
    Codec<Value>::encode(entry.second, out);
  }
  template <class Key>
  static std::size_t footprint_of_entry(const Key& key) {
    return Footprint{}(key);
  }
  template <class Key, class Value>
  static std::size_t footprint_of_entry(const std::pair<const Key, Value>& entry) {
    return Footprint{}(entry.first) + Footprint{}(entry.second);
  }
};
template <class Set>
struct SetCodec : TableCodec<Set, typename Set::key_type> {
  static std::string schema() { return "set<" + Codec<typename Set::key_type>::schema() + ">"; }
};
template <class Map>
struct MapCodec : TableCodec<Map, std::pair<typename Map::key_type, typename Map::mapped_type>> {
  static std::string schema() {
    return "map<" + Codec<typename Map::key_type>::schema() + "," + Codec<typename Map::mapped_type>::schema() + ">";
  }
};
template <Element Key, class... Policy>
struct BuiltInCodec<std::set<Key, Policy...>> : SetCodec<std::set<Key, Policy...>> {};
template <Element Key, class... Policy>
struct BuiltInCodec<std::unordered_set<Key, Policy...>> : SetCodec<std::unordered_set<Key, Policy...>> {};
template <Element Key, Element Value, class... Policy>
struct BuiltInCodec<std::map<Key, Value, Policy...>> : MapCodec<std::map<Key, Value, Policy...>> {};
template <Element Key, Element Value, class... Policy>
struct BuiltInCodec<std::unordered_map<Key, Value, Policy...>> : MapCodec<std::unordered_map<Key, Value, Policy...>> {};

}  // namespace core_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// How values become bytes: keys, records that cross a file, and state. A type is storable if it has a Codec. For free have one:
//
//   integers, bool, enums, float and double, std::chrono durations and time points, std::string, std::pair, tuple, array, optional and
//   variant, std::vector, deque, set, map, unordered_set and unordered_map of storable types, and plain aggregates of storable fields.
//
// A plain aggregate is a struct without constructors, bases, C arrays, bit-fields and private members; its fields are encoded in their
// order. For any other type specialise Codec right after the type's definition; a specialisation always wins.
//
// The bytes hold no name and no version of the type: they are read back by the same schema alone (see schema_fingerprint).
// All functions here may be called from any thread.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/detail/codec_aggregate.hpp>
#include <tidemark/core/detail/codec_containers.hpp>
#include <tidemark/core/detail/codec_scalars.hpp>
#include <tidemark/core/detail/codec_support.hpp>

namespace tidemark {
inline namespace v0 {

// The contract, which specialisations keep too:
//
//   static void encode(const T& value, Bytes& out);                    appends at least one byte
//   [[nodiscard]] static bool decode(ByteView& in, T& value);          removes from the front of `in` what encode() wrote, and no more
//   static std::string schema();                                       readable, the same in every build; changes when the bytes change
//   static constexpr bool kCanonical = true;                           optional promise: equal values have equal bytes; then T can be a key
//   static bool reads(std::string_view schema);                        optional promise: decode() also takes what this codec wrote when its
//                                                                      schema() was this other one; then stored values need no migration
//
// decode() gets arbitrary bytes: it returns false where encode() cannot have written them, never reads past the end, checks a length before
// it allocates, and throws nothing but std::bad_alloc. After false, `in` and `value` are valid but unspecified.
template <class T>
struct Codec;

// T has a codec.
template <class T>
concept Storable = core_internal::HasCodec<T>;

// The encoding of a T is exactly its memory: numbers, enums, times, and plain aggregates and arrays of these without padding.
// Note that equal bytes are equal values, and the other way round, for a KeyType only.
template <class T>
inline constexpr bool kEncodedAsMemory = core_internal::kIsMemory<T>;

// T can be a key: it is storable and its codec is canonical (K3). Floating point and unordered containers, also inside, are refused.
template <class T>
concept KeyType = core_internal::key_fault<T>() == core_internal::KeyFault::kNone;

// One schema's name in manifests: XXH3, 64 bit, seed 0.
std::uint64_t schema_fingerprint(std::string_view schema);

// The encoding of one value.
template <Storable T>
Bytes encoded(const T& value) {
  Bytes out;
  Codec<T>::encode(value, out);
  return out;
}

// Decodes a value that fills `in` to its end. false: malformed, or bytes are left over.
template <Storable T>
[[nodiscard]] bool decode_whole(ByteView in, T& value) {
  return Codec<T>::decode(in, value) && in.empty();
}

namespace core_internal {

// Put one of these into the body of a template that takes a user's type: a type that does not fit is then refused in one sentence.
template <class T>
constexpr void require_storable() {
  static_assert(Storable<T>, TIDEMARK_NO_CODEC_SENTENCE);
}

template <class T>
constexpr void require_key() {
  constexpr KeyFault fault = key_fault<T>();
  static_assert(fault != KeyFault::kNoCodec, TIDEMARK_NO_CODEC_SENTENCE);
  static_assert(fault != KeyFault::kFloatingPoint,
                "Tidemark: a key cannot contain a floating-point number, since equal numbers may have different bytes (0.0 and -0.0) and "
                "NaN equals nothing: key by an integer, for example the amount in cents");
  static_assert(fault != KeyFault::kUnordered,
                "Tidemark: a key cannot contain an unordered container, since equal containers may iterate in different orders: "
                "use std::set, std::map or a sorted std::vector");
  static_assert(fault != KeyFault::kNotCanonical,
                "Tidemark: this key has a Codec of your own that does not promise canonical bytes: if equal values always encode to equal "
                "bytes, add `static constexpr bool kCanonical = true;` to it");
}

}  // namespace core_internal

// footprint(value): an estimate of the heap bytes that a value owns, without sizeof(value); 0 for trivially copyable types. Derived from
// the codec's structure. For a type of your own, `std::size_t footprint(const T&)` in the type's namespace wins.
inline constexpr core_internal::Footprint footprint{};

}  // namespace v0
}  // namespace tidemark

#pragma once
// Row form of plain keyed state: one row for each key.

#include <cstdint>
#include <optional>

#include <tidemark/core/codec.hpp>
#include <tidemark/core/time.hpp>
#include <tidemark/state/detail/generations.hpp>
#include <tidemark/state/detail/row_context.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

// With the bucket of a slice or without.
template <class Key, class Value>
struct KeyedRows {
  std::optional<EventTime> bucket{};
  const Generations* generations = nullptr;   // of a slice that has given up memory; outlives the map

  void append_key(Bytes& out, std::uint64_t hash, const Key& key) const {
    if (bucket) append_time_big_endian(out, *bucket);
    append_row_key(out, hash, key);
    if (generations != nullptr) generations->append(out, hash);
  }
  // Hands out the row, whose key is in the context, or its tombstone.
  void encode(RowContext& context, const Value& value, bool erased) const {
    if (erased) return context.rows->erase(context.key);
    context.value.clear();
    Codec<Value>::encode(value, context.value);
    context.rows->put(context.key, context.value);
  }
  [[nodiscard]] bool take_value(ByteView in, Value& value) const { return decode_whole(in, value); }
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// Row form of plain keyed state: one row for each key.

#include <cstdint>
#include <cstring>
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
  // Hands out the row, or its tombstone.
  void encode(RowContext& context, std::uint64_t hash, const Key& key, const Value& value, bool erased) const {
    if constexpr (kEncodedAsMemory<Key> && kEncodedAsMemory<Value>) {
      if (!erased && generations == nullptr) return encode_memory(context, hash, key, value);
    }
    encode_by_context(context, hash, key, value, erased);
  }
  // As encode(), and leaves the row's key in the context.
  void encode_by_context(RowContext& context, std::uint64_t hash, const Key& key, const Value& value, bool erased) const {
    append_key(context.begin_key(), hash, key);
    if (erased) return context.rows->erase(context.key);
    context.value.clear();
    Codec<Value>::encode(value, context.value);
    context.rows->put(context.key, context.value);
  }
  [[nodiscard]] bool take_value(ByteView in, Value& value) const { return decode_whole(in, value); }

 private:
  // The same bytes with no buffer that could have to grow, which takes less than half of the time.
  void encode_memory(RowContext& context, std::uint64_t hash, const Key& key, const Value& value) const {
    Bytes& prefix = context.begin_key();
    if (bucket) append_time_big_endian(prefix, *bucket);
    char row_key[sizeof(StateId) + sizeof(EventTime) + sizeof hash + sizeof key];
    char* end = row_key;
    const auto put = [&end](const void* bytes, std::size_t size) {
      std::memcpy(end, bytes, size);
      end += size;
    };
    const std::uint64_t big_endian = __builtin_bswap64(hash);
    put(prefix.data(), prefix.size());
    put(&big_endian, sizeof big_endian);
    put(&key, sizeof key);
    context.rows->put({row_key, static_cast<std::size_t>(end - row_key)}, {reinterpret_cast<const char*>(&value), sizeof value});
  }
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

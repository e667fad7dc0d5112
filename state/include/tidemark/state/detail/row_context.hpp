#pragma once
// What the containers of one state component share: how its rows begin, where they go, and the buffers they are built in.

#include <memory>

#include <tidemark/core/codec.hpp>
#include <tidemark/core/hash.hpp>
#include <tidemark/state/detail/cold_fetch.hpp>
#include <tidemark/state/rows.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

struct RowContext {
  StateId id = 0;
  bool tracking = true;       // false: no checkpoint will ever be taken, so nothing is marked
  std::uint64_t checkpoint = 0;   // the last one that was begun, or restored
  RowSink* rows = nullptr;    // set between freeze() and settle()
  std::unique_ptr<ColdFetch> cold{};   // null: what is not in memory does not exist
  Bytes key;
  Bytes value;

  // The key buffer, holding the state id alone.
  Bytes& begin_key() {
    key.clear();
    append_u16_big_endian(key, id);
    return key;
  }
};

// What lies between the state id and the rest in a row key.
template <class Key>
void append_row_key(Bytes& out, std::uint64_t hash, const Key& key) {
  append_u64_big_endian(out, hash);
  Codec<Key>::encode(key, out);
}
template <class Key>
[[nodiscard]] bool take_row_key(ByteView& in, std::uint64_t& hash, Key& key) {
  return take_u64_big_endian(in, hash) && Codec<Key>::decode(in, key);
}

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

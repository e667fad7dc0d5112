#pragma once
// XXH3, 64 bit, of bytes that come in pieces: what `xxhsum -H3` prints for the file.

#include <cstdint>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/detail/xxh3.hpp>

namespace tidemark {
inline namespace v0 {
namespace file_internal {

class ContentHash {
 public:
  ContentHash() { XXH3_64bits_reset(&state_); }
  void add(ByteView bytes) { XXH3_64bits_update(&state_, bytes.data(), bytes.size()); }
  std::uint64_t value() const { return XXH3_64bits_digest(&state_); }

 private:
  XXH3_state_t state_;
};

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

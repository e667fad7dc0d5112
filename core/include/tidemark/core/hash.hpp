#pragma once
// The hash of keys and the key groups made of it (K1, K2).

#include <cstdint>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/codec.hpp>
#include <tidemark/core/detail/xxh3.hpp>

namespace tidemark {
inline namespace v0 {

namespace core_internal {
__extension__ using Wide = unsigned __int128;
}

// How keys are spread: fixed for the life of a lineage and recorded in every manifest.
struct KeySpace {
  std::uint32_t groups = 128;      // G
  std::uint64_t seed = 0;

  // Key group of a hash: ⌊h · G / 2⁶⁴⌋, so that a group is a range of hashes.
  constexpr std::uint32_t group_of(std::uint64_t hash) const {
    return static_cast<std::uint32_t>((static_cast<core_internal::Wide>(hash) * groups) >> 64);
  }
  // Least hash of a group.
  constexpr std::uint64_t first_hash_of(std::uint32_t group) const {
    return static_cast<std::uint64_t>(((static_cast<core_internal::Wide>(group) << 64) + groups - 1) / groups);
  }
  // Task that owns a group at parallelism p ≤ G: k·p/G (K2).
  constexpr std::uint32_t task_of_group(std::uint32_t group, std::uint32_t parallelism) const {
    return static_cast<std::uint32_t>(std::uint64_t{group} * parallelism / groups);
  }
  // First group of a task; task `parallelism` gives G.
  constexpr std::uint32_t first_group_of_task(std::uint32_t task, std::uint32_t parallelism) const {
    return static_cast<std::uint32_t>((std::uint64_t{task} * groups + parallelism - 1) / parallelism);
  }
};

// XXH3, 64 bit, of raw bytes.
inline std::uint64_t hash_bytes(ByteView bytes, std::uint64_t seed) { return detail::xxh3(bytes.data(), bytes.size(), seed); }

// XXH3, 64 bit, of the key's encoding. `scratch` saves an allocation for keys whose encoding is not their memory.
template <class Key>
std::uint64_t hash_key(const Key& key, std::uint64_t seed, Bytes& scratch) {
  if constexpr (kEncodedAsMemory<Key>) {
    return detail::xxh3(&key, sizeof key, seed);
  } else {
    scratch.clear();
    Codec<Key>::encode(key, scratch);
    return hash_bytes(scratch, seed);
  }
}

}  // namespace v0
}  // namespace tidemark

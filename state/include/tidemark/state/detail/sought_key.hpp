#pragma once
// A key that a hot map looks up in the store.

#include <cstdint>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

template <class Key>
struct SoughtKey {
  std::uint64_t hash;
  Key key;
  bool found;
};

// For searches in what is sorted by hash.
struct ByHash {
  template <class Key>
  bool operator()(const SoughtKey<Key>& a, std::uint64_t hash) const {
    return a.hash < hash;
  }
  template <class Key>
  bool operator()(std::uint64_t hash, const SoughtKey<Key>& b) const {
    return hash < b.hash;
  }
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

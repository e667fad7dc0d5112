#pragma once
// How many records of each key are still to be handled.

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include <tidemark/state/detail/same_key.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

template <class Key>
class RecordsLeft {
 public:
  void add(std::uint64_t hash, const Key& key) { ++counts_[{hash, key}]; }
  // Of a key that was never added there is none.
  void take_off(std::uint64_t hash, const Key& key) {
    const auto found = counts_.find({hash, key});
    if (found != counts_.end() && --found->second == 0) counts_.erase(found);
  }
  bool has(std::uint64_t hash, const Key& key) const { return counts_.contains({hash, key}); }

 private:
  struct Hashed {
    std::uint64_t hash;
    Key key;
    bool operator==(const Hashed& other) const { return hash == other.hash && state_internal::same_key(key, other.key); }
  };
  struct HashOf {
    std::size_t operator()(const Hashed& hashed) const { return hashed.hash; }
  };

  std::unordered_map<Hashed, std::size_t, HashOf> counts_;
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

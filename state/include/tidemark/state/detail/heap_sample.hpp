#pragma once
// What the keys and values of a table own on the heap, reckoned from some of them.

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <tidemark/core/codec.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

template <class Key, class Value>
inline constexpr bool kMayOwnHeap = !std::is_trivially_copyable_v<Key> || !std::is_trivially_copyable_v<Value>;

// How many entries of a state are looked at: between two checkpoints each time, and at the end of one.
inline constexpr std::size_t kSampledOften = 32;
inline constexpr std::size_t kSampledAtSettle = 1024;

class HeapSample {
 public:
  template <class Key, class Value>
  void take(const Key& key, const Value& value) {
    if constexpr (kMayOwnHeap<Key, Value>) {
      bytes_ += static_cast<double>(footprint(key) + footprint(value));
      if (++entries_ == kMost) {   // older ones count ever less
        bytes_ /= 2;
        entries_ /= 2;
      }
    }
  }
  // Of so many entries.
  std::size_t of(std::size_t entries) const {
    return entries_ == 0 ? 0 : static_cast<std::size_t>(bytes_ / entries_ * static_cast<double>(entries));
  }

 private:
  static constexpr std::uint32_t kMost = 1024;

  double bytes_ = 0;
  std::uint32_t entries_ = 0;
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

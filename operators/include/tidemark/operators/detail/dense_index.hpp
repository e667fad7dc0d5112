#pragma once
// A table of keys whose entries lie densely, under numbers that stay theirs until they are removed: other structures refer to a key by its
// number, and walking all keys is a walk over an array. For derived data: nothing here is saved.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <tidemark/state/detail/same_key.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

template <class Key, class Value>
class DenseIndex {
 public:
  using Number = std::uint32_t;

  // Numbers in use and free ones are below size().
  std::size_t size() const { return entries_.size(); }
  std::size_t free() const { return free_.size(); }
  // How many keys may be added before the table grows, to twice its memory.
  std::size_t room() const { return std::min(entries_.capacity() - entries_.size() + free_.size(), slots_.size() / 2 - (size() - free())); }
  // Memory held, without what keys and values own themselves.
  std::size_t bytes() const { return entries_.capacity() * sizeof(Entry) + (free_.capacity() + slots_.capacity()) * sizeof(Number); }
  // Precondition: the number is below size(). A free number has a default-constructed value.
  Value& operator[](Number number) { return entries_[number].value; }
  const Key& key(Number number) const { return entries_[number].key; }

  // Found or made, with a default-constructed value; may move all entries. Keys go by their whole value, `hash` only finds them faster.
  Number find_or_add(std::uint64_t hash, const Key& key) {
    std::size_t slot = hash & mask_;
    for (; slots_[slot] != 0; slot = (slot + 1) & mask_) {
      const Entry& entry = entries_[slots_[slot] - 1];
      if (entry.hash == hash && state_internal::same_key(entry.key, key)) return slots_[slot] - 1;
    }
    return add(slot, hash, key);
  }

  void remove(Number number) {
    std::size_t hole = entries_[number].hash & mask_;
    while (slots_[hole] != number + 1) hole = (hole + 1) & mask_;
    // Closes the gap: entries behind it move up unless that would put them before their place.
    for (std::size_t slot = (hole + 1) & mask_; slots_[slot] != 0; slot = (slot + 1) & mask_) {
      const std::size_t home = entries_[slots_[slot] - 1].hash & mask_;
      if (((slot - home) & mask_) < ((slot - hole) & mask_)) continue;
      slots_[hole] = slots_[slot];
      hole = slot;
    }
    slots_[hole] = 0;
    entries_[number] = Entry{};
    free_.push_back(number);
  }

  void clear() {
    entries_.clear();
    free_.clear();
    slots_.assign(kFewest, 0);
    mask_ = kFewest - 1;
  }

  // To be called in this order, some entries ahead of find_or_add().
  void prefetch_slot(std::uint64_t hash) const { __builtin_prefetch(&slots_[hash & mask_]); }
  void prefetch_entry(std::uint64_t hash) const {
    const Number likely = slots_[hash & mask_];
    if (likely != 0) __builtin_prefetch(&entries_[likely - 1], 1);
  }

 private:
  struct Entry {
    std::uint64_t hash = 0;
    Key key{};
    Value value{};
  };

 public:
  // As bytes(), of a table that is full.
  static constexpr std::size_t kBytesPerKey = sizeof(Entry) + 2 * sizeof(Number);

 private:
  static constexpr std::size_t kFewest = 16;

  Number add(std::size_t slot, std::uint64_t hash, const Key& key) {
    Number number = 0;
    if (free_.empty()) {
      number = static_cast<Number>(entries_.size());
      entries_.push_back({hash, key, Value{}});
    } else {
      number = free_.back();
      free_.pop_back();
      entries_[number] = {hash, key, Value{}};
    }
    slots_[slot] = number + 1;
    if (2 * (entries_.size() - free_.size()) > slots_.size()) grow();
    return number;
  }
  void grow() {
    std::vector<Number> old(2 * slots_.size(), 0);
    old.swap(slots_);
    mask_ = slots_.size() - 1;
    for (const Number filled : old) {
      if (filled == 0) continue;
      std::size_t slot = entries_[filled - 1].hash & mask_;
      while (slots_[slot] != 0) slot = (slot + 1) & mask_;
      slots_[slot] = filled;
    }
  }

  std::vector<Entry> entries_;
  std::vector<Number> free_;
  std::vector<Number> slots_ = std::vector<Number>(kFewest, 0);   // number + 1; 0: empty. A power of two, at most half full
  std::size_t mask_ = kFewest - 1;
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

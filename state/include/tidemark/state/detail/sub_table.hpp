#pragma once
// One key group's part of a hot map: a block of slots and its planes, which are bitmaps with one bit a slot.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/detail/planted.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

// Slot::meta below 2 is no hash. A key with such a hash is filed under 2: its key group is the same.
inline constexpr std::uint64_t kEmptySlot = 0;
inline constexpr std::uint64_t kDeadSlot = 1;      // empty, but searches go on behind it
constexpr std::uint64_t meta_of(std::uint64_t hash) { return hash < 2 ? 2 : hash; }

// An empty type takes no room in a slot.
template <class Value, bool kNoRoom = std::is_empty_v<Value>>
struct ValueCell {
  ValueCell() = delete;
  ~ValueCell() {}
  Value& get() { return value; }
  union {
    Value value;
  };
};
template <class Value>
struct ValueCell<Value, true> : Value {
  Value& get() { return *this; }
};

// Never constructed as a whole: `meta` is set by the block's owner, `key` and the value live while meta says so.
template <class Key, class Value>
struct Slot {
  Slot() = delete;
  ~Slot() {}
  std::uint64_t meta;
  union {
    Key key;
  };
  [[no_unique_address]] ValueCell<Value> cell;
};

// Planes of a block. Dirty and frozen are the first two and change places at a freeze. All but the last two lie before the slots, word by
// word side by side and growing downwards: an access finds them in one cache line, whose place follows from that of the slots alone. The
// last two lie behind the slots. Cold: not touched since entries were last wanted out of memory.
enum Plane : std::uint32_t { kMarkedA = 0, kMarkedB = 1, kStored = 2, kErased = 3, kInFlight = 4, kCold = 5, kPlanes = 6 };
inline constexpr std::uint32_t kPlanesBehind = kPlanes - kInFlight;

template <class SlotType>
struct SubTable {
  SlotType* slots;            // a shared block of two empty slots until the first insertion
  std::uint32_t live = 0;     // entries
  std::uint32_t used = 0;     // entries, erased ones whose tombstone is due, and dead slots
  std::uint32_t limit = 0;    // `used` that makes the block grow; 0: the shared block
  std::uint32_t erased = 0;   // erased ones whose tombstone is due
  std::uint32_t hand = 0;     // of the clock that drives entries out: the word of planes that it looks at next
  std::uint8_t shift = 63;    // 64 minus the logarithm of the number of slots
  std::uint8_t first_log = 3; // logarithm of the number of slots of the first block
  std::uint8_t flags = 0;     // bit n: plane n may have bits set; kept for those that are walked. kIncomplete: see below

  // The store may hold rows of entries that are not here.
  static constexpr std::uint32_t kIncomplete = 7;
  bool is_incomplete() const { return may_have(kIncomplete); }
  void make_incomplete() { flags = static_cast<std::uint8_t>(flags | 1u << kIncomplete); }

  std::uint32_t mask() const { return static_cast<std::uint32_t>(~std::uint64_t{0} >> shift); }
  std::uint32_t capacity() const { return mask() + 1; }
  std::uint32_t words() const { return (capacity() + 63) / 64; }

  // Those of a table that has no block yet: empty, and never written.
  static SlotType* no_slots() {
    alignas(SlotType) static std::byte raw[2 * sizeof(SlotType)]{};
    return reinterpret_cast<SlotType*>(raw);
  }
  // `used` that makes a block of so many slots grow. Small ones are filled less: what they cost is mispredicted steps, not memory.
  static std::uint32_t limit_of(std::uint32_t capacity) { return capacity <= 64 ? capacity / 2 : capacity / 8 * 5; }
  // Where memory is short: a few steps more for each look-up cost far less than a look-up in the store.
  static std::uint32_t dense_limit_of(std::uint32_t capacity) { return capacity / 4 * 3 + capacity / 16; }
  // Of a block of this table's.
  std::uint32_t limit_for(std::uint32_t capacity) const { return is_incomplete() ? dense_limit_of(capacity) : limit_of(capacity); }
  // Of the planes before the slots, up to a cache line's boundary.
  static std::size_t bytes_before_slots(std::size_t capacity) {
    return ((capacity + 63) / 64 * kInFlight * sizeof(std::uint64_t) + 63) / 64 * 64;
  }
  static std::size_t block_bytes(std::size_t capacity) {
    return bytes_before_slots(capacity) + capacity * sizeof(SlotType) + (capacity + 63) / 64 * kPlanesBehind * sizeof(std::uint64_t);
  }
  void* block() const { return reinterpret_cast<std::byte*>(slots) - bytes_before_slots(capacity()); }

  // The word that has the bit of a slot.
  std::uint64_t& word_of(std::uint32_t number, std::uint32_t slot) const {
    if (number < kInFlight)
      return reinterpret_cast<std::uint64_t*>(slots)[-1 - static_cast<std::ptrdiff_t>(slot / 64 * kInFlight + number)];
    return reinterpret_cast<std::uint64_t*>(slots + capacity())[(number - kInFlight) * words() + slot / 64];
  }
  bool test(std::uint32_t number, std::uint32_t slot) const { return (word_of(number, slot) >> (slot % 64) & 1) != 0; }
  void set(std::uint32_t number, std::uint32_t slot) {
    word_of(number, slot) |= std::uint64_t{1} << (slot % 64);
    flags = static_cast<std::uint8_t>(flags | 1u << number);
  }
  void reset(std::uint32_t number, std::uint32_t slot) { word_of(number, slot) &= ~(std::uint64_t{1} << (slot % 64)); }
  void clear_planes() const {
    const std::size_t before = bytes_before_slots(capacity());
    std::memset(reinterpret_cast<std::byte*>(slots) - before, 0, before);
    std::memset(static_cast<void*>(slots + capacity()), 0, words() * kPlanesBehind * sizeof(std::uint64_t));
  }
  // Of the 64 slots from `first` on, a multiple of 64: a bit for each entry whose last value is in the store.
  std::uint64_t clean_slots(std::uint32_t first) const {
    if (planted(core_internal::Bug::kP18)) word_of(kMarkedA, first) &= ~word_of(kStored, first);   // dirty ones leave too
    return word_of(kStored, first) & ~word_of(kMarkedA, first) & ~word_of(kMarkedB, first) & ~word_of(kErased, first) &
           ~word_of(kInFlight, first);
  }
  // Of the 64 slots from `first` on, a multiple of 64, those whose bits are set: where they lie too far apart, the processor foresees none.
  void prefetch(std::uint32_t first, std::uint64_t of_word) const {
    for (; of_word != 0; of_word &= of_word - 1) __builtin_prefetch(&slots[first + static_cast<std::uint32_t>(std::countr_zero(of_word))]);
  }
  // The rows of these frozen slots, bits of the word that has the slot, were handed out: they are in flight.
  void take_off(std::uint32_t frozen, std::uint32_t slot, std::uint64_t slots_of_word) {
    word_of(frozen, slot) &= ~slots_of_word;
    word_of(kInFlight, slot) |= slots_of_word;
    word_of(kStored, slot) |= slots_of_word;
    flags = static_cast<std::uint8_t>(flags | 1u << kInFlight | 1u << kStored);
  }
  // What an entry holds. Its `meta` is left to the caller.
  void destroy(std::uint32_t slot) const {
    std::destroy_at(&slots[slot].key);
    std::destroy_at(&slots[slot].cell.get());
  }
  void destroy_all() const {
    using Key = decltype(slots->key);
    using Value = std::remove_reference_t<decltype(slots->cell.get())>;
    if constexpr (!std::is_trivially_destructible_v<Key> || !std::is_trivially_destructible_v<Value>) {
      for (std::uint32_t slot = 0; slot < capacity(); ++slot) {
        if (slots[slot].meta > kDeadSlot) destroy(slot);
      }
    }
  }
  // The checkpoint failed: what was frozen or in flight is dirty. `dirty`: the plane that marks now.
  void mark_again(std::uint32_t dirty) {
    const std::uint32_t frozen = dirty ^ 1u;
    if (!may_have(kInFlight) && !may_have(frozen)) return;
    for (std::uint32_t first = 0; first < capacity(); first += 64) {
      std::uint64_t& in_flight = word_of(kInFlight, first);
      std::uint64_t& was_frozen = word_of(frozen, first);
      if (!planted(core_internal::Bug::kP19)) word_of(dirty, first) |= in_flight | was_frozen;   // else not dirty again
      in_flight = was_frozen = 0;
    }
    forget(kInFlight);
    forget(frozen);
    flags = static_cast<std::uint8_t>(flags | 1u << dirty);
  }
  bool may_have(std::uint32_t number) const { return (flags >> number & 1) != 0; }
  void forget(std::uint32_t number) { flags = static_cast<std::uint8_t>(flags & ~(1u << number)); }
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

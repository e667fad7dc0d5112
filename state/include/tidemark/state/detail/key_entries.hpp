#pragma once
// What one key has in a state of list or map kind: entries in order of their id, a row for each.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/codec.hpp>
#include <tidemark/state/detail/entry_life.hpp>
#include <tidemark/state/expiry.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

template <class V>
struct EntryCell {
  V value{};
  EntryMark mark;
};

// Cells: a container of pairs (id, EntryCell<V>) in ascending order of the ids.
template <class Id, class V, class Cells>
class KeyEntries {
 public:
  using Value = V;
  static constexpr bool kManyRows = true;

  // The entries that are neither erased nor unseen, in order. Good until the next change.
  class Iterator {
   public:
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::forward_iterator_tag;

    Iterator(const KeyEntries* entries, typename Cells::const_iterator at, const ExpiryClock* expiry, EventTime now)
        : entries_(entries), at_(at), expiry_(expiry), now_(now) {
      skip_unseen();
    }
    const Id& id() const { return at_->first; }
    const V& value() const { return at_->second.value; }
    void advance() {
      ++at_;
      skip_unseen();
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }

   private:
    void skip_unseen() {
      while (at_ != entries_->cells_.end() && !is_seen(at_->second.mark, *expiry_, now_)) ++at_;
    }

    const KeyEntries* entries_;
    typename Cells::const_iterator at_;
    const ExpiryClock* expiry_;
    EventTime now_;
  };

  Iterator begin(const ExpiryClock& expiry, EventTime now) const { return {this, cells_.begin(), &expiry, now}; }
  Iterator end(const ExpiryClock& expiry, EventTime now) const { return {this, cells_.end(), &expiry, now}; }

  // Entries that are not erased.
  std::size_t live() const { return live_; }
  std::size_t seen(const ExpiryClock& expiry, EventTime now) const {
    if (expiry.sees(oldest_, now)) return live_;
    return static_cast<std::size_t>(
        std::count_if(cells_.begin(), cells_.end(), [&](const auto& each) { return is_seen(each.second.mark, expiry, now); }));
  }
  // Whether renew_all() would change anything.
  bool renewable(const ExpiryClock& expiry, EventTime now) const {
    return std::any_of(cells_.begin(), cells_.end(),
                       [&](const auto& each) { return is_seen(each.second.mark, expiry, now) && each.second.mark.written < now; });
  }

  // Of these, what changes marks entries by `life`; the caller has marked the key.

  void renew_all(const ExpiryClock& expiry, EventTime now, const EntryLife& life) {
    for (auto& each : cells_) {
      if (is_seen(each.second.mark, expiry, now) && each.second.mark.written < now) touch(each.second, now, life);
    }
  }
  void erase_all(const EntryLife& life) {
    for (auto& each : cells_) {
      if (!each.second.mark.erased) erase(each.second, life);
    }
    forget_gone(life);
    oldest_ = kPlusInfinity;
  }
  // Entries written at or before `through` are dead, and let go: without a marker, unless an earlier row may be younger than that.
  // true: markers were made.
  bool let_go(EventTime through, const EntryLife& life) {
    if (oldest_ > through) return false;
    bool marked = false;
    oldest_ = kPlusInfinity;
    for (auto& [id, cell] : cells_) {
      if (cell.mark.erased) continue;
      if (cell.mark.written > through) {
        oldest_ = std::min(oldest_, cell.mark.written);
        continue;
      }
      if (!life.is_due(cell.mark)) cell.mark.maybe_stored = false;   // its row is as dead
      erase(cell, life);
      marked = marked || cell.mark.maybe_stored;
    }
    forget_gone(life);
    return marked;
  }
  // Something may be dead, or not.
  bool may_be_dead(EventTime through) const { return oldest_ <= through; }
  // Tombstones are due that no completed checkpoint holds.
  bool has_due_markers(const EntryLife& life) const {
    return std::any_of(cells_.begin(), cells_.end(),
                       [&](const auto& each) { return each.second.mark.erased && !is_gone(each.second.mark, life); });
  }

  // Calls row(id, cell) for each entry whose row or tombstone is due, and forgets markers that are not needed any more.
  template <class Row>
  void encode(const EntryLife& life, Row row) {
    for (auto& [id, cell] : cells_) {
      if (!life.is_due(cell.mark)) continue;
      row(id, std::as_const(cell));
      cell.mark.maybe_stored = true;
    }
    forget_gone(life);
  }

  friend std::size_t footprint(const KeyEntries& entries) { return entries.heap_bytes(); }

 protected:
  static bool is_seen(const EntryMark& mark, const ExpiryClock& expiry, EventTime now) {
    return !mark.erased && expiry.sees(mark.written, now);
  }
  void touch(EntryCell<V>& cell, EventTime now, const EntryLife& life) {
    cell.mark.written = std::max(cell.mark.written, now);
    cell.mark.changed = life.now();
    oldest_ = std::min(oldest_, cell.mark.written);
  }
  // An entry that the key has not: a new one, or the marker of an erased one.
  void begin_life(EntryCell<V>& cell, const EntryLife& life) {
    if (!life.is_due(cell.mark)) cell.mark.maybe_stored = false;   // its tombstone is in the store
    cell.mark.erased = false;
    cell.mark.written = kMinusInfinity;
    ++live_;
  }
  // From the store.
  void take(EntryCell<V>& cell, EventTime written) {
    cell.mark.maybe_stored = true;
    cell.mark.written = written;
    oldest_ = std::min(oldest_, written);
    ++live_;
  }
  // Leaves a marker, unless it is gone at once.
  void erase(EntryCell<V>& cell, const EntryLife& life) {
    --live_;
    cell.value = V{};
    cell.mark.erased = true;
    cell.mark.changed = life.now();
  }
  // Erased, and the store has no row of it.
  static bool is_gone(const EntryMark& mark, const EntryLife& life) { return mark.erased && !(mark.maybe_stored && life.is_due(mark)); }

  Cells cells_;

 private:
  void forget_gone(const EntryLife& life) {
    std::erase_if(cells_, [&](const auto& each) { return is_gone(each.second.mark, life); });
  }

  static constexpr std::size_t kNodeBytes = 4 * sizeof(void*);   // of a std::map

  std::size_t heap_bytes() const {
    std::size_t bytes = 0;
    if constexpr (requires { cells_.capacity(); }) {
      bytes = cells_.capacity() * sizeof(typename Cells::value_type);
    } else {
      bytes = cells_.size() * (sizeof(typename Cells::value_type) + kNodeBytes);
    }
    if constexpr (!std::is_trivially_copyable_v<Id> || !std::is_trivially_copyable_v<V>) {
      for (const auto& [id, cell] : cells_) bytes += tidemark::footprint(id) + tidemark::footprint(cell.value);
    }
    return bytes;
  }

  std::size_t live_ = 0;
  EventTime oldest_ = kPlusInfinity;   // no live entry was written before
};

// Content of a table says what its types must be by require().

// Items in the order in which they were appended, numbered. No number is used again while the store may have a row of it.
template <class V>
class EntryList : public KeyEntries<std::uint64_t, V, std::vector<std::pair<std::uint64_t, EntryCell<V>>>> {
 public:
  static constexpr const char* kKind = "list";
  static constexpr void require() { core_internal::require_storable<V>(); }
  static std::string entry_schema() { return {}; }

  void append(V&& value, EventTime now, const EntryLife& life) {
    auto& [number, cell] = this->cells_.emplace_back(next_++, EntryCell<V>{std::move(value), {}});
    this->begin_life(cell, life);
    this->touch(cell, now, life);
  }

  static void append_id(Bytes& out, std::uint64_t number) { append_u64_big_endian(out, number); }
  // Rows come in any order at a restore. false: malformed, or there twice.
  [[nodiscard]] bool take_row(ByteView id, ByteView value, EventTime written) {
    std::uint64_t number = 0;
    EntryCell<V> cell;
    if (!take_u64_big_endian(id, number) || !id.empty() || number == ~std::uint64_t{0} || !decode_whole(value, cell.value)) return false;
    auto place = this->cells_.end();
    if (number < next_) {
      place = std::lower_bound(this->cells_.begin(), this->cells_.end(), number,
                               [](const auto& each, std::uint64_t sought) { return each.first < sought; });
      if (place != this->cells_.end() && place->first == number) return false;
    }
    this->take(cell, written);
    this->cells_.emplace(place, number, std::move(cell));
    next_ = std::max(next_, number + 1);
    return true;
  }

 private:
  std::uint64_t next_ = 0;
};

template <class K, class V>
class EntryMap : public KeyEntries<K, V, std::map<K, EntryCell<V>>> {
 public:
  static constexpr const char* kKind = "map";
  static constexpr void require() {
    core_internal::require_key<K>();
    core_internal::require_storable<V>();
  }
  static std::string entry_schema() { return Codec<K>::schema(); }

  // The cell of a live entry; null if there is none.
  const EntryCell<V>* find(const K& id) const {
    const auto found = this->cells_.find(id);
    return found == this->cells_.end() || found->second.mark.erased ? nullptr : &found->second;
  }
  void put(const K& id, V&& value, EventTime now, const EntryLife& life) {
    const auto [at, added] = this->cells_.try_emplace(id);
    if (added || at->second.mark.erased) this->begin_life(at->second, life);
    at->second.value = std::move(value);
    this->touch(at->second, now, life);
  }
  // Precondition of these: there is a live entry.
  void renew(const K& id, EventTime now, const EntryLife& life) { this->touch(this->cells_.find(id)->second, now, life); }
  void erase(const K& id, const EntryLife& life) {
    const auto found = this->cells_.find(id);
    KeyEntries<K, V, std::map<K, EntryCell<V>>>::erase(found->second, life);
    if (this->is_gone(found->second.mark, life)) this->cells_.erase(found);
  }

  static void append_id(Bytes& out, const K& id) { Codec<K>::encode(id, out); }
  [[nodiscard]] bool take_row(ByteView id, ByteView value, EventTime written) {
    K key{};
    if (!decode_whole(id, key)) return false;
    const auto [at, added] = this->cells_.try_emplace(std::move(key));
    if (!added || !decode_whole(value, at->second.value)) return false;
    this->take(at->second, written);
    return true;
  }
};

// A value alone: one row, whose life is that of its key.
template <class V>
struct EntryValue {
  using Value = V;
  static constexpr const char* kKind = "value";
  static constexpr void require() { core_internal::require_storable<V>(); }
  static constexpr bool kManyRows = false;
  static std::string entry_schema() { return {}; }

  EventTime written = kMinusInfinity;   // only of states that expire
  V value{};

  bool may_be_dead(EventTime through) const { return written <= through; }
  friend std::size_t footprint(const EntryValue& entry) { return tidemark::footprint(entry.value); }
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

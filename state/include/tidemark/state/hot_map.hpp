#pragma once
// The in-memory table under keyed state: sub-tables by key group, open addressing, and the life of every entry in bitmaps.
//
// A slot's index is the position of the hash within its key group's range, scaled to the sub-table: it never uses the bits that chose the
// task, and walking the slots gives rows that are nearly sorted. Growing is bounded by the size of one sub-table.
//
// With a cold tier (RowContext::cold) the map may be incomplete: clean entries leave when the memory budget is spent, and a restore brings
// nothing in. A key that is not here is then looked up in the store; fetch() does that for many keys at once.
//
// References and pointers to values are good until the next call that may add or erase a key; looking up may, with a cold tier.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include <tidemark/core/check.hpp>
#include <tidemark/core/detail/planted.hpp>
#include <tidemark/core/detail/situations.hpp>
#include <tidemark/core/hash.hpp>
#include <tidemark/state/detail/block_pool.hpp>
#include <tidemark/state/detail/heap_sample.hpp>
#include <tidemark/state/detail/keyed_rows.hpp>
#include <tidemark/state/detail/row_context.hpp>
#include <tidemark/state/detail/same_key.hpp>
#include <tidemark/state/detail/sought_key.hpp>
#include <tidemark/state/detail/sub_table.hpp>

namespace tidemark {
inline namespace v0 {
// Rows of another form may say kMany: a slot has several rows, which they encode, take, erase and let go of themselves (EntryRows).
template <class Key, class Value, class Rows = state_internal::KeyedRows<Key, Value>>
class HotMap {
  static constexpr bool kManyRows = requires { requires Rows::kMany; };
  using Slot = state_internal::Slot<Key, Value>;
  using SubTable = state_internal::SubTable<Slot>;
  using Sought = state_internal::SoughtKey<Key>;

 public:
  static constexpr bool kOwnsHeap = state_internal::kMayOwnHeap<Key, Value>;

  // Where a walk stands. Good as long as no key is added; erase() and find_to_change() are allowed during a walk.
  struct Cursor {
    std::uint32_t group = 0;
    std::uint32_t slot = 0;
  };

  // Made by the tables of this module, not by users. `context` and `blocks` outlive the map.
  HotMap(state_internal::RowContext& context, state_internal::BlockPool& blocks, const KeySpace& space, std::uint32_t first_group,
         std::uint32_t end_group, Rows rows = {})
      : context_(context), blocks_(blocks), groups_(space.groups), first_group_(first_group), rows_(std::move(rows)) {
    TIDEMARK_CHECK(first_group < end_group && end_group <= space.groups);
    tables_.assign(end_group - first_group, SubTable{SubTable::no_slots()});
    encode_at_.group = static_cast<std::uint32_t>(tables_.size());
  }
  HotMap(const HotMap&) = delete;
  HotMap& operator=(const HotMap&) = delete;
  ~HotMap() {
    for (SubTable& table : tables_) {
      if (table.limit != 0) table.destroy_all();
      if (table.limit != 0) blocks_.give(table.block(), SubTable::block_bytes(table.capacity()), false);
    }
  }

  // In all of these `hash` is hash_key(key) and lies in the map's key groups.

  // nullptr if there is none. Marks nothing.
  const Value* find(std::uint64_t hash, const Key& key) const {
    const auto [table, start] = start_of(hash);
    std::uint32_t slot = search(*table, start, hash, Same{*table, key});
    if (slot == kNone && table->is_incomplete()) slot = const_cast<HotMap*>(this)->load(*table, hash, key);
    if (slot == kNone || is_erased(*table, slot)) return nullptr;
    if (table->may_have(state_internal::kCold)) table->reset(state_internal::kCold, slot);
    return &table->slots[slot].cell.get();
  }

  // The value, default-constructed if there was none. Marks the entry dirty.
  Value& upsert(std::uint64_t hash, const Key& key) {
    const auto [table, start] = start_of(hash);
    std::uint32_t slot = search(*table, start, hash, Same{*table, key});
    if (slot == kNone && table->is_incomplete()) slot = load(*table, hash, key);
    if (slot != kNone) [[likely]] {
      touch(*table, slot);
    } else {
      slot = add(*table, hash, key);
    }
    return table->slots[slot].cell.get();
  }

  // nullptr if there is none; else marks the entry dirty.
  Value* find_to_change(std::uint64_t hash, const Key& key) {
    const auto [table, start] = start_of(hash);
    std::uint32_t slot = search(*table, start, hash, Same{*table, key});
    if (slot == kNone && table->is_incomplete()) slot = load(*table, hash, key);
    if (slot == kNone || is_erased(*table, slot)) return nullptr;
    touch(*table, slot);
    return &table->slots[slot].cell.get();
  }

  // true: there was an entry.
  bool erase(std::uint64_t hash, const Key& key) {
    const auto [table, start] = start_of(hash);
    std::uint32_t slot = search(*table, start, hash, Same{*table, key});
    if (slot == kNone && table->is_incomplete()) slot = load(*table, hash, key);
    if (slot == kNone || is_erased(*table, slot)) return false;
    erase_at(*table, slot);
    return true;
  }

  // Looks up in the store, together, those of the keys that are not here, so that the next accesses to them need not; does nothing for a
  // map that is complete. key_of(i) gives the key of hashes[i]. Throws JobFailure.
  template <class KeyOf>
  void fetch(const std::uint64_t* hashes, std::size_t n, KeyOf&& key_of) {
    if (incomplete_) fetch_missing(hashes, n, key_of);
  }

  // Asks the cache for the entry's lines: call it some tens of records ahead of the access. Does nothing for a map that fits into the
  // cache.
  void prefetch(std::uint64_t hash) const {
    if (size_ < kFitsIntoCache) return;
    const auto [table, start] = start_of(hash);
    __builtin_prefetch(table->slots + start, 1);
    __builtin_prefetch(&table->word_of(dirty_, start), 1);
  }

  // Of what is in memory.
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Calls f(hash, key, const value) for up to `max` entries in memory from the cursor on, in the order of the slots; true when all were
  // visited. The second: of the key groups before `end_group`, counted from the first one.
  template <class F>
  bool visit_some(Cursor& cursor, std::size_t max, F&& f) {
    return visit_some(cursor, static_cast<std::uint32_t>(tables_.size()), max, std::forward<F>(f));
  }
  template <class F>
  bool visit_some(Cursor& cursor, std::uint32_t end_group, std::size_t max, F&& f) {
    for (; cursor.group < end_group; ++cursor.group, cursor.slot = 0) {
      SubTable& table = tables_[cursor.group];
      if (table.live == 0) continue;
      const std::uint32_t capacity = table.capacity();
      for (; cursor.slot < capacity; ++cursor.slot) {
        Slot& slot = table.slots[cursor.slot];
        if (slot.meta <= state_internal::kDeadSlot || is_erased(table, cursor.slot)) continue;
        if (max == 0) return false;
        --max;
        f(slot.meta, std::as_const(slot.key), std::as_const(slot.cell.get()));
      }
    }
    return true;
  }

  // Of values that expire: lets go of what was written at or before `through` and is dead in the store as well, so that it takes no
  // tombstone. The first for one key, if it is in memory; the second for up to `max` slots from the cursor on, true when all were visited.
  void let_go(std::uint64_t hash, const Key& key, EventTime through) {
    const auto [table, start] = start_of(hash);
    const std::uint32_t slot = search(*table, start, hash, Same{*table, key});
    if (slot != kNone && !is_erased(*table, slot)) let_go_at(*table, slot, through);
  }
  bool let_go_some(Cursor& cursor, std::size_t max, EventTime through) {
    for (; cursor.group < tables_.size(); ++cursor.group, cursor.slot = 0) {
      SubTable& table = tables_[cursor.group];
      for (; table.live > 0 && cursor.slot < table.capacity(); ++cursor.slot) {
        if (max-- == 0) return false;
        if (table.slots[cursor.slot].meta > state_internal::kDeadSlot && !is_erased(table, cursor.slot)) {
          let_go_at(table, cursor.slot, through);
        }
      }
    }
    return true;
  }

  // The rest is for the components of this module.

  // The key that has this hash and for which match(key) holds; nullptr if there is none.
  template <class Match>
  const Key* find_key(std::uint64_t hash, Match match) const {
    const auto [table, start] = start_of(hash);
    const std::uint32_t slot = search(*table, start, hash, [table = table, &match](std::uint32_t candidate) {
      return !is_erased(*table, candidate) && match(std::as_const(table->slots[candidate].key));
    });
    return slot == kNone ? nullptr : &table->slots[slot].key;
  }

  // Whether there is an entry in memory, or the marker of an erased one.
  bool holds(std::uint64_t hash, const Key& key) const {
    const auto [table, start] = start_of(hash);
    return search(*table, start, hash, Same{*table, key}) != kNone;
  }

  // What is in memory of a key: null if nothing is, or a marker alone. No access: looks into no store, and keeps nothing from leaving.
  struct Held {
    const Value* value = nullptr;
    bool clean = false;
  };
  Held held(std::uint64_t hash, const Key& key) const {
    const auto [table, start] = start_of(hash);
    const std::uint32_t slot = search(*table, start, hash, Same{*table, key});
    if (slot == kNone || is_erased(*table, slot)) return {};
    return {&table->slots[slot].cell.get(), (table->clean_slots(slot / 64 * 64) >> (slot % 64) & 1) != 0};
  }

  // Adds a default-constructed value and marks it. false, and nothing marked: there is an entry. `maybe_stored`: the store may have a row
  // of it all the same, so that erasing it takes a tombstone.
  bool insert(std::uint64_t hash, const Key& key, bool maybe_stored = false) {
    const auto [table, start] = start_of(hash);
    const std::uint32_t slot = search(*table, start, hash, Same{*table, key});
    if (slot == kNone) {
      const std::uint32_t added = add(*table, hash, key);
      if (maybe_stored && context_.tracking) table->set(state_internal::kStored, added);
      return true;
    }
    if (!is_erased(*table, slot)) return false;
    touch(*table, slot);
    return true;
  }

  bool owns(std::uint64_t hash) const { return group_and_position(hash).group < tables_.size(); }

  // Takes an entry from the store: it is clean. The second leaves it to the caller to fill in the value, a new one if there was none.
  void restore(std::uint64_t hash, const Key& key, Value&& value) { restore(hash, key) = std::move(value); }
  Value& restore(std::uint64_t hash, const Key& key) {
    const auto [table, start] = start_of(hash);
    std::uint32_t slot = search(*table, start, hash, Same{*table, key});
    if (slot == kNone) slot = add(*table, hash, key);
    if (context_.tracking) {
      table->reset(dirty_, slot);
      table->set(state_internal::kStored, slot);
    }
    return table->slots[slot].cell.get();
  }

  // As restore(), unless there is an entry, or the marker of an erased one, which is newer. true: it was taken.
  bool restore_if_absent(std::uint64_t hash, const Key& key, Value&& value) {
    const auto [table, start] = start_of(hash);
    if (search(*table, start, hash, Same{*table, key}) != kNone) return false;
    restore(hash, key, std::move(value));
    return true;
  }

  // At a restore, instead of restore(): all entries are in the store alone. Precondition: the context has a cold tier.
  void leave_in_store() {
    TIDEMARK_CHECK(context_.cold != nullptr && empty());
    for (SubTable& table : tables_) table.make_incomplete();
    incomplete_ = true;
  }

  // As StateComponent::freeze(), encode_some() and settle(). `budget` is lowered by the entries encoded.
  void freeze() {
    dirty_ ^= 1u;
    encode_at_ = {};
  }
  bool may_have_frozen() const { return encode_at_.group < tables_.size(); }
  bool encode_some(std::size_t& budget) {
    for (; encode_at_.group < tables_.size(); ++encode_at_.group, encode_at_.slot = 0) {
      SubTable& table = tables_[encode_at_.group];
      if (!table.may_have(frozen())) continue;
      const std::uint32_t words = table.words();
      for (std::uint32_t word = encode_at_.slot / 64; word < words; ++word) {
        const std::uint64_t frozen_slots = table.word_of(frozen(), word * 64);
        if (frozen_slots == 0) continue;
        encode_at_.slot = word * 64;
        if (word + 1 < words) table.prefetch((word + 1) * 64, table.word_of(frozen(), (word + 1) * 64));
        std::uint64_t left = frozen_slots;
        for (; left != 0 && budget > 0; left &= left - 1) {
          hand_out(table, word * 64 + static_cast<std::uint32_t>(std::countr_zero(left)));
          budget = (kOwnsHeap || sizeof(Key) + sizeof(Value) > 256) && context_.rows->is_full() ? 0 : budget - 1;
        }
        table.take_off(frozen(), word * 64, frozen_slots & ~left);
        if (left != 0) return false;
      }
      table.forget(frozen());
    }
    return true;
  }
  void settle(bool completed) {
    TIDEMARK_CHECK(!completed || !may_have_frozen(), "a checkpoint completed before all its rows were taken");
    encode_at_.group = static_cast<std::uint32_t>(tables_.size());
    for (SubTable& table : tables_) {
      if (completed) {
        settle_completed(table);
      } else {
        table.mark_again(dirty_);
      }
    }
  }

  // Forgets everything, without tombstones, and keeps the memory for the next slice, which `rows` describes from then on.
  void recycle(Rows rows) {
    incomplete_ = false;
    absent_.clear();
    for (SubTable& table : tables_) {
      table.flags = 0;
      if (table.limit == 0) continue;
      table.destroy_all();
      // The next slice starts at this size; a much smaller one shrinks it.
      const int fitting = std::bit_width(table.live + table.live / 2);
      table.first_log = static_cast<std::uint8_t>(std::max(3, std::min(64 - table.shift, fitting + 1)));
      blocks_.give(table.block(), SubTable::block_bytes(table.capacity()), true);
      SubTable fresh{SubTable::no_slots()};
      fresh.first_log = table.first_log;
      table = fresh;
    }
    encode_at_.group = static_cast<std::uint32_t>(tables_.size());
    size_ = 0;
    heap_sample_ = {};
    rows_ = std::move(rows);
  }
  void set_rows(Rows rows) { rows_ = std::move(rows); }

  // With a cold tier: sub-tables give up half of their memory, one after the other, as far as their entries are clean and until enough()
  // answers true.
  template <class Enough>
  void shrink(Enough enough) {
    if (context_.cold == nullptr) return;
    for (std::size_t looked_at = 0; looked_at < tables_.size() && !enough(); ++looked_at) {
      shrink_at_ = (shrink_at_ + 1) % tables_.size();
      SubTable& table = tables_[shrink_at_];
      if (table.limit == 0) continue;
      std::uint32_t most = SubTable::dense_limit_of(std::max(table.capacity() / 2, 8u)) / 4 * 3 - 1;
      if constexpr (kOwnsHeap) most = std::min(most, (table.live + table.erased) / 2);   // a few may hold much
      evict(table, most);
      if (next_capacity(table) < table.capacity()) rehash(table);
    }
  }

  // With a cold tier beyond the map: takes out the clean entries for whose keys leaves(key) is true, and gives memory back.
  template <class Leaves>
  void drop_clean_if(Leaves leaves) {
    for (SubTable& table : tables_) {
      if (table.live == 0) continue;
      for (std::uint32_t first = 0; first < table.capacity(); first += 64) {
        for (std::uint64_t clean = table.clean_slots(first); clean != 0; clean &= clean - 1) {
          const std::uint32_t slot = first + static_cast<std::uint32_t>(std::countr_zero(clean));
          if (leaves(std::as_const(table.slots[slot].key))) drop(table, slot);
        }
      }
      if (next_capacity(table) < table.capacity()) rehash(table);
    }
  }

  // Whether the store may hold rows of a key group, counted from the first one, whose entries are not here; of any group.
  bool is_incomplete(std::uint32_t group) const { return tables_[group].is_incomplete(); }
  bool is_incomplete() const { return incomplete_; }

  // Without a cold tier: forgets the sub-tables whose entries are all clean, gives their memory back, and calls dropped(group), counted
  // from the first one, for each.
  template <class Dropped>
  void drop_clean(Dropped dropped) {
    for (std::uint32_t group = 0; group < tables_.size(); ++group) {
      SubTable& table = tables_[group];
      using namespace state_internal;
      if (table.live == 0 || table.erased != 0) continue;
      if (table.may_have(kMarkedA) || table.may_have(kMarkedB) || table.may_have(kInFlight)) continue;
      size_ -= table.live;
      if (table.limit != 0) table.destroy_all();
      blocks_.give(table.block(), SubTable::block_bytes(table.capacity()), false);
      SubTable fresh{SubTable::no_slots()};
      // Half of what it had grown to: as large as that at once would spend the memory before there is anything in it.
      fresh.first_log = static_cast<std::uint8_t>(std::max(3, 63 - table.shift));
      table = fresh;
      dropped(group);
    }
  }

  // What keys and values own on the heap, reckoned from those that were looked at or read last; the second looks at up to `max` more.
  std::size_t heap_bytes() const { return heap_sample_.of(size_); }
  void sample_heap(std::size_t max) {
    const auto take = [this](std::uint64_t, const Key& key, const Value& value) { heap_sample_.take(key, value); };
    if (kOwnsHeap && visit_some(sample_at_, max, take)) sample_at_ = {};
  }
  std::size_t overhead_bytes() const { return sizeof *this + tables_.capacity() * sizeof(SubTable); }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  static constexpr std::size_t kFitsIntoCache = 4096;

  struct Same {
    const SubTable& table;
    const Key& key;
    bool operator()(std::uint32_t slot) const { return state_internal::same_key(key, table.slots[slot].key); }
  };
  struct Position {
    std::uint64_t group;
    std::uint64_t within;   // of 2^64
  };
  struct Start {
    SubTable* table;
    std::uint32_t slot;
  };

  Position group_and_position(std::uint64_t hash) const {
    __extension__ typedef unsigned __int128 Wide;
    const Wide product = static_cast<Wide>(state_internal::meta_of(hash)) * groups_;
    return {static_cast<std::uint64_t>(product >> 64) - first_group_, static_cast<std::uint64_t>(product)};
  }
  // The table and slot at which the search for a hash begins. The table is mutable also in a const map: marking is not a change of content.
  Start start_of(std::uint64_t hash) const {
    const Position position = group_and_position(hash);
    TIDEMARK_CHECK(position.group < tables_.size(), "a key of another task");
    SubTable* table = const_cast<SubTable*>(tables_.data()) + position.group;
    return {table, static_cast<std::uint32_t>(position.within >> table->shift)};
  }
  template <class Match>
  std::uint32_t search(const SubTable& table, std::uint32_t slot, std::uint64_t hash, const Match& match) const {
    const std::uint64_t meta = state_internal::meta_of(hash);
    const std::uint32_t mask = table.mask();
    for (;; slot = (slot + 1) & mask) {
      const std::uint64_t candidate = table.slots[slot].meta;
      if (candidate == meta && match(slot)) return slot;
      if (candidate == state_internal::kEmptySlot) return kNone;
    }
  }

  std::uint32_t frozen() const { return dirty_ ^ 1u; }
  static bool is_erased(const SubTable& table, std::uint32_t slot) {
    return table.erased != 0 && table.test(state_internal::kErased, slot);
  }

  void touch(SubTable& table, std::uint32_t slot) {
    if (!context_.tracking) return;
    if (table.erased == 0 && table.test(dirty_, slot)) [[likely]] return;
    touch_clean(table, slot);
  }
  [[gnu::noinline]] void touch_clean(SubTable& table, std::uint32_t slot) {
    encode_if_frozen(table, slot);
    table.set(dirty_, slot);
    if (!is_erased(table, slot)) return;
    table.reset(state_internal::kErased, slot);
    --table.erased;
    ++table.live;
    ++size_;
  }
  void encode_if_frozen(SubTable& table, std::uint32_t slot) {
    if (planted(core_internal::Bug::kP17) || !table.may_have(frozen()) || !table.test(frozen(), slot)) return;
    core_internal::sometimes(core_internal::Situation::kFrozenEntryWritten);
    hand_out(table, slot);
    table.take_off(frozen(), slot, std::uint64_t{1} << (slot % 64));
  }
  // The row of a frozen entry.
  void hand_out(SubTable& table, std::uint32_t slot) {
    Slot& entry = table.slots[slot];
    const bool erased = is_erased(table, slot);
    if (!erased || !planted(core_internal::Bug::kP20)) rows_.encode(context_, entry.meta, entry.key, entry.cell.get(), erased);
  }

  [[gnu::noinline]] std::uint32_t add(SubTable& table, std::uint64_t hash, const Key& key) {
    if (table.used >= table.limit) make_room(table);
    auto slot = static_cast<std::uint32_t>(group_and_position(hash).within >> table.shift);
    while (table.slots[slot].meta > state_internal::kDeadSlot) slot = (slot + 1) & table.mask();
    Slot& entry = table.slots[slot];
    std::construct_at(&entry.key, key);
    std::construct_at(&entry.cell.get());
    if (entry.meta == state_internal::kEmptySlot) ++table.used;
    entry.meta = state_internal::meta_of(hash);
    ++table.live;
    ++size_;
    if (context_.tracking) table.set(dirty_, slot);
    return slot;
  }

  void erase_at(SubTable& table, std::uint32_t slot) {
    --table.live;
    --size_;
    if (!context_.tracking) return vacate(table, slot);
    encode_if_frozen(table, slot);
    if (!table.test(state_internal::kStored, slot)) return vacate(table, slot);
    if constexpr (kManyRows) {
      rows_.erase(table.slots[slot].cell.get());
    } else {
      std::destroy_at(&table.slots[slot].cell.get());
      std::construct_at(&table.slots[slot].cell.get());
    }
    leave_marker(table, slot);
  }
  void leave_marker(SubTable& table, std::uint32_t slot) {
    ++table.erased;
    table.set(state_internal::kErased, slot);
    table.set(dirty_, slot);
  }
  void let_go_at(SubTable& table, std::uint32_t slot, EventTime through) {
    Value& value = table.slots[slot].cell.get();
    if (!value.may_be_dead(through)) return;
    encode_if_frozen(table, slot);
    bool marker = false;
    if constexpr (kManyRows) {
      const bool marked = rows_.let_go(value, through);
      if (value.live() > 0) return marked ? touch(table, slot) : void();
      marker = rows_.has_due_markers(value);
    } else if (context_.tracking && (table.test(dirty_, slot) || table.test(state_internal::kInFlight, slot))) {
      return erase_at(table, slot);   // a row that was given out before may be younger than this one, since keys begin anew
    }
    --table.live;
    --size_;
    if (marker) return leave_marker(table, slot);
    if (context_.tracking) table.reset(state_internal::kInFlight, slot);
    vacate(table, slot);
  }
  // Frees a slot that no row is due for.
  void vacate(SubTable& table, std::uint32_t slot) {
    table.destroy(slot);
    if (context_.tracking) {
      table.reset(dirty_, slot);
      table.reset(state_internal::kStored, slot);
    }
    table.slots[slot].meta = state_internal::kDeadSlot;
    const std::uint32_t mask = table.mask();
    if (table.slots[(slot + 1) & mask].meta != state_internal::kEmptySlot) return;
    // No search has to pass here: this slot and the dead ones before it become empty.
    for (; table.slots[slot].meta == state_internal::kDeadSlot; slot = (slot - 1) & mask) {
      table.slots[slot].meta = state_internal::kEmptySlot;
      --table.used;
    }
  }

  // Of a block with room for one entry more than there are, and then a third more.
  std::uint32_t next_capacity(const SubTable& table) const {
    const std::uint32_t needed = table.live + table.erased + 1;
    std::uint32_t capacity = table.limit == 0 ? 1u << table.first_log : 8;
    const std::uint32_t spare = table.is_incomplete() ? needed / 8 : needed / 3;
    while (table.limit_for(capacity) < needed + spare) capacity *= 2;
    return capacity;
  }
  // Where the budget does not allow a larger block, this one is filled more densely, and then clean entries leave.
  void make_room(SubTable& table) {
    if (context_.cold != nullptr && table.limit != 0) {
      const std::uint32_t capacity = next_capacity(table);
      if (capacity > table.capacity() && !blocks_.may_take(SubTable::block_bytes(capacity))) {
        const std::uint32_t dense = SubTable::dense_limit_of(table.capacity());
        if (table.limit < dense) {
          table.limit = dense;
          return;
        }
        evict(table, dense - dense / 8 - 1);
        if (next_capacity(table) > table.capacity()) blocks_.press();
      }
    }
    rehash(table);
  }
  // Takes clean entries out until `most` entries and markers are left, or none may go. The hand of a clock takes who was not touched since.
  void evict(SubTable& table, std::uint32_t most) {
    using namespace state_internal;
    const std::uint32_t words = table.words();
    for (std::uint32_t looked_at = 0; looked_at < 2 * words && table.live + table.erased > most; ++looked_at) {
      if (table.hand >= words) table.hand = 0;
      const std::uint32_t first = table.hand++ * 64;
      const std::uint64_t clean = table.clean_slots(first);
      core_internal::sometimes(core_internal::Situation::kDirtyEntryWantedOut, (table.word_of(kStored, first) & ~clean) != 0);
      std::uint64_t leaving = clean & table.word_of(kCold, first);
      table.word_of(kCold, first) = clean & ~leaving;
      for (; leaving != 0; leaving &= leaving - 1) drop(table, first + static_cast<std::uint32_t>(std::countr_zero(leaving)));
    }
    table.flags = static_cast<std::uint8_t>(table.flags | 1u << kCold);
    table.make_incomplete();
    incomplete_ = true;
    absent_.clear();
  }

  // Of an entry that is clean.
  void drop(SubTable& table, std::uint32_t slot) {
    table.destroy(slot);
    table.slots[slot].meta = state_internal::kDeadSlot;
    table.reset(state_internal::kStored, slot);
    --table.live;
    --size_;
  }

  // Brings in one entry from the store: its slot, or kNone.
  [[gnu::noinline]] std::uint32_t load(SubTable& table, std::uint64_t hash, const Key& key) {
    const auto [known, end] = std::equal_range(absent_.begin(), absent_.end(), hash, state_internal::ByHash{});
    if (std::any_of(known, end, [&key](const Sought& absent) { return state_internal::same_key(absent.key, key); })) return kNone;
    std::vector<Sought> sought{{hash, key, false}};
    read(sought);
    return sought.front().found ? search(table, start_of(hash).slot, hash, Same{table, key}) : kNone;
  }
  template <class KeyOf>
  [[gnu::noinline]] void fetch_missing(const std::uint64_t* hashes, std::size_t n, KeyOf& key_of) {
    absent_.clear();
    for (std::size_t i = 0; i < n; ++i) {
      const auto [table, start] = start_of(hashes[i]);
      if (!table->is_incomplete()) continue;
      const Key& key = key_of(i);   // a value lives as long as the reference
      if (search(*table, start, hashes[i], Same{*table, key}) == kNone) absent_.push_back({hashes[i], key, false});
    }
    if (absent_.empty()) return;
    std::sort(absent_.begin(), absent_.end(), [](const Sought& a, const Sought& b) { return a.hash < b.hash; });
    absent_.erase(std::unique(absent_.begin(), absent_.end(),
                              [](const Sought& a, const Sought& b) { return a.hash == b.hash && state_internal::same_key(a.key, b.key); }),
                  absent_.end());
    // Not absent_ itself: bringing in may drive others out, which forgets who is known to be absent.
    std::vector<Sought> sought = std::move(absent_);
    absent_.clear();
    read(sought);
    std::erase_if(sought, [](const Sought& each) { return each.found; });
    absent_ = std::move(sought);
  }
  // Brings in what the store has, all in one look.
  void read(std::vector<Sought>& sought) {
    state_internal::ColdFetch& fetch = *context_.cold;
    fetch.begin();
    for (const Sought& each : sought) {
      append_u16_big_endian(fetch.key_buffer(), context_.id);
      rows_.append_key(fetch.key_buffer(), state_internal::meta_of(each.hash), each.key);
      fetch.end_key();
    }
    if constexpr (kManyRows) {
      std::vector<Value> values(sought.size());
      fetch.read_prefixes([&](std::size_t index, ByteView rest, ByteView row) { return rows_.take_row(rest, row, values[index]); });
      for (std::size_t i = 0; i < sought.size(); ++i) {
        sought[i].found = values[i].live() > 0;
        if (sought[i].found) bring_in(sought[i], std::move(values[i]));
      }
    } else {
      fetch.read([&](std::size_t index, ByteView row) {
        Value value{};
        sought[index].found = rows_.take_value(row, value);
        if (sought[index].found) bring_in(sought[index], std::move(value));
        return sought[index].found;
      });
    }
  }
  void bring_in(const Sought& sought, Value&& value) {
    heap_sample_.take(sought.key, value);
    restore(sought.hash, sought.key, std::move(value));
  }

  // A block without dead slots.
  void rehash(SubTable& table) {
    const std::uint32_t capacity = next_capacity(table);
    SubTable fresh = table;
    fresh.hand = 0;
    fresh.shift = static_cast<std::uint8_t>(64 - std::countr_zero(capacity));
    fresh.slots = reinterpret_cast<Slot*>(static_cast<std::byte*>(blocks_.take(SubTable::block_bytes(capacity))) +
                                          SubTable::bytes_before_slots(capacity));
    fresh.limit = table.limit_for(capacity);
    fresh.used = table.live + table.erased;
    for (std::uint32_t slot = 0; slot < capacity; ++slot) fresh.slots[slot].meta = state_internal::kEmptySlot;
    if (context_.tracking) fresh.clear_planes();
    if (table.limit != 0) {
      for (std::uint32_t slot = 0; slot < table.capacity(); ++slot) {
        if (table.slots[slot].meta > state_internal::kDeadSlot) move_entry(table, slot, fresh);
      }
      blocks_.give(table.block(), SubTable::block_bytes(table.capacity()), false);
    }
    if (encode_at_.group == static_cast<std::uint32_t>(&table - tables_.data())) encode_at_.slot = 0;
    table = fresh;
  }
  void move_entry(SubTable& from, std::uint32_t slot, SubTable& to) {
    Slot& source = from.slots[slot];
    const std::uint32_t mask = to.mask();
    auto place = static_cast<std::uint32_t>(group_and_position(source.meta).within >> to.shift);
    while (to.slots[place].meta != state_internal::kEmptySlot) place = (place + 1) & mask;
    Slot& target = to.slots[place];
    target.meta = source.meta;
    std::construct_at(&target.key, std::move(source.key));
    std::construct_at(&target.cell.get(), std::move(source.cell.get()));
    from.destroy(slot);
    if (!context_.tracking) return;
    for (std::uint32_t plane = 0; plane < state_internal::kPlanes; ++plane) {
      if (from.test(plane, slot)) to.set(plane, place);
    }
  }

  void settle_completed(SubTable& table) {
    if (!table.may_have(state_internal::kInFlight)) return;
    for (std::uint32_t first = 0; first < table.capacity(); first += 64) {
      std::uint64_t& in_flight = table.word_of(state_internal::kInFlight, first);
      // Markers whose tombstone is now in the store, and that were not written since.
      std::uint64_t gone = in_flight & table.word_of(state_internal::kErased, first) & ~table.word_of(dirty_, first);
      for (; gone != 0; gone &= gone - 1) {
        const std::uint32_t slot = first + static_cast<std::uint32_t>(std::countr_zero(gone));
        table.reset(state_internal::kErased, slot);
        --table.erased;
        vacate(table, slot);
      }
      in_flight = 0;
    }
    table.forget(state_internal::kInFlight);
  }
  state_internal::RowContext& context_;
  state_internal::BlockPool& blocks_;
  std::vector<SubTable> tables_;
  std::uint64_t groups_;
  std::uint64_t first_group_;
  std::uint32_t dirty_ = state_internal::kMarkedA;   // the plane that marks now; the other one is frozen
  Cursor encode_at_;                                  // what is before it holds nothing frozen
  std::size_t size_ = 0;
  std::size_t shrink_at_ = 0;                         // the sub-table that gave up memory last
  bool incomplete_ = false;                           // a sub-table is
  state_internal::HeapSample heap_sample_;
  Cursor sample_at_;
  std::vector<Sought> absent_;                        // keys that are neither here nor in the store, by hash: those of the last fetch()
  Rows rows_;
};

}  // namespace v0
}  // namespace tidemark

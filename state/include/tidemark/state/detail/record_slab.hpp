#pragma once
// Where the records of a time buffer lie: recycled places in chunks, with the life of each in bitmaps.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <tidemark/core/check.hpp>
#include <tidemark/state/detail/heap_sample.hpp>
#include <tidemark/state/detail/row_context.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

template <class Key, class T>
struct BufferedRecord {
  EventTime time{};
  std::uint64_t hash = 0;
  Key key{};
  T value{};
};

// A record is written once and never changed, so it is dirty until its first checkpoint. Its number makes its row unique, and tells whether
// a row that is read from the store is of a record that is still here. Numbers grow from record to record and, at a freeze, to the first
// one of the checkpoint: no row in checkpoint n has one at or above first_number_after(n).
template <class Key, class T>
class RecordSlab {
 public:
  using Record = BufferedRecord<Key, T>;

  Record& entry(std::uint32_t place) { return chunks_[place / kChunk]->nodes[place % kChunk].record; }

  std::uint32_t add(const RowContext& context, Record&& record) {
    if (next_number_ % kSampled == 0) heap_sample_.take(record.key, record.value);
    const std::uint32_t place = take_place(std::move(record), next_number_++);
    if (context.tracking) set(dirty_, place);
    return place;
  }
  std::uint32_t restore(const RowContext& context, Record&& record, std::uint64_t number) {
    next_number_ = std::max(next_number_, number + 1);
    settled_below_ = std::max(settled_below_, number + 1);
    heap_sample_.take(record.key, record.value);
    const std::uint32_t place = take_place(std::move(record), number);
    if (context.tracking) set(kStored, place);
    return place;
  }

  // At a restore, instead of restore(): all records are in the store alone.
  void leave_in_store(std::uint64_t checkpoint) { next_number_ = settled_below_ = left_below_ = first_number_after(checkpoint); }
  // Clean records leave from now on, by leave(): all whose rows lie where has_left() is asked for.
  void begin_leaving() { left_below_ = settled_below_; }
  bool is_clean(std::uint32_t place) const { return node_of(place).number < settled_below_; }
  void leave(std::uint32_t place) {
    free_.push_back(place);
    node_of(place).record = {};
    clear_planes(place);
  }
  // Of a row where records may have left.
  bool has_left(std::uint64_t number) const { return number < left_below_; }
  // Gives back chunks that are not needed. each(move) calls move(place) for the places of all records, which may change.
  template <class Each>
  void compact(Each each) {
    const std::size_t records = chunks_.size() * kChunk - free_.size();
    const std::size_t needed = (records + kChunk - 1) / kChunk;
    if (needed == chunks_.size()) return;
    std::erase_if(free_, [&](std::uint32_t place) { return place >= needed * kChunk; });
    each([&](std::uint32_t& place) {
      if (place < needed * kChunk) return;
      const std::uint32_t to = free_.back();
      free_.pop_back();
      node_of(to) = std::move(node_of(place));
      for (std::uint32_t plane = 0; plane < kPlanes; ++plane) {
        if (test(plane, place)) set(plane, to);
      }
      place = to;
    });
    chunks_.resize(needed);
    free_.shrink_to_fit();
    encode_at_ = encode_at_ == encode_end_ ? needed : 0;
    encode_end_ = needed;
  }

  void remove(RowContext& context, std::uint32_t place) {
    free_.push_back(place);
    Node& node = node_of(place);
    if (context.tracking) {
      if (test(dirty_ ^ 1u, place)) encode(context, place);
      if (test(kStored, place)) tombstones_.push_back({node.record.time, node.record.hash, node.record.key, node.number});
      clear_planes(place);
    }
    if constexpr (kMayOwnHeap<Key, T>) node.record = {};   // what is not charged any more is not held
  }
  // Rows through this time are dead without.
  void forget_tombstones(EventTime through) {
    if (tombstones_.empty()) return;
    std::erase_if(tombstones_, [through](const Tombstone& tombstone) { return tombstone.time <= through; });
  }

  void freeze(std::uint64_t checkpoint) {
    TIDEMARK_CHECK(checkpoint == 0 || next_number_ <= first_number_after(checkpoint), "too many records in one checkpoint");
    next_number_ = std::max(next_number_, first_number_after(checkpoint));
    frozen_below_ = next_number_;
    dirty_ ^= 1u;
    encode_at_ = 0;
    encode_end_ = chunks_.size();   // chunks made later hold nothing frozen
    frozen_tombstones_.swap(tombstones_);
  }
  bool encode_some(RowContext& context, std::size_t budget) {
    for (; tombstones_encoded_ < frozen_tombstones_.size(); ++tombstones_encoded_) {
      if (budget == 0) return false;
      const Tombstone& tombstone = frozen_tombstones_[tombstones_encoded_];
      context.rows->erase(row_key(context, tombstone.time, tombstone.hash, tombstone.key, tombstone.number));
      budget = context.rows->is_full() ? 0 : budget - 1;
    }
    for (; encode_at_ < encode_end_; ++encode_at_) {
      const Plane& frozen = chunks_[encode_at_]->planes[dirty_ ^ 1u];
      for (std::uint32_t word = 0; word < kWords; ++word) {
        while (frozen[word] != 0) {
          if (budget == 0) return false;
          encode(context, static_cast<std::uint32_t>(encode_at_ * kChunk) + word * 64 +
                              static_cast<std::uint32_t>(std::countr_zero(frozen[word])));
          budget = context.rows->is_full() ? 0 : budget - 1;
        }
      }
    }
    return true;
  }
  void settle(bool completed, EventTime dropped_through) {
    TIDEMARK_CHECK(!completed || (encode_at_ == encode_end_ && tombstones_encoded_ == frozen_tombstones_.size()),
                   "a checkpoint completed before all its rows were taken");
    for (auto& chunk : chunks_) {
      for (std::uint32_t word = 0; word < kWords; ++word) {
        if (!completed) chunk->planes[dirty_][word] |= chunk->planes[kInFlight][word] | chunk->planes[dirty_ ^ 1u][word];
        chunk->planes[kInFlight][word] = chunk->planes[dirty_ ^ 1u][word] = 0;
      }
    }
    if (completed) {
      settled_below_ = frozen_below_;
    } else {
      tombstones_.insert(tombstones_.end(), std::make_move_iterator(frozen_tombstones_.begin()),
                         std::make_move_iterator(frozen_tombstones_.end()));
      forget_tombstones(dropped_through);
    }
    frozen_tombstones_.clear();
    tombstones_encoded_ = 0;
  }

  std::size_t bytes() const {
    return chunks_.size() * sizeof(Chunk) + free_.capacity() * sizeof(std::uint32_t) +
           (tombstones_.capacity() + frozen_tombstones_.capacity()) * sizeof(Tombstone);
  }
  // What the keys and values of so many records own on the heap, reckoned from those that were added or read last.
  std::size_t heap_bytes(std::size_t records) const { return heap_sample_.of(records); }

 private:
  static constexpr std::uint32_t kChunk = 256;
  static constexpr std::uint32_t kWords = kChunk / 64;
  static constexpr std::uint64_t kSampled = 8;   // one of so many is looked at
  // The first two are dirty and frozen, and change places at a freeze.
  enum : std::uint32_t { kInFlight = 2, kStored = 3, kPlanes = 4 };
  using Plane = std::array<std::uint64_t, kWords>;

  struct Node {
    Record record;
    std::uint64_t number = 0;
  };
  struct Chunk {
    std::array<Node, kChunk> nodes;
    std::array<Plane, kPlanes> planes{};
  };
  struct Tombstone {
    EventTime time;
    std::uint64_t hash;
    Key key;
    std::uint64_t number;
  };

  // More records in one checkpoint than any task can take in between two, and more checkpoints than any job can make.
  static std::uint64_t first_number_after(std::uint64_t checkpoint) { return checkpoint << 36; }

  Node& node_of(std::uint32_t place) { return chunks_[place / kChunk]->nodes[place % kChunk]; }
  const Node& node_of(std::uint32_t place) const { return chunks_[place / kChunk]->nodes[place % kChunk]; }
  bool test(std::uint32_t plane, std::uint32_t place) const {
    return (chunks_[place / kChunk]->planes[plane][place % kChunk / 64] >> (place % 64) & 1) != 0;
  }
  void set(std::uint32_t plane, std::uint32_t place) {
    chunks_[place / kChunk]->planes[plane][place % kChunk / 64] |= std::uint64_t{1} << (place % 64);
  }
  void reset(std::uint32_t plane, std::uint32_t place) {
    chunks_[place / kChunk]->planes[plane][place % kChunk / 64] &= ~(std::uint64_t{1} << (place % 64));
  }

  void clear_planes(std::uint32_t place) {
    for (auto& plane : chunks_[place / kChunk]->planes) plane[place % kChunk / 64] &= ~(std::uint64_t{1} << (place % 64));
  }

  std::uint32_t take_place(Record&& record, std::uint64_t number) {
    if (free_.empty()) add_chunk();
    const std::uint32_t place = free_.back();
    free_.pop_back();
    Node& node = node_of(place);
    node.record = std::move(record);
    node.number = number;
    return place;
  }
  void add_chunk() {
    const auto first = static_cast<std::uint32_t>(chunks_.size() * kChunk);
    chunks_.push_back(std::make_unique<Chunk>());
    for (std::uint32_t i = kChunk; i > 0; --i) free_.push_back(first + i - 1);   // the lowest is taken first
  }

  static const Bytes& row_key(RowContext& context, EventTime time, std::uint64_t hash, const Key& key, std::uint64_t number) {
    Bytes& row = context.begin_key();
    append_time_big_endian(row, time);
    append_row_key(row, hash, key);
    append_u64_big_endian(row, number);
    return row;
  }
  void encode(RowContext& context, std::uint32_t place) {
    const Node& node = node_of(place);
    context.value.clear();
    Codec<T>::encode(node.record.value, context.value);
    context.rows->put(row_key(context, node.record.time, node.record.hash, node.record.key, node.number), context.value);
    reset(dirty_ ^ 1u, place);
    set(kInFlight, place);
    set(kStored, place);
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<std::uint32_t> free_;
  std::uint64_t next_number_ = 0;
  std::uint64_t frozen_below_ = 0;               // numbers that the last freeze knew
  std::uint64_t settled_below_ = 0;              // numbers of clean records, those of the last completed checkpoint
  std::uint64_t left_below_ = 0;                 // what they were when records last left
  HeapSample heap_sample_;
  std::uint32_t dirty_ = 0;
  std::size_t encode_at_ = 0;                    // chunk
  std::size_t encode_end_ = 0;
  std::vector<Tombstone> tombstones_;            // due at the next freeze
  std::vector<Tombstone> frozen_tombstones_;     // of the checkpoint under way
  std::size_t tombstones_encoded_ = 0;
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// Records that wait for the watermark (P3).

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include <tidemark/core/check.hpp>
#include <tidemark/state/component.hpp>
#include <tidemark/state/detail/horizon.hpp>
#include <tidemark/state/detail/record_slab.hpp>
#include <tidemark/state/detail/same_key.hpp>
#include <tidemark/state/detail/time_ladder.hpp>

namespace tidemark {
inline namespace v0 {

// The Order of a buffer whose user gave no then_by: ties are broken by encoded bytes alone.
struct ByBytesAlone {
  template <class T>
  bool operator()(const T&, const T&) const {
    return false;
  }
};

// Order: bool operator()(const T& a, const T& b), the user's then_by. Records come out by (time, hash, encoded key, Order, encoded value).
//
// What was released needs no tombstones: front(through) declares all buckets before the record that it returns dead, or all through
// `through` if it returns none. Hence a record at or before such a time must not be added any more: it is late, and the operator judges
// that first.
//
// Records whose time is far may be in the store alone, after a restore or for want of memory; they are read when they are about to be due.
template <class Key, class T, class Order = ByBytesAlone>
class TimeBuffer final : public StateComponent {
  using Slab = state_internal::RecordSlab<Key, T>;

 public:
  using Entry = state_internal::BufferedRecord<Key, T>;   // {time, hash, key, value}

  // Made by StateBackend::time_buffer().
  TimeBuffer(std::string name, Order order, const KeySpace& space, std::uint32_t first_group, std::uint32_t end_group)
      : StateComponent({.name = std::move(name),
                        .kind = "buffer",
                        .key = Codec<Key>::schema(),
                        .value = Codec<T>::schema(),
                        .parameters = {},
                        .timed = true,
                        .reads = state_internal::schema_reader<T>()}),
        space_(space),
        first_group_(first_group),
        end_group_(end_group),
        order_(std::move(order)),
        ladder_(Less{this}) {
    core_internal::require_key<Key>();
    core_internal::require_storable<T>();
  }

  // Precondition: time > dropped_through().
  void add(EventTime time, std::uint64_t hash, const Key& key, T&& value) {
    TIDEMARK_CHECK(time > dropped_through_, "a record at " + to_string(time) + " came too late for " + schema().name);
    push(time, hash, slab_.add(context_, {time, hash, key, std::move(value)}));
  }

  // The least record, if its time is at or before `through`; else nullptr. Good until the next call of add, pop_front or shrink. Not to be
  // moved from: pop_front() may have to encode it for the checkpoint under way. Throws JobFailure if the store cannot be read.
  Entry* front(EventTime through) {
    const Waiting* least = ladder_.front(through);
    if (least == nullptr || horizon_.is_beyond({least->time, least->hash})) [[unlikely]] {
      least = read_until_due(through);
      if (least == nullptr) return nullptr;
    }
    // All before this record were released.
    if (least->time != kMinusInfinity) raise_dropped_through(least->time - Duration{1});
    return &slab_.entry(least->place);
  }
  // Removes what front() returned, and which no other call came after. Precondition: it was not nullptr.
  void pop_front() {
    const Waiting least = *ladder_.front(kPlusInfinity);
    ladder_.pop();
    if (const Waiting* later = ladder_.ahead(kAhead)) __builtin_prefetch(&slab_.entry(later->place), 1);
    slab_.remove(context_, least.place);
  }
  // In memory.
  std::size_t size() const { return ladder_.size(); }

  void attach(ColdRows* cold, MemoryBudget* budget) override {
    if (cold != nullptr) cold_ = std::make_unique<state_internal::ColdFetch>(*cold, schema().name);
    charge_to(budget);
  }
  bool restores_lazily(std::span<const EventTime>) override {
    if (cold_ == nullptr) return false;
    TIDEMARK_CHECK(context_.checkpoint > 0, "state " + schema().name);
    slab_.leave_in_store(context_.checkpoint);
    horizon_.lower({});
    return true;
  }
  void shrink(bool to_the_least) override {
    if (cold_ == nullptr) return;
    // Rows of the time that is being released may be of records that were.
    const RowPosition released = state_internal::end_of(saturating_add(dropped_through_, Duration{1}));
    state_internal::leave_from_the_end(
        ladder_, [&](const RowPosition& last) { leave_behind(std::max(last, released)); },
        [&, steps = 0]() mutable {
          charge();
          return to_the_least ? steps++ > 0 : !account_.spent();
        });
  }

  void freeze(RowSink& rows) override {
    begin_freeze(rows);
    slab_.freeze(context_.checkpoint);
  }
  bool encode_some(std::size_t max_rows) override { return slab_.encode_some(context_, max_rows); }
  void settle(bool completed) override {
    slab_.settle(completed, dropped_through_);
    charge();
    end_settle();
  }
  void follow_growth(bool) override { charge_records(); }
  Status restore_row(ByteView key_after_state_id, ByteView value) override {
    Entry entry{};
    std::uint64_t number = 0;
    if (!take_row(key_after_state_id, value, entry, number)) return malformed_row();
    if (entry.time <= dropped_through_) return {};
    if (!owns(entry.hash)) return foreign_row(entry.hash);
    bring_in(std::move(entry), number);
    return {};
  }

  EventTime dropped_through() const override { return dropped_through_; }
  void set_dropped_through(EventTime time) override { dropped_through_ = time; }
  std::size_t entries() const override { return ladder_.size(); }
  std::size_t bytes() const override { return slab_.bytes() + ladder_.bytes(); }

 private:
  using RowPosition = state_internal::RowPosition;
  using Taken = state_internal::Horizon::Taken;

  static constexpr std::size_t kAhead = 8;   // records fetched before their turn
  static constexpr std::size_t kChargedTogether = 4096;

  struct Waiting {
    EventTime time;
    std::uint64_t hash;
    std::uint32_t place;   // in the slab
  };
  struct Less {
    TimeBuffer* buffer;
    bool operator()(const Waiting& a, const Waiting& b) const {
      if (a.time != b.time) return a.time < b.time;
      if (a.hash != b.hash) return a.hash < b.hash;
      return buffer->before(buffer->slab_.entry(a.place), buffer->slab_.entry(b.place));
    }
  };

  void charge_to(MemoryBudget* budget) override { account_.attach(budget); }
  [[gnu::noinline]] void charge() {
    ladder_bytes_ = ladder_.bytes();
    charge_at_ = ladder_.size() + kChargedTogether;
    charge_records();
  }
  void charge_records() { account_.set(slab_.bytes() + slab_.heap_bytes(ladder_.size()) + ladder_bytes_); }
  void push(EventTime time, std::uint64_t hash, std::uint32_t place) {
    ladder_.push({time, hash, place});
    if (ladder_.size() >= charge_at_) [[unlikely]] charge();
  }

  static bool take_row(ByteView key, ByteView value, Entry& entry, std::uint64_t& number) {
    return take_time_big_endian(key, entry.time) && state_internal::take_row_key(key, entry.hash, entry.key) &&
           take_u64_big_endian(key, number) && key.empty() && decode_whole(value, entry.value);
  }
  bool owns(std::uint64_t hash) const {
    const std::uint32_t group = space_.group_of(hash);
    return group >= first_group_ && group < end_group_;
  }
  void bring_in(Entry&& entry, std::uint64_t number) {
    const EventTime time = entry.time;
    const std::uint64_t hash = entry.hash;
    push(time, hash, slab_.restore(context_, std::move(entry), number));
  }
  // As front(), where the store may have records that are due.
  [[gnu::noinline]] const Waiting* read_until_due(EventTime through) {
    while (!horizon_.covers(through)) {
      read_more();
      const Waiting* least = ladder_.front(through);
      if (least != nullptr && !horizon_.is_beyond({least->time, least->hash})) return least;
    }
    const Waiting* least = ladder_.front(through);
    if (least == nullptr) raise_dropped_through(through);
    return least;
  }
  void read_more() {
    horizon_.raise(state_internal::end_of(dropped_through_));
    if (horizon_.covers(kPlusInfinity)) return;
    horizon_.read_more(*cold_, id(), [this](const RowPosition& position, ByteView key, ByteView value) {
      if (!owns(position.hash)) return Taken::kNo;
      Entry entry{};
      std::uint64_t number = 0;
      if (!take_row(key, value, entry, number)) return Taken::kMalformed;
      if (!slab_.has_left(number)) return Taken::kNo;
      bring_in(std::move(entry), number);
      return Taken::kYes;
    });
  }
  // What is clean and lies behind `last` leaves memory.
  void leave_behind(const RowPosition& last) {
    horizon_.lower(last);
    slab_.begin_leaving();
    ladder_.keep_only([this](const Waiting& waiting) {
      if (!horizon_.is_beyond({waiting.time, waiting.hash}) || !slab_.is_clean(waiting.place)) return true;
      slab_.leave(waiting.place);
      return false;
    });
    slab_.compact([this](auto move) { ladder_.each([&move](Waiting& waiting) { move(waiting.place); }); });
  }

  // Of two records with one time and hash.
  bool before(const Entry& a, const Entry& b) {
    if (!state_internal::same_key(a.key, b.key)) return compare_encoded(a.key, b.key) < 0;
    if (order_(a.value, b.value)) return true;
    if (order_(b.value, a.value)) return false;
    return compare_encoded(a.value, b.value) < 0;
  }
  template <class Encoded>
  int compare_encoded(const Encoded& a, const Encoded& b) {
    tie_a_.clear();
    tie_b_.clear();
    Codec<Encoded>::encode(a, tie_a_);
    Codec<Encoded>::encode(b, tie_b_);
    return tie_a_.compare(tie_b_);
  }

  void raise_dropped_through(EventTime time) {
    if (time <= dropped_through_) return;
    dropped_through_ = time;
    slab_.forget_tombstones(time);
  }

  KeySpace space_;
  std::uint32_t first_group_;
  std::uint32_t end_group_;
  Order order_;
  Slab slab_;
  state_internal::TimeLadder<Waiting, Less> ladder_;
  Bytes tie_a_;
  Bytes tie_b_;
  EventTime dropped_through_ = kMinusInfinity;
  std::unique_ptr<state_internal::ColdFetch> cold_;
  state_internal::Horizon horizon_;
  MemoryAccount account_;
  std::size_t charge_at_ = kChargedTogether;   // records in memory
  std::size_t ladder_bytes_ = 0;               // when they were counted last: that takes a walk
};

}  // namespace v0
}  // namespace tidemark

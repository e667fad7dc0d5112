#pragma once
// Timers by key, tag and time (T1), fired in order of time (T2).

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <tidemark/core/detail/planted.hpp>
#include <tidemark/state/component.hpp>
#include <tidemark/state/detail/horizon.hpp>
#include <tidemark/state/detail/time_ladder.hpp>
#include <tidemark/state/hot_map.hpp>

namespace tidemark {
inline namespace v0 {

// Chosen by the user, to tell timers of one key and time apart.
using TimerTag = std::uint32_t;

namespace state_internal {

template <class Key>
struct Timer {
  EventTime time{};
  TimerTag tag = 0;
  std::uint64_t hash = 0;
  Key key{};

  friend bool operator==(const Timer& a, const Timer& b) {
    return a.time == b.time && a.tag == b.tag && a.hash == b.hash && same_key(a.key, b.key);
  }
};

struct NoValue {};

// Bucket = the timer's time; rest = its tag; no value.
template <class Key>
struct TimerRows {
  void append_key(Bytes& out, std::uint64_t, const Timer<Key>& timer) const {
    append_time_big_endian(out, timer.time);
    append_row_key(out, timer.hash, timer.key);
    append_u32(out, __builtin_bswap32(timer.tag));
  }
  void encode(RowContext& context, std::uint64_t hash, const Timer<Key>& timer, const NoValue&, bool erased) const {
    append_key(context.begin_key(), hash, timer);
    if (erased) return context.rows->erase(context.key);
    context.rows->put(context.key, {});
  }
  [[nodiscard]] bool take_value(ByteView in, NoValue&) const { return in.empty(); }
};

// What the ladder holds of a timer; the index of timers has the rest.
struct DueTimer {
  EventTime time;
  std::uint64_t hash;
  TimerTag tag;
};
struct DueTimerLess {
  bool operator()(const DueTimer& a, const DueTimer& b) const {
    if (a.time != b.time) return a.time < b.time;
    return a.hash != b.hash ? a.hash < b.hash : a.tag < b.tag;
  }
};

}  // namespace state_internal

// The caller decides what is due: it asks next() for what its clock has passed. A timer may be set at a time that has passed; it is then
// next(). Timers whose time is far may be in the store alone, after a restore or for want of memory; they are read when they are about to
// be due.
template <class Key>
class TimerTable final : public StateComponent {
 public:
  using Timer = state_internal::Timer<Key>;   // {time, tag, hash, key}

  // Made by StateBackend::timers().
  TimerTable(std::string name, const KeySpace& space, std::uint32_t first_group, std::uint32_t end_group)
      : StateComponent(
            {.name = std::move(name), .kind = "timers", .key = Codec<Key>::schema(), .value = {}, .parameters = {}, .timed = true}),
        space_(space),
        first_group_(first_group),
        end_group_(end_group),
        timers_(context_, blocks_, KeySpace{}, 0, KeySpace{}.groups),
        ladder_(state_internal::DueTimerLess{}) {
    core_internal::require_key<Key>();
  }

  // false: it was set already. One that is in the store alone is set anew.
  bool set(std::uint64_t hash, const Key& key, EventTime time, TimerTag tag = 0) {
    if (!timers_.insert(index_of(time, tag, hash), Timer{time, tag, hash, key}, horizon_.is_beyond({time, hash}))) return false;
    next_ = nullptr;
    push({time, hash, tag});
    return true;
  }
  // In memory or in the store. Throws as next().
  bool is_set(std::uint64_t hash, const Key& key, EventTime time, TimerTag tag = 0) {
    const Timer timer{time, tag, hash, key};
    const std::uint64_t index = index_of(time, tag, hash);
    if (timers_.find_key(index, [&timer](const Timer& other) { return other == timer; }) != nullptr) return true;
    if (!horizon_.is_beyond({time, hash}) || timers_.holds(index, timer)) return false;   // or erased, and its row not yet
    bool found = false;
    cold_->begin();
    append_u16_big_endian(cold_->key_buffer(), id());
    state_internal::TimerRows<Key>{}.append_key(cold_->key_buffer(), index, timer);
    cold_->end_key();
    cold_->read([&found](std::size_t, ByteView) { return found = true; });
    return found;
  }
  // Nothing if there is none.
  void erase(std::uint64_t hash, const Key& key, EventTime time, TimerTag tag = 0) {
    const Timer timer{time, tag, hash, key};
    const std::uint64_t index = index_of(time, tag, hash);
    // It may be in the store, which then needs the tombstone.
    if (horizon_.is_beyond({time, hash})) (void)timers_.insert(index, timer, true);
    if (!timers_.erase(index, timer)) return;
    next_ = nullptr;
    ladder_.note_stale(time, [this](const state_internal::DueTimer& due) { return find(due) != nullptr; });
  }
  // The least by (time, hash, tag), if its time is at or before `through`; else nullptr. Good until the next call of set, erase or
  // take_next. Throws JobFailure if the store cannot be read.
  const Timer* next(EventTime through = kPlusInfinity) {
    for (;;) {
      const Timer* least = least_in_memory(through);
      if (least != nullptr && !horizon_.is_beyond({least->time, least->hash})) return least;
      if (horizon_.covers(through)) return nullptr;
      read_more();
    }
  }
  // Removes the least timer. Precondition: there is one.
  Timer take_next() {
    const Timer* timer = next();
    TIDEMARK_CHECK(timer != nullptr);
    Timer taken = *timer;
    next_ = nullptr;
    timers_.erase(index_of(taken.time, taken.tag, taken.hash), taken);
    return taken;
  }
  // In memory.
  std::size_t size() const { return timers_.size(); }
  // Have come from the store since the table was made.
  std::uint64_t brought_in() const { return brought_in_; }

  void attach(ColdRows* cold, MemoryBudget* budget) override {
    if (cold != nullptr) cold_ = std::make_unique<state_internal::ColdFetch>(*cold, schema().name);
    charge_to(budget);
  }
  bool restores_lazily(std::span<const EventTime>) override {
    if (cold_ == nullptr) return false;
    horizon_.lower({});
    return true;
  }
  void shrink(bool to_the_least) override {
    if (cold_ == nullptr) return;
    next_ = nullptr;
    state_internal::leave_from_the_end(
        ladder_,
        [this](const state_internal::RowPosition& last) {
          horizon_.lower(last);
          timers_.drop_clean_if([this](const Timer& timer) { return horizon_.is_beyond({timer.time, timer.hash}); });
          ladder_.keep_only([this](const state_internal::DueTimer& due) { return find(due) != nullptr; });
        },
        [&, steps = 0]() mutable {
          blocks_.trim();
          charge();
          return to_the_least ? steps++ > 0 : !blocks_.spent();
        });
  }

  void freeze(RowSink& rows) override {
    begin_freeze(rows);
    if (!planted(core_internal::Bug::kP09)) timers_.freeze();   // else they are not in the snapshot
  }
  bool encode_some(std::size_t max_rows) override { return timers_.encode_some(max_rows); }
  void settle(bool completed) override {
    timers_.settle(completed);
    charge();
    end_settle();
  }
  void follow_growth(bool) override { charge_keys(state_internal::kSampledOften); }
  Status restore_row(ByteView key_after_state_id, ByteView value) override {
    Timer timer;
    if (!take_timer(key_after_state_id, value, timer)) return malformed_row();
    if (!owns(timer.hash)) return foreign_row(timer.hash);
    bring_in(timer);
    return {};
  }

  std::size_t entries() const override { return timers_.size(); }
  std::size_t bytes() const override { return blocks_.bytes() + timers_.overhead_bytes() + ladder_.bytes(); }

 private:
  void charge_to(MemoryBudget* budget) override { blocks_.charge_to(budget); }

  static constexpr std::size_t kAhead = 8;   // timers fetched before their turn
  static constexpr std::size_t kChargedTogether = 4096;

  // Where a timer lies in the index. It spreads the timers of one key, and of one task, over all sub-tables.
  static std::uint64_t index_of(EventTime time, TimerTag tag, std::uint64_t hash) {
    std::uint64_t mixed = hash ^ (static_cast<std::uint64_t>(micros(time)) * 0x9E3779B97F4A7C15u + tag);
    mixed ^= mixed >> 32;
    mixed *= 0xD6E8FEB86659FD93u;
    mixed ^= mixed >> 32;
    return mixed * 0xD6E8FEB86659FD93u;
  }
  static bool take_timer(ByteView key, ByteView value, Timer& timer) {
    std::uint32_t tag = 0;
    if (!take_time_big_endian(key, timer.time) || !state_internal::take_row_key(key, timer.hash, timer.key)) return false;
    if (!take_u32(key, tag)) return false;
    timer.tag = __builtin_bswap32(tag);
    return key.empty() && value.empty();
  }
  bool owns(std::uint64_t hash) const {
    const std::uint32_t group = space_.group_of(hash);
    return group >= first_group_ && group < end_group_;
  }
  void bring_in(const Timer& timer) {
    next_ = nullptr;
    const std::uint64_t index = index_of(timer.time, timer.tag, timer.hash);
    if (!timers_.restore_if_absent(index, timer, {})) return;
    ++brought_in_;
    push({timer.time, timer.hash, timer.tag});
  }
  void push(const state_internal::DueTimer& due) {
    ladder_.push(due);
    if (ladder_.size() >= charge_at_) [[unlikely]] charge();
  }
  // What lies beside the blocks of the index.
  [[gnu::noinline]] void charge() {
    ladder_bytes_ = ladder_.bytes();
    charge_at_ = ladder_.size() + kChargedTogether;
    charge_keys(state_internal::kSampledAtSettle);
  }
  void charge_keys(std::size_t sampled) {
    timers_.sample_heap(sampled);
    blocks_.charge_heap(timers_.heap_bytes() + ladder_bytes_);
  }

  const Timer* least_in_memory(EventTime through) {
    if (next_ == nullptr) {
      // The ladder may hold timers that were taken or erased; it never lacks one that exists.
      while (const state_internal::DueTimer* due = ladder_.front(through)) {
        if ((next_ = find(*due)) != nullptr) break;
        ladder_.pop();
        if (const auto* later = ladder_.ahead(kAhead)) timers_.prefetch(index_of(later->time, later->tag, later->hash));
      }
    }
    return next_ != nullptr && next_->time <= through ? next_ : nullptr;
  }
  [[gnu::noinline]] void read_more() {
    using Taken = state_internal::Horizon::Taken;
    horizon_.read_more(*cold_, id(), [this](const state_internal::RowPosition&, ByteView key, ByteView value) {
      Timer timer;
      if (!take_timer(key, value, timer)) return Taken::kMalformed;
      if (!owns(timer.hash)) return Taken::kNo;
      bring_in(timer);
      return Taken::kYes;
    });
  }
  const Timer* find(const state_internal::DueTimer& due) const {
    return timers_.find_key(index_of(due.time, due.tag, due.hash), [&due](const Timer& timer) {
      return timer.time == due.time && timer.tag == due.tag && timer.hash == due.hash;
    });
  }

  KeySpace space_;
  std::uint32_t first_group_;
  std::uint32_t end_group_;
  state_internal::BlockPool blocks_;
  HotMap<Timer, state_internal::NoValue, state_internal::TimerRows<Key>> timers_;
  state_internal::TimeLadder<state_internal::DueTimer, state_internal::DueTimerLess> ladder_;
  const Timer* next_ = nullptr;   // the least timer in memory, while nothing changes; it lies in timers_
  std::unique_ptr<state_internal::ColdFetch> cold_;
  state_internal::Horizon horizon_;
  std::uint64_t brought_in_ = 0;
  std::size_t charge_at_ = kChargedTogether;   // items of the ladder
  std::size_t ladder_bytes_ = 0;               // when they were counted last: that takes a walk
};

// Compiled once, in the library, for the keys that most jobs have.
extern template class state_internal::TimeLadder<state_internal::DueTimer, state_internal::DueTimerLess>;
extern template class TimerTable<std::int64_t>;
extern template class TimerTable<std::uint64_t>;
extern template class TimerTable<std::string>;

}  // namespace v0
}  // namespace tidemark

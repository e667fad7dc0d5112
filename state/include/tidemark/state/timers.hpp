#pragma once
// Timers by key, tag and time (T1), fired in order of time (T2).

#include <cstdint>
#include <string>
#include <utility>

#include <tidemark/state/component.hpp>
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
  void append_value(Bytes&, const NoValue&) const {}
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
    return a.tag != b.tag ? a.tag < b.tag : a.hash < b.hash;
  }
};

}  // namespace state_internal

// The caller decides what is due: it compares next()->time with its clock. A timer may be set at a time that has passed; it is then next().
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

  // false: it was set already.
  bool set(std::uint64_t hash, const Key& key, EventTime time, TimerTag tag = 0) {
    if (!timers_.insert(index_of(time, tag, hash), Timer{time, tag, hash, key})) return false;
    next_ = nullptr;
    ladder_.push({time, hash, tag});
    return true;
  }
  // false: there is none.
  bool erase(std::uint64_t hash, const Key& key, EventTime time, TimerTag tag = 0) {
    if (!timers_.erase(index_of(time, tag, hash), Timer{time, tag, hash, key})) return false;
    next_ = nullptr;
    ladder_.note_stale(time, [this](const state_internal::DueTimer& due) { return find(due) != nullptr; });
    return true;
  }
  // The least by (time, tag, hash); nullptr if there is none. Good until the next call of set, erase or take_next.
  const Timer* next() {
    if (next_ != nullptr) return next_;
    // The ladder may hold timers that were taken or erased; it never lacks one that exists.
    while (const state_internal::DueTimer* due = ladder_.front(kPlusInfinity)) {
      if ((next_ = find(*due)) != nullptr) return next_;
      ladder_.pop();
      if (const auto* later = ladder_.ahead(kAhead)) timers_.prefetch(index_of(later->time, later->tag, later->hash));
    }
    return nullptr;
  }
  // Removes next(). Precondition: there is one.
  Timer take_next() {
    const Timer* timer = next();
    TIDEMARK_CHECK(timer != nullptr);
    Timer taken = *timer;
    next_ = nullptr;
    timers_.erase(index_of(taken.time, taken.tag, taken.hash), taken);
    return taken;
  }
  std::size_t size() const { return timers_.size(); }

  void freeze(RowSink& rows) override {
    begin_freeze(rows);
    timers_.freeze();
  }
  bool encode_some(std::size_t max_rows) override { return timers_.encode_some(max_rows); }
  void settle(bool completed) override {
    timers_.settle(completed);
    end_settle();
  }
  Status restore_row(ByteView key_after_state_id, ByteView value) override {
    Timer timer;
    std::uint32_t tag = 0;
    if (!take_time_big_endian(key_after_state_id, timer.time) ||
        !state_internal::take_row_key(key_after_state_id, timer.hash, timer.key) || !take_u32(key_after_state_id, tag) ||
        !key_after_state_id.empty() || !value.empty()) {
      return malformed_row();
    }
    timer.tag = __builtin_bswap32(tag);
    const std::uint32_t group = space_.group_of(timer.hash);
    if (group < first_group_ || group >= end_group_) return foreign_row(timer.hash);
    next_ = nullptr;
    timers_.restore(index_of(timer.time, timer.tag, timer.hash), timer, {});
    ladder_.push({timer.time, timer.hash, timer.tag});
    return {};
  }

  std::size_t entries() const override { return timers_.size(); }
  std::size_t bytes() const override { return blocks_.bytes() + timers_.overhead_bytes() + ladder_.bytes(); }

 private:
  static constexpr std::size_t kAhead = 8;   // timers fetched before their turn

  // Where a timer lies in the index. It spreads the timers of one key, and of one task, over all sub-tables.
  static std::uint64_t index_of(EventTime time, TimerTag tag, std::uint64_t hash) {
    std::uint64_t mixed = hash ^ (static_cast<std::uint64_t>(micros(time)) * 0x9E3779B97F4A7C15u + tag);
    mixed ^= mixed >> 32;
    mixed *= 0xD6E8FEB86659FD93u;
    mixed ^= mixed >> 32;
    return mixed * 0xD6E8FEB86659FD93u;
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
  const Timer* next_ = nullptr;   // the answer of next(), while nothing changes; it lies in timers_
};

// Compiled once, in the library, for the keys that most jobs have.
extern template class state_internal::TimeLadder<state_internal::DueTimer, state_internal::DueTimerLess>;
extern template class TimerTable<std::int64_t>;
extern template class TimerTable<std::uint64_t>;
extern template class TimerTable<std::string>;

}  // namespace v0
}  // namespace tidemark

#pragma once
// The timers of one process() operator and the clock rules around them (T1-T4).

#include <cstdint>
#include <map>
#include <utility>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/codec.hpp>
#include <tidemark/core/time.hpp>
#include <tidemark/operators/detail/side_outputs.hpp>
#include <tidemark/operators/operator.hpp>
#include <tidemark/state/keyed_table.hpp>
#include <tidemark/state/timers.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

[[noreturn]] void fail_without_on_timer(const OperatorContext& context);
[[noreturn]] void fail_runaway_timer(const OperatorContext& context, ByteView encoded_key, EventTime time);
[[noreturn]] void fail_too_many_timers(std::uint32_t max_timers);

template <class Key>
class ProcessTimers {
 public:
  using Entry = typename TimerTable<Key>::Timer;
  using Counts = KeyedTable<Key, std::uint32_t>;   // of the timers that each key has set

  // Null `table`: the function has no on_timer(), so there are no timers. All outlive the object.
  void open(const OperatorContext& context, TimerTable<Key>* table, OperatorCounters& counters) {
    context_ = &context;
    table_ = table;
    counters_ = &counters;
  }
  // After open(). No key has more than `max_timers` set. Those that were set without `counts` are not in it.
  void limit(Counts& counts, std::uint32_t max_timers) {
    counts_ = &counts;
    max_timers_ = max_timers;
  }

  void set(std::uint64_t hash, const Key& key, EventTime time, TimerTag tag) {
    if (table_ == nullptr) fail_without_on_timer(*context_);
    if (firing_ && time <= latest_) count_stalled(key, time);
    if (!group_.empty() && time == group_time_) return set_in_group(hash, key, tag);
    if (ended_) {
      if (!table_->is_set(hash, key, time, tag)) ++counters_->timers_after_end;
      return;
    }
    if (counts_ != nullptr && !table_->is_set(hash, key, time, tag)) count_one_more(hash, key);
    table_->set(hash, key, time, tag);
  }
  void erase(std::uint64_t hash, const Key& key, EventTime time, TimerTag tag) {
    if (table_ == nullptr) fail_without_on_timer(*context_);
    if (!group_.empty() && time == group_time_) {
      if (group_.erase(std::pair{encoded(key), tag}) > 0) count_one_less(hash, key);
    } else {
      if (counts_ != nullptr && table_->is_set(hash, key, time, tag)) count_one_less(hash, key);
      table_->erase(hash, key, time, tag);
    }
  }

  // From now on new timers do not run (T4).
  void set_ended(bool ended) { ended_ = ended; }

  // Before the first item of a watermark step.
  void begin_step() {
    latest_ = kMinusInfinity;
    if (table_ != nullptr) begin_count();
  }
  // The time of the next timer that is due; null if none is.
  const EventTime* due(EventTime through) {
    const Entry* next = table_->next(through);
    if (context_->deterministic) return due_in_group(next);
    return next != nullptr ? &next->time : nullptr;
  }
  // Takes the timer that due() announced. Then on_timer() is called for it, then fired().
  Entry take() {
    Entry taken = group_.empty() ? table_->take_next() : take_from_group();
    count_one_less(taken.hash, taken.key);
    firing_ = true;
    if (taken.time > latest_) {
      latest_ = taken.time;
      begin_count();
    }
    return taken;
  }
  void fired() { firing_ = false; }

 private:
  // How often on_timer() may set timers that do not lie ahead of the greatest time that ran in this step, before the job fails (T4). It may
  // so more often for each timer that comes from the store: how many there are must not depend on what is in memory.
  std::uint64_t calls_allowed() const { return 10'000 + 100 * (table_->size() + group_.size()); }
  void begin_count() {
    stalled_ = 0;
    allowed_ = calls_allowed();
    brought_in_ = table_->brought_in();
  }
  void count_stalled(const Key& key, EventTime time) {
    if (++stalled_ > allowed_ + 100 * (table_->brought_in() - brought_in_)) fail_runaway_timer(*context_, encoded(key), time);
  }

  void count_one_more(std::uint64_t hash, const Key& key) {
    if (counts_ == nullptr) return;
    std::uint32_t& count = counts_->upsert(hash, key);
    if (count >= max_timers_) fail_too_many_timers(max_timers_);
    ++count;
  }
  void count_one_less(std::uint64_t hash, const Key& key) {
    if (counts_ == nullptr) return;
    std::uint32_t* count = counts_->find_to_change(hash, key);
    if (count != nullptr && --*count == 0) counts_->erase(hash, key);
  }

  // Deterministic mode (D4): the timers of one time run in the order of their encoded keys, not of hashes. They are taken from the table
  // together; no snapshot is taken before all have run, so the table need not know.
  const EventTime* due_in_group(const Entry* next) {
    if (group_.empty()) {
      if (next == nullptr) return nullptr;
      for (group_time_ = next->time; next != nullptr && next->time == group_time_; next = table_->next(group_time_)) {
        Entry taken = table_->take_next();
        group_.emplace(std::pair{encoded(taken.key), taken.tag}, std::move(taken));
      }
      return &group_time_;
    }
    return next != nullptr && next->time < group_time_ ? &next->time : &group_time_;
  }
  Entry take_from_group() {
    const Entry* next = table_->next(group_time_);
    if (next != nullptr && next->time < group_time_) return table_->take_next();
    return std::move(group_.extract(group_.begin()).mapped());
  }
  void set_in_group(std::uint64_t hash, const Key& key, TimerTag tag) {
    std::pair place{encoded(key), tag};
    if (group_.contains(place)) return;
    if (ended_) {
      ++counters_->timers_after_end;
    } else {
      count_one_more(hash, key);
      group_.emplace(std::move(place), Entry{group_time_, tag, hash, key});
    }
  }

  const OperatorContext* context_ = nullptr;
  TimerTable<Key>* table_ = nullptr;
  OperatorCounters* counters_ = nullptr;
  Counts* counts_ = nullptr;            // null: no limit
  std::uint32_t max_timers_ = 0;
  bool ended_ = false;
  bool firing_ = false;                 // inside on_timer()
  EventTime latest_ = kMinusInfinity;   // the greatest time of a timer that ran in this step
  std::uint64_t stalled_ = 0;           // timers that on_timer() has set at or before it
  std::uint64_t allowed_ = 0;
  std::uint64_t brought_in_ = 0;        // from the store, before these were counted
  std::map<std::pair<Bytes, TimerTag>, Entry> group_;
  EventTime group_time_ = kMinusInfinity;
};

// One call of the user's function, as its ProcessContext sees it.
template <class Key>
struct ProcessCall {
  const Key* key = nullptr;
  std::uint64_t hash = 0;
  CallPosition at;
  EventTime watermark = kMinusInfinity;
  EventTime expired = kMinusInfinity;    // the watermark by which an entry of state has expired
  EventTime decision = kMinusInfinity;   // the watermark by which a window of state is gone
  bool forget = false;
  ProcessTimers<Key>* timers = nullptr;
  SideOutputs* sides = nullptr;
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// process() in event-time order (P3): records wait in state until the watermark has reached their time; then records and timers run in one
// sequence.
//
// The clock of this operator is τ − 1, where τ is the greatest time of an item handled so far. It takes the place of the watermark in what
// the function can see, so that the steps in which the watermark came cannot be seen. τ is not saved: a snapshot is taken between steps,
// when every item that comes later has a time above all those handled, so that τ starts anew.

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tidemark/core/check.hpp>
#include <tidemark/operators/detail/process_base.hpp>
#include <tidemark/operators/late.hpp>
#include <tidemark/operators/process_order.hpp>
#include <tidemark/operators/refusals.hpp>
#include <tidemark/state/time_buffer.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

// The order of ties in the buffer.
template <class T, class ThenBy>
struct BufferOrder {
  ThenBy then_by;
  bool operator()(const T& a, const T& b) const { return std::invoke(then_by, a) < std::invoke(then_by, b); }
};
template <class T>
struct BufferOrder<T, AnyOrder> : ByBytesAlone {
  explicit BufferOrder(AnyOrder) {}
};

template <class Key, class T, class Out, class KeyOf, class F, class ThenBy>
class OrderedProcessOperator final : public ProcessBase<Key, T, Out, F> {
  using Base = ProcessBase<Key, T, Out, F>;
  using typename Base::Function;
  using Order = BufferOrder<T, ThenBy>;
  using Buffer = TimeBuffer<Key, T, Order>;
  using Item = typename Buffer::Entry;

 public:
  OrderedProcessOperator(KeyOf key_of, F f, ThenBy then_by, const ProcessOptions& options, const std::vector<SideDeclaration>& sides)
      : Base(std::move(f), options, sides), key_of_(std::move(key_of)), then_by_(std::move(then_by)) {
    core_internal::require_storable<T>();
    this->late_ = &late_records_.batch();
  }

  Status open(OperatorContext& context) override {
    TIDEMARK_TRY(Base::open(context));
    buffer_ = &context.state->template time_buffer<Key, T, Order>("records", Order{then_by_});
    refusals_.open(this->context(), this->count(), this->outlet(kQuarantineOutlet));
    return {};
  }

  Progress on_batch(BatchBase& batch) override {
    this->release();
    in_ = static_cast<Batch<T>*>(&batch);
    next_ = 0;
    next_behind_ = 0;
    TIDEMARK_CHECK(in_->has_times() || in_->empty());
    this->count().records_in += in_->size();
    return take_batch();
  }
  Progress on_watermark(EventTime watermark) override {
    this->release();
    this->watermark_ = watermark;
    stepping_ = true;
    this->timers().begin_step();
    return run_step();
  }

  bool pending() const override { return in_ != nullptr || stepping_ || this->flushing(); }
  Progress resume() override {
    this->release();
    if (this->flushing() && this->flush() == Progress::kMore) return Progress::kMore;
    if (in_ != nullptr) return take_batch();
    return stepping_ ? run_step() : Progress::kDone;
  }

 private:
  // Puts the records away; nothing runs before the watermark.
  Progress take_batch() {
    while (next_ < in_->size()) {
      put_away_until_full();
      if (next_ < in_->size() && refusals_.flush() == Progress::kMore) return Progress::kMore;
    }
    in_ = nullptr;
    if (refusals_.flush() == Progress::kMore) return Progress::kMore;
    return this->flush();
  }
  void put_away_until_full() {
    const Batch<T>& in = *in_;
    const std::size_t n = in.size();
    std::size_t i = next_;
    try {
      while (i < n && !refusals_.full()) {
        const EventTime decision = std::max(next_as_of(i), this->watermark_);   // L1
        if (in.times[i] <= decision) [[unlikely]] {
          set_aside(i, decision);
        } else {
          put_away(i);
        }
        ++i;
      }
    } catch (...) {
      fail_by_user_exception(this->context(), in_, i);
    }
    next_ = i;
  }
  void put_away(std::size_t i) {
    T& record = in_->values[i];
    if constexpr (std::is_trivially_copyable_v<T>) {
      const Key& key = std::invoke(key_of_, std::as_const(record));
      buffer_->add(in_->times[i], in_->hashes[i], key, std::move(record));
    } else {
      const Key key = std::invoke(key_of_, std::as_const(record));   // not a reference into what is moved away
      buffer_->add(in_->times[i], in_->hashes[i], key, std::move(record));
    }
  }
  // A late record (L5, L6).
  void set_aside(std::size_t i, EventTime decision) {
    ++this->count().late;
    T& record = in_->values[i];
    const EventTime time = in_->times[i];
    if (this->outlet(kLateOutlet).connected()) {
      late_records_.begin_record(*in_, i, decision);
      late_records_.emit(Late<T>{std::move(record), time, decision});
      return;
    }
    Quarantined refused{.reason = QuarantineReason::kLate,
                        .time = time,
                        .decision_watermark = decision,
                        .error = "at " + to_string(time) + " it came when the watermark was " + to_string(decision)};
    if (refusals_.keeps_payload(QuarantineReason::kLate)) Codec<T>::encode(record, refused.payload);
    refusals_.refuse(std::move(refused), in_->origins.empty() ? nullptr : &in_->origins[i]);
  }
  EventTime next_as_of(std::size_t index) {
    if (next_behind_ == in_->behind.size() || in_->behind[next_behind_].index != index) [[likely]] return kMinusInfinity;
    return in_->behind[next_behind_++].as_of;
  }

  // Runs what is due: records before timers of the same time.
  Progress run_step() {
    for (std::size_t calls = 0;; ++calls) {
      const bool record = have_record();
      const EventTime* timer = due_timer();
      if (!record && timer == nullptr) break;
      if (calls == Base::kCallsPerPiece) return Progress::kMore;
      if (timer == nullptr || (record && ahead_[next_ahead_].time <= *timer)) {
        handle(ahead_[next_ahead_++]);
      } else {
        fire();
      }
      if (this->full() && this->flush() == Progress::kMore) return Progress::kMore;
    }
    if (this->flush() == Progress::kMore) return Progress::kMore;
    if (this->sweep() == Progress::kMore) return Progress::kMore;
    stepping_ = false;
    this->forwarded_ = this->watermark_;
    return Operator::on_watermark(this->watermark_);
  }

  // Records are taken from the buffer some at a time, so that their states can be asked for ahead.
  bool have_record() {
    if (next_ahead_ < ahead_.size()) return true;
    try {
      return fetch();
    } catch (...) {
      this->fail_at(this->watermark_);   // the user's order of ties, say
    }
  }
  const EventTime* due_timer() {
    if constexpr (Function::kHasTimers) return this->timers().due(this->watermark_);
    return nullptr;
  }
  bool fetch() {
    // D4: in deterministic mode the keys of one time take their turns in the order of their bytes, so all of a time are taken together.
    const bool deterministic = this->context().deterministic;
    ahead_.clear();
    next_ahead_ = 0;
    while (Item* item = buffer_->front(this->watermark_)) {
      if (deterministic ? !ahead_.empty() && item->time != ahead_.front().time : ahead_.size() == Base::kAhead) break;
      this->states().prefetch(item->hash);
      ahead_.push_back(std::as_const(*item));   // not moved: if a checkpoint is under way, pop_front() encodes it first
      buffer_->pop_front();
    }
    if (deterministic) {
      std::stable_sort(ahead_.begin(), ahead_.end(), [](const Item& a, const Item& b) { return encoded(a.key) < encoded(b.key); });
    }
    auto key_of = [this](std::size_t i) -> const Key& { return ahead_[i].key; };
    hashes_.clear();
    for (const Item& item : ahead_) hashes_.push_back(item.hash);
    auto time_of = [this](std::size_t i) { return ahead_[i].time; };
    this->states().fetch(hashes_.data(), hashes_.size(), key_of, time_of);
    return !ahead_.empty();
  }

  void handle(Item& item) {
    move_clock(item.time);
    try {
      this->call_record(item.hash, item.key, item.value);
    } catch (...) {
      this->fail_at(item.time);   // records that waited keep their time, but not their origin
    }
  }
  void fire() {
    // T4. Also while records are left: whose they are follows the parallelism. There are some only if an operator above has emitted them at
    // +infinity, for the watermark has been at the time of the last record of all sources before (W13).
    this->timers().set_ended(this->watermark_ == kPlusInfinity);
    const auto timer = this->timers().take();
    move_clock(timer.time);
    try {
      this->call_timer(timer.hash, timer.key, timer.time, timer.tag);
    } catch (...) {
      this->fail_at(timer.time);
    }
    this->timers().fired();
    this->timers().set_ended(false);
  }
  void move_clock(EventTime time) {
    greatest_ = std::max(greatest_, time);
    // Of a window without an end (A6) there are results at +infinity, which no clock has passed.
    const EventTime clock = greatest_ == kPlusInfinity ? kLastRecordTime : saturating_add(greatest_, Duration{-1});
    this->call_.watermark = this->call_.expired = this->call_.decision = clock;
    this->call_.at = {.time = time, .as_of = time < greatest_ ? clock : kMinusInfinity};   // T5
  }

  KeyOf key_of_;
  ThenBy then_by_;
  Refusals refusals_;
  Collector<Late<T>> late_records_;
  Buffer* buffer_ = nullptr;
  Batch<T>* in_ = nullptr;              // being put away
  std::size_t next_ = 0;                // in it
  std::size_t next_behind_ = 0;
  bool stepping_ = false;               // a watermark step is under way
  std::vector<Item> ahead_;             // taken from the buffer, to be handled in this step
  std::vector<std::uint64_t> hashes_;   // theirs
  std::size_t next_ahead_ = 0;
  EventTime greatest_ = kMinusInfinity;   // τ
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

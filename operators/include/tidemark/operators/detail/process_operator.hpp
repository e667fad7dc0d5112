#pragma once
// process() in order of arrival (P2): a batch is handled when it comes, timers when the watermark passes them (T2, T3).

#include <algorithm>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include <tidemark/operators/detail/process_base.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

template <class Key, class T, class Out, class KeyOf, class F>
class ProcessOperator final : public ProcessBase<Key, T, Out, F> {
  using Base = ProcessBase<Key, T, Out, F>;
  using typename Base::Function;

 public:
  ProcessOperator(KeyOf key_of, F f, const ProcessOptions& options, const std::vector<SideDeclaration>& sides)
      : Base(std::move(f), options, sides), key_of_(std::move(key_of)) {}

  Progress on_batch(BatchBase& batch) override {
    this->release();
    in_ = static_cast<Batch<T>*>(&batch);
    next_ = 0;
    next_behind_ = 0;
    this->count().records_in += in_->size();
    auto key_of = [this](std::size_t i) -> decltype(auto) { return std::invoke(key_of_, in_->values[i]); };
    auto time_of = [this](std::size_t i) { return in_->has_times() ? in_->times[i] : kMinusInfinity; };
    this->states().fetch(in_->hashes.data(), in_->size(), key_of, time_of);
    return run_batch();
  }
  Progress on_watermark(EventTime watermark) override {
    this->release();
    this->watermark_ = watermark;
    stepping_ = true;
    if constexpr (Function::kHasTimers) {
      this->timers().begin_step();
      this->timers().set_ended(watermark == kPlusInfinity);
    }
    return run_step();
  }

  bool pending() const override { return in_ != nullptr || stepping_ || this->flushing(); }
  Progress resume() override {
    this->release();
    if (this->flushing() && this->flush() == Progress::kMore) return Progress::kMore;
    if (in_ != nullptr) return run_batch();
    return stepping_ ? run_step() : Progress::kDone;
  }

 private:
  Progress run_batch() {
    while (next_ < in_->size()) {
      handle_until_full();
      if (next_ < in_->size() && this->flush() == Progress::kMore) return Progress::kMore;
    }
    in_ = nullptr;
    return this->flush();
  }
  void handle_until_full() {
    const Batch<T>& in = *in_;
    const std::size_t n = in.size();
    const bool timed = in.has_times();
    CallPosition& at = this->call_.at;
    at.batch = &in;
    this->call_.watermark = this->call_.expired = this->watermark_;
    std::size_t i = next_;
    for (std::size_t k = i; k < std::min(i + Base::kAhead, n); ++k) this->states().prefetch(in.hashes[k]);
    try {
      while (i < n) {
        if (i + Base::kAhead < n) this->states().prefetch(in.hashes[i + Base::kAhead]);
        at.index = i;
        at.as_of = next_as_of(i);
        this->call_.decision = std::max(at.as_of, this->watermark_);   // L1
        if (timed) at.time = in.times[i];
        const Key& key = std::invoke(key_of_, in.values[i]);   // a value lives as long as the reference
        this->call_record(in.hashes[i], key, in.values[i]);
        ++i;
        if (this->full()) break;
      }
    } catch (...) {
      fail_by_user_exception(this->context(), in_, i);
    }
    next_ = i;
  }
  EventTime next_as_of(std::size_t index) {
    if (next_behind_ == in_->behind.size() || in_->behind[next_behind_].index != index) [[likely]] return kMinusInfinity;
    return in_->behind[next_behind_++].as_of;
  }

  Progress run_step() {
    if constexpr (Function::kHasTimers) {
      this->call_.watermark = this->watermark_;
      // What this step lets expire goes behind its timers, and so do the windows that it passes.
      this->call_.expired = this->call_.decision = this->forwarded_;
      std::size_t calls = 0;
      while (this->timers().due(this->watermark_) != nullptr) {
        if (calls++ == Base::kCallsPerPiece) return Progress::kMore;
        fire();
        if (this->full() && this->flush() == Progress::kMore) return Progress::kMore;
      }
      if (this->flush() == Progress::kMore) return Progress::kMore;
    }
    if (this->sweep() == Progress::kMore) return Progress::kMore;
    stepping_ = false;
    this->forwarded_ = this->watermark_;
    return Operator::on_watermark(this->watermark_);   // W8: after all that it lets fire
  }
  void fire() {
    const auto timer = this->timers().take();
    // T5: at or before the forwarded watermark its results are behind.
    this->call_.at = {.time = timer.time, .as_of = timer.time > this->forwarded_ ? kMinusInfinity : this->forwarded_};
    try {
      this->call_timer(timer.hash, timer.key, timer.time, timer.tag);
    } catch (...) {
      this->fail_at(timer.time);
    }
    this->timers().fired();
  }

  KeyOf key_of_;
  Batch<T>* in_ = nullptr;         // being handled
  std::size_t next_ = 0;           // in it
  std::size_t next_behind_ = 0;
  bool stepping_ = false;          // a watermark step is under way
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// What the operators of process() share, whatever their order: state, calls of the user's function, and handing on what it emitted.

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tidemark/core/codec.hpp>
#include <tidemark/operators/collector.hpp>
#include <tidemark/operators/detail/keyed_states.hpp>
#include <tidemark/operators/detail/process_function.hpp>
#include <tidemark/operators/detail/process_timers.hpp>
#include <tidemark/operators/detail/side_outputs.hpp>
#include <tidemark/operators/operator.hpp>
#include <tidemark/operators/process_context.hpp>
#include <tidemark/operators/process_options.hpp>
#include <tidemark/state/backend.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

// kBadConfiguration if a limit is 0.
Status check_options(const std::string& operator_name, const ProcessOptions& options);

template <class Key, class T, class Out, class F>
class ProcessBase : public Operator {
 protected:
  using Function = ProcessFunction<F, Key, T, Out>;
  using State = std::conditional_t<Function::kHasState, typename Function::State, Nothing>;

  ProcessBase(F f, const ProcessOptions& options, const std::vector<SideDeclaration>& sides)
      : Operator(kFirstSideOutlet + sides.size()), options_(options), f_(std::move(f)), sides_(sides) {
    core_internal::require_key<Key>();
    require_state<State>();
  }

 public:
  Status open(OperatorContext& context) override {
    TIDEMARK_TRY(Operator::open(context));
    TIDEMARK_TRY(check_options(context.name, options_));
    TIDEMARK_TRY(states_.open(context));
    TimerTable<Key>* timers = nullptr;
    if constexpr (Function::kHasTimers) timers = &context.state->template timers<Key>();
    timers_.open(this->context(), timers, count());
    if (timers != nullptr && options_.max_timers) {
      timers_.limit(context.state->template keyed_table<Key, std::uint32_t>("timer_counts"), *options_.max_timers);
    }
    sides_.open(this->context(), outlet_count() > kFirstSideOutlet ? &outlet(kFirstSideOutlet) : nullptr);
    call_.timers = &timers_;
    call_.sides = &sides_;
    max_batch_ = context.max_batch;
    return {};
  }

  EventTime watermark() const final { return watermark_; }
  void save(Bytes& out) const override { append_time(out, watermark_); }
  Status load(ByteView saved) override {
    if (take_time(saved, watermark_) && saved.empty()) {
      forwarded_ = watermark_;
      states_.set_watermark(watermark_);
      return {};
    }
    return Error{.code = ErrorCode::kCheckpointCorrupt,
                 .message = "the saved watermark of operator \"" + context().name + "\" cannot be read"};
  }

 protected:
  // How far ahead of its use a state's place in the table is asked for.
  static constexpr std::size_t kAhead = 24;
  // Calls of the user's function in one piece of a watermark step: a step of the task stays short also if nothing is emitted.
  static constexpr std::size_t kCallsPerPiece = 2048;
  // Slots of a state's table that one piece of a watermark step looks through for what has expired.
  static constexpr std::size_t kSweptPerPiece = 2048;

  KeyedStates<Key, State>& states() { return states_; }

  // Calls the function. The caller has set call_.at and the three watermarks in call_.
  void call_record(std::uint64_t hash, const Key& key, const T& record) {
    call_.hash = hash;
    call_.key = &key;
    call_.at.begin(results_);
    with_state<typename Function::Call>([&](auto&... state) { f_(record, state..., user_context_, results_); });
    if constexpr (Function::Call::kHasState) count().late += states_.missed() ? 1 : 0;
  }
  void call_timer(std::uint64_t hash, const Key& key, EventTime time, std::uint32_t tag) {
    if constexpr (Function::kHasTimers) {
      call_.hash = hash;
      call_.key = &key;
      call_.at.begin(results_);
      const Timer timer{time, tag};
      with_state<typename Function::OnTimer>([&](auto&... state) { f_.on_timer(timer, state..., user_context_, results_); });
    }
  }

  // Inside a catch block, where no record of a batch is at hand.
  [[noreturn]] void fail_at(EventTime time) {
    Batch<T> position;
    position.times.push_back(time);
    fail_by_user_exception(context(), &position, 0);
  }

  // Something is as full as it may be.
  bool full() { return results_.batch().size() >= max_batch_ || sides_.largest() >= max_batch_; }

  // Hands on what was emitted, outlet after outlet. kMore: give back the thread; the batch given last must stay as it is. Then release()
  // and call again.
  Progress flush() {
    for (; flushing_ < outlet_count(); ++flushing_) {
      BatchBase* batch = batch_of(flushing_);
      if (batch == nullptr || batch->empty()) continue;
      if (flushing_ != kLateOutlet) count().records_out += batch->size();
      held_ = batch;
      if (outlet(flushing_++).emit(*batch) == Progress::kMore) return Progress::kMore;
      release();
      --flushing_;
    }
    flushing_ = 0;
    sides_.flushed();
    return Progress::kDone;
  }
  // At the start of every call from the task: whoever got the last batch is done with it.
  void release() {
    if (held_ != nullptr) held_->clear();
    held_ = nullptr;
  }

  bool flushing() const { return flushing_ != 0; }

  // The last part of a watermark step: what has expired goes, a piece of it now, at +infinity all. kMore: call again.
  Progress sweep() {
    states_.set_watermark(watermark_);
    return states_.sweep(kSweptPerPiece) || watermark_ != kPlusInfinity ? Progress::kDone : Progress::kMore;
  }

  // For the loops of the operators.
  SideOutputs& sides() { return sides_; }
  ProcessTimers<Key>& timers() { return timers_; }

  ProcessCall<Key> call_;
  BatchBase* late_ = nullptr;              // what goes to the outlet of late records
  EventTime watermark_ = kMinusInfinity;   // of the operator
  EventTime forwarded_ = kMinusInfinity;   // the last one handed on

 private:
  // Calls `call` with the key's state as Info, one of the two functions of F, wants it.
  template <class Info, class Call>
  void with_state(Call call) {
    if constexpr (!Info::kHasState) {
      call();
    } else if constexpr (Info::kWrites) {
      call(states_.to_change(call_.hash, *call_.key, {call_.at.time, call_.expired, call_.decision}));
    } else {
      call(states_.to_read(call_.hash, *call_.key, {call_.at.time, call_.expired, call_.decision}));
    }
    if (call_.forget) [[unlikely]] {
      call_.forget = false;
      states_.erase(call_.hash, *call_.key);
    }
  }
  BatchBase* batch_of(std::size_t outlet) {
    if (outlet == kMainOutlet) return &results_.batch();
    if (outlet == kLateOutlet) return late_;
    return outlet < kFirstSideOutlet ? nullptr : sides_.batch(outlet - kFirstSideOutlet);
  }

  ProcessOptions options_;
  F f_;
  Collector<Out> results_;
  SideOutputs sides_;
  ProcessTimers<Key> timers_;
  KeyedStates<Key, State> states_;
  ProcessContext<Key> user_context_{call_};
  std::uint32_t max_batch_ = 0;
  std::size_t flushing_ = 0;               // the outlet that flush() looks at next
  BatchBase* held_ = nullptr;              // given away; whoever has it may still need it
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

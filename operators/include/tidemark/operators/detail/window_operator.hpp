#pragma once
// What the window operators share: judging and setting aside late records, collecting results into batches, and firing in resumable steps.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/codec.hpp>
#include <tidemark/core/detail/planted.hpp>
#include <tidemark/operators/detail/accumulator_parts.hpp>
#include <tidemark/operators/late.hpp>
#include <tidemark/operators/operator.hpp>
#include <tidemark/operators/refusals.hpp>
#include <tidemark/operators/windows.hpp>
#include <tidemark/state/backend.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

// Entries that a step may handle without emitting anything, so that it stays far below 2 ms.
inline constexpr std::size_t kEntriesPerStep = 16'384;
// How far ahead of its access a table slot is asked for: enough to cover a miss to memory.
inline constexpr std::size_t kPrefetchAhead = 16;

template <class Key, class T, class KeyOf, class Aggregate>
class WindowOperator : public Operator {
 public:
  using Accumulator = typename Aggregate::Accumulator;
  using Out = WindowResult<Key, typename Aggregate::Result>;

  WindowOperator(KeyOf key_of, WindowSpec spec, Aggregate aggregate)
      : Operator(kFirstSideOutlet), spec_(std::move(spec)), key_of_(std::move(key_of)), aggregate_(std::move(aggregate)) {}

  Status open(OperatorContext& context) override {
    TIDEMARK_TRY(Operator::open(context));
    TIDEMARK_TRY(spec_.check());
    refusals_.open(context, count(), outlet(kQuarantineOutlet));
    deterministic_ = context.deterministic;
    max_batch_ = std::max<std::size_t>(1, context.max_batch);
    open_state(*context.state);
    return {};
  }

  Progress on_batch(BatchBase& batch) override {
    auto& in = static_cast<Batch<T>&>(batch);
    late_.clear();
    count().records_in += in.size();
    std::size_t at = 0;
    try {
      take(in, at);
    } catch (...) {
      fail_by_user_exception(context(), &in, at);
    }
    // At most one batch on each outlet: nothing to resume.
    Progress progress = refusals_.flush();
    if (!late_.empty()) progress = progress | outlet(kLateOutlet).emit(late_);
    return progress;
  }

  Progress on_watermark(EventTime watermark) override {
    begin_firing(watermark);
    watermark_ = watermark;
    firing_ = true;
    return resume();
  }
  bool pending() const override { return firing_; }

  Progress resume() override {
    out_.clear();
    while (true) {
      Fired fired = Fired::kSome;
      if (releasing_) {
        release_sorted();
      } else {
        try {
          fired = fire_some();
        } catch (...) {
          fail_by_user_exception(context(), nullptr, 0);
        }
      }
      if (!out_.values.empty() && emit_results() == Progress::kMore) return Progress::kMore;
      if (fired == Fired::kPaused) return Progress::kMore;
      if (fired == Fired::kAll) break;
    }
    firing_ = false;
    return Operator::on_watermark(watermark_);
  }

  EventTime watermark() const final { return watermark_; }
  // All of it is keyed but the watermark, which is the same in every task of the operator at a barrier (K5).
  void save(Bytes& out) const override { append_time(out, watermark_); }
  Status load(ByteView saved) override {
    if (planted(core_internal::Bug::kP10)) return {};   // not restored
    if (take_time(saved, watermark_) && saved.empty()) return {};
    return Error{.code = ErrorCode::kCheckpointCorrupt,
                 .message = "the saved watermark of operator \"" + context().name + "\" cannot be read",
                 .facts = {},
                 .why = "what a window had done before the checkpoint cannot be known without it",
                 .fix = "restore from another checkpoint"};
  }

 protected:
  enum class Fired : std::uint8_t {
    kAll,      // nothing that is due is left
    kSome,     // the batch of results is full, or a firing is complete and its results are to be sorted out
    kPaused,   // enough work for one step
  };

  virtual void open_state(StateBackend& state) = 0;
  // Takes the records into the state; `at` is the one in work.
  virtual void take(Batch<T>& in, std::size_t& at) = 0;
  // `watermark()` still is the last one.
  virtual void begin_firing(EventTime watermark) = 0;
  // Goes on firing what is due at watermark(). Called until it answers kAll.
  virtual Fired fire_some() = 0;

  EventTime decision_watermark(EventTime as_of) const { return std::max(as_of, watermark_); }
  const WindowSpec& spec() const { return spec_; }
  Aggregate& aggregate() { return aggregate_; }
  decltype(auto) key_of(const T& record) { return std::invoke(key_of_, record); }

  // Calls run(begin, end) for runs of records that are not behind, and one(index, as_of) for each record behind, in order. run() says how
  // far it came,
  // at least one record.
  template <class Run, class One>
  void split_at_behind(const Batch<T>& in, std::size_t& at, Run run, One one) {
    auto next = in.behind.begin();
    const std::size_t n = in.size();
    for (std::size_t i = 0; i < n;) {
      at = i;
      const std::size_t limit = next == in.behind.end() ? n : next->index;
      if (i < limit) {
        i = run(i, limit);
      } else {
        one(i, next->as_of);
        ++i;
        ++next;
      }
    }
  }

  // The record is late: to the late stream, to quarantine, to the log, or the end of the job (L5, L6).
  void set_aside(Batch<T>& in, std::size_t index, EventTime decision) {
    ++count().late;
    if (outlet(kLateOutlet).connected()) {
      late_.behind.push_back({static_cast<std::uint32_t>(late_.values.size()), decision});
      late_.times.push_back(in.times[index]);
      if (!in.origins.empty()) late_.origins.push_back(in.origins[index]);
      late_.values.push_back({std::move(in.values[index]), in.times[index], decision});
      return;
    }
    Quarantined record{
        .reason = QuarantineReason::kLate,
        .time = in.times[index],
        .decision_watermark = decision,
        .error = "event time " + to_string(in.times[index]) + " is late: the watermark " + to_string(decision) + " has closed its windows"};
    if constexpr (Storable<T>) {
      if (refusals_.keeps_payload(record.reason)) Codec<T>::encode(in.values[index], record.payload);
    }
    refusals_.refuse(std::move(record), in.origins.empty() ? nullptr : &in.origins[index]);
  }

  bool has_room() const { return deterministic_ || out_.values.size() < max_batch_; }
  std::size_t room() const { return deterministic_ ? kEntriesPerStep : max_batch_ - out_.values.size(); }
  // `end` unclipped.
  void put_result(const Key& key, EventTime start, EventTime end, const Accumulator& accumulator) {
    const Window window{start, saturated_end(end)};
    if (deterministic_) [[unlikely]] {
      sorted_.push_back({encoded(key), {key, window, aggregate_.result(accumulator)}});
    } else {
      out_.values.push_back({key, window, aggregate_.result(accumulator)});
    }
  }
  // D4: the results of one firing are sorted by encoded key. true: the caller is to return kSome.
  bool end_firing() {
    if (!deterministic_ || sorted_.empty()) return false;
    std::sort(sorted_.begin(), sorted_.end(), [](const Sorted& a, const Sorted& b) {
      const Window& first = a.result.window;
      const Window& second = b.result.window;
      if (first.end != second.end) return first.end < second.end;
      if (first.start != second.start) return first.start < second.start;
      return a.key < b.key;
    });
    releasing_ = true;
    return true;
  }

 private:
  struct Sorted {
    Bytes key;
    Out result;
  };

  void release_sorted() {
    while (sorted_at_ < sorted_.size() && out_.values.size() < max_batch_) out_.values.push_back(std::move(sorted_[sorted_at_++].result));
    if (sorted_at_ < sorted_.size()) return;
    sorted_.clear();
    sorted_at_ = 0;
    releasing_ = false;
  }

  Progress emit_results() {
    const std::size_t n = out_.values.size();
    out_.times.resize(n);
    for (std::size_t i = 0; i < n; ++i) out_.times[i] = out_.values[i].window.max_time();
    count().records_out += n;
    const Progress progress = main().emit(out_);
    if (progress == Progress::kDone) out_.clear();
    return progress;
  }

  WindowSpec spec_;
  KeyOf key_of_;
  Aggregate aggregate_;
  Refusals refusals_;
  EventTime watermark_ = kMinusInfinity;
  bool firing_ = false;          // the watermark was not handed on yet
  bool deterministic_ = false;
  std::size_t max_batch_ = 1;
  Batch<Out> out_;
  Batch<Late<T>> late_;
  // Deterministic mode: the results of one firing, gathered, then sorted and released; what is before sorted_at_ was moved out.
  std::vector<Sorted> sorted_;
  std::size_t sorted_at_ = 0;
  bool releasing_ = false;
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

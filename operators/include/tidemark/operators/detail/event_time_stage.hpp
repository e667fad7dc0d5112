#pragma once
// with_event_time: gives records their time and makes the watermarks. Each split of the source task has its own generator, so that lateness
// is a property of the input and not of how the splits happen to run (W3-W5).

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/codec.hpp>
#include <tidemark/operators/detail/future_guard.hpp>
#include <tidemark/operators/detail/watermark_generator.hpp>
#include <tidemark/operators/event_time_options.hpp>
#include <tidemark/operators/operator.hpp>
#include <tidemark/operators/refusals.hpp>
#include <tidemark/operators/watermark_merger.hpp>

namespace tidemark {
inline namespace v0 {

namespace operators_internal {

// "30s", "1500ms", "12us": the largest unit without a remainder.
std::string duration_text(Duration duration);
// "event time, out of order by 5s, at most 1d ahead".
std::string event_time_text(const EventTimeOptions& options);

// The time-independent part: generators, merging, cutting of batches at watermarks.
class EventTimeStageBase : public Operator, public SplitListener {
 public:
  explicit EventTimeStageBase(EventTimeOptions options) : Operator(2), options_(options) {}

  Status open(OperatorContext& context) override;
  void splits_assigned(const std::vector<std::uint32_t>& splits) override;
  std::uint32_t records_until_watermark(std::uint32_t split) const override;
  EventTime sent_watermark() const override { return merger_.output(); }
  void send_above(EventTime watermark) override { merger_.restore_output(std::max(merger_.output(), watermark)); }
  Progress split_waits(std::uint32_t split) override;
  Progress split_ended(std::uint32_t split) override;
  Progress on_watermark(EventTime watermark) override;
  bool pending() const override { return end_owed_ || watermark_owed_ || rest_from_ < batch_end_; }
  void save(Bytes& out) const override;
  Status load(ByteView saved) override;
  Status load_rescaled(std::span<const ByteView> saved) override;
  bool outlives_drain() const override { return true; }

 protected:
  struct SplitState {
    std::uint32_t number = 0;
    WatermarkGenerator generator;
    FutureGuard guard{};
  };
  Status take_saved(ByteView saved, EventTime& output, bool& sent_end, std::size_t& others);
  SplitState& state_of(std::uint32_t split);
  std::size_t index_of(std::uint32_t split) const;
  // Steps the generator over the times from `begin` up to the next watermark that is due, and lists the records behind (indices count from
  // `begin`). Returns the end of what was stepped over.
  std::size_t step(SplitState& split, const Column<EventTime>& times, std::size_t begin, std::vector<Behind>& behind);
  // Whether records between these times are taken without looking at each.
  bool takes_all(SplitState& split, EventTime least, EventTime greatest) const;
  // Why the record of this time is refused; nothing if it is not. Records come here one after the other, before step(): `reached` is the
  // greatest time of the split up to this one.
  std::optional<Quarantined> refusal(SplitState& split, EventTime& reached, EventTime time) const;
  // The watermark of the split is due: merges it and hands the result on.
  Progress send_watermark(const SplitState& split);
  Progress send_end();

  EventTimeOptions options_;
  Refusals refusals_;
  std::vector<SplitState> splits_;
  WatermarkMerger merger_;
  bool sent_end_ = false;
  bool end_owed_ = false;   // the last watermark before it went out, and those below had enough
  // The batch in work: what of it was not sent yet, and whether its split's watermark is to be sent first.
  std::size_t rest_from_ = 0;
  std::size_t batch_end_ = 0;
  bool watermark_owed_ = false;
  std::uint32_t split_ = 0;
};

template <class TimePoint>
EventTime to_event_time(TimePoint time) {
  if constexpr (std::is_same_v<TimePoint, EventTime>) {
    return time;
  } else {
    return EventTime{std::chrono::duration_cast<Duration>(time.time_since_epoch())};
  }
}

template <class T, class TimeOf>
class EventTimeStage final : public EventTimeStageBase {
 public:
  EventTimeStage(TimeOf time_of, EventTimeOptions options) : EventTimeStageBase(options), time_of_(std::move(time_of)) {}

  Progress on_batch(BatchBase& batch) override {
    auto& in = static_cast<Batch<T>&>(batch);
    if (in.empty()) return Progress::kDone;
    take_times(in);
    count().records_in += in.size();
    refuse_by_time(in);
    Progress progress = refusals_.flush();
    if (in.empty()) return progress;
    count().records_out += in.size();
    in.behind.clear();
    in_ = &in;
    rest_from_ = 0;
    batch_end_ = in.size();
    return resume() | progress;
  }

  // Sends the batch, cut where a watermark is due, with the watermarks between. Usually that is the whole batch and one watermark.
  Progress resume() override {
    if (end_owed_) return send_end();
    while (true) {
      if (watermark_owed_) {
        watermark_owed_ = false;
        if (send_watermark(state_of(split_)) == Progress::kMore) return Progress::kMore;
      }
      if (rest_from_ == batch_end_) return Progress::kDone;
      split_ = in_->split;
      SplitState& split = state_of(split_);
      const std::size_t begin = rest_from_;
      behind_.clear();
      const std::size_t end = step(split, in_->times, begin, behind_);
      watermark_owed_ = split.generator.records_until_watermark() == WatermarkGenerator::kRecordsPerWatermark;
      rest_from_ = end;
      const bool whole = begin == 0 && end == batch_end_;
      if (whole) {
        in_->behind.swap(behind_);
      } else {
        cut(begin, end);
      }
      if (main().emit(whole ? *in_ : piece_) == Progress::kMore) return Progress::kMore;
    }
  }

 private:
  void cut(std::size_t begin, std::size_t end) {
    piece_.clear();
    for (std::size_t i = begin; i < end; ++i) {
      piece_.values.push_back(std::move(in_->values[i]));
      piece_.times.push_back(in_->times[i]);
      if (!in_->origins.empty()) piece_.origins.push_back(in_->origins[i]);
    }
    piece_.behind.swap(behind_);
    piece_.split = in_->split;
  }

  void take_times(Batch<T>& in) {
    const std::size_t n = in.size();
    in.times.resize(n);
    std::size_t i = 0;
    try {
      for (; i < n; ++i) in.times[i] = to_event_time(std::invoke(time_of_, std::as_const(in.values[i])));
    } catch (...) {
      in.times.clear();
      fail_by_user_exception(context(), &in, i);
    }
  }

  // Takes out the records whose times are out of range or too far ahead.
  void refuse_by_time(Batch<T>& in) {
    EventTime least = kPlusInfinity;
    EventTime greatest = kMinusInfinity;
    for (const EventTime time : in.times) {
      least = std::min(least, time);
      greatest = std::max(greatest, time);
    }
    SplitState& split = state_of(in.split);
    if (takes_all(split, least, greatest)) return;
    EventTime reached = split.generator.greatest();
    std::size_t kept = 0;
    for (std::size_t i = 0; i < in.size(); ++i) {
      const EventTime time = in.times[i];
      if (std::optional<Quarantined> record = refusal(split, reached, time)) {
        if constexpr (Storable<T>) {
          if (refusals_.keeps_payload(record->reason)) Codec<T>::encode(in.values[i], record->payload);
        }
        refusals_.refuse(*std::move(record), in.origins.empty() ? nullptr : &in.origins[i]);
        continue;
      }
      if (kept != i) {
        in.values[kept] = std::move(in.values[i]);
        in.times[kept] = time;
        if (!in.origins.empty()) in.origins[kept] = in.origins[i];
      }
      ++kept;
    }
    in.values.erase(in.values.begin() + static_cast<std::ptrdiff_t>(kept), in.values.end());
    in.times.resize(kept);
    if (!in.origins.empty()) in.origins.resize(kept);
  }

  TimeOf time_of_;
  Batch<T>* in_ = nullptr;
  Batch<T> piece_;
  std::vector<Behind> behind_;
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

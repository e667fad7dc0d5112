#pragma once
// What a user's function emits through. Results get the time and the `as_of` of the record (or timer) they were made for (P1, T5, W5).

#include <utility>

#include <tidemark/core/batch.hpp>

namespace tidemark {
inline namespace v0 {

template <class Out>
class Collector {
 public:
  void emit(Out value) { add(std::move(value)); }
  void operator()(Out value) { add(std::move(value)); }

  // For stages alone.
  Batch<Out>& batch() { return batch_; }
  // What follows is emitted for record `index` of `in`, whose as_of the caller has at hand.
  void begin_record(const BatchBase& in, std::size_t index, EventTime as_of) {
    timed_ = in.has_times();
    if (timed_) time_ = in.times[index];
    as_of_ = as_of;
    origin_ = in.origins.empty() ? nullptr : &in.origins[index];
    batch_.split = in.split;
  }
  // What follows is emitted at a time of its own.
  void begin_time(EventTime time, EventTime as_of) {
    timed_ = true;
    time_ = time;
    as_of_ = as_of;
    origin_ = nullptr;
  }

 private:
  void add(Out&& value) {
    if (as_of_ != kMinusInfinity) batch_.behind.push_back({static_cast<std::uint32_t>(batch_.values.size()), as_of_});
    batch_.values.push_back(std::move(value));
    if (timed_) batch_.times.push_back(time_);
    if (origin_ != nullptr) {
      batch_.origins.resize(batch_.values.size() - 1, Origin{});   // results without a known origin came before
      batch_.origins.push_back(*origin_);
    } else if (!batch_.origins.empty()) {
      batch_.origins.emplace_back();
    }
  }

  Batch<Out> batch_;
  EventTime time_ = kMinusInfinity;
  EventTime as_of_ = kMinusInfinity;
  const Origin* origin_ = nullptr;
  bool timed_ = false;
};

}  // namespace v0
}  // namespace tidemark

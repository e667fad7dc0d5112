#pragma once
// Replays a source slower than it could be read: for demos, and to see a job under a steady load. Pacing never changes a result, only when
// it comes.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/clock.hpp>
#include <tidemark/core/status.hpp>
#include <tidemark/core/time.hpp>
#include <tidemark/operators/source.hpp>

namespace tidemark {
inline namespace v0 {

// How fast; made by Pace.
struct RecordPace {
  double records_per_second = 0;   // for each split; 0 or less: as fast as possible
};
struct EventTimePace {
  double speed = 0;                // seconds of event time for each second of the clock; 0 or less: as fast as possible
};

struct Pace {
  static constexpr RecordPace records_per_second(double records) { return {records}; }
  static constexpr EventTimePace event_time(double speed) { return {speed}; }
  // "60x" or "60", as event_time(60), for a command line. Errors: kUsage if it is no number above zero.
  static Result<EventTimePace> speed(const std::string& text);
};

// The source at a steady rate: paced(std::move(source), Pace::records_per_second(500)). What the job could not take in time is caught up
// with for a second at most.
template <class T>
Source<T> paced(Source<T> source, RecordPace pace);

// The source as if its records happened now: paced(std::move(source), Pace::event_time(60), &Click::at) plays an hour in a minute. The
// first record after a start comes at once, and each later one as long after it as their event times say. `time_of` is a function of const
// T&, or a member, that gives an EventTime.
template <class T, class TimeOf>
Source<T> paced(Source<T> source, EventTimePace pace, TimeOf time_of);

namespace file_internal {

// How many records are due, by a bucket that fills at a rate.
class RateLimit {
 public:
  RateLimit(const Clock& clock, double records_per_second);
  std::size_t due();
  void take(std::size_t records) { available_ -= static_cast<double>(records); }
  std::chrono::milliseconds until_due() const;

 private:
  const Clock& clock_;
  double rate_;
  double available_ = 1;
  std::chrono::steady_clock::time_point filled_at_;
};

// When a record is due, by its event time.
class EventTimePacer {
 public:
  EventTimePacer(const Clock& clock, double speed) : clock_(clock), speed_(speed) {}
  // How long until a record of this time is due; zero or less: now.
  std::chrono::duration<double> until_due(EventTime time);

 private:
  const Clock& clock_;
  double speed_;
  bool started_ = false;
  EventTime first_time_{};
  std::chrono::steady_clock::time_point started_at_;
};

// At least a millisecond, at most a minute.
std::chrono::milliseconds waiting_time(std::chrono::duration<double> wait);

template <class T>
class RatePacedReader final : public SplitReader<T> {
 public:
  RatePacedReader(const Clock& clock, double rate, std::unique_ptr<SplitReaderBase> inner)
      : limit_(clock, rate), inner_(std::move(inner)) {}

  Result<PollResult> poll(Batch<T>& out, std::size_t max_records, std::vector<Refused>& refused) override {
    const std::size_t due = limit_.due();
    waits_for_rate_ = due == 0;
    if (due == 0) return PollResult::kNothingNow;
    const std::size_t before = out.size() + refused.size();
    Result<PollResult> found = inner_->poll_into(out, std::min(due, max_records), refused);
    limit_.take(out.size() + refused.size() - before);
    return found;
  }
  Bytes position() const override { return inner_->position(); }
  std::chrono::milliseconds poll_again_after() const override { return waits_for_rate_ ? limit_.until_due() : inner_->poll_again_after(); }

 private:
  RateLimit limit_;
  std::unique_ptr<SplitReaderBase> inner_;
  bool waits_for_rate_ = false;
};

// Reads one record ahead. What was read and is not yet due is not part of the position.
template <class T, class TimeOf>
class EventTimePacedReader final : public SplitReader<T> {
 public:
  EventTimePacedReader(const Clock& clock, double speed, TimeOf time_of, std::unique_ptr<SplitReaderBase> inner)
      : pacer_(clock, speed), time_of_(std::move(time_of)), inner_(std::move(inner)) {}

  Result<PollResult> poll(Batch<T>& out, std::size_t max_records, std::vector<Refused>& refused) override {
    bool delivered = false;
    for (std::size_t taken = 0; taken < max_records; ++taken) {
      if (ahead_.empty()) {
        if (inner_ended_) return PollResult::kEnd;
        position_ = inner_->position();
        Result<PollResult> found = inner_->poll_into(ahead_, 1, refused_ahead_);
        if (!found.ok()) return found;
        inner_ended_ = *found == PollResult::kEnd;
        if (ahead_.empty()) {
          delivered |= deliver_refused(refused);
          if (*found == PollResult::kRecords) continue;
          wait_ = inner_->poll_again_after();
          return *found == PollResult::kNothingNow && delivered ? PollResult::kRecords : *found;
        }
      }
      const std::chrono::duration<double> wait = pacer_.until_due(std::invoke(time_of_, ahead_.values.front()));
      if (wait.count() > 0) {
        wait_ = waiting_time(wait);
        return delivered ? PollResult::kRecords : PollResult::kNothingNow;
      }
      deliver_refused(refused);
      if (!ahead_.origins.empty()) out.origins.push_back(ahead_.origins.front());
      out.values.push_back(std::move(ahead_.values.front()));
      ahead_.clear();
      delivered = true;
    }
    return PollResult::kRecords;
  }
  Bytes position() const override { return ahead_.empty() ? inner_->position() : position_; }
  std::chrono::milliseconds poll_again_after() const override { return wait_; }

 private:
  bool deliver_refused(std::vector<Refused>& refused) {
    const bool any = !refused_ahead_.empty();
    for (Refused& record : refused_ahead_) refused.push_back(std::move(record));
    refused_ahead_.clear();
    return any;
  }

  EventTimePacer pacer_;
  TimeOf time_of_;
  std::unique_ptr<SplitReaderBase> inner_;
  Batch<T> ahead_;                       // nothing, or the record that is not yet due
  std::vector<Refused> refused_ahead_;   // met on the way to it
  Bytes position_;                       // before both
  bool inner_ended_ = false;
  std::chrono::milliseconds wait_{10};
};

// A source whose readers are wrapped by `Wrap`: (const IoContext&, std::unique_ptr<SplitReaderBase>) -> std::unique_ptr<SplitReaderBase>.
template <class Wrap>
class PacedSource final : public SourceBase {
 public:
  PacedSource(std::shared_ptr<SourceBase> inner, std::string pace, Wrap wrap)
      : inner_(std::move(inner)), pace_(std::move(pace)), wrap_(std::move(wrap)) {}

  std::string describe() const override { return inner_->describe() + ", " + pace_; }
  bool bounded() const override { return inner_->bounded(); }
  bool replayable() const override { return inner_->replayable(); }
  Result<std::vector<std::string>> splits(const IoContext& io) override { return inner_->splits(io); }
  Result<std::unique_ptr<SplitReaderBase>> open_split(const IoContext& io, const std::string& split, const Bytes& position) override {
    TIDEMARK_ASSIGN(std::unique_ptr<SplitReaderBase> reader, inner_->open_split(io, split, position));
    return wrap_(io, std::move(reader));
  }

 private:
  std::shared_ptr<SourceBase> inner_;
  std::string pace_;
  Wrap wrap_;
};

template <class T, class Wrap>
Source<T> paced_source(const Source<T>& source, std::string pace, Wrap wrap) {
  return Source<T>(std::make_shared<PacedSource<Wrap>>(source.base(), std::move(pace), std::move(wrap)));
}

// "500 records per second", "60 times as fast as it happened".
std::string describe_pace(RecordPace pace);
std::string describe_pace(EventTimePace pace);

}  // namespace file_internal

template <class T>
Source<T> paced(Source<T> source, RecordPace pace) {
  if (!(pace.records_per_second > 0)) return source;
  auto wrap = [rate = pace.records_per_second](
                  const IoContext& io, std::unique_ptr<SplitReaderBase> reader) -> std::unique_ptr<SplitReaderBase> {
    return std::make_unique<file_internal::RatePacedReader<T>>(io.clock, rate, std::move(reader));
  };
  return file_internal::paced_source(source, file_internal::describe_pace(pace), std::move(wrap));
}

template <class T, class TimeOf>
Source<T> paced(Source<T> source, EventTimePace pace, TimeOf time_of) {
  if (!(pace.speed > 0)) return source;
  auto wrap = [speed = pace.speed, time_of = std::move(time_of)](
                  const IoContext& io, std::unique_ptr<SplitReaderBase> reader) -> std::unique_ptr<SplitReaderBase> {
    return std::make_unique<file_internal::EventTimePacedReader<T, TimeOf>>(io.clock, speed, time_of, std::move(reader));
  };
  return file_internal::paced_source(source, file_internal::describe_pace(pace), std::move(wrap));
}

}  // namespace v0
}  // namespace tidemark

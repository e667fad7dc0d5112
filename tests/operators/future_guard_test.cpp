// The guard against times in the far future: W15-W17, Q4, C1, fault F24.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tidemark/core/clock.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/operators/stream.hpp>

namespace {

using namespace tidemark;
using testing::ElementsAre;
using testing::HasSubstr;
using Times = std::vector<std::int64_t>;

struct Reading {
  std::int64_t at = 0;
  EventTime time() const { return event_time(at); }
};

// What came out: times of records, or those of records that were refused.
template <class T>
struct Taker final : Receiver {
  Progress on_batch(BatchBase& base) override {
    auto& batch = static_cast<Batch<T>&>(base);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      values.push_back(batch.values[i]);
      times.push_back(micros(batch.times[i]));
    }
    return Progress::kDone;
  }
  Progress on_watermark(EventTime watermark) override {
    watermarks.push_back(micros(watermark));
    return Progress::kDone;
  }
  Progress on_status(bool) override { return Progress::kDone; }
  Progress on_end() override { return Progress::kDone; }

  std::vector<T> values;
  Times times;
  Times watermarks;
};

// with_event_time() behind the splits of one task.
class Stage {
 public:
  explicit Stage(EventTimeOptions options, std::uint32_t splits = 1) : options_(options) {
    for (std::uint32_t split = 0; split < splits; ++split) {
      splits_.push_back(split);
      names_.push_back("source/" + std::to_string(split));
    }
    context_.name = "event_time";
    context_.io = &io_;
    context_.split_names = &names_;
    begin();
  }

  void give(const Times& times, std::uint32_t split = 0) {
    Batch<Reading> batch;
    batch.split = split;
    for (const std::int64_t at : times) {
      batch.values.push_back({at});
      batch.origins.push_back({split, position_++});
    }
    (void)stage_->on_batch(batch);
  }
  // As at a crash and a restore.
  void restart(bool rescaled = false) {
    const Bytes bytes = saved();
    begin();
    const ByteView one = bytes;
    ASSERT_TRUE((rescaled ? stage_->load_rescaled({&one, 1}) : stage_->load(one)).ok());
  }
  Bytes saved() const {
    Bytes bytes;
    stage_->save(bytes);
    return bytes;
  }
  // Of what it has sent and of what it would send now.
  std::int64_t watermark(std::uint32_t split = 0) {
    (void)stage_->split_waits(split);
    return accepted.watermarks.empty() ? micros(kMinusInfinity) : accepted.watermarks.back();
  }
  const OperatorCounters& counters() const { return stage_->counters(); }

  Taker<Reading> accepted;
  Taker<Quarantined> refused;

 private:
  using Operator = operators_internal::EventTimeStage<Reading, EventTime (Reading::*)() const>;

  void begin() {
    stage_ = std::make_unique<Operator>(&Reading::time, options_);
    ASSERT_TRUE(stage_->open(context_).ok());
    stage_->splits_assigned(splits_);
    stage_->outlet(kMainOutlet).connect(&accepted, &budget_);
    stage_->outlet(kQuarantineOutlet).connect(&refused, &budget_);
  }

  EventTimeOptions options_;
  std::vector<std::uint32_t> splits_;
  std::vector<std::string> names_;
  IoContext io_{posix_file_system(), system_clock(), Logger::silent()};
  OperatorContext context_;
  StepBudget budget_{1'000'000'000};
  std::unique_ptr<Operator> stage_;
  std::uint64_t position_ = 0;
};

struct Vector {
  const char* rule;
  EventTimeOptions options;
  Times in;
  Times refused;
  std::int64_t watermark;
};

std::vector<Vector> vectors() {
  const EventTimeOptions hundred{.max_ahead = Duration{100}};
  const EventTimeOptions confirmed_by_three{.max_ahead = Duration{100}, .confirm_jump = 3};
  const EventTimeOptions never{.max_ahead = Duration{100}, .confirm_jump = 0};
  const EventTimeOptions from_zero{.max_ahead = Duration{100}, .time_origin = event_time(0)};
  const std::int64_t first = micros(kFirstRecordTime);
  const std::int64_t last = micros(kLastRecordTime);
  return {
      {"W15 off, any time is taken", {}, {10, last, 11}, {}, last - 1},
      {"W15 the watermark and 100 is the last time that may be", hundred, {10, 109}, {}, 108},
      {"W15 one more is too far ahead, and leaves the watermark alone", hundred, {10, 109, 209}, {209}, 108},
      {"W15 the record behind it is measured as if it had not been", hundred, {10, 109, 209, 208}, {209}, 207},
      {"W15 what is out of order counts too",
       {.out_of_orderness = Duration{50}, .max_ahead = Duration{100}}, {100, 149, 199}, {199}, 98},
      {"W15 the past is not the guard's", hundred, {1000, 10, 999}, {}, 999},
      {"W15 below zero", hundred, {-1000, -901, -700}, {-700}, -902},
      {"W1 at both ends of time nothing overflows (F24)", hundred, {first, last, first + 99, last}, {last, last}, first + 98},
      {"W1 the longest guard (F24)", {.max_ahead = kLongestDuration}, {first, last, 0, last}, {last, 0, last}, first - 1},
      {"W16 two of three are refused", confirmed_by_three, {10, 5000, 5001}, {5000, 5001}, 9},
      {"W16 the third is believed", confirmed_by_three, {10, 5000, 5001, 5002, 5003}, {5000, 5001}, 5002},
      {"W16 a record in between ends the row", confirmed_by_three, {10, 5000, 12, 5001, 5002}, {5000, 5001, 5002}, 11},
      {"W16 the third may be the least of them", confirmed_by_three, {10, 5002, 5001, 5000}, {5002, 5001}, 4999},
      {"W16 times that do not agree confirm nothing",
       confirmed_by_three, {10, 5000, 9000, 5001, 9001, 5002}, {5000, 9000, 5001, 9001, 5002}, 9},
      {"W16 a wrong one before the gap only begins the row anew",
       confirmed_by_three, {10, 9000, 5000, 5001, 5002}, {9000, 5000, 5001}, 5001},
      {"W16 100 apart they agree", confirmed_by_three, {10, 5000, 5100, 5050}, {5000, 5100}, 5049},
      {"W16 101 apart they do not", confirmed_by_three, {10, 5000, 5101, 5050}, {5000, 5101, 5050}, 9},
      {"W16 the extremes of the row count, not its neighbours", confirmed_by_three, {10, 5000, 5080, 5160}, {5000, 5080, 5160}, 9},
      {"W16 a jump begins a new row after it", confirmed_by_three, {10, 500, 500, 500, 5000, 5000}, {500, 500, 5000, 5000}, 499},
      {"W16 never", never, {10, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500}, Times(11, 500), 9},
      {"W16 the first record is trusted", hundred, {5000, 10, 5050}, {}, 5049},
      {"W16 or measured against the origin", from_zero, {5000, 100, 150}, {5000}, 149},
      {"W16 which stands for the watermark until a record is accepted", from_zero, {101, 100, 198}, {101}, 197},
      {"W16 and not longer", from_zero, {-5000, 50, -4901}, {50}, -4902},
      {"W1 a time out of range is not the guard's, and ends no row",
       confirmed_by_three, {10, 5000, last + 1, 5001, 5002}, {5000, last + 1, 5001}, 5001},
  };
}

TEST(FutureGuard, FollowsTheRulesWhereverItsBatchesEndAndItsProcessesDie) {
  for (const Vector& vector : vectors()) {
    SCOPED_TRACE(vector.rule);
    for (const std::size_t size : {std::size_t{1}, std::size_t{2}, vector.in.size()}) {
      for (const bool restarts : {false, true}) {
        Stage stage(vector.options);
        for (std::size_t i = 0; i < vector.in.size(); i += size) {
          stage.give({vector.in.begin() + static_cast<std::ptrdiff_t>(i),
                      vector.in.begin() + static_cast<std::ptrdiff_t>(std::min(i + size, vector.in.size()))});
          if (restarts) stage.restart(i % 2 == 0);
        }
        EXPECT_EQ(stage.refused.times, vector.refused) << "in batches of " << size;
        EXPECT_EQ(stage.accepted.times.size(), vector.in.size() - vector.refused.size());
        EXPECT_EQ(stage.watermark(), vector.watermark) << "in batches of " << size;
      }
    }
  }
}

// The rules once more, in numbers that cannot overflow.
struct Model {
  __extension__ using Wide = __int128;
  Wide lag, max_ahead;
  std::uint32_t confirm;
  std::optional<Wide> origin;
  std::optional<Wide> greatest{};
  std::vector<Wide> row{};

  bool accepts(std::int64_t time) {
    const std::optional<Wide> watermark = greatest ? std::optional<Wide>{*greatest - lag - 1} : origin;
    const bool too_far = watermark && time > *watermark + max_ahead;
    if (too_far) {
      row.push_back(time);
      const auto [least, most] = std::minmax_element(row.begin(), row.end());
      if (*most - *least > max_ahead) row = {time};
      if (confirm == 0 || row.size() < confirm) return false;
    }
    row.clear();
    greatest = greatest ? std::max<Wide>(*greatest, time) : time;
    return true;
  }
};

TEST(FutureGuard, F24AgreesWithAModelOfWideNumbersForAnyTimes) {
  std::mt19937_64 random(24);
  const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
  std::size_t refused = 0;
  std::size_t confirmed = 0;
  for (int round = 0; round < 2000; ++round) {
    EventTimeOptions options{.out_of_orderness = Duration{below(20)}};
    options.max_ahead = round % 10 == 0 ? kLongestDuration : Duration{options.out_of_orderness.count() + 2 + below(40)};
    options.confirm_jump = static_cast<std::uint32_t>(below(4));
    if (below(2) == 0) options.time_origin = event_time(below(100) - 50);
    Model model{.lag = options.out_of_orderness.count(), .max_ahead = options.max_ahead->count(), .confirm = options.confirm_jump,
                .origin = options.time_origin ? std::optional<Model::Wide>{micros(*options.time_origin)} : std::nullopt};
    Times in;
    Times expected;
    const std::int64_t starts[] = {0, micros(kFirstRecordTime), micros(kLastRecordTime) - 200, below(100'000)};
    std::int64_t now = starts[below(4)];
    for (int i = 0; i < 60; ++i) {
      if (below(10) == 0) now = starts[below(4)];
      now = std::min(now + below(12), micros(kLastRecordTime));
      in.push_back(std::max(now - below(20), micros(kFirstRecordTime)));
      const bool had_row = !model.row.empty();
      if (!model.accepts(in.back())) {
        expected.push_back(in.back());
      } else if (had_row) {
        ++confirmed;
      }
    }
    Stage stage(options);
    for (std::size_t i = 0; i < in.size();) {
      const std::size_t end = std::min<std::size_t>(in.size(), i + 1 + static_cast<std::size_t>(below(9)));
      stage.give({in.begin() + static_cast<std::ptrdiff_t>(i), in.begin() + static_cast<std::ptrdiff_t>(end)});
      if (below(3) == 0) stage.restart();
      i = end;
    }
    ASSERT_EQ(stage.refused.times, expected) << "round " << round;
    refused += expected.size();
  }
  EXPECT_GT(refused, 10'000u);
  EXPECT_GT(confirmed, 1'000u);
}

TEST(FutureGuard, LooksAtItsOwnSplitAlone) {   // W17
  Stage stage({.max_ahead = Duration{100}}, 2);
  stage.give({10}, 0);
  stage.give({9000, 9050}, 1);   // honestly ahead
  stage.give({9050}, 0);
  stage.restart(true);
  stage.give({9090}, 1);
  EXPECT_THAT(stage.refused.times, ElementsAre(9050));
  EXPECT_EQ(stage.refused.values[0].split, "source/0");
}

TEST(FutureGuard, SaysWhatItRefusedAndCountsIt) {   // Q1, Q4, Q7
  Stage stage({.max_ahead = std::chrono::hours{24}, .time_origin = event_time(0)});
  stage.give({90'000'000'000, 5, 86'400'000'010});
  ASSERT_EQ(stage.refused.values.size(), 2u);
  const Quarantined& by_origin = stage.refused.values[0];
  EXPECT_EQ(by_origin.reason, QuarantineReason::kTooFarAhead);
  EXPECT_EQ(by_origin.split, "source/0");
  EXPECT_EQ(by_origin.position, 0u);
  EXPECT_EQ(by_origin.decision_watermark, kMinusInfinity);
  EXPECT_EQ(by_origin.error, "event time 1970-01-02T01:00:00Z is more than 1d ahead of the time origin 1970-01-01T00:00:00Z");
  const Quarantined& by_watermark = stage.refused.values[1];
  EXPECT_EQ(by_watermark.position, 2u);
  EXPECT_EQ(by_watermark.decision_watermark, event_time(4));
  EXPECT_EQ(by_watermark.error, "event time 1970-01-02T00:00:00.00001Z is more than 1d ahead of the watermark 1970-01-01T00:00:00.000004Z");
  EXPECT_EQ(encoded(Reading{90'000'000'000}), by_origin.payload);
  EXPECT_EQ(to_string(by_origin.reason), "too_far_ahead");
  EXPECT_EQ(stage.counters().records_in, 3u);
  EXPECT_EQ(stage.counters().records_out, 1u);
  EXPECT_EQ(stage.counters().quarantined[static_cast<std::size_t>(QuarantineReason::kTooFarAhead)], 2u);
}

// What was saved before there was a guard is what is saved while it has nothing to remember.
TEST(FutureGuard, SavesARowOnlyWhileThereIsOne) {
  Stage without({});
  Stage with({.max_ahead = Duration{100}});
  for (Stage* stage : {&without, &with}) stage->give({10, 20});
  EXPECT_EQ(with.saved(), without.saved());
  with.give({5000});
  EXPECT_NE(with.saved(), without.saved());
}

TEST(FutureGuard, IsRefusedWhereNoTimeCouldGoOn) {
  const auto refusal = [](EventTimeOptions options) {
    operators_internal::EventTimeStage<Reading, EventTime (Reading::*)() const> stage(&Reading::time, options);
    OperatorContext context;
    const Status opened = stage.open(context);
    return opened.ok() ? std::string{} : opened.error().describe();
  };
  EXPECT_EQ(refusal({.out_of_orderness = Duration{50}, .max_ahead = Duration{52}}), "");
  EXPECT_THAT(refusal({.out_of_orderness = Duration{50}, .max_ahead = Duration{51}}), HasSubstr("max_ahead must be more than"));
  EXPECT_THAT(refusal({.max_ahead = Duration{-1}}), HasSubstr("-1 us"));
  EXPECT_THAT(refusal({.max_ahead = kLongestDuration + Duration{1}}), HasSubstr("at most 2^61 us"));
  EXPECT_THAT(refusal({.max_ahead = Duration{100}, .time_origin = kMinusInfinity}), HasSubstr("time_origin"));
}

}  // namespace

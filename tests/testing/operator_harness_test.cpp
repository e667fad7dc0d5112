// The harness finds what is wrong with an operator. Each operator here has one fault, or none.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/testing/operator_harness.hpp>

namespace {

using namespace tidemark;

enum class Fault : std::uint8_t {
  kNone,
  kForgetsWatermark,     // not saved
  kForgetsCount,         // state outside of the backend
  kIgnoresMore,          // goes on emitting
  kTouchesBatch,         // clears what it has emitted
  kEmitsBehind,          // results behind the watermark that are not listed
  kRepeatsWatermark,
  kLeavesState,          // rows that nothing will ever remove
  kSaysDoneTooEarly,     // pending, but the answer is kDone
};

// On a watermark, emits for each key in the order of their numbers how many records it has had, then forgets it.
class Counter final : public Operator {
 public:
  explicit Counter(Fault fault) : fault_(fault) {}

  Status open(OperatorContext& context) override {
    TIDEMARK_TRY(Operator::open(context));
    counts_ = &context.state->keyed_table<std::int64_t, std::int64_t>("counts");
    return {};
  }
  Progress on_batch(BatchBase& base) override {
    const auto& batch = static_cast<Batch<std::int64_t>&>(base);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      ++counts_->upsert(batch.hashes[i], batch.values[i]);
      ++outside_;
    }
    return Progress::kDone;
  }
  Progress on_watermark(EventTime watermark) override {
    before_ = watermark_;
    watermark_ = watermark;
    firing_ = true;
    return resume();
  }
  bool pending() const override { return firing_; }
  Progress resume() override {
    while (const std::int64_t* key = first_key()) {
      out_.clear();
      const std::uint64_t hash = hash_;
      const std::int64_t count = *counts_->find(hash, *key);
      out_.values.push_back(*key * 1000 + (fault_ == Fault::kForgetsCount ? outside_ : count));
      out_.times.push_back(fault_ == Fault::kEmitsBehind || before_ == kMinusInfinity ? event_time(1) : before_ + Duration{1});
      if (fault_ != Fault::kLeavesState || watermark_ == kPlusInfinity) counts_->erase(hash, std::int64_t{*key});
      if (main().emit(out_) == Progress::kMore && fault_ != Fault::kIgnoresMore) {
        if (fault_ == Fault::kTouchesBatch) out_.clear();
        return fault_ == Fault::kSaysDoneTooEarly ? Progress::kDone : Progress::kMore;
      }
      if (fault_ == Fault::kLeavesState && watermark_ != kPlusInfinity) break;
    }
    firing_ = false;
    if (fault_ == Fault::kRepeatsWatermark) (void)main().watermark(watermark_);
    return main().watermark(watermark_);
  }
  void save(Bytes& out) const override { append_time(out, fault_ == Fault::kForgetsWatermark ? kMinusInfinity : watermark_); }
  Status load(ByteView saved) override {
    TIDEMARK_CHECK(take_time(saved, watermark_));
    return {};
  }

 private:
  const std::int64_t* first_key() {
    const std::int64_t* first = nullptr;
    KeyedTable<std::int64_t, std::int64_t>::Cursor cursor;
    counts_->visit_some(cursor, 1'000'000, [&](std::uint64_t hash, const std::int64_t& key, const std::int64_t&) {
      if (first != nullptr && *first <= key) return;
      first = &key;
      hash_ = hash;
    });
    return first;
  }

  Fault fault_;
  KeyedTable<std::int64_t, std::int64_t>* counts_ = nullptr;
  EventTime watermark_ = kMinusInfinity;
  EventTime before_ = kMinusInfinity;
  std::int64_t outside_ = 0;
  std::uint64_t hash_ = 0;
  bool firing_ = false;
  Batch<std::int64_t> out_;
};

std::int64_t itself(const std::int64_t& value) { return value; }

OperatorHarness<std::int64_t> harness_of(Fault fault) {
  OperatorHarness<std::int64_t> harness([fault] { return std::make_unique<Counter>(fault); }, &itself);
  harness.collect<std::int64_t>(kMainOutlet);
  return harness;
}

Script<std::int64_t> script() {
  return Script<std::int64_t>{}.batch({{1}, {2}, {1}}).record(3, event_time(6)).watermark(event_time(4)).record(2,
      event_time(7)).watermark(event_time(9)).end();
}

// What the harness says.
std::string verdict(Fault fault) {
  try {
    return harness_of(fault).disagreement(script());
  } catch (const BrokenInvariant& broken) {
    return broken.what();
  }
}

TEST(OperatorHarness, IsContentWithAnOperatorThatKeepsTheContract) {
  EXPECT_EQ(verdict(Fault::kNone), "");
  const Play play = harness_of(Fault::kNone).play(script());
  EXPECT_EQ(play.records<std::int64_t>(), (std::vector<Emitted<std::int64_t>>{
                                              {1002, event_time(1)}, {2001, event_time(1)}, {3001, event_time(1)}, {2001, event_time(5)}}));
  EXPECT_EQ(play.watermarks(), (std::vector{event_time(4), event_time(9), kPlusInfinity}));
  EXPECT_EQ(play.entries_left, 0u);
  EXPECT_EQ(play.rows_left, 0u);
}

TEST(OperatorHarness, FindsEachFault) {
  EXPECT_NE(verdict(Fault::kForgetsWatermark), "");
  EXPECT_NE(verdict(Fault::kForgetsCount).find("restores"), std::string::npos);
  EXPECT_NE(verdict(Fault::kIgnoresMore).find("emitted after emit had answered kMore"), std::string::npos);
  EXPECT_NE(verdict(Fault::kTouchesBatch).find("touched a batch"), std::string::npos);
  EXPECT_NE(verdict(Fault::kEmitsBehind).find("does not say so"), std::string::npos);
  EXPECT_NE(verdict(Fault::kRepeatsWatermark).find("watermark 1970"), std::string::npos);
  EXPECT_NE(verdict(Fault::kSaysDoneTooEarly).find("has answered kDone"), std::string::npos);
  EXPECT_NE(harness_of(Fault::kLeavesState).play(Script<std::int64_t>{}.record(1, event_time(1)).watermark(event_time(9))).rows_left, 0u);
}

}  // namespace

// Window operators against a model that keeps every record and computes windows by their definition, on random and on all small inputs.

#include <bit>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "../support/instrumented.hpp"
#include "windows_model.hpp"

namespace {

using namespace window_tests;
using tidemark::test_support::kInstrumented;

// Several splits that run at their own speed, seen by an operator whose watermark lags behind them.
History random_history(std::mt19937& random, bool idleness) {
  auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n)); };
  std::vector<Split> splits(static_cast<std::size_t>(1 + below(3)), Split(below(8)));
  std::vector<std::int64_t> now(splits.size(), -20 + below(20));
  const std::int64_t disorder = 1 + below(30);
  const std::int64_t keys = 1 + below(4);
  History history;
  std::int64_t watermark = kNever;
  for (int step = 0; step < 30; ++step) {
    Step batch;
    for (std::int64_t i = below(6); i >= 0; --i) {
      const auto at = static_cast<std::size_t>(below(static_cast<std::int64_t>(splits.size())));
      now[at] += below(5) == 0 ? below(25) : below(3);
      batch.records.push_back(splits[at].read(std::string(static_cast<std::size_t>(1 + below(keys)), 'a'), now[at] - below(disorder)));
    }
    history.push_back(batch);
    if (below(3) != 0) continue;
    std::int64_t merged = kForever;
    for (const Split& split : splits) merged = idleness && below(2) == 0 ? merged : std::min(merged, split.watermark());
    if (merged == kForever || merged <= watermark) continue;
    watermark = merged;
    history.push_back({{}, watermark});
  }
  return history;
}

std::vector<WindowSpec> specs() {
  const auto us = [](std::int64_t count) { return Duration{count}; };
  return {tumbling(us(10)),           tumbling(us(7), {.offset = us(-3)}),      sliding(us(10), us(5)),  sliding(us(12), us(3),
      {.offset = us(2)}),
          sliding(us(10), us(3)),     sliding(us(10), us(7), {.offset = us(4)}), sliding(us(11), us(10)), sliding(us(16), us(1)),
          sliding(us(4), us(9)),      session(us(3)),                           session(us(8))};
}

void compare(const WindowSpec& spec, const History& history, bool all_ways) {
  const auto harness = panes_of(spec);
  const auto script = script_of(history);
  const Play play = harness.play(script);
  const bool same = what_came_out(play) == model_of(spec, history);
  EXPECT_TRUE(same) << spec.describe() << text_of(history);
  EXPECT_EQ(play.entries_left, 0u) << spec.describe() << text_of(history);
  if (!all_ways) return;
  EXPECT_EQ(harness.disagreement(script), "") << spec.describe() << text_of(history);
}

TEST(Windows, AgreeWithTheirDefinition) {
  constexpr unsigned kSeeds = kInstrumented ? 20 : 160;
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    std::mt19937 random(seed);
    const History history = random_history(random, seed % 4 == 3);
    for (const WindowSpec& spec : specs()) {
      compare(spec, history, seed % 16 == 3);
      if (HasFailure()) FAIL() << "seed " << seed;
    }
  }
}

// A floating-point sum shows in which order values were merged: it must follow from the input alone (D1), whatever was restored in between.
TEST(Windows, AddFloatingPointNumbersInAnOrderOfTheirOwn) {
  for (unsigned seed = 0; seed < (kInstrumented ? 1 : 5); ++seed) {
    std::mt19937 random(seed);
    const History history = random_history(random, false);
    for (const WindowSpec& spec : specs()) {
      const auto harness = harness_of(spec, sum(&Item::weight), average(&Item::weight), count());
      EXPECT_EQ(harness.disagreement(script_of(history)), "") << spec.describe() << text_of(history) << "seed " << seed;
    }
  }
}

// With so many keys that what sliding windows derive from their slices fits into memory for some windows and not for others, and is given
// up while one of them fires, and with so few that it fits again. Floating-point sums show whether windows are put together in the same
// order.
TEST(Windows, ThatOverlapDoNotDependOnWhereMemoryRanOut) {   // D1, D5, L4
  for (const WindowSpec& spec : {sliding(Duration{60}, Duration{10}), sliding(Duration{50}, Duration{20}, {.offset = Duration{3}})}) {
    std::mt19937 random(1);
    const auto below = [&random](std::size_t n) { return static_cast<std::int64_t>(random() % n); };
    History history;
    for (std::int64_t now = 0; now < 400; now += 10) {
      Step batch;
      for (std::size_t i = 0; i < (now / 100 % 2 == 0 ? 600u : 20u); ++i) {
        const std::int64_t time = now - below(40);
        batch.records.push_back({"key " + std::to_string(below(3000)), time, time <= now - 20 ? now - 20 : kNever});
      }
      history.push_back(batch);
      history.push_back({{}, now - 20});
    }
    const Script<Item> script = script_of(history);
    const auto check = [&](const auto& harness) {
      const Play plain = harness.play(script);
      EXPECT_GT(plain.counters.late_for_some_windows, 100u);
      for (const std::size_t memory : {1u, 300'000u, 1'000'000u}) {
        const Play other = harness.play(script, {.interruption = Interruption::kLittleMemory, .max_batch = 100, .memory = memory});
        EXPECT_TRUE(other.events == plain.events) << spec.describe() << ", " << memory << " bytes";
      }
    };
    check(harness_of(spec, sum(&Item::weight), count()));   // values that are read back
    check(harness_of(spec, max(&Item::weight), count()));   // parts of values
  }
}

// So many sessions that most of them are in the store alone, while records extend them, join them, and come too late for them.
TEST(Windows, OfSessionsDoNotDependOnWhereMemoryRanOut) {   // D1, D5, S3, S4
  std::mt19937 random(1);
  const auto below = [&random](std::size_t n) { return static_cast<std::int64_t>(random() % n); };
  History history;
  for (std::int64_t now = 0; now < 400; now += 10) {
    Step batch;
    for (std::size_t i = 0; i < 300; ++i) {
      const std::int64_t time = now - below(60);
      batch.records.push_back({"key " + std::to_string(below(3000)), time, time <= now - 20 ? now - 20 : kNever});
    }
    history.push_back(batch);
    history.push_back({{}, now - 25});
  }
  for (const Duration gap : {Duration{15}, Duration{70}}) {
    const Script<Item> script = script_of(history);
    const auto harness = panes_of(session(gap));
    const Play plain = harness.play(script);
    EXPECT_TRUE(what_came_out(plain) == model_of(session(gap), history)) << gap.count();
    for (const std::size_t memory : {1u, 300'000u}) {
      const Play other = harness.play(script, {.interruption = Interruption::kLittleMemory, .max_batch = 100, .memory = memory});
      EXPECT_TRUE(other.events == plain.events) << gap.count() << ", " << memory << " bytes";
    }
  }
}

// All ways in which the operator's watermark may lag behind that of one split: nothing depends on it (L2, S4, D1).
TEST(Windows, DoNotDependOnWhenTheWatermarkComes) {
  const auto us = [](std::int64_t count) { return Duration{count}; };
  const std::vector<WindowSpec> kinds = {tumbling(us(3)), sliding(us(4), us(2)), sliding(us(5), us(3)), session(us(3))};
  constexpr int kRecords = 4;
  constexpr std::int64_t kTimes = 6;
  constexpr int kStride = kInstrumented ? 11 : 1;
  for (int input = 0; input < kTimes * kTimes * kTimes * kTimes; input += kStride) {
    std::vector<std::int64_t> times;
    for (int rest = input, i = 0; i < kRecords; ++i, rest /= kTimes) times.push_back(rest % kTimes);
    std::vector<Expected> expected(kinds.size());
    for (int when = 0; when < 1 << kRecords; ++when) {
      Split split(0);
      History history;
      std::int64_t watermark = kNever;
      for (int i = 0; i < kRecords; ++i) {
        history.push_back({{split.read("k", times[static_cast<std::size_t>(i)])}});
        if ((when >> i & 1) == 0 || split.watermark() <= watermark) continue;
        watermark = split.watermark();
        history.push_back({{}, watermark});
      }
      for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        const Expected found = what_came_out(panes_of(kinds[kind]).play(script_of(history)));
        if (when == 0) expected[kind] = found;
        ASSERT_TRUE(found == expected[kind]) << kinds[kind].describe() << text_of(history);
        ASSERT_TRUE(found == model_of(kinds[kind], history)) << kinds[kind].describe() << text_of(history);
      }
    }
  }
}

// All interleavings of two splits, with the merged watermark after every record or never. Windows: also with records behind. Sessions: with
// none behind (S4).
TEST(Windows, F27DoNotDependOnHowSplitsInterleave) {
  const auto us = [](std::int64_t count) { return Duration{count}; };
  auto all_ways = [](const std::vector<WindowSpec>& kinds, const std::vector<std::int64_t>& left, const std::vector<std::int64_t>& right) {
    for (const WindowSpec& spec : kinds) {
      std::optional<Expected> expected;
      const std::size_t total = left.size() + right.size();
      for (unsigned choice = 0; choice < 1u << total; ++choice) {
        if (static_cast<std::size_t>(std::popcount(choice)) != right.size()) continue;
        for (const bool eager : {false, true}) {
          Split x(0);
          Split y(0);
          History history;
          std::int64_t watermark = kNever;
          std::size_t read = 0;
          for (std::size_t i = 0; i < total; ++i) {
            const bool from_right = (choice >> i & 1) != 0;
            history.push_back({{from_right ? y.read("k", right[i - (i - read)]) : x.read("k", left[i - read])}});
            read += from_right ? 1 : 0;
            const std::int64_t merged = std::min(x.watermark(), y.watermark());
            if (!eager || merged <= watermark) continue;
            watermark = merged;
            history.push_back({{}, watermark});
          }
          const Expected found = what_came_out(panes_of(spec).play(script_of(history)));
          if (!expected) expected = found;
          ASSERT_TRUE(found == *expected) << spec.describe() << text_of(history);
        }
      }
    }
  };
  const std::vector<WindowSpec> windows = {tumbling(us(4)), sliding(us(4), us(2)), sliding(us(5), us(3))};
  all_ways(windows, {20, 5}, {1});   // L2
  std::mt19937 random(1);
  for (int round = 0; round < 60; ++round) {
    std::vector<std::int64_t> left(3);
    std::vector<std::int64_t> right(3);
    for (auto* times : {&left, &right}) {
      for (std::int64_t& time : *times) time = static_cast<std::int64_t>(random() % 9);
    }
    all_ways(windows, left, right);
    std::sort(left.begin(), left.end());
    std::sort(right.begin(), right.end());
    all_ways({session(us(2)), session(us(3))}, left, right);
  }
}

// F2, D1: a watermark step by step or at once.
TEST(Windows, GiveTheSameInManyStepsOrInOne) {
  for (const WindowSpec& spec : specs()) {
    Script<Item> steps;
    Script<Item> one;
    for (std::int64_t i = 0; i < 60; ++i) {
      const Item record = item(i * 7 % 50, std::string(1, static_cast<char>('a' + i % 3)));
      steps.record(record, event_time(record.time));
      one.record(record, event_time(record.time));
    }
    for (std::int64_t t = -5; t < 70; t += 4) steps.watermark(event_time(t));
    EXPECT_TRUE(what_came_out(panes_of(spec).play(steps.end())) == what_came_out(panes_of(spec).play(one.end()))) << spec.describe();
  }
}

}  // namespace

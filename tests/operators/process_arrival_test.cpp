// process() in order of arrival: P1, P2, T1-T7, K4, D4, D5.
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "process_support.hpp"

namespace process_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<Vector> arrival_vectors() {
  return {
      {"T2 negative times come before positive ones",
       Script<Item>{}.record({.name = "a", .set = {{-5}, {3}, {-1}}}, at(-10)).watermark(at(10)),
       {{"a", at(-10)}, {"timer -5", at(-5)}, {"timer -1", at(-1)}, {"timer 3", at(3)}}},
      {"T2 in order of (time, tag)",
       Script<Item>{}.record({.name = "a", .set = {{7, 2}, {7, 0}, {6, 9}, {7, 1}}}, at(0)).watermark(at(7)),
       {{"a", at(0)}, {"timer 6/9", at(6)}, {"timer 7", at(7)}, {"timer 7/1", at(7)}, {"timer 7/2", at(7)}}},
      {"T2 a timer runs when the watermark reaches its time, not before",
       Script<Item>{}.record({.name = "a", .set = {{7}}}, at(0)).watermark(at(6)).record({.name = "b"}, at(9)).watermark(at(7)),
       {{"a", at(0)}, {"b", at(9)}, {"timer 7", at(7)}}},
      {"T1 setting a timer twice is setting it once",
       Script<Item>{}.record({.name = "a", .set = {{7}, {7}}}, at(0)).record({.name = "b", .set = {{7}}}, at(1)).watermark(at(9)),
       {{"a", at(0)}, {"b", at(1)}, {"timer 7", at(7)}}},
      {"T1 a deleted timer does not run, and deleting an absent one does nothing",
       Script<Item>{}.record({.name = "a", .set = {{7}, {8}}, .erase = {{5}, {7, 1}}}, at(0))
           .record({.name = "b", .erase = {{7}}}, at(1))
           .watermark(at(9)),
       {{"a", at(0)}, {"b", at(1)}, {"timer 8", at(8)}}},
      {"T3 and T5: wm 10, set 7: nothing until wm 11, and then behind",
       Script<Item>{}.watermark(at(10)).record({.name = "a", .set = {{7}}}, at(20)).record({.name = "b"}, at(20)).watermark(at(11)),
       {{"a", at(20)}, {"b", at(20)}, {"timer 7", at(7), at(10)}}},
      {"T3 a timer set by on_timer in the same step runs in it, after those due before it",
       Script<Item>{}.record({.name = "a", .set = {{3}, {8}}, .on_fire = {{3, {{5}}}, {8, {{4}}}}}, at(0)).watermark(at(9)),
       {{"a", at(0)}, {"timer 3", at(3)}, {"timer 5", at(5)}, {"timer 8", at(8)}, {"timer 4", at(4)}}},
      {"T3 a timer set by on_timer for later waits",
       Script<Item>{}.record({.name = "a", .set = {{3}}, .on_fire = {{3, {{12}}}}}, at(0)).watermark(at(9)).watermark(at(12)),
       {{"a", at(0)}, {"timer 3", at(3)}, {"timer 12", at(12)}}},
      {"T4 at the end all timers run, and those set then do not",
       Script<Item>{}.record({.name = "a", .set = {{5}, {1000}}, .on_fire = {{5, {{6}}}, {1000, {{2000}, {1000}}}}}, at(0)).end(),
       {{"a", at(0)}, {"timer 5", at(5)}, {"timer 1000", at(1000)}}},
      {"T4 a timer at the end of time runs at the end",
       Script<Item>{}.record({.name = "a", .set = {{micros(kPlusInfinity)}}}, at(0)).watermark(at(9)).end(),
       {{"a", at(0)}, {"timer " + std::to_string(micros(kPlusInfinity)), kPlusInfinity}}},
      {"P1 and W5: results keep time and as_of of their record",
       Script<Item>{}.batch({{{.name = "10"}, at(10)},
                             {{.name = "12"}, at(12)},
                             {{.name = "11"}, at(11), at(11)},
                             {{.name = "9"}, at(9), at(11)},
                             {{.name = "13"}, at(13)}}),
       {{"10", at(10)}, {"12", at(12)}, {"11", at(11), at(11)}, {"9", at(9), at(11)}, {"13", at(13)}}},
  };
}

TEST(ProcessInArrivalOrder, FollowsTheRulesInAllThreeWays) {
  for (const Vector& vector : arrival_vectors()) {
    SCOPED_TRACE(vector.rule);
    EXPECT_EQ(harness().play(vector.script).records<std::string>(), vector.expected);
    EXPECT_EQ(harness().disagreement(vector.script), "");   // D5
  }
}

TEST(ProcessInArrivalOrder, TellsTheFunctionTheOperatorsWatermarkAndWhetherItsResultsAreBehind) {   // T5, L9
  const auto script = Script<Item>{}
                          .record({.name = "a", .set = {{15}}}, at(3))
                          .watermark(at(10))
                          .record({.name = "b", .set = {{4}}}, at(8), at(9))
                          .watermark(at(20));
  EXPECT_THAT(harness(arrival_order(), {.tells_clock = true}).play(script).records<std::string>(),
              ElementsAre(Text{"a wm -inf", at(3)}, Text{"b wm 10 behind", at(8), at(9)}, Text{"timer 4 wm 20 behind", at(4), at(10)},
                          Text{"timer 15 wm 20", at(15)}));
}

TEST(ProcessInArrivalOrder, ForwardsTheWatermarkAfterAllThatItLetsRun) {   // W8
  const auto script = Script<Item>{}.record({.name = "a", .set = {{5}, {6}}}, at(0)).watermark(at(6));
  const Play play = harness().play(script, {.max_batch = 1, .step_budget = 1});
  ASSERT_EQ(play.events.size(), 4u);
  EXPECT_EQ(play.events.back().kind, Play::Kind::kWatermark);
}

TEST(ProcessInArrivalOrder, CountsTimersThatAreSetWhenTheInputHasEnded) {   // T4
  const auto script = Script<Item>{}.record({.name = "a", .set = {{5}}, .on_fire = {{5, {{6}, {6}, {7}}}}}, at(0)).end();
  const Play play = harness().play(script);
  EXPECT_EQ(play.counters.timers_after_end, 3u);
  EXPECT_EQ(harness().disagreement(script), "");
}

TEST(ProcessInArrivalOrder, KnowsAtTheEndOfATimerThatIsNotInMemory) {   // T4
  // So many that not all are read from the store together.
  Item item{.name = "a", .set = {{5}}, .on_fire = {{5, {{6000}, {7000}}}}};
  for (std::int64_t time = 10; time <= 6000; ++time) item.set.push_back({time});
  const auto script = Script<Item>{}.record(item, at(0)).watermark(at(1)).watermark(at(2)).end();
  EXPECT_EQ(harness().play(script).counters.timers_after_end, 1u);
  EXPECT_EQ(harness().disagreement(script), "");
}

struct Runaway {
  EventTime next(EventTime time) const { return backwards && time == at(5) ? at(4) : at(5); }
  bool backwards = false;

  void operator()(const Item&, Context& context, Collector<std::string>&) const { context.set_timer(at(5)); }
  void on_timer(const Timer& timer, Context& context, Collector<std::string>&) const { context.set_timer(next(timer.time)); }
};

TEST(ProcessInArrivalOrder, FailsAnOnTimerThatKeepsSettingTimersAtItsOwnTimeOrBefore) {   // T4
  const auto script = Script<Item>{}.record({.key = 0x2A}, at(0)).watermark(at(9));
  for (const bool backwards : {false, true}) {
    for (const bool deterministic : {false, true}) {
      for (const bool by_time : {false, true}) {
        const Runaway f{backwards};
        const Node node = by_time ? scripted_node(f, event_time_order()) : scripted_node(f, arrival_order());
        try {
          (void)OperatorHarness<Item>(node.make, &Item::key).play(script, {.deterministic = deterministic});
          FAIL() << "it runs for ever, or not at all";
        } catch (const JobFailure& failure) {
          EXPECT_THAT(failure.error().describe(), testing::AllOf(HasSubstr("\"operator\""), HasSubstr("0x2a000000")));
        }
      }
    }
  }
}

TEST(ProcessInArrivalOrder, LetsManyKeysSetTimersAtTheirOwnTime) {   // T4: the bound is for one key that never ends
  Script<Item> script;
  for (std::uint32_t key = 0; key < 20'000; ++key) script.record({.key = key, .name = "a", .set = {{5}}, .on_fire = {{5, {{4}}}}}, at(0));
  script.watermark(at(9));
  EXPECT_EQ(harness().play(script).records<std::string>().size(), 60'000u);
}

TEST(ProcessInArrivalOrder, RunsTheTimersOfOneTimeInTheOrderOfEncodedKeysInDeterministicMode) {   // D4
  Script<Item> script;
  for (const std::uint32_t key : {7u, 3u, 5u, 0u, 6u, 1u, 4u, 2u}) {
    script.record({.key = key, .name = "a", .set = {{5, 1}, {5, 4}, {5, 6}}, .on_fire = {{5, {{5, 3}, {5, 4}, {5, 0}}}}}, at(0));
  }
  script.record({.key = 9, .name = "b", .set = {{5, 1}, {5, 2}}, .erase = {{5, 1}}}, at(0));
  script.watermark(at(5));
  std::vector<std::string> expected;
  for (const char* key : {"0", "1", "2", "3", "4", "5", "6", "7"}) {
    for (const char* tag : {"5/1", "5", "5/3", "5/4", "5/6"}) expected.push_back(std::string{key} + ": timer " + tag);
  }
  expected.push_back("9: timer 5/2");
  std::vector<std::string> found;
  for (const Text& text : harness(arrival_order(), {.tells_key = true}).play(script).records<std::string>()) {
    if (text.time == at(5)) found.push_back(text.record);
  }
  EXPECT_EQ(found, expected);
  EXPECT_EQ(harness(arrival_order(), {.tells_key = true}).disagreement(script), "");
}

struct Running {
  struct State {
    std::uint64_t count = 0;
  };
};

TEST(ProcessInArrivalOrder, KeepsTheStateOfEachKeyApartAndThroughSnapshots) {   // T7, C1
  const auto f = [](const Item& item, Running::State& state, Context&, Collector<std::string>& out) {
    out(item.name + std::to_string(++state.count));
  };
  const Node node = scripted_node(f, arrival_order());
  OperatorHarness<Item> made(node.make, &Item::key);
  made.collect<std::string>(kMainOutlet);
  Script<Item> script;
  for (const std::uint32_t key : {1u, 2u, 1u, 1u, 2u}) script.record({.key = key, .name = key == 1 ? "a" : "b"}, at(0));
  EXPECT_THAT(made.play(script).records<std::string>(),
              ElementsAre(Text{"a1", at(0)}, Text{"b1", at(0)}, Text{"a2", at(0)}, Text{"a3", at(0)}, Text{"b2", at(0)}));
  EXPECT_EQ(made.disagreement(script), "");
}

TEST(ProcessInArrivalOrder, LeavesNoTraceOfAForgottenKey) {   // K4
  const auto script = Script<Item>{}
                          .record({.key = 1, .name = "a"}, at(0))
                          .record({.key = 2, .name = "b"}, at(0))
                          .record({.key = 1, .name = "c", .forget = true}, at(0));
  const Play play = harness().play(script, {.interruption = Interruption::kRestore});
  EXPECT_EQ(play.entries_left, 1u);
  EXPECT_EQ(play.rows_left, 1u);
  EXPECT_EQ(harness().disagreement(script), "");
}

TEST(ProcessInArrivalOrder, KeepsTheTimersOfAForgottenKey) {
  const auto script = Script<Item>{}.record({.name = "a", .set = {{5}}, .forget = true}, at(0)).watermark(at(1));
  EXPECT_EQ(harness().play(script).entries_left, 1u);
}

TEST(ProcessInArrivalOrder, SeesDefaultStateAndWritesNothingThroughAConstReference) {
  const auto f = [](const Item& item, const Running::State& state, Context&, Collector<std::string>& out) {
    out(item.name + std::to_string(state.count));
  };
  const Node node = scripted_node(f, arrival_order());
  OperatorHarness<Item> made(node.make, &Item::key);
  made.collect<std::string>(kMainOutlet);
  const auto script = Script<Item>{}.record({.name = "a"}, at(0)).record({.name = "b"}, at(1));
  const Play play = made.play(script, {.interruption = Interruption::kRestore});
  EXPECT_THAT(play.records<std::string>(), ElementsAre(Text{"a0", at(0)}, Text{"b0", at(1)}));
  EXPECT_EQ(play.entries_left, 0u);
  EXPECT_EQ(play.rows_left, 0u);
}

// Writes in operator(), reads in on_timer().
struct ReadsInTimer {
  void operator()(const Item& item, Running::State& state, Context& context, Collector<std::string>&) const {
    ++state.count;
    for (const TimerAction& timer : item.set) context.set_timer(at(timer.time), timer.tag);
    if (item.forget) context.forget();
  }
  void on_timer(const Timer&, const Running::State& state, Context&, Collector<std::string>& out) const {
    out(std::to_string(state.count));
  }
};

TEST(ProcessInArrivalOrder, ReadsWithoutWritingInOnTimer) {
  OperatorHarness<Item> made(scripted_node(ReadsInTimer{}, arrival_order()).make, &Item::key);
  made.collect<std::string>(kMainOutlet);
  const auto script = Script<Item>{}.record({.set = {{5}}}, at(0)).record({.set = {{6}}, .forget = true}, at(0)).watermark(at(9));
  const Play play = made.play(script, {.interruption = Interruption::kRestore});
  EXPECT_THAT(play.records<std::string>(), ElementsAre(Text{"0", at(5)}, Text{"0", at(6)}));
  EXPECT_EQ(play.entries_left, 0u);
  EXPECT_EQ(made.disagreement(script), "");
}

TEST(ProcessInArrivalOrder, NeedsNoEventTime) {
  const auto script = Script<Item>{}.untimed().record({.name = "a"}, kMinusInfinity).record({.name = "b"}, kMinusInfinity).end();
  EXPECT_THAT(harness().play(script).records<std::string>(), ElementsAre(Text{"a"}, Text{"b"}));
  EXPECT_EQ(harness().disagreement(script), "");
}

void emit_name(const Item& item, Context&, Collector<std::string>& out) { out(item.name); }

TEST(ProcessInArrivalOrder, TakesAPlainFunction) {
  OperatorHarness<Item> made(scripted_node(&emit_name, arrival_order()).make, &Item::key);
  made.collect<std::string>(kMainOutlet);
  EXPECT_THAT(made.play(Script<Item>{}.record({.name = "a"}, at(0))).records<std::string>(), ElementsAre(Text{"a", at(0)}));
}

std::string failure_of(const Node& node, const Script<Item>& script) {
  try {
    (void)OperatorHarness<Item>(node.make, &Item::key).play(script);
  } catch (const JobFailure& failure) {
    return failure.error().describe();
  }
  return "no failure";
}

TEST(ProcessInArrivalOrder, F36FailsWithOperatorAndPositionWhenTheFunctionThrows) {
  const auto f = [](const Item& item, Context&, Collector<std::string>&) {
    if (item.name == "bad") throw std::runtime_error("no such card");
  };
  const auto script = Script<Item>{}.batch(
      {{{.name = "good"}, at(1), kMinusInfinity, {1, 16}}, {{.name = "bad"}, at(2), kMinusInfinity, {1, 17}}});
  EXPECT_THAT(failure_of(scripted_node(f, arrival_order()), script),
              testing::AllOf(HasSubstr("\"operator\""), HasSubstr("\"source/1\" position 17"), HasSubstr("no such card")));
}

TEST(ProcessInArrivalOrder, FailsWhenAFunctionWithoutOnTimerSetsATimer) {
  const auto f = [](const Item&, Context& context, Collector<std::string>&) { context.set_timer(at(5)); };
  EXPECT_THAT(failure_of(scripted_node(f, arrival_order()), Script<Item>{}.record({}, at(0))), HasSubstr("has no on_timer()"));
}

TEST(ProcessInArrivalOrder, CountsWhatItReadsAndWhatItEmits) {   // Q7
  const auto script = Script<Item>{}.batch({{{.name = "a", .set = {{5}}}, at(0)}, {{.name = "b"}, at(3), at(4)}}).watermark(at(9));
  const Play play = harness().play(script);
  EXPECT_EQ(play.counters.records_in, 2u);
  EXPECT_EQ(play.counters.records_out, 3u);
  EXPECT_EQ(play.counters.late, 0u);
}

}  // namespace
}  // namespace process_test

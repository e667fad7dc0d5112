// process() in event-time order: P3, L1, L5-L7, T3-T5, D4, D5.
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "process_support.hpp"

namespace process_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<Vector> ordered_vectors() {
  const Item sets_12{.name = "10", .set = {{12}}};
  const Item sets_7{.name = "10a", .set = {{7}}};
  return {
      {"P3 timer 10: in 12, 10, 8, wm 12: 8, 10, timer 10, 12",
       Script<Item>{}.batch({{{.name = "12"}, at(12)}, {{.name = "10"}, at(10)}, {{.name = "8", .set = {{10}}}, at(8)}}).watermark(at(12)),
       {{"8", at(8)}, {"10", at(10)}, {"timer 10", at(10)}, {"12", at(12)}}},
      {"P3 at 10 the function sets timer 12; it runs before 15 in one step",
       Script<Item>{}.batch({{sets_12, at(10)}, {{.name = "15"}, at(15)}}).watermark(at(20)),
       {{"10", at(10)}, {"timer 12", at(12)}, {"15", at(15)}}},
      {"P3 the same in two steps",
       Script<Item>{}.batch({{sets_12, at(10)}, {{.name = "15"}, at(15)}}).watermark(at(11)).watermark(at(20)),
       {{"10", at(10)}, {"timer 12", at(12)}, {"15", at(15)}}},
      {"P3 the same at the end of the input",
       Script<Item>{}.batch({{sets_12, at(10)}, {{.name = "15"}, at(15)}}).end(),
       {{"10", at(10)}, {"timer 12", at(12)}, {"15", at(15)}}},
      {"P3 a timer that the last record sets runs at the end of the input too",
       Script<Item>{}.record(sets_12, at(10)).end(),
       {{"10", at(10)}, {"timer 12", at(12)}}},
      {"P3 a record waits for the watermark to reach its time",
       Script<Item>{}.record({.name = "10"}, at(10)).watermark(at(9)),
       {}},
      {"P3 a timer set in the past runs next, and is behind as of tau - 1",
       Script<Item>{}.batch({{sets_7, at(10)}, {{.name = "10b"}, at(10)}, {{.name = "11"}, at(11)}}).watermark(at(20)),
       {{"10a", at(10)}, {"timer 7", at(7), at(9)}, {"10b", at(10)}, {"11", at(11)}}},
      {"P3 a timer set at tau runs after the other records at tau",
       Script<Item>{}.batch({{{.name = "a", .set = {{10}}}, at(10)}, {{.name = "b"}, at(10)}, {{.name = "c"}, at(11)}}).watermark(at(20)),
       {{"a", at(10)}, {"b", at(10)}, {"timer 10", at(10)}, {"c", at(11)}}},
      {"P3 ties by encoded bytes",
       Script<Item>{}.batch({{{.name = "c"}, at(5)}, {{.name = "a"}, at(5)}, {{.name = "b"}, at(5)}}).watermark(at(9)),
       {{"a", at(5)}, {"b", at(5)}, {"c", at(5)}}},
      {"T2 in order of (time, tag), negative times first",
       Script<Item>{}.record({.name = "a", .set = {{3}, {-1, 2}, {-1}}}, at(-5)).watermark(at(10)),
       {{"a", at(-5)}, {"timer -1", at(-1)}, {"timer -1/2", at(-1)}, {"timer 3", at(3)}}},
      {"T4 what records set at the end runs, what timers set does not",
       Script<Item>{}.batch({{{.name = "a", .set = {{5}}, .on_fire = {{5, {{6}}}}}, at(0)}, {{.name = "b", .set = {{12}}}, at(9)}}).end(),
       {{"a", at(0)}, {"timer 5", at(5)}, {"b", at(9)}, {"timer 12", at(12)}}},
      {"T4 nor with no record left",
       Script<Item>{}.record({.name = "a", .set = {{5}}, .on_fire = {{5, {{6}}}}}, at(0)).end(),
       {{"a", at(0)}, {"timer 5", at(5)}}},
      {"L1 at 8 in 5 waits; at 9 in 9 is late, and in 10 is not",
       Script<Item>{}
           .watermark(at(8))
           .record({.name = "9"}, at(9))
           .watermark(at(9))
           .batch({{{.name = "late"}, at(9)}, {{.name = "10"}, at(10)}})
           .watermark(at(10)),
       {{"9", at(9)}, {"10", at(10)}}},
      {"L2 a record behind its own split's watermark is late wherever the operator's stands",
       Script<Item>{}
           .batch({{{.name = "1"}, at(1)}, {{.name = "20"}, at(20)}, {{.name = "5"}, at(5), at(19)}})
           .watermark(at(0))
           .watermark(at(20)),
       {{"1", at(1)}, {"20", at(20)}}},
  };
}

TEST(ProcessInEventTimeOrder, FollowsTheRulesInAllThreeWays) {
  for (const Vector& vector : ordered_vectors()) {
    SCOPED_TRACE(vector.rule);
    EXPECT_EQ(harness(event_time_order()).play(vector.script).records<std::string>(), vector.expected);
    EXPECT_EQ(harness(event_time_order()).disagreement(vector.script), "");   // D5
  }
}

TEST(ProcessInEventTimeOrder, BreaksTiesByTheUsersOrderBeforeBytes) {   // P3
  Script<Item> script;
  for (const char* name : {"c", "aaa", "bb", "b"}) script.record({.name = name}, at(5));
  script.watermark(at(9));
  const auto by_length = event_time_order([](const Item& item) { return item.name.size(); });
  EXPECT_THAT(harness(by_length).play(script).records<std::string>(),
              ElementsAre(Text{"b", at(5)}, Text{"c", at(5)}, Text{"bb", at(5)}, Text{"aaa", at(5)}));
  EXPECT_EQ(harness(by_length).disagreement(script), "");
}

TEST(ProcessInEventTimeOrder, ShowsTheTimeBelowTheItemAsTheWatermark) {   // P3: whatever the steps were
  const std::vector<Text> expected = {
      {"a wm 9", at(10)}, {"timer 7 wm 9 behind", at(7), at(9)}, {"timer 12 wm 11", at(12)}, {"b wm 14", at(15)}};
  for (const auto& steps : std::vector<std::vector<int>>{{20}, {10, 20}, {9, 10, 11, 12, 13, 14, 15}}) {
    Script<Item> script;
    script.batch({{{.name = "b"}, at(15)}, {{.name = "a", .set = {{12}, {7}}}, at(10)}});
    for (const int step : steps) script.watermark(at(step));
    EXPECT_EQ(harness(event_time_order(), {.tells_clock = true}).play(script).records<std::string>(), expected);
  }
}

TEST(ProcessInEventTimeOrder, LeavesNoRecordsAndTimersBehindAfterTheEnd) {   // K4
  const auto script = Script<Item>{}.record({.name = "a", .set = {{5}, {500}}}, at(0)).record({.name = "b", .forget = true}, at(700)).end();
  const Play play = harness(event_time_order()).play(script, {.interruption = Interruption::kRestore});
  EXPECT_EQ(play.entries_left, 0u);
  EXPECT_EQ(play.rows_left, 0u);
}

// Lateness (L1, L5, L6).
Script<Item> with_late_records() {
  return Script<Item>{}
      .record({.name = "a"}, at(10))
      .watermark(at(9))
      .batch({{{.name = "early enough"}, at(10)},
              {{.name = "behind"}, at(11), at(12), {2, 40}},
              {{.name = "late"}, at(9), kMinusInfinity, {2, 41}}})
      .watermark(at(20))
      .end();
}

TEST(ProcessInEventTimeOrder, GivesLateRecordsToTheLateStreamWithTheDecisionWatermark) {
  OperatorHarness<Item> made = harness(event_time_order());
  made.collect<Late<Item>>(kLateOutlet).collect<Quarantined>(kQuarantineOutlet);
  const Play play = made.play(with_late_records());
  const auto late = play.records<Late<Item>>(kLateOutlet);
  ASSERT_EQ(late.size(), 2u);
  EXPECT_EQ(late[0].record.record.name, "behind");
  EXPECT_EQ(late[0].record.time, at(11));
  EXPECT_EQ(late[0].record.decision_watermark, at(12));
  EXPECT_EQ(late[0].time, at(11));
  EXPECT_EQ(late[0].as_of, at(12));
  EXPECT_EQ(late[1].record.decision_watermark, at(9));
  EXPECT_THAT(play.records<Quarantined>(kQuarantineOutlet), IsEmpty());
  EXPECT_EQ(play.counters.records_in, 4u);
  EXPECT_EQ(play.counters.late, 2u);
  EXPECT_EQ(play.counters.records_out, 2u);
  EXPECT_EQ(made.disagreement(with_late_records()), "");
}

TEST(ProcessInEventTimeOrder, QuarantinesLateRecordsWhereNobodyTakesThem) {   // Q1
  OperatorHarness<Item> made = harness(event_time_order());
  made.collect<Quarantined>(kQuarantineOutlet);
  const auto script = Script<Item>{}.watermark(at(9)).batch({{{.name = "in time"}, at(13)}, {{.name = "behind"}, at(11), at(12), {2, 40}}});
  const Play play = made.play(script);
  const auto refused = play.records<Quarantined>(kQuarantineOutlet);
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].record.operator_name, "operator");
  EXPECT_EQ(refused[0].record.reason, QuarantineReason::kLate);
  EXPECT_EQ(refused[0].record.split, "source/2");
  EXPECT_EQ(refused[0].record.position, 40u);
  EXPECT_EQ(refused[0].record.time, at(11));
  EXPECT_EQ(refused[0].record.decision_watermark, at(12));
  Item back;
  ASSERT_TRUE(decode_whole(refused[0].record.payload, back));
  EXPECT_EQ(back.name, "behind");
  EXPECT_EQ(play.counters.late, 1u);
  EXPECT_EQ(play.counters.quarantined[static_cast<std::size_t>(QuarantineReason::kLate)], 1u);
}

TEST(ProcessInEventTimeOrder, CountsLateRecordsThatNobodyTakes) {   // L6
  const Play play = harness(event_time_order()).play(with_late_records());
  EXPECT_EQ(play.counters.late, 2u);
  EXPECT_EQ(play.counters.dropped[static_cast<std::size_t>(QuarantineReason::kLate)], 2u);
}

TEST(ProcessInEventTimeOrder, FailsOnALateRecordIfThePolicySaysSo) {   // Q2
  OperatorHarness<Item> made = harness(event_time_order());
  made.policy({.late = OnRefused::kFail});
  EXPECT_THROW((void)made.play(with_late_records()), JobFailure);
}

TEST(ProcessInEventTimeOrder, TakesTheKeysOfOneTimeInTheOrderOfTheirBytesInDeterministicMode) {   // D4
  Script<Item> script;
  for (const std::uint32_t key : {7u, 3u, 5u, 0u, 6u, 1u, 4u, 2u}) {
    script.batch({{{.key = key, .name = "b"}, at(6)}, {{.key = key, .name = "a"}, at(5)}});
  }
  script.watermark(at(6));
  std::vector<Text> expected;
  for (const int time : {5, 6}) {
    for (int key = 0; key < 8; ++key) expected.push_back({std::to_string(key) + (time == 5 ? ": a" : ": b"), at(time)});
  }
  EXPECT_EQ(harness(event_time_order(), {.tells_key = true}).play(script).records<std::string>(), expected);
}

TEST(ProcessInEventTimeOrder, F36FailsWithOperatorAndTimeWhenTheFunctionThrows) {
  const auto f = [](const Item&, Context&, Collector<std::string>&) { throw std::runtime_error("no such card"); };
  const Node node = scripted_node(f, event_time_order());
  try {
    (void)OperatorHarness<Item>(node.make, &Item::key).play(Script<Item>{}.record({}, at(1)).watermark(at(5)));
    FAIL() << "it does not fail";
  } catch (const JobFailure& failure) {
    EXPECT_THAT(failure.error().describe(),
                testing::AllOf(HasSubstr("\"operator\""), HasSubstr("1970-01-01T00:00:00.000001Z"), HasSubstr("no such card")));
  }
}

}  // namespace
}  // namespace process_test

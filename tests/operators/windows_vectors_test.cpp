// The vectors of the semantics, word for word, each in all the ways of D5.

#include <gtest/gtest.h>

#include "windows_support.hpp"

namespace {

using namespace window_tests;

Duration us(std::int64_t count) { return Duration{count}; }

TEST(TumblingWindow, HoldsEveryTimeAsA1Says) {
  struct Row {
    std::vector<std::int64_t> offsets;
    std::int64_t time;
    std::int64_t start;
  };
  for (const Row& row : std::vector<Row>{{{0}, 0, 0}, {{0}, 9, 0}, {{0}, 10, 10}, {{0}, -1, -10}, {{0}, -10, -10}, {{0}, -11, -20},
                                         {{3}, 2, -7}, {{3}, 3, 3}, {{3}, -7, -7}, {{3}, -8, -17},
                                         {{-3, 7, 27}, 6, -3}, {{-3, 7, 27}, 7, 7}, {{-3, 7, 27}, -4, -13}, {{-3, 7, 27}, -3, -3}}) {
    for (const std::int64_t offset : row.offsets) {
      const Window expected{event_time(row.start), event_time(row.start + 10)};
      EXPECT_EQ(tumbling_window(event_time(row.time), us(10), us(offset)), expected) << row.time << " offset " << offset;
      // The operator agrees, whatever came before.
      const auto harness = panes_of(tumbling(us(10), {.offset = us(offset)}));
      const std::string time = std::to_string(row.time);
      EXPECT_EQ(panes(harness.play(script_of("in 1000," + time + " | wm 999 | end"))).substr(0, text_of(expected).size()),
          text_of(expected));
    }
  }
}

TEST(SlidingWindow, HoldsEveryTimeAsA2Says) {
  struct Row {
    std::int64_t size, slide, offset, time;
    std::vector<std::int64_t> starts;
  };
  for (const Row& row : std::vector<Row>{{10, 5, 0, 7, {0, 5}}, {10, 5, 0, -1, {-10, -5}}, {10, 5, 0, -5, {-10, -5}}, {10, 5, 0, -6,
      {-15, -10}},
                                         {10, 3, 0, 9, {0, 3, 6, 9}}, {10, 3, 0, 10, {3, 6, 9}}, {10, 5, 1, 0, {-9, -4}},
                                         {2, 5, 0, 1, {0}}, {2, 5, 0, 2, {}}, {2, 5, 0, 3, {}}, {2, 5, 0, 4, {}}, {2, 5, 0, -5, {-5}},
                                             {2, 5, 0, -3, {}}}) {
    std::vector<std::int64_t> starts;
    const WindowStarts found = sliding_window_starts(event_time(row.time), us(row.size), us(row.slide), us(row.offset));
    for (EventTime start = found.first; start <= found.last; start += us(row.slide)) starts.push_back(micros(start));
    EXPECT_EQ(starts, row.starts) << row.size << " by " << row.slide << " at " << row.time;

    std::string expected;
    for (const std::int64_t start : row.starts) {
      expected += (expected.empty() ?
          "[" : " [") + std::to_string(start) + "," + std::to_string(start + row.size) + "){" + std::to_string(row.time) + "}";
    }
    const auto harness = panes_of(sliding(us(row.size), us(row.slide), {.offset = us(row.offset)}));
    const auto script = script_of("in " + std::to_string(row.time) + " | end");
    EXPECT_EQ(harness.disagreement(script), "");
    EXPECT_EQ(panes(harness.play(script)), expected);
    EXPECT_EQ(harness.play(script).counters.in_no_window, row.starts.empty() ? 1u : 0u);   // A3
    EXPECT_EQ(harness.play(script).counters.late, 0u);
  }
}

struct Vector {
  const char* rule;
  WindowSpec spec;
  const char* script;
  const char* panes;
  const char* late = "";
};

void expect(const std::vector<Vector>& vectors) {
  for (const Vector& vector : vectors) {
    const auto harness = panes_of(vector.spec);
    const auto script = script_of(vector.script);
    const Play play = harness.play(script);
    EXPECT_EQ(panes(play), vector.panes) << vector.rule << ": " << vector.script;
    EXPECT_EQ(late(play), vector.late) << vector.rule << ": " << vector.script;
    EXPECT_EQ(harness.disagreement(script), "") << vector.rule << ": " << vector.script;
  }
}

TEST(Windows, FireAtTheirEndAndInOrder) {
  expect({
      {"F1", tumbling(us(10)), "in 5 | wm 8", ""},
      {"F1", tumbling(us(10)), "in 5 | wm 8 | wm 9", "[0,10){5}"},
      {"F1", tumbling(us(10)), "in 1,2,3,10,11 | wm 24", "[0,10){1,2,3} [10,20){10,11}"},
      {"F2", tumbling(us(10)), "in 35,1,12 | wm 9 | wm 19 | wm 29 | wm 39 | wm 100", "[0,10){1} [10,20){12} [30,40){35}"},
      {"F2", tumbling(us(10)), "in 35,1,12 | wm 100", "[0,10){1} [10,20){12} [30,40){35}"},
      {"F2", sliding(us(10), us(5)), "in 7,b:12 | wm 100", "[0,10){7} b[5,15){12} [5,15){7} b[10,20){12}"},
      {"F2", sliding(us(10), us(4)), "in 7,13 | wm 13 | wm 14 | end", "[0,10){7} [4,14){7,13} [8,18){13} [12,22){13}"},
      {"A4", tumbling(us(10)), "in 5,1000005 | wm 2000000", "[0,10){5} [1000000,1000010){1000005}"},
      {"A4", sliding(us(10), us(5)), "in 5,1000005 | end", "[0,10){5} [5,15){5} [1000000,1000010){1000005} [1000005,1000015){1000005}"},
      {"A4", tumbling(us(10)), "wm 100 | end", ""},
  });
}

TEST(Windows, JudgeLatenessByTheRecordsOwnSplit) {
  expect({
      {"L1", tumbling(us(10)), "wm 8 | in 5@8 | end", "[0,10){5}"},
      {"L1", tumbling(us(10)), "wm 9 | in 5@9 | end", "", "5@9"},
      {"L2", tumbling(us(10)), "in 20,5@19 | in 1 | end", "[0,10){1} [20,30){20}", "5@19"},
      {"L2", tumbling(us(10)), "in 1,20 | in 5@19 | end", "[0,10){1} [20,30){20}", "5@19"},
      {"L2 after idleness", tumbling(us(10)), "in 1 | wm 15 | in 5 | end", "[0,10){1}", "5@15"},
      {"L2 after idleness", sliding(us(10), us(5)), "wm 9 | in 7 | wm 14 | in 7 | end", "[5,15){7}", "7@14"},
      {"L2 after idleness", session(us(10)), "wm 15 | in 5 | in 7 | end", "[7,17){7}", "5@15"},
      {"L4", sliding(us(10), us(5)), "in 7@9 | end", "[5,15){7}"},
      {"L4", sliding(us(10), us(5)), "wm 9 | in 7@9 | end", "[5,15){7}"},
      {"L4", sliding(us(10), us(5)), "in 7@14 | end", "", "7@14"},
      // The windows that are closed to the record are still open in the operator, whose watermark lags.
      {"L4", sliding(us(10), us(5)), "in 3,8 | in 7@9 | in 12 | end", "[-5,5){3} [0,10){3,8} [5,15){7,8,12} [10,20){12}"},
      {"L4", sliding(us(10), us(3)), "in 4 | in 5@8 | in 5@8 | wm 6 | in 2@8,6@11 | end",
          "[-3,7){4} [0,10){2,4,5,5} [3,13){4,5,5,6} [6,16){6}"},
  });
  const auto harness = panes_of(sliding(us(10), us(5)));
  EXPECT_EQ(harness.play(script_of("in 7@9,7@3,7@14 | end")).counters.late_for_some_windows, 1u);
  EXPECT_EQ(harness.play(script_of("in 7@9,7@3,7@14 | end")).counters.late, 1u);
}

TEST(SessionWindow, MergesWhatOverlaps) {
  expect({
      {"S1", session(us(10)), "in 0,10 | end", "[0,10){0} [10,20){10}"},
      {"S1", session(us(10)), "in 10,0 | end", "[0,10){0} [10,20){10}"},
      {"S1", session(us(10)), "in 0,9 | end", "[0,19){0,9}"},
      {"S1", session(us(10)), "in 0,15,8 | end", "[0,25){0,8,15}"},
      {"S2", session(us(2)), "in 1,3 | wm 2 | end", "[1,3){1} [3,5){3}"},
      {"S2", session(us(2)), "in 1 | wm 2 | in 3 | end", "[1,3){1} [3,5){3}"},
      {"S3", session(us(10)), "in 12,19 | wm 20 | in 5@20 | end", "[5,29){5,12,19}"},
      {"S3", session(us(10)), "in 1 | wm 10 | in 5@10 | end", "[1,11){1} [5,15){5}"},
      {"S3", session(us(10)), "in 1 | wm 10 | in 1@10 | end", "[1,11){1}", "1@10"},
      // S4: [1,11) is gone for the record though the operator still has it, and the other way round the same.
      {"S4", session(us(10)), "in 1 | in 5@10 | end", "[1,11){1} [5,15){5}"},
      {"S4", session(us(10)), "in 1 | in 5@10,12 | end", "[1,11){1} [5,22){5,12}"},
      {"S4", session(us(10)), "in 1 | wm 10 | in 5@10,12 | end", "[1,11){1} [5,22){5,12}"},
      {"S4, the splits' example", session(us(3)), "in 1,11,8 | in 13,14 | in 10@13,5@10 | end",
          "[1,4){1} [8,11){8} [10,17){10,11,13,14}", "5@10"},
      {"S4, the splits' example", session(us(3)), "in 8,13,14 | in 10@13 | in 1,11,5@10 | end", "[1,4){1} [8,11){8} [11,17){11,13,14}",
          "10@13 5@10"},
      {"F2", session(us(5)), "in 20,b:1,3,10 | wm 40", "b[1,6){1} [3,8){3} [10,15){10} [20,25){20}"},
  });
}

// A5
TEST(Windows, GiveTheirResultsTheLastTimeOfTheWindow) {
  const auto play = panes_of(tumbling(us(10))).play(script_of("in 3,13 | end"));
  const auto results = play.records<Pane>();
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].time, event_time(9));
  EXPECT_EQ(results[1].time, event_time(19));
  EXPECT_EQ(tumbling_window(event_time(9), us(10)).start, event_time(0));
  EXPECT_EQ(tumbling_window(event_time(9), us(20)), tumbling_window(event_time(19), us(20)));
}

// A6
TEST(Windows, F24WithAnEndBeyondTheLastTimeFireAtTheEndOfInputAlone) {
  const std::string last = std::to_string(std::int64_t{1} << 62);
  const std::string almost = std::to_string((std::int64_t{1} << 62) - 1);
  for (const WindowSpec& spec :
       std::vector<WindowSpec>{tumbling(us(10)), tumbling(kLongestDuration), sliding(us(10), us(7)),
                               sliding(kLongestDuration, us(std::int64_t{1} << 60)), session(us(10)), session(kLongestDuration)}) {
    const auto harness = panes_of(spec);
    const auto script = script_of("in " + last + " | wm " + almost + " | end");
    EXPECT_EQ(harness.disagreement(script), "") << spec.describe();
    const Play play = harness.play(script);
    const auto results = play.records<Pane>();
    ASSERT_FALSE(results.empty()) << spec.describe();
    for (const auto& result : results) {
      EXPECT_EQ(result.record.window.end, kPlusInfinity);
      EXPECT_EQ(result.time, kPlusInfinity);
    }
    EXPECT_EQ(play.entries_left, 0u);
    // The result of such a window has the time +infinity, and the next window stage takes it.
    Script<Item> chained;
    chained.record(item(1), kPlusInfinity).end();
    EXPECT_EQ(harness.play(chained).records<Pane>().size(), results.size()) << spec.describe();
  }
  const std::string first = std::to_string(-(std::int64_t{1} << 62));
  for (const WindowSpec& spec : std::vector<WindowSpec>{tumbling(kLongestDuration), sliding(kLongestDuration, us(1)),
                                                        sliding(us(10), us(3)), session(kLongestDuration)}) {
    const auto play = panes_of(spec).play(script_of("in " + first + " | wm " + first));
    EXPECT_EQ(play.counters.late, 0u) << spec.describe();
  }
}

// K4
TEST(Windows, F41LeaveNoStateBehind) {
  for (const WindowSpec& spec :
       std::vector<WindowSpec>{tumbling(us(10)), sliding(us(10), us(5)), sliding(us(10), us(3)), sliding(us(2), us(5)), session(us(4))}) {
    const Play play = panes_of(spec).play(script_of("in 1,b:2,c:17 | wm 9 | in 12@15,b:40 | in 7@9 | end"),
        {.interruption = Interruption::kRestore});
    EXPECT_EQ(play.entries_left, 0u) << spec.describe();
    EXPECT_EQ(play.rows_left, 0u) << spec.describe();
    // And while the input goes on, none for keys that are out of all windows.
    const Play open = panes_of(spec).play(script_of("in 1,b:2,c:3 | in 100 | wm 60"));
    EXPECT_EQ(open.entries_left, 1u) << spec.describe();
  }
}

// W8
TEST(Windows, ForwardTheWatermarkBehindTheResults) {
  const Play play = panes_of(tumbling(us(10))).play(script_of("in 3 | wm 4 | wm 9 | end"));
  std::vector<Play::Kind> kinds;
  for (const auto& event : play.events) {
    if (event.outlet == kMainOutlet) kinds.push_back(event.kind);
  }
  using enum Play::Kind;
  EXPECT_EQ(kinds, (std::vector{kWatermark, kRecord, kWatermark, kWatermark, kEnd}));
  EXPECT_EQ(play.watermarks(), (std::vector{event_time(4), event_time(9), kPlusInfinity}));
  EXPECT_EQ(play.watermarks(kLateOutlet), play.watermarks());
}

TEST(WindowSpec, RefusesImpossibleDurations) {
  for (const WindowSpec& spec :
       std::vector<WindowSpec>{tumbling(us(0)), tumbling(us(-1)), sliding(us(10), us(0)), sliding(us(0), us(10)), session(us(0)),
                               tumbling(kLongestDuration + us(1)), session(kLongestDuration + us(1))}) {
    EXPECT_FALSE(spec.check().ok()) << spec.describe();
  }
  EXPECT_TRUE(tumbling(us(1), {.offset = us(-77)}).check().ok());
  EXPECT_TRUE(sliding(us(2), us(5)).check().ok());
}

TEST(WindowSpec, DescribesItself) {
  using namespace std::chrono_literals;
  EXPECT_EQ(tumbling(1min).describe(), "tumbling window 1min");
  EXPECT_EQ(tumbling(24h, {.offset = -1h}).describe(), "tumbling window 1d, offset -1h");
  EXPECT_EQ(sliding(10s, 1s).describe(), "sliding window 10s by 1s");
  EXPECT_EQ(session(30min).describe(), "session window, gap 30min");
  EXPECT_EQ(tumbling(1min).parameters(), "tumbling(1min,0s)");
  EXPECT_EQ(tumbling(1min, {.offset = -1s}).parameters(), tumbling(1min, {.offset = 59s}).parameters());   // K11: the same windows
  EXPECT_NE(sliding(10s, 1s).parameters(), sliding(10s, 2s).parameters());
}

}  // namespace

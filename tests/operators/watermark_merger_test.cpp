// The merging of watermarks, idleness and ends over several inputs, as tables of steps.

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/operators/watermark_merger.hpp>

namespace {

using namespace tidemark;

// A script of steps, "x 10" (watermark), "x idle", "x active" or "x end", each with what it makes of the output: "10", or "-" for no
// change.
struct Step {
  std::string what;
  std::string output;
};

std::string text_of(std::optional<EventTime> time) { return time ? std::to_string(micros(*time)) : "-"; }

std::optional<EventTime> apply(WatermarkMerger& merger, const std::string& step) {
  const std::size_t input = static_cast<std::size_t>(step[0] - 'x');
  const std::string what = step.substr(2);
  if (what == "idle") return merger.on_status(input, true);
  if (what == "active") return merger.on_status(input, false);
  if (what == "end") return merger.on_finished(input);
  return merger.on_watermark(input, event_time(std::stoll(what)));
}

void play(std::size_t inputs, const std::vector<Step>& steps) {
  WatermarkMerger merger{inputs};
  std::string so_far;
  for (const Step& step : steps) {
    so_far += so_far.empty() ? step.what : ", " + step.what;
    EXPECT_EQ(text_of(apply(merger, step.what)), step.output) << so_far;
  }
}

TEST(WatermarkMerger, GivesTheMinimumAndOnlyWhenItRises_W7) {
  play(2, {{"x 10", "-"}, {"y 7", "7"}, {"y 7", "-"}, {"y 12", "10"}, {"x 9", "-"}, {"x 11", "11"}, {"y 11", "-"}, {"x 20", "12"}});
  play(1, {{"x -5", "-5"}, {"x -6", "-"}, {"x -4", "-4"}});
  play(3, {{"x 5", "-"}, {"y 6", "-"}, {"z 4", "4"}, {"z 9", "5"}, {"x 9", "6"}});
}

TEST(WatermarkMerger, LeavesIdleInputsOutOfTheMinimum_W10) {
  play(2, {{"x 10", "-"}, {"y idle", "10"}, {"x 20", "20"}});
  play(3, {{"x 10", "-"}, {"y 5", "-"}, {"z idle", "5"}, {"y idle", "10"}, {"y idle", "-"}});
  // Idle with nothing seen, before anything came: there is no watermark to give.
  play(2, {{"x idle", "-"}, {"y idle", "-"}, {"x active", "-"}, {"x 3", "3"}});
}

TEST(WatermarkMerger, CountsAnInputThatComesBackOnlyOnceItHasCaughtUp_W11) {
  play(2, {{"x 20", "-"}, {"y 20", "20"}, {"y idle", "-"}, {"x 50", "50"},
           {"y active", "-"}, {"x 60", "60"}, {"y 55", "-"}, {"x 70", "70"}, {"y 70", "-"}, {"x 90", "-"}, {"y 80", "80"}});
  // It reaches the last output exactly: counted, and held by it from then on.
  play(2, {{"x 20", "-"}, {"y 10", "10"}, {"y idle", "20"}, {"y active", "-"}, {"y 20", "-"}, {"x 30", "-"}, {"y 25", "25"}});
  // Back at once and level with the output: counted without a further watermark.
  play(2, {{"x 20", "-"}, {"y 20", "20"}, {"y idle", "-"}, {"y active", "-"}, {"x 30", "-"}, {"y 21", "21"}});
  // While all that are counted are gone, those that are behind hold the output where it is.
  play(2, {{"x 50", "-"}, {"y 20", "20"}, {"y idle", "50"}, {"y active", "-"}, {"x end", "-"}, {"y 40", "-"}, {"y 50", "-"},
           {"y 51", "51"}});
}

TEST(WatermarkMerger, TakesTheGreatestWatermarkWhenNobodyIsActive_W12) {
  play(2, {{"x 100", "-"}, {"y 50", "50"}, {"x idle", "-"}, {"y idle", "100"}});
  play(2, {{"x 100", "-"}, {"y 50", "50"}, {"y idle", "100"}, {"x idle", "-"}});
  play(2, {{"x 100", "-"}, {"y 50", "50"}, {"x end", "-"}, {"y idle", "100"}, {"y end", "-"}});
}

TEST(WatermarkMerger, F25LeavesEndedInputsOutOfTheMinimum_W13) {
  play(2, {{"x 10", "-"}, {"y 5", "5"}, {"y end", "10"}, {"x 12", "12"}, {"x end", "-"}});
  play(2, {{"x 10", "-"}, {"y idle", "10"}, {"x end", "-"}, {"y active", "-"}, {"y 11", "11"}, {"y end", "-"}});
  play(2, {{"x end", "-"}, {"y end", "-"}});
  // What is said of an input after its end does not count.
  play(2, {{"x 5", "-"}, {"y 5", "5"}, {"x end", "-"}, {"x 3", "-"}, {"x 9", "-"}, {"x idle", "-"}, {"y 7", "7"}});
}

TEST(WatermarkMerger, F25GivesTheGreatestWatermarkWhenAllHaveEndedWhicheverEndedFirst_D1) {
  play(2, {{"x 10", "-"}, {"y 5", "5"}, {"x end", "-"}, {"y end", "10"}});
  play(2, {{"x 10", "-"}, {"y 5", "5"}, {"y end", "10"}, {"x end", "-"}});
  play(3, {{"x 7", "-"}, {"x end", "-"}, {"y end", "-"}, {"z 6", "6"}, {"z end", "7"}});
  WatermarkMerger merger{1};
  (void)apply(merger, "x 10");
  (void)apply(merger, "x end");
  merger.end();
  EXPECT_EQ(merger.output(), kPlusInfinity);
}

TEST(WatermarkMerger, F25IsIdleWhenSomeInputsAreOpenAndAllOfThemIdle_W12) {
  struct Row {
    std::vector<std::string> steps;
    bool idle;
  };
  for (const Row& row : std::vector<Row>{{{}, false}, {{"x idle"}, false}, {{"x idle", "y idle"}, true}, {{"x end", "y idle"}, true},
                                         {{"x end", "y end"}, false}, {{"x idle", "y idle", "x active"}, false}}) {
    WatermarkMerger merger{2};
    std::string steps;
    for (const std::string& step : row.steps) {
      (void)apply(merger, step);
      steps += step + ", ";
    }
    EXPECT_EQ(merger.idle(), row.idle) << steps;
  }
}

TEST(WatermarkMerger, WaitsForAnInputFromWhichNothingComesOnlyWhereAllMustHaveEnded_W9) {
  for (const bool ends_first : {true, false}) {
    WatermarkMerger merger{3};
    merger.leave_out(2);
    EXPECT_FALSE(merger.idle());
    const auto end_of_z = [&] { EXPECT_EQ(text_of(apply(merger, "z end")), "-"); };
    if (ends_first) end_of_z();
    EXPECT_EQ(text_of(apply(merger, "x 10")), "-");
    EXPECT_EQ(text_of(apply(merger, "y 7")), "7");
    EXPECT_EQ(text_of(apply(merger, "y idle")), "10");
    EXPECT_FALSE(merger.idle());
    EXPECT_EQ(text_of(apply(merger, "x idle")), "-");
    EXPECT_TRUE(merger.idle());
    EXPECT_EQ(text_of(apply(merger, "x end")), "-");
    EXPECT_EQ(text_of(apply(merger, "y end")), "-");
    EXPECT_FALSE(merger.idle());
    EXPECT_EQ(merger.all_finished(), ends_first);
    if (!ends_first) end_of_z();
    EXPECT_TRUE(merger.all_finished());
    EXPECT_EQ(merger.output(), event_time(10));
  }
}

TEST(WatermarkMerger, GoesOnFromAnyRecordedPoint_C1) {
  const std::vector<std::string> steps = {"x 20", "y 10", "z 15", "y idle", "x 50", "z 60", "y active", "y 30", "x end", "y 55", "z idle",
                                          "y idle", "z active", "z 70", "y end", "z end"};
  for (std::size_t cut = 0; cut <= steps.size(); ++cut) {
    WatermarkMerger first{3};
    for (std::size_t i = 0; i < cut; ++i) (void)apply(first, steps[i]);
    WatermarkMerger second{3};
    for (std::size_t input = 0; input < 3; ++input) second.restore(input, first.input(input));
    second.restore_output(first.output());
    for (std::size_t i = cut; i < steps.size(); ++i) {
      EXPECT_EQ(text_of(apply(second, steps[i])), text_of(apply(first, steps[i]))) << "cut " << cut << ", step " << steps[i];
    }
    EXPECT_EQ(second.idle(), first.idle());
    EXPECT_EQ(second.all_finished(), first.all_finished());
  }
}

}  // namespace

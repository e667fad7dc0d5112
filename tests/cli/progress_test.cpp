#include "src/progress.hpp"

#include <gtest/gtest.h>

namespace tidemark::cli_internal {
namespace {

using namespace std::chrono_literals;

JobSnapshot well_on_its_way() {
  JobSnapshot snapshot;
  snapshot.uptime = 72s;
  snapshot.records_in = 2'400'000;
  snapshot.records_out = 1'680;
  snapshot.late = 3;
  snapshot.watermark = event_time(1'767'269'051'000'000);
  snapshot.last_checkpoint = 7;
  snapshot.since_checkpoint = 1800ms;
  snapshot.checkpoint_duration = 212ms;
  snapshot.checkpoint_bytes = 4'100'000;
  snapshot.checkpoints = 7;
  return snapshot;
}

TEST(ProgressLine, ShowsRatesSinceTheLineBefore) {
  JobSnapshot before;
  before.uptime = 70s;
  EXPECT_EQ(progress_line(well_on_its_way(), before),
            "01:12 in 1.2M/s out 840/s watermark 2026-01-01T12:04:11Z checkpoint 7: 1.8s ago, 212ms, 4.1MB late 3 dropped 0");
}

TEST(ProgressLine, SaysThatThereIsNoCheckpointYet) {
  JobSnapshot now;
  now.uptime = 500ms;
  EXPECT_EQ(progress_line(now, {}), "00:00 in 0/s out 0/s watermark -inf no checkpoint yet late 0 dropped 0");
}

TEST(ProgressLine, DividesByNoTime) {
  EXPECT_EQ(progress_line({}, {}), "00:00 in 0/s out 0/s watermark -inf no checkpoint yet late 0 dropped 0");
}

TEST(ProgressLine, KnowsOnlyTheAgeOfARestoredCheckpoint) {
  JobSnapshot now;
  now.last_checkpoint = 41;
  now.since_checkpoint = 90ms;
  EXPECT_EQ(progress_line(now, {}), "00:00 in 0/s out 0/s watermark -inf checkpoint 41: 90ms ago late 0 dropped 0");
}

TEST(ProgressLine, MentionsTroubleOnlyIfThereIsAny) {
  JobSnapshot now = well_on_its_way();
  now.quarantined = 2;
  now.failed_checkpoints = 1;
  EXPECT_TRUE(progress_line(now, {}).ends_with(" late 3 dropped 0 quarantined 2 failed checkpoints 1"));
  now.hangs = {{"operator \"pass\" of task pass/1", 12s}};
  EXPECT_TRUE(progress_line(now, {}).ends_with(" failed checkpoints 1; operator \"pass\" of task pass/1 has not returned for 12.0s"))
      << progress_line(now, {});
}

TEST(ShortCount, NeverNeedsMoreThanSixCharacters) {
  for (const auto& [count, text] : std::initializer_list<std::pair<double, const char*>>{{0, "0"},
                                                                                         {9.6, "10"},
                                                                                         {999, "999"},
                                                                                         {999.96, "1.0k"},
                                                                                         {1000, "1.0k"},
                                                                                         {12'345, "12.3k"},
                                                                                         {999'940, "999.9k"},
                                                                                         {999'960, "1.0M"},
                                                                                         {4e9, "4.0G"},
                                                                                         {7e12, "7.0T"}}) {
    EXPECT_EQ(short_count(count), text) << count;
  }
}

}  // namespace
}  // namespace tidemark::cli_internal

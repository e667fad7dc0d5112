// Files all of whose rows are dead.

#include <algorithm>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include <tidemark/state/store.hpp>

#include "row_keys.hpp"
#include "src/store_options.hpp"
#include "support/temporary_directory.hpp"

namespace tidemark {
namespace {

class DeadFiles : public testing::Test {
 protected:
  DeadFiles() {
    auto created = create_store(posix_file_system(), directory_ / "live", {});
    EXPECT_TRUE(created.ok());
    store_ = *std::move(created);
  }
  // A file of some rows of this bucket, which overlaps no other bucket's.
  void take(StateId id, std::int64_t bucket) {
    RowRun run;
    for (int i = 0; i < 10; ++i) run.put(timed_key(id, bucket, "key " + std::to_string(i)), "value");
    const auto written = write_row_file(posix_file_system(), directory_ / ("rows" + std::to_string(++taken_)), std::move(run));
    ASSERT_TRUE(written.ok());
    ASSERT_TRUE(store_->ingest({*written}).ok());
  }
  std::size_t row_files() {
    const std::string to = directory_ / ("checkpoint" + std::to_string(++linked_));
    EXPECT_TRUE(posix_file_system().make_directory(to).ok());
    const auto files = store_->link_into(to);
    EXPECT_TRUE(files.ok());
    return static_cast<std::size_t>(
        std::count_if(files->begin(), files->end(), [](const StoredFile& file) { return file.name.ends_with(".sst"); }));
  }
  std::size_t rows_of(StateId id) {
    std::size_t rows = 0;
    EXPECT_TRUE(store_->scan(timed_key(id, 0, "").substr(0, sizeof id), [&rows](ByteView, ByteView) -> Status {
      ++rows;
      return {};
    }).ok());
    return rows;
  }

  const test_support::TemporaryDirectory directory_;
  std::unique_ptr<StateStore> store_;
  int taken_ = 0;
  int linked_ = 0;
};

// As a job leaves them whose time goes on by a window and more from checkpoint to checkpoint.
TEST_F(DeadFiles, GoWithTheirTimeThoughNothingOverlapsThem) {
  for (int bucket = 1; bucket <= 50; ++bucket) {
    take(1, bucket);
    store_->set_dropped({{1, {event_time(bucket - 2)}}});
  }
  EXPECT_EQ(row_files(), 2u);
  EXPECT_EQ(rows_of(1), 20u);   // of the last two
}

TEST_F(DeadFiles, OfAStateThatIsGivenUpGoAndNoOthers) {
  for (const StateId id : {StateId{1}, StateId{2}, StateId{3}}) take(id, 7);
  store_->set_dropped({{2, {kPlusInfinity}}});
  EXPECT_EQ(row_files(), 2u);
  EXPECT_EQ(rows_of(1) + rows_of(3), 20u);
}

TEST_F(DeadFiles, StayWhileOneOfTheirRowsIsAlive) {
  take(1, 4);
  take(1, 5);
  store_->set_dropped({{1, {event_time(4)}}});
  take(2, 4);
  store_->set_dropped({{1, {event_time(4)}}, {2, {event_time(3)}}});
  EXPECT_EQ(row_files(), 2u);
  EXPECT_EQ(rows_of(1) + rows_of(2), 20u);
  // Whether a row of a stamped state is dead is in its value.
  store_->set_dropped({{1, {event_time(4)}}, {2, {event_time(100), true}}});
  EXPECT_EQ(row_files(), 2u);
}

TEST(DeadRows, NameTheRangesThatWereNotDeadBefore) {
  using state_internal::DeadRows;
  const DeadRows before{{{1, {event_time(5)}}, {2, {event_time(5)}}}};
  const DeadRows now{{{1, {event_time(5)}},
                      {2, {event_time(6)}},
                      {3, {event_time(1), true}},
                      {4, {kMinusInfinity}},
                      {5, {kPlusInfinity, true}},
                      {0xFFFF, {kPlusInfinity}}}};
  const std::vector<DeadRows::Range> ranges = now.ranges_since(before);
  ASSERT_EQ(ranges.size(), 3u);
  EXPECT_EQ(ranges[0].first, timeless_key(2, ""));
  EXPECT_EQ(ranges[0].end, timed_key(2, 7, ""));
  EXPECT_EQ(ranges[1].first, timeless_key(5, ""));
  EXPECT_EQ(ranges[1].end, timeless_key(6, ""));
  EXPECT_EQ(ranges[2].first, timeless_key(0xFFFF, ""));
  EXPECT_EQ(ranges[2].end, "") << "no row lies behind those of the last state";
  EXPECT_TRUE(now.ranges_since(now).empty());
}

}  // namespace
}  // namespace tidemark

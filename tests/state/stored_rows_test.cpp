// A checkpoint's rows, read where they lie.

#include <map>

#include <gmock/gmock.h>

#include <tidemark/state/store.hpp>

#include "support/recording_file_system.hpp"
#include "support/temporary_directory.hpp"

#include "row_keys.hpp"

namespace tidemark {
namespace {

using test_support::RecordingFileSystem;
using test_support::TemporaryDirectory;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Rows = std::map<Bytes, Bytes>;

// A checkpoint of two ingested files, the later of which erases a row of the earlier.
class RowsOfACheckpoint : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = create_store(files, directory / "live", {});
    ASSERT_TRUE(store.ok()) << store.error().describe();
    for (int i = 0; i < 2; ++i) {
      RowRun run;
      if (i == 0) {
        for (const auto& [key, value] : kept) run.put(key, value);
        run.put(timeless_key(2, "gone"), "x");
        run.put(timed_key(3, 10, "dead"), "x");
      } else {
        run.erase(timeless_key(2, "gone"));
      }
      const std::string path = directory / ("rows" + std::to_string(i) + ".sst");
      const auto written = write_row_file(files, path, std::move(run));
      ASSERT_TRUE(written.ok());
      ASSERT_TRUE((*store)->ingest({*written}).ok());
    }
    ASSERT_TRUE(files.make_directory(checkpoint).ok());
    auto linked = (*store)->link_into(checkpoint);
    ASSERT_TRUE(linked.ok()) << linked.error().describe();
    stored = *linked;
  }

  static Rows rows_of(StoredRows& rows, ByteView prefix) {
    Rows found;
    const Status status = rows.scan(prefix, [&](ByteView key, ByteView value) {
      found.emplace(key, value);
      return Status{};
    });
    EXPECT_TRUE(status.ok()) << status.error().describe();
    return found;
  }
  Result<std::unique_ptr<StoredRows>> opened(FileSystem& over) {
    return open_stored_rows(over, checkpoint, stored, {{3, {event_time(10)}}}, {});
  }

  FileSystem& files = posix_file_system();
  TemporaryDirectory directory;
  std::string checkpoint = directory / "checkpoint";
  std::vector<StoredFile> stored;
  Rows kept = {
      {timeless_key(1, "a"), "1"}, {timeless_key(2, "b"), "2"}, {timeless_key(2, "bc"), "3"},
      {timed_key(3, 11, "c"), ""}, {timeless_key(0x200, "d"), "4"}};
};

TEST_F(RowsOfACheckpoint, AreThoseThatARestoreGives) {
  auto rows = opened(files);
  ASSERT_TRUE(rows.ok()) << rows.error().describe();
  EXPECT_EQ(rows_of(**rows, {}), kept);
  auto restored = restore_store(files, checkpoint, stored, directory / "restored", {});
  ASSERT_TRUE(restored.ok());
  (*restored)->set_dropped({{3, {event_time(10)}}});
  Rows expected;
  ASSERT_TRUE((*restored)->scan({}, [&](ByteView key, ByteView value) {
    expected.emplace(key, value);
    return Status{};
  }).ok());
  EXPECT_EQ(expected, kept);
}

TEST_F(RowsOfACheckpoint, AreFoundByWhatTheirKeysBeginWith) {
  auto rows = opened(files);
  ASSERT_TRUE(rows.ok()) << rows.error().describe();
  EXPECT_EQ(rows_of(**rows, timeless_key(1, "")), (Rows{{timeless_key(1, "a"), "1"}}));
  EXPECT_EQ(rows_of(**rows, timeless_key(2, "")), (Rows{{timeless_key(2, "b"), "2"}, {timeless_key(2, "bc"), "3"}}));
  EXPECT_EQ(rows_of(**rows, timeless_key(2, "bc")), (Rows{{timeless_key(2, "bc"), "3"}}));
  EXPECT_EQ(rows_of(**rows, timeless_key(3, "")), (Rows{{timed_key(3, 11, "c"), ""}}));
  EXPECT_THAT(rows_of(**rows, timeless_key(4, "")), IsEmpty());
}

TEST_F(RowsOfACheckpoint, AreReadWithoutTheLeastChange) {
  RecordingFileSystem recording{files};
  {
    auto rows = opened(recording);
    ASSERT_TRUE(rows.ok()) << rows.error().describe();
    EXPECT_EQ(rows_of(**rows, {}), kept);
  }
  EXPECT_THAT(recording.changes(), IsEmpty());
  EXPECT_TRUE(verify_files(files, checkpoint, stored).ok());
}

TEST_F(RowsOfACheckpoint, AreStillThereWhenItIsRemovedAfterOpening) {
  auto rows = opened(files);
  ASSERT_TRUE(rows.ok()) << rows.error().describe();
  ASSERT_TRUE(remove_tree(files, checkpoint).ok());
  ASSERT_TRUE(remove_tree(files, directory / "live").ok());
  EXPECT_EQ(rows_of(**rows, {}), kept);
}

TEST_F(RowsOfACheckpoint, AreNotOpenedIfAFileIsMissingOrShort) {
  for (const StoredFile& file : stored) {
    const std::string path = join_path(checkpoint, file.name);
    const std::string aside = directory / "aside";
    ASSERT_TRUE(files.rename(path, aside).ok());
    auto rows = opened(files);
    ASSERT_FALSE(rows.ok()) << file.name;
    EXPECT_EQ(rows.error().code, ErrorCode::kCheckpointCorrupt);
    EXPECT_THAT(rows.error().message, ::testing::HasSubstr(file.name));
    ASSERT_TRUE(files.rename(aside, path).ok());
  }
}

TEST_F(RowsOfACheckpoint, EndWithTheErrorOfWhoVisitsThem) {
  auto rows = opened(files);
  ASSERT_TRUE(rows.ok()) << rows.error().describe();
  std::vector<Bytes> seen;
  const Status status = (*rows)->scan({}, [&](ByteView, ByteView value) {
    seen.emplace_back(value);
    return seen.size() == 2 ? Status{Error{.code = ErrorCode::kUserFunction, .message = "enough"}} : Status{};
  });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "enough");
  EXPECT_THAT(seen, ElementsAre("1", "2"));
}

}  // namespace
}  // namespace tidemark

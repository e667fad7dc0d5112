#include <string>
#include <vector>

#include <unistd.h>

#include <gtest/gtest.h>

#include <tidemark/core/file_system.hpp>

#include "support/recording_file_system.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace tidemark;
using namespace tidemark::test_support;

FileSystem& disk() { return posix_file_system(); }

std::string read(const std::string& path) {
  Result<Bytes> contents = read_file(disk(), path, 1000);
  return contents.ok() ? *contents : "cannot read: " + contents.error().message;
}

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  const auto entries = disk().list(path);
  EXPECT_TRUE(entries.ok());
  for (const DirectoryEntry& entry : *entries) names.push_back(entry.name);
  return names;
}

// R1
TEST(PublishFile, WritesSyncsClosesRenamesAndSyncsTheDirectoryInThisOrder) {
  const TemporaryDirectory directory;
  RecordingFileSystem files{disk()};
  ASSERT_TRUE(publish_file(files, directory / "manifest", "12345").ok());
  const std::string temporary = directory / ".manifest.partial";
  EXPECT_EQ(files.changes(), (std::vector<std::string>{"create " + temporary, "append " + temporary + " 5", "sync " + temporary,
                                                       "close " + temporary, "rename " + temporary + " " + directory / "manifest",
                                                       "sync_directory " + directory.path()}));
  EXPECT_EQ(read(directory / "manifest"), "12345");
  EXPECT_EQ(names_in(directory.path()), std::vector<std::string>{"manifest"});
}

// R1, at every point of failure and every point of a crash: the old file or the new one, whole; success only with the new one; and the next
// attempt succeeds whatever was left behind.
TEST(PublishFile, F12LeavesTheOldFileOrTheNewOneWhicheverStepFails) {
  for (const Failure failure : {Failure::kNotDone, Failure::kDoneAnyway, Failure::kCrash}) {
    std::size_t step = 0;
    for (;; ++step) {
      SCOPED_TRACE("failure " + std::to_string(static_cast<int>(failure)) + " at step " + std::to_string(step));
      const TemporaryDirectory directory;
      ASSERT_TRUE(publish_file(disk(), directory / "manifest", "old").ok());
      RecordingFileSystem files{disk()};
      files.fail_at(step, failure);
      const Status status = publish_file(files, directory / "manifest", "new");
      const std::string contents = read(directory / "manifest");
      EXPECT_EQ(status.ok(), !files.fired());
      EXPECT_TRUE(contents == "new" || (contents == "old" && !status.ok())) << contents;
      const std::string last = files.steps().back();
      if (!status.ok() && failure == Failure::kNotDone && !last.starts_with("sync_directory")) {
        EXPECT_EQ(contents, "old");
        EXPECT_EQ(names_in(directory.path()), std::vector<std::string>{"manifest"}) << "the temporary file was left";
      }
      std::size_t syncs = 0;
      for (const std::string& text : files.steps()) syncs += text.starts_with("sync ") ? 1 : 0;
      EXPECT_LE(syncs, 1U) << "a failed fsync was tried again";

      EXPECT_TRUE(publish_file(disk(), directory / "manifest", "newer").ok());
      EXPECT_EQ(read(directory / "manifest"), "newer");
      EXPECT_EQ(names_in(directory.path()), std::vector<std::string>{"manifest"});
      if (!files.fired()) break;
    }
    EXPECT_GE(step, 7U) << "fewer steps than a durable publish has";
  }
}

TEST(PublishFile, ReplacesALinkAndNeverWritesThroughIt) {
  const TemporaryDirectory directory;
  ASSERT_TRUE(publish_file(disk(), directory / "elsewhere", "kept").ok());
  ASSERT_EQ(::symlink("elsewhere", (directory / "manifest").c_str()), 0);
  ASSERT_EQ(::symlink("elsewhere", (directory / ".manifest.partial").c_str()), 0);
  ASSERT_TRUE(publish_file(disk(), directory / "manifest", "new").ok());
  EXPECT_EQ(read(directory / "manifest"), "new");
  EXPECT_EQ(read(directory / "elsewhere"), "kept");
}

TEST(CopyFile, LeavesAWholeCopyOrNoneWhicheverStepFails) {
  const Bytes contents(600'000, 'x');   // several pieces
  for (const Failure failure : {Failure::kNotDone, Failure::kDoneAnyway}) {
    for (std::size_t step = 0;; ++step) {
      SCOPED_TRACE("failure " + std::to_string(static_cast<int>(failure)) + " at step " + std::to_string(step));
      const TemporaryDirectory directory;
      ASSERT_TRUE(publish_file(disk(), directory / "from", contents).ok());
      RecordingFileSystem files{disk()};
      files.fail_at(step, failure);
      const Status status = copy_file(files, directory / "from", directory / "to");
      EXPECT_EQ(status.ok(), !files.fired());
      const Result<Bytes> copy = read_file(disk(), directory / "to", contents.size());
      if (status.ok()) {
        ASSERT_TRUE(copy.ok());
        EXPECT_EQ(*copy, contents);
        EXPECT_EQ(files.changes().back(), "close " + directory / "to");
        EXPECT_EQ(*(files.changes().rbegin() + 1), "sync " + directory / "to");
        break;
      }
      // A create that took effect and reported an error may have been somebody else's file: it is not removed.
      if (files.changes() != std::vector<std::string>{"create " + directory / "to"}) {
        EXPECT_FALSE(copy.ok()) << "an incomplete copy was left";
      }
    }
  }
}

TEST(MakeDirectories, CanBeRepeatedWhicheverStepFailed) {
  for (const Failure failure : {Failure::kNotDone, Failure::kDoneAnyway, Failure::kCrash}) {
    for (std::size_t step = 0;; ++step) {
      SCOPED_TRACE("failure " + std::to_string(static_cast<int>(failure)) + " at step " + std::to_string(step));
      const TemporaryDirectory directory;
      RecordingFileSystem files{disk()};
      files.fail_at(step, failure);
      const Status status = make_directories(files, directory / "a/b");
      EXPECT_TRUE(make_directories(disk(), directory / "a/b").ok());
      EXPECT_EQ(names_in(directory / "a"), std::vector<std::string>{"b"});
      if (!files.fired()) {
        EXPECT_TRUE(status.ok());
        break;
      }
    }
  }
}

TEST(RemoveTree, CanBeRepeatedWhicheverStepFailed) {
  for (const Failure failure : {Failure::kNotDone, Failure::kDoneAnyway, Failure::kCrash}) {
    for (std::size_t step = 0;; ++step) {
      SCOPED_TRACE("failure " + std::to_string(static_cast<int>(failure)) + " at step " + std::to_string(step));
      const TemporaryDirectory directory;
      ASSERT_TRUE(make_directories(disk(), directory / "tree/a").ok());
      ASSERT_TRUE(publish_file(disk(), directory / "tree/a/file", "x").ok());
      RecordingFileSystem files{disk()};
      files.fail_at(step, failure);
      const Status status = remove_tree(files, directory / "tree");
      EXPECT_EQ(status.ok(), !files.fired());
      EXPECT_TRUE(remove_tree(disk(), directory / "tree").ok());
      EXPECT_TRUE(names_in(directory.path()).empty());
      if (!files.fired()) break;
    }
  }
}

TEST(ReadFile, ReportsWhicheverStepFailed) {
  const TemporaryDirectory directory;
  ASSERT_TRUE(publish_file(disk(), directory / "file", "x").ok());
  for (std::size_t step = 0;; ++step) {
    RecordingFileSystem files{disk()};
    files.fail_at(step, Failure::kNotDone);
    const Result<Bytes> contents = read_file(files, directory / "file", 1000);
    EXPECT_EQ(contents.ok(), !files.fired());
    if (!files.fired()) break;
  }
}

}  // namespace

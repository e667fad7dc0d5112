// Files that grow while they are read.

#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <unistd.h>

#include <tidemark/file/csv.hpp>
#include <tidemark/file/lines.hpp>

#include "read_source.hpp"
#include "support/forwarding_file_system.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace tidemark;
using namespace tidemark::file_test;
using test_support::TemporaryDirectory;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Does something just before a directory is listed.
class FilesWithListHook final : public test_support::ForwardingFileSystem {
 public:
  explicit FilesWithListHook(std::function<void()> before_list)
      : ForwardingFileSystem(posix_file_system()), before_list_(std::move(before_list)) {}

  Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
    before_list_();
    return under_.list(path);
  }

 private:
  std::function<void()> before_list_;
};

class FollowedInput : public testing::Test {
 protected:
  void append(const std::string& name, const std::string& bytes) {
    std::ofstream file(directory_ / name, std::ios::binary | std::ios::app);
    file << bytes;
  }
  // What a followed source gives between one wait and the next.
  std::vector<std::string> more() {
    if (reader_ == nullptr) {
      auto opened = source_.base()->open_split(io_, "in", position_);
      EXPECT_TRUE(opened.ok()) << opened.error().describe();
      reader_ = *std::move(opened);
    }
    outcome_ = {};
    drain(*reader_, 1000, outcome_);
    if (outcome_.ok()) {
      EXPECT_EQ(outcome_.last, PollResult::kNothingNow);
      position_ = reader_->position();
    }
    return outcome_.values;
  }
  void restart() { reader_ = nullptr; }

  TemporaryDirectory directory_;
  IoContext io_ = io_on(posix_file_system());
  Source<std::string> source_ = lines_source({.path = directory_.path(), .follow = true});
  Bytes position_;
  std::unique_ptr<SplitReaderBase> reader_;
  Outcome<std::string> outcome_;
};

TEST_F(FollowedInput, IsNotBounded) {
  EXPECT_FALSE(source_.base()->bounded());
  EXPECT_THAT(source_.base()->describe(), HasSubstr("followed"));
}

TEST_F(FollowedInput, IsWaitedForAndReadAsItGrows) {
  EXPECT_THAT(more(), IsEmpty());
  append("1", "a\nb\n");
  EXPECT_THAT(more(), ElementsAre("a", "b"));
  EXPECT_THAT(more(), IsEmpty());
  append("1", "c\n");
  EXPECT_THAT(more(), ElementsAre("c"));
  EXPECT_GT(reader_->poll_again_after().count(), 0);
}

TEST_F(FollowedInput, KeepsAPartialLineUntilItIsComplete) {
  append("1", "a\nb");
  EXPECT_THAT(more(), ElementsAre("a"));
  restart();
  append("1", "cd");
  EXPECT_THAT(more(), IsEmpty());
  append("1", "\ne");
  EXPECT_THAT(more(), ElementsAre("bcd"));
}

TEST_F(FollowedInput, TakesAPartialLineAsFinalWhenALaterFileIsThere) {
  append("1", "a\nb");
  EXPECT_THAT(more(), ElementsAre("a"));
  append("2", "c\n");
  EXPECT_THAT(more(), ElementsAre("b", "c"));
  restart();
  append("3", "d\n");
  EXPECT_THAT(more(), ElementsAre("d"));
}

TEST_F(FollowedInput, ReadsAFileToItsEndBeforeItGoesOnToTheNext) {
  append("1", "a\n");
  EXPECT_THAT(more(), ElementsAre("a"));
  append("1", "b\nc");
  append("2", "d\n");
  EXPECT_THAT(more(), ElementsAre("b", "c", "d"));
}

TEST_F(FollowedInput, IsReadToItsEndWhenItGrewJustBeforeTheNextFileWasMade) {
  bool at_end = false;
  FilesWithListHook files([&] {
    // The reader has seen the end of the first file, and looks for another one.
    if (!at_end) return;
    at_end = false;
    append("1", "c\nd");
    append("2", "e\n");
  });
  const IoContext io = io_on(files);
  append("1", "a\nb");
  auto reader = source_.base()->open_split(io, "in", {});
  ASSERT_TRUE(reader.ok());
  at_end = true;
  drain(**reader, 1000, outcome_);
  EXPECT_THAT(outcome_.values, ElementsAre("a", "bc", "d", "e"));
}

TEST_F(FollowedInput, GivesTheSameRecordsWithARestartAtEveryWait) {
  std::vector<std::string> all;
  std::vector<std::string> expected;
  for (int file = 1; file <= 3; ++file) {
    for (int i = 0; i < 5; ++i) {
      expected.push_back(std::to_string(file) + "." + std::to_string(i));
      append(std::to_string(file), expected.back() + "\nx");
      for (const std::string& line : more()) all.push_back(line);
      expected.push_back("xy");
      append(std::to_string(file), "y\n");
      restart();
      for (const std::string& line : more()) all.push_back(line);
    }
  }
  EXPECT_EQ(all, expected);
}

TEST_F(FollowedInput, StopsWhenItShrinks) {
  append("1", "a\nb\n");
  more();
  ASSERT_EQ(::truncate((directory_ / "1").c_str(), 2), 0);
  more();
  EXPECT_EQ(outcome_.error.code, ErrorCode::kSourceChanged);
}

TEST_F(FollowedInput, StopsWhenItIsReplacedOrGone) {
  append("1", "a\nb\n");
  more();
  ASSERT_EQ(::unlink((directory_ / "1").c_str()), 0);
  more();
  EXPECT_EQ(outcome_.error.code, ErrorCode::kSourceChanged);
  append("1", "A\nB\nC\n");
  more();
  EXPECT_EQ(outcome_.error.code, ErrorCode::kSourceChanged);
}

TEST_F(FollowedInput, StopsWhenAFileComesBeforeTheCurrentOne) {
  append("2", "a\n");
  more();
  append("1", "b\n");
  more();
  EXPECT_EQ(outcome_.error.code, ErrorCode::kSourceChanged);
}

TEST_F(FollowedInput, MayLoseFilesThatWereRead) {
  append("1", "a\n");
  append("2", "b\n");
  EXPECT_THAT(more(), ElementsAre("a", "b"));
  ASSERT_EQ(::unlink((directory_ / "1").c_str()), 0);
  append("2", "c\n");
  EXPECT_THAT(more(), ElementsAre("c"));
  restart();
  append("3", "d\n");
  EXPECT_THAT(more(), ElementsAre("d"));
}

// As many as are gone may have come: what counts is whether a file is new.
TEST_F(FollowedInput, StopsWhenAFileComesBeforeTheCurrentOneThoughOthersAreGone) {
  for (const bool restarted : {false, true}) {
    for (const char* name : {"1", "2", "4"}) append(name, "a\n");
    EXPECT_THAT(more(), ElementsAre("a", "a", "a"));
    for (const char* name : {"1", "2"}) ASSERT_EQ(::unlink((directory_ / name).c_str()), 0);
    append("3", "never read\n");
    if (restarted) {
      const auto opened = source_.base()->open_split(io_, "in", position_);
      ASSERT_FALSE(opened.ok());
      EXPECT_EQ(opened.error().code, ErrorCode::kSourceChanged);
      EXPECT_THAT(opened.error().describe(), HasSubstr("the first of them : 3"));
    } else {
      more();
      EXPECT_EQ(outcome_.error.code, ErrorCode::kSourceChanged);
    }
    for (const char* name : {"3", "4"}) ASSERT_EQ(::unlink((directory_ / name).c_str()), 0);
    restart();
    position_.clear();
  }
}

// Its part was delivered as the last record, which it then was not. After a crash in between the restart says the same.
TEST_F(FollowedInput, StopsWhenAFileThatWasReadToItsEndGrowsInTheMiddleOfALine) {
  for (const bool follow : {true, false}) {
    append("1", "a\nhel");
    append("2", "b\n");
    auto reader = lines_source({.path = directory_.path(), .follow = follow}).base()->open_split(io_, "in", {});
    ASSERT_TRUE(reader.ok());
    outcome_ = {};
    Batch<std::string> batch;
    while (batch.empty() || batch.values.back() != "hel") {
      ASSERT_TRUE((*reader)->poll_into(batch, 1, outcome_.refused).ok());
    }
    append("1", "lo\n");
    drain(**reader, 1000, outcome_);
    EXPECT_EQ(outcome_.error.code, ErrorCode::kSourceChanged) << follow;
    EXPECT_THAT(outcome_.error.message, HasSubstr("in the middle of a line"));
    EXPECT_THAT(outcome_.values, IsEmpty());
    for (const char* name : {"1", "2"}) ASSERT_EQ(::unlink((directory_ / name).c_str()), 0);
  }
}

TEST_F(FollowedInput, HasItsByteOrderMarkPassedOverHoweverSlowlyItComes) {
  const std::string bytes = "\xEF\xBB\xBF" "first\n";
  for (std::size_t there = 0; there <= 4; ++there) {
    for (const bool restarted : {false, true}) {
      append("1", bytes.substr(0, there));
      EXPECT_THAT(more(), IsEmpty());
      if (restarted) restart();
      append("1", bytes.substr(there));
      EXPECT_THAT(more(), ElementsAre("first")) << there;
      EXPECT_THAT(outcome_.offsets, ElementsAre(3));
      ASSERT_EQ(::unlink((directory_ / "1").c_str()), 0);
      restart();
      position_.clear();
    }
  }
  append("1", "\xEF\xBB");   // no mark, and no text either
  EXPECT_THAT(more(), IsEmpty());
  append("2", "b\n");
  EXPECT_THAT(more(), ElementsAre("b"));
  EXPECT_EQ(outcome_.refused.size(), 1u);
}

TEST_F(FollowedInput, WaitsForItsHeaderToBeComplete) {
  source_ = csv_source({.path = directory_ / "*.csv", .follow = true}, {"b"}, [](CsvRow& row) { return row.text(0); });
  append("1.csv", "a,");
  EXPECT_THAT(more(), IsEmpty());
  restart();
  append("1.csv", "b\n1,2\n");
  EXPECT_THAT(more(), ElementsAre("2"));
  append("2.csv", "b,a\n3");
  EXPECT_THAT(more(), IsEmpty());
  append("2.csv", ",4\n");
  EXPECT_THAT(more(), ElementsAre("3"));
}

}  // namespace

// Positions, sets of files, and input that is not what it was (reliability R9, faults F26, F34, F39).

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tidemark/core/detail/xxh3.hpp>
#include <tidemark/file/csv.hpp>
#include <tidemark/file/lines.hpp>

#include "read_source.hpp"
#include "support/recording_file_system.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace tidemark;
using namespace tidemark::file_test;
using test_support::TemporaryDirectory;
using testing::ElementsAre;
using testing::HasSubstr;

Source<std::string> rows_source(const FileInput& input) {
  return csv_source(input, {"a"}, [](CsvRow& row) { return row.text(0); });
}

// What is delivered after each position must be what an unbroken run delivers after it.
template <class T>
void expect_every_resume_gives_the_rest(const Source<T>& source) {
  const auto whole = read_source(source, {.max_records = 1});
  ASSERT_TRUE(whole.ok()) << whole.error.describe();
  for (std::size_t i = 0; i < whole.positions.size(); ++i) {
    const auto rest = read_source(source, {.max_records = 3, .position = whole.positions[i]});
    ASSERT_TRUE(rest.ok()) << rest.error.describe();
    EXPECT_LT(whole.positions[i].size(), 1024u);
    ASSERT_EQ(rest.values.size() + rest.refused.size() + whole.delivered[i], whole.values.size() + whole.refused.size());
    EXPECT_TRUE(std::equal(rest.values.rbegin(), rest.values.rend(), whole.values.rbegin()));
    EXPECT_TRUE(std::equal(rest.offsets.rbegin(), rest.offsets.rend(), whole.offsets.rbegin()));
    for (std::size_t j = 0; j < rest.refused.size(); ++j) {
      const Refused& again = rest.refused[rest.refused.size() - 1 - j];
      const Refused& before = whole.refused[whole.refused.size() - 1 - j];
      EXPECT_EQ(again.position, before.position);
      EXPECT_EQ(again.error, before.error);
      EXPECT_EQ(again.payload, before.payload);
    }
  }
}

TEST(FileSource, F26GoesOnBehindEveryPosition) {
  TemporaryDirectory directory;
  write_file(directory / "1.csv", "\xEF\xBB\xBF" "a,b\n1,x\n\"2\n\"\"2\",y\r\n\nbad\n3,\"open\n4,z\n");
  write_file(directory / "2.csv", "a\n");
  write_file(directory / "3.csv", "b,a\nq,5\nq,6");
  write_file(directory / "4.csv", "b,a\nq," + std::string(50, 'x') + "\nq,7\nq," + std::string(60, 'y'));
  expect_every_resume_gives_the_rest(rows_source({.path = directory.path(), .max_record_bytes = 40}));
}

TEST(FileSource, GoesOnInTheMiddleOfALineThatIsTooLarge) {
  TemporaryDirectory directory;
  std::string bytes = "first\n";
  bytes += std::string(1'500'000, 'x') + "\nlast\n";
  write_file(directory / "in.txt", bytes);
  const auto source = lines_source({.path = directory / "in.txt", .max_record_bytes = 1000});
  const auto whole = read_source(source);
  EXPECT_THAT(whole.values, ElementsAre("first", "last"));
  ASSERT_EQ(whole.refused.size(), 1u);
  EXPECT_GT(whole.positions.size(), 4u) << "the line takes several blocks, so there are positions inside it";
  expect_every_resume_gives_the_rest(source);
}

TEST(FileSource, ReadsRecordsThatCrossBlocks) {
  TemporaryDirectory directory;
  std::string bytes;
  std::vector<std::string> lines;
  for (int i = 0; i < 3000; ++i) lines.push_back(std::string(static_cast<std::size_t>(i) % 997, 'a') + std::to_string(i));
  lines.push_back(std::string(1 << 20, 'z'));
  for (const std::string& line : lines) bytes += line + "\n";
  write_file(directory / "in.txt", bytes);
  EXPECT_EQ(read_source(lines_source({.path = directory / "in.txt"})).values, lines);
}

TEST(FileSource, ReadsADirectoryInTheOrderOfNames) {
  TemporaryDirectory directory;
  write_file(directory / "b.csv", "a\n2\n");
  write_file(directory / "a.csv", "a\n1");
  write_file(directory / "c.csv", "a\n3\n");
  write_file(directory / ".hidden.csv", "a\n9\n");
  ASSERT_TRUE(posix_file_system().make_directory(directory / "d.csv").ok());
  const auto source = rows_source({.path = directory.path()});
  EXPECT_THAT(read_source(source).values, ElementsAre("1", "2", "3"));
  EXPECT_TRUE(source.base()->bounded());
  expect_every_resume_gives_the_rest(source);
}

TEST(FileSource, ReadsTheFilesThatMatchAPattern) {
  TemporaryDirectory directory;
  for (const char* name : {"x1.csv", "x2.csv", "y1.csv", "x10.txt", ".x3.csv"}) {
    write_file(directory / name, std::string("a\n") + name + "\n");
  }
  EXPECT_THAT(read_source(rows_source({.path = directory / "x*.csv"})).values, ElementsAre("x1.csv", "x2.csv"));
  EXPECT_THAT(read_source(rows_source({.path = directory / "[xy]1.csv"})).values, ElementsAre("x1.csv", "y1.csv"));
  EXPECT_THAT(read_source(rows_source({.path = directory / "?2.csv"})).values, ElementsAre("x2.csv"));
  write_file(directory / "x?.csv", "a\nliteral\n");
  EXPECT_THAT(read_source(rows_source({.path = directory / "x?.csv"})).values, ElementsAre("literal"));
}

TEST(FileSource, MakesASplitOfEachFileWhenAskedTo) {
  TemporaryDirectory directory;
  write_file(directory / "a.csv", "a\n1\n");
  write_file(directory / "b.csv", "a\n2\n");
  const auto source = rows_source({.path = directory.path(), .splits = per_file});
  const auto splits = source.base()->splits(io_on(posix_file_system()));
  ASSERT_TRUE(splits.ok());
  EXPECT_THAT(*splits, ElementsAre("a.csv", "b.csv"));
  const auto b = read_source(source, {.split = "b.csv"});
  EXPECT_THAT(b.values, ElementsAre("2"));
  EXPECT_EQ(read_source(source, {.position = b.positions.back(), .split = "b.csv"}).last, PollResult::kEnd);
  EXPECT_FALSE(read_source(source, {.split = "../b.csv"}).ok());   // S03
  const auto followed = rows_source({.path = directory.path(), .splits = per_file, .follow = true});
  EXPECT_EQ(followed.base()->splits(io_on(posix_file_system())).error().code, ErrorCode::kBadConfiguration);
  const auto misspelt = rows_source({.path = directory / "c*.csv", .splits = per_file});
  EXPECT_THAT(misspelt.base()->splits(io_on(posix_file_system())).status().error().describe(), HasSubstr("no file to read"));
}

TEST(FileSource, GoesOnInFilesThatMovedToAnotherDirectory) {
  TemporaryDirectory directory;
  for (const char* place : {"then", "now"}) {
    ASSERT_TRUE(posix_file_system().make_directory(directory / place).ok());
    write_file(join_path(directory / place, "in.csv"), "a\n1\n2\n3\n");
  }
  const auto before = read_source(rows_source({.path = directory / "then/in.csv"}), {.max_records = 1});
  EXPECT_THAT(read_source(rows_source({.path = directory / "now"}), {.position = before.positions.at(0)}).values, ElementsAre("2", "3"));
}

// R9: each change of the input between two runs, and what becomes of it.
class ChangedInput : public testing::Test {
 protected:
  void SetUp() override {
    write_file(directory_ / "b.csv", "a\n1\n2\n3\n");
    write_file(directory_ / "d.csv", "a\n4\n5\n");
    const auto outcome = read_source(source(), {.max_records = 1});
    for (std::size_t i = 0; i < outcome.positions.size() && position_.empty(); ++i) {
      if (outcome.delivered[i] == 4) position_ = outcome.positions[i];   // behind "4", in the second file
    }
    ASSERT_FALSE(position_.empty());
  }
  Source<std::string> source() { return rows_source({.path = directory_.path()}); }
  Outcome<std::string> go_on() { return read_source(source(), {.position = position_}); }
  void expect_refused(const char* part) {
    const auto outcome = go_on();
    EXPECT_EQ(outcome.error.code, ErrorCode::kSourceChanged);
    EXPECT_THAT(outcome.error.message, HasSubstr(part));
    EXPECT_FALSE(outcome.error.fix.empty());
    EXPECT_TRUE(outcome.values.empty());
  }

  TemporaryDirectory directory_;
  Bytes position_;
};

TEST_F(ChangedInput, IsReadOnWhenNothingChanged) { EXPECT_THAT(go_on().values, ElementsAre("5")); }
TEST_F(ChangedInput, IsReadOnWhenItGrew) {
  write_file(directory_ / "d.csv", "a\n4\n5\n6\n");
  write_file(directory_ / "e.csv", "a\n7\n");
  EXPECT_THAT(go_on().values, ElementsAre("5", "6", "7"));
}
TEST_F(ChangedInput, IsReadOnWhenFilesThatWereReadAreGone) {
  ASSERT_TRUE(posix_file_system().remove_file(directory_ / "b.csv").ok());
  EXPECT_THAT(go_on().values, ElementsAre("5"));
}
TEST_F(ChangedInput, IsRefusedWhenTheFileIsGone) {
  ASSERT_TRUE(posix_file_system().remove_file(directory_ / "d.csv").ok());
  expect_refused("is no longer there");
}
TEST_F(ChangedInput, IsRefusedWhenTheFileIsShorter) {
  write_file(directory_ / "d.csv", "a\n4\n");
  expect_refused("is shorter than it was");
}
TEST_F(ChangedInput, IsRefusedWhenTheFileHasOtherContent) {
  write_file(directory_ / "d.csv", "a\n4\n6\n");
  expect_refused("has other content");
}
TEST_F(ChangedInput, IsRefusedWhenAFileWasAddedBeforeTheCurrentOne) {
  write_file(directory_ / "c.csv", "a\n9\n");
  expect_refused("files were added");
}
TEST_F(ChangedInput, IsRefusedWhenAFileBeforeTheCurrentOneHasAnotherName) {
  ASSERT_TRUE(posix_file_system().rename(directory_ / "b.csv", directory_ / "a.csv").ok());
  expect_refused("files were added");
}
TEST_F(ChangedInput, IsRefusedWhenTheFileBecameADirectory) {
  ASSERT_TRUE(posix_file_system().remove_file(directory_ / "d.csv").ok());
  ASSERT_TRUE(posix_file_system().make_directory(directory_ / "d.csv").ok());
  expect_refused("is no longer there");
}

// Version 1 had how many files came before, and a hash of their names one after the other.
TEST_F(ChangedInput, IsReadOnFromAPositionOfVersion1AndRefusedAsItWas) {
  const Bytes now = position_;
  const Bytes name = "b.csv";
  position_ = "\x01" + now.substr(1, now.size() - 1 - 8);   // without the hash of the one earlier file
  append_u64(position_, 1);
  append_u64(position_, detail::xxh3(name.data(), name.size(), 0));
  EXPECT_THAT(go_on().values, ElementsAre("5"));
  write_file(directory_ / "c.csv", "a\n9\n");
  expect_refused("files were added");
  ASSERT_TRUE(posix_file_system().remove_file(directory_ / "c.csv").ok());
  ASSERT_TRUE(posix_file_system().rename(directory_ / "b.csv", directory_ / "a.csv").ok());
  expect_refused("files were added");
  ASSERT_TRUE(posix_file_system().remove_file(directory_ / "a.csv").ok());
  EXPECT_THAT(go_on().values, ElementsAre("5"));
}

// A position in one split for all files does not say what of them a split for each has read.
TEST(FileSource, RefusesAPositionOfTheOtherKindOfSplits) {
  TemporaryDirectory directory;
  write_file(directory / "a.csv", "a\n1\n2\n");
  write_file(directory / "b.csv", "a\n3\n");
  const auto one = rows_source({.path = directory.path()});
  const auto each = rows_source({.path = directory.path(), .splits = per_file});
  const Bytes of_one = read_source(one, {.max_records = 1}).positions.at(0);
  const Bytes of_each = read_source(each, {.max_records = 1, .split = "a.csv"}).positions.at(0);
  EXPECT_THAT(read_source(each, {.position = of_each, .split = "a.csv"}).values, ElementsAre("2"));
  for (const auto& outcome : {read_source(one, {.position = of_each, .split = "a.csv"}),
                              read_source(each, {.position = of_one, .split = "a.csv"})}) {
    EXPECT_EQ(outcome.error.code, ErrorCode::kSourceChanged);
    EXPECT_THAT(outcome.error.describe(), HasSubstr("a split for each file"));
    EXPECT_TRUE(outcome.values.empty());
  }
}

TEST(FileSource, RefusesAFileThatGrewInTheMiddleOfItsLastLine) {
  TemporaryDirectory directory;
  write_file(directory / "in.txt", "one\ntw");
  const auto source = lines_source({.path = directory / "in.txt"});
  const auto before = read_source(source);
  EXPECT_THAT(before.values, ElementsAre("one", "tw"));
  write_file(directory / "in.txt", "one\ntwo\n");
  EXPECT_EQ(read_source(source, {.position = before.positions.back()}).error.code, ErrorCode::kSourceChanged);
}

TEST(FileSource, StopsWhenTheFileShrinksOrItsHeadChangesWhileItIsRead) {
  for (const bool shrink : {true, false}) {
    TemporaryDirectory directory;
    std::string bytes;
    for (int i = 0; i < 100'000; ++i) bytes += "line " + std::to_string(i) + "\n";
    write_file(directory / "in.txt", bytes);
    const IoContext io = io_on(posix_file_system());
    auto reader = lines_source({.path = directory / "in.txt"}).base()->open_split(io, "in.txt", {});
    ASSERT_TRUE(reader.ok());
    Batch<std::string> batch;
    std::vector<Refused> refused;
    ASSERT_TRUE((*reader)->poll_into(batch, 10, refused).ok());
    if (shrink) {
      ASSERT_EQ(::truncate((directory / "in.txt").c_str(), 300'000), 0);
    } else {
      // In place, as an editor or a careless copy does it.
      std::FILE* file = std::fopen((directory / "in.txt").c_str(), "r+");
      ASSERT_NE(file, nullptr);
      std::fputs("LINE", file);
      std::fclose(file);
    }
    Outcome<std::string> outcome;
    drain(**reader, 1000, outcome);
    EXPECT_EQ(outcome.error.code, ErrorCode::kSourceChanged) << shrink;
  }
}

TEST(FileSource, RefusesAPositionThatIsNone) {
  TemporaryDirectory directory;
  write_file(directory / "in.csv", "a\n1\n2\n");
  const auto source = rows_source({.path = directory / "in.csv"});
  const Bytes position = read_source(source, {.max_records = 1}).positions.at(1);
  for (std::size_t size = 1; size < position.size(); ++size) {
    EXPECT_FALSE(read_source(source, {.position = position.substr(0, size)}).ok()) << size;
  }
  EXPECT_FALSE(read_source(source, {.position = position + "x"}).ok());
  for (const char version : {1, 3}) {
    Bytes other_version = position;
    other_version[0] = version;
    EXPECT_EQ(read_source(source, {.position = other_version}).error.code, ErrorCode::kSourceFailed);
  }
}

// Every step of the file system fails once: an error that names the file, never a crash, never a record too few.
TEST(FileSource, ReportsEveryFailureOfTheFileSystem) {
  TemporaryDirectory directory;
  write_file(directory / "a.csv", "a\n1\n2\n");
  write_file(directory / "b.csv", "a\n3\n");
  std::size_t failures = 0;
  for (std::size_t step = 0;; ++step) {
    test_support::RecordingFileSystem files(posix_file_system());
    files.fail_at(step, test_support::Failure::kNotDone);
    const auto outcome = read_source(rows_source({.path = directory.path()}), {.files = &files});
    if (!files.fired()) {
      EXPECT_THAT(outcome.values, ElementsAre("1", "2", "3"));
      break;
    }
    ++failures;
    EXPECT_FALSE(outcome.ok());
    EXPECT_THAT(outcome.error.describe(), HasSubstr(directory.path()));
  }
  EXPECT_GT(failures, 10u);
}

}  // namespace

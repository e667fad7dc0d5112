// The transactional sink: reliability R5 and R8, faults F01 to F04, F11 to F13.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <tidemark/file/csv.hpp>
#include <tidemark/file/lines.hpp>
#include <tidemark/file/ndjson.hpp>
#include <tidemark/file/quarantine.hpp>

#include "read_source.hpp"
#include "support/recording_file_system.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace tidemark;
using namespace tidemark::file_test;
using test_support::Failure;
using test_support::RecordingFileSystem;
using test_support::TemporaryDirectory;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kLineage(32, 'a');
const std::string kForeignLineage(32, 'b');

std::string contents(const std::string& path) {
  const auto bytes = read_file(posix_file_system(), path, 1 << 24);
  return bytes.ok() ? *bytes : "absent";
}

std::vector<std::string> names_in(const std::string& path, bool hidden = false) {
  std::vector<std::string> names;
  const auto entries = posix_file_system().list(path);
  for (const DirectoryEntry& entry : *entries) {
    if (hidden == (entry.name.front() == '.')) names.push_back(entry.name);
  }
  return names;
}

std::vector<std::string> staged_in(const std::string& path) {
  std::vector<std::string> staged;
  for (const std::string& name : names_in(path, true)) {
    if (name.starts_with(".tidemark-staged-")) staged.push_back(name);
  }
  return staged;
}

template <class T>
Status write(SinkWriterBase& writer, std::vector<T> values) {
  Batch<T> batch;
  for (T& value : values) batch.values.push_back(std::move(value));
  return writer.write_batch(batch);
}

// One attempt of a job with one sink of lines.
class Attempt {
 public:
  Attempt(const std::string& directory, std::uint64_t number, FileSystem& files = posix_file_system(),
          const std::string& lineage = kLineage,
          const std::string& sink = "out", std::uint64_t first_owner = 0x9000000000000000)
      : io_(io_on(files)), sink_(lines_sink(directory)), identity_{"job", lineage, number, sink, 0, first_owner + number} {}

  Result<std::unique_ptr<SinkWriterBase>> writer(std::uint32_t subtask = 0) {
    SinkIdentity identity = identity_;
    identity.subtask = subtask;
    return sink_.base()->open_writer(io_, identity);
  }
  Result<std::unique_ptr<SinkCommitter>> committer(const std::vector<std::string>& formerly = {}) {
    SinkIdentity identity = identity_;
    identity.formerly = formerly;
    return sink_.base()->open_committer(io_, identity);
  }

 private:
  IoContext io_;
  Sink<std::string> sink_;
  SinkIdentity identity_;
};

// Writes lines, seals them as `epoch`, and gives what the manifest would list.
Committable prepare(Attempt& attempt, CheckpointId epoch, std::vector<std::string> lines, std::uint32_t subtask = 0) {
  auto writer = attempt.writer(subtask);
  EXPECT_TRUE(writer.ok());
  EXPECT_TRUE(write<std::string>(**writer, std::move(lines)).ok());
  const Result<Bytes> sealed = (*writer)->seal(epoch)();
  EXPECT_TRUE(sealed.ok());
  return {.subtask = subtask, .epoch = epoch, .bytes = *sealed};
}

TEST(FileSink, ShowsResultsOnlyWhenTheirEpochIsCommitted) {
  TemporaryDirectory directory;
  Attempt attempt(directory / "out", 1);
  auto writer = *attempt.writer();
  ASSERT_TRUE(write<std::string>(*writer, {"a", "b"}).ok());
  const EpochSeal seal = writer->seal(3);
  ASSERT_TRUE(write<std::string>(*writer, {"next"}).ok());   // belongs to a later epoch, whenever the seal runs
  const Result<Bytes> sealed = seal();
  ASSERT_TRUE(sealed.ok());
  EXPECT_THAT(names_in(directory / "out"), IsEmpty());
  EXPECT_THAT(staged_in(directory / "out"), ElementsAre(".tidemark-staged-" + kLineage + "-1-0-0-out.txt"));

  auto committer = *attempt.committer();
  EXPECT_EQ(*committer->committed_epoch(), 0u);
  ASSERT_TRUE(committer->commit(3, 0, {{.subtask = 0, .epoch = 3, .bytes = *sealed}}).ok());
  EXPECT_EQ(*committer->committed_epoch(), 3u);
  EXPECT_THAT(names_in(directory / "out"), ElementsAre("out-0000000003-000.txt"));
  EXPECT_EQ(contents(directory / "out/out-0000000003-000.txt"), "a\nb\n");
  EXPECT_THAT(contents(directory / "out/.tidemark-commit-out"), HasSubstr("lineage " + kLineage + "\nsink out\nepoch 3\n"));
}

TEST(FileSink, WritesRenamesAndSyncsInTheOrderOfR5) {
  TemporaryDirectory directory;
  RecordingFileSystem files(posix_file_system());
  Attempt attempt(directory.path(), 1, files);
  const Committable committable = prepare(attempt, 1, {"a"});
  auto committer = *attempt.committer();
  const std::size_t before = files.changes().size();
  ASSERT_TRUE(committer->commit(1, 0, {committable}).ok());
  std::string steps;
  for (const std::string& step : files.changes()) steps += step.substr(0, step.find(' ')) + " ";
  EXPECT_THAT(steps, HasSubstr("create append sync close sync_directory "));
  std::vector<std::string> commit = files.changes();
  commit.erase(commit.begin(), commit.begin() + static_cast<std::ptrdiff_t>(before));
  ASSERT_GE(commit.size(), 3u);
  EXPECT_THAT(commit[0], testing::StartsWith("rename_new "));
  EXPECT_THAT(commit[1], testing::StartsWith("sync_directory "));
  EXPECT_THAT(commit[2], HasSubstr("tidemark-commit-out"));
}

TEST(FileSink, WritesNoFileForAnEpochWithoutRecords) {
  TemporaryDirectory directory;
  Attempt attempt(directory.path(), 1);
  auto writer = *attempt.writer();
  ASSERT_TRUE(write<std::string>(*writer, {}).ok());
  const Result<Bytes> sealed = writer->seal(1)();
  ASSERT_TRUE(sealed.ok());
  EXPECT_TRUE(sealed->empty());
  auto committer = *attempt.committer();
  ASSERT_TRUE(committer->commit(1, 0, {}).ok());
  EXPECT_EQ(*committer->committed_epoch(), 1u);
  EXPECT_THAT(names_in(directory.path()), IsEmpty());
}

TEST(FileSink, RepeatsACommitWithoutEffect) {
  TemporaryDirectory directory;
  Attempt attempt(directory.path(), 1);
  const Committable first = prepare(attempt, 1, {"a"});
  auto committer = *attempt.committer();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(committer->commit(1, 0, {first}).ok());
  EXPECT_TRUE((*Attempt(directory.path(), 2).committer())->commit(1, 0, {first}).ok());
  EXPECT_THAT(names_in(directory.path()), ElementsAre("out-0000000001-000.txt"));
}

// C7: what a failed checkpoint had prepared is listed by the next one.
TEST(FileSink, CommitsWhatEarlierEpochsPrepared) {
  TemporaryDirectory directory;
  Attempt attempt(directory.path(), 1);
  auto writer = *attempt.writer();
  std::vector<Committable> listed;
  for (const CheckpointId epoch : {2, 3, 7}) {
    ASSERT_TRUE(write<std::string>(*writer, {std::to_string(epoch)}).ok());
    listed.push_back({.subtask = 0, .epoch = epoch, .bytes = *writer->seal(epoch)()});
  }
  listed.push_back(prepare(attempt, 7, {"other task"}, 1));
  auto committer = *attempt.committer();
  ASSERT_TRUE(committer->commit(7, 0, listed).ok());
  EXPECT_THAT(names_in(directory.path()),
              ElementsAre("out-0000000002-000.txt", "out-0000000003-000.txt", "out-0000000007-000.txt", "out-0000000007-001.txt"));
}

TEST(FileSink, F18KnowsAnEpochWhoseCommitWasCutOffHalfWay) {
  TemporaryDirectory directory;
  Attempt attempt(directory.path(), 1);
  ASSERT_TRUE((*attempt.committer())->commit(1, 0, {prepare(attempt, 1, {"a"})}).ok());
  const std::vector<Committable> second{prepare(attempt, 2, {"b"}, 0), prepare(attempt, 2, {"c"}, 1)};
  {
    RecordingFileSystem files{posix_file_system(), [](const std::string& step) -> Status {
                                if (!step.starts_with("rename_new") || !step.ends_with("-001.txt")) return {};
                                return Error{.code = ErrorCode::kStorageFailed, .message = "cut off"};
                              }};
    ASSERT_FALSE((*Attempt(directory.path(), 1, files).committer())->commit(2, 1, second).ok());
  }
  ASSERT_THAT(names_in(directory.path()), ElementsAre("out-0000000001-000.txt", "out-0000000002-000.txt"));

  // A recovery that fell back to checkpoint 1 would write "b" again (R3).
  auto committer = *Attempt(directory.path(), 2).committer();
  EXPECT_EQ(*committer->committed_epoch(), 1u);
  EXPECT_EQ(*committer->begun_epoch(), 2u);
  ASSERT_TRUE(committer->commit(2, 1, second).ok());
  EXPECT_EQ(*committer->begun_epoch(), 2u);

  // Only results of this sink count: not those of others, of other kinds, or hidden ones.
  for (const char* name : {"other-0000000009-000.txt", "out-0000000009-000.csv", "out-9.txt", "out-x-000.txt", ".out-0000000009-000.txt"}) {
    ASSERT_TRUE(publish_file(posix_file_system(), directory / name, "").ok());
  }
  EXPECT_EQ(*committer->begun_epoch(), 2u);
  EXPECT_EQ(*(*Attempt(directory.path(), 2, posix_file_system(), kLineage, "new").committer({"out"}))->begun_epoch(), 2u);
}

TEST(FileSink, RefusesToSkipAnEpoch) {
  TemporaryDirectory directory;
  Attempt attempt(directory.path(), 1);
  auto committer = *attempt.committer();
  ASSERT_TRUE(committer->commit(1, 0, {}).ok());
  const Committable third = prepare(attempt, 3, {"c"});
  const Status skipped = committer->commit(3, 2, {third});
  ASSERT_FALSE(skipped.ok());
  EXPECT_EQ(skipped.error().code, ErrorCode::kSinkEpochMismatch);
  EXPECT_THAT(names_in(directory.path()), IsEmpty());
  EXPECT_EQ(*committer->committed_epoch(), 1u);
  // D28: an older checkpoint than the results.
  ASSERT_TRUE(committer->commit(3, 1, {third}).ok());
  EXPECT_EQ(committer->commit(4, 2, {}).error().code, ErrorCode::kSinkEpochMismatch);
}

TEST(FileSink, RefusesADirectoryOfAnotherLineage) {
  TemporaryDirectory directory;
  ASSERT_TRUE((*Attempt(directory.path(), 1).committer())->commit(1, 0, {}).ok());
  Attempt foreign(directory.path(), 1, posix_file_system(), kForeignLineage);
  auto committer = *foreign.committer();
  const auto held = committer->committed_epoch();
  ASSERT_FALSE(held.ok());
  EXPECT_EQ(held.error().code, ErrorCode::kSinkEpochMismatch);
  EXPECT_THAT(held.error().describe(), HasSubstr(kLineage));
  EXPECT_FALSE(held.error().fix.empty());
  EXPECT_FALSE(committer->commit(1, 0, {}).ok());
  // Another sink may use the directory.
  EXPECT_EQ(*(*Attempt(directory.path(), 1, posix_file_system(), kForeignLineage, "other").committer())->committed_epoch(), 0u);
}

TEST(FileSink, F08RefusesToGoOnWhereAnotherOwnerHasCommittedMeanwhile) {
  TemporaryDirectory directory;
  Attempt first(directory.path(), 1);
  auto paused = *first.committer();
  ASSERT_TRUE(paused->commit(1, 0, {prepare(first, 1, {"a"})}).ok());
  const Committable never = prepare(first, 2, {"b"});

  Attempt copy(directory.path(), 2);   // on a copy of the state directory: the same lineage
  auto successor = *copy.committer();
  ASSERT_EQ(*successor->committed_epoch(), 1u);
  ASSERT_TRUE(successor->commit(2, 1, {prepare(copy, 2, {"b"})}).ok());

  for (const CheckpointId epoch : {2u, 3u}) {   // also an epoch that is there is not its own
    const Status refused = paused->commit(epoch, epoch - 1, {never});
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::kSinkEpochMismatch);
    EXPECT_THAT(refused.error().describe(), HasSubstr("--fork-lineage"));
  }
  ASSERT_TRUE(successor->commit(3, 2, {}).ok());
  EXPECT_EQ(contents(directory / "out-0000000002-000.txt"), "b\n");
}

// K10: what a sink that is called "new" now has in the directory under the name "out".
class RenamedFileSink : public testing::Test {
 protected:
  RenamedFileSink() { EXPECT_TRUE((*before.committer())->commit(1, 0, {}).ok()); }

  std::vector<std::string> markers() const {
    std::vector<std::string> found;
    for (const std::string& name : names_in(directory.path(), true)) {
      if (name.starts_with(".tidemark-commit-")) found.push_back(name);
    }
    return found;
  }

  TemporaryDirectory directory;
  Attempt before{directory.path(), 1};
  Attempt after{directory.path(), 2, posix_file_system(), kLineage, "new"};
};

TEST_F(RenamedFileSink, CommitsWhatItHadPreparedAndGoesOnUnderItsPresentName) {
  const Committable prepared = prepare(before, 2, {"a"});
  auto committer = *after.committer({"ages_ago", "out"});
  EXPECT_EQ(*committer->committed_epoch(), 1u);
  ASSERT_TRUE(committer->commit(2, 1, {prepared}).ok());
  EXPECT_EQ(*committer->committed_epoch(), 2u);
  ASSERT_TRUE(committer->commit(3, 2, {prepare(after, 3, {"b"})}).ok());
  EXPECT_THAT(names_in(directory.path()), ElementsAre("new-0000000003-000.txt", "out-0000000002-000.txt"));
  EXPECT_THAT(markers(), ElementsAre(".tidemark-commit-new"));
  EXPECT_EQ(*(*after.committer())->committed_epoch(), 3u);   // formerly() may go
}

TEST_F(RenamedFileSink, TakesOverAnEpochThatWasCommittedUnderTheFormerName) {
  ASSERT_TRUE((*after.committer({"out"}))->commit(1, 0, {}).ok());
  EXPECT_THAT(markers(), ElementsAre(".tidemark-commit-new"));
  EXPECT_EQ(*(*after.committer())->committed_epoch(), 1u);
  // The earlier release does not write again what the later one has committed.
  EXPECT_EQ((*before.committer())->commit(2, 1, {}).error().code, ErrorCode::kSinkEpochMismatch);
}

TEST_F(RenamedFileSink, FinishesARenamingThatACrashCutOff) {
  const std::string former = contents(directory / ".tidemark-commit-out");
  ASSERT_TRUE((*after.committer({"out"}))->commit(2, 1, {}).ok());
  write_file(directory / ".tidemark-commit-out", former);   // as if the crash had come before its removal
  auto committer = *after.committer({"out"});
  EXPECT_EQ(*committer->committed_epoch(), 2u);
  ASSERT_TRUE(committer->commit(2, 1, {}).ok());
  EXPECT_THAT(markers(), ElementsAre(".tidemark-commit-new"));
}

TEST_F(RenamedFileSink, RemovesWhatNoManifestListsUnderAnyOfItsNames) {
  prepare(before, 2, {"a"});
  prepare(after, 2, {"b"});
  Attempt other(directory.path(), 1, posix_file_system(), kLineage, "other");
  prepare(other, 2, {"c"});
  ASSERT_TRUE((*after.committer({"out"}))->discard_unlisted().ok());
  EXPECT_THAT(staged_in(directory.path()), ElementsAre(testing::EndsWith("-other.txt")));
}

TEST_F(RenamedFileSink, RefusesAnotherLineagesOutputUnderAFormerNameToo) {
  Attempt foreign(directory.path(), 1, posix_file_system(), kForeignLineage, "new");
  EXPECT_EQ((*foreign.committer({"out"}))->committed_epoch().error().code, ErrorCode::kSinkEpochMismatch);
}

TEST(FileSink, GoesOnWhereAReleaseThatKnewNoOwnersHasCommitted) {
  TemporaryDirectory directory;
  const Attempt nameless(directory.path(), 0, posix_file_system(), kLineage, "out", 0);
  ASSERT_TRUE((*Attempt(nameless).committer())->commit(4, 0, {}).ok());
  EXPECT_THAT(contents(directory / ".tidemark-commit-out"), Not(HasSubstr("owner")));
  auto committer = *Attempt(directory.path(), 1).committer();
  EXPECT_EQ(*committer->committed_epoch(), 4u);
  EXPECT_TRUE(committer->commit(5, 4, {}).ok());
  EXPECT_TRUE(committer->commit(6, 5, {}).ok());
  EXPECT_THAT(contents(directory / ".tidemark-commit-out"), HasSubstr("owner 10376293541461622785"));
}

TEST(FileSink, RefusesADamagedMarker) {
  TemporaryDirectory directory;
  Attempt attempt(directory.path(), 1);
  auto committer = *attempt.committer();
  ASSERT_TRUE(committer->commit(12, 0, {}).ok());
  const std::string marker = contents(directory / ".tidemark-commit-out");
  for (std::size_t i = 0; i < marker.size(); ++i) {
    std::string damaged = marker;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    write_file(directory / ".tidemark-commit-out", damaged);
    EXPECT_FALSE(committer->committed_epoch().ok()) << i;
    write_file(directory / ".tidemark-commit-out", marker.substr(0, i));
    EXPECT_FALSE(committer->committed_epoch().ok()) << i;
  }
}

TEST(FileSink, ReportsResultsThatAreGone) {
  TemporaryDirectory directory;
  Attempt attempt(directory.path(), 1);
  const Committable committable = prepare(attempt, 1, {"a"});
  ASSERT_TRUE(posix_file_system().remove_file(directory / staged_in(directory.path()).at(0)).ok());
  const Status lost = (*attempt.committer())->commit(1, 0, {committable});
  EXPECT_EQ(lost.error().code, ErrorCode::kSinkFailed);
  EXPECT_THAT(lost.error().message, HasSubstr("lost"));
}

TEST(FileSink, CommitsNothingThatIsNotWhatItPrepared) {
  for (const char* change : {"longer\n", "b\n"}) {
    TemporaryDirectory directory;
    Attempt attempt(directory.path(), 1);
    const Committable committable = prepare(attempt, 1, {"a"});
    write_file(directory / staged_in(directory.path()).at(0), change);
    EXPECT_FALSE((*attempt.committer())->commit(1, 0, {committable}).ok());
    EXPECT_THAT(names_in(directory.path()), IsEmpty());
  }
  TemporaryDirectory directory;
  Attempt attempt(directory.path(), 1);
  const Committable committable = prepare(attempt, 1, {"a"});
  write_file(directory / "out-0000000001-000.txt", "somebody else's");
  EXPECT_FALSE((*attempt.committer())->commit(1, 0, {committable}).ok());
  EXPECT_EQ(contents(directory / "out-0000000001-000.txt"), "somebody else's");
}

TEST(FileSink, RefusesACommittableThatNamesAFileElsewhere) {
  TemporaryDirectory directory;   // S03
  Attempt attempt(directory.path(), 1);
  Bytes bytes;
  append_u8(bytes, 1);
  append_sized(bytes, "../staged");
  append_sized(bytes, "final");
  append_u64(bytes, 0);
  append_u64(bytes, 0);
  EXPECT_FALSE((*attempt.committer())->commit(1, 0, {{.subtask = 0, .epoch = 1, .bytes = bytes}}).ok());
}

TEST(FileSink, RemovesStagedFilesThatNoManifestListsAndNoOthers) {
  TemporaryDirectory directory;
  Attempt attempt(directory.path(), 1);
  const Committable listed = prepare(attempt, 1, {"a"});
  auto writer = *attempt.writer(2);
  ASSERT_TRUE(write<std::string>(*writer, {std::string(300'000, 'x')}).ok());   // enough for a file without a seal
  Attempt foreign(directory.path(), 1, posix_file_system(), kForeignLineage);
  prepare(foreign, 1, {"a"});
  Attempt other(directory.path(), 1, posix_file_system(), kLineage, "x-out");
  prepare(other, 1, {"a"});
  write_file(directory / ".somebody-else", "x");
  ASSERT_EQ(staged_in(directory.path()).size(), 4u);

  Attempt next(directory.path(), 2);
  auto committer = *next.committer();
  ASSERT_TRUE(committer->commit(1, 0, {listed}).ok());
  ASSERT_TRUE(committer->discard_unlisted().ok());
  const auto staged = staged_in(directory.path());
  ASSERT_EQ(staged.size(), 2u);
  EXPECT_THAT(staged[0], testing::EndsWith("x-out.txt"));
  EXPECT_THAT(staged[1], HasSubstr(kForeignLineage));
  EXPECT_THAT(names_in(directory.path()), ElementsAre("out-0000000001-000.txt"));
  EXPECT_EQ(contents(directory / ".somebody-else"), "x");
}

TEST(FileSink, MakesFilesAndDirectoriesForItsOwnerOnly) {
  TemporaryDirectory directory;
  Attempt attempt(directory / "new/out", 1);
  const Committable committable = prepare(attempt, 1, {"a"});
  ASSERT_TRUE((*attempt.committer())->commit(1, 0, {committable}).ok());
  struct stat info {};
  ASSERT_EQ(::stat((directory / "new/out").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0700u);
  ASSERT_EQ(::stat((directory / "new/out/out-0000000001-000.txt").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
}

TEST(FileSink, RefusesNamesThatAreNone) {
  TemporaryDirectory directory;
  for (const char* name : {"", ".", "..", ".hidden", "a/b", "a b"}) {
    EXPECT_FALSE(Attempt(directory.path(), 1, posix_file_system(), kLineage, name).writer().ok()) << name;
    EXPECT_FALSE(Attempt(directory.path(), 1, posix_file_system(), kLineage, name).committer().ok()) << name;
  }
}

TEST(FileSink, WritesLargeEpochsInChunks) {
  TemporaryDirectory directory;
  RecordingFileSystem files(posix_file_system());
  Attempt attempt(directory.path(), 1, files);
  const Committable committable = prepare(attempt, 1, std::vector<std::string>(1000, std::string(1000, 'x')));
  std::size_t appends = 0;
  for (const std::string& step : files.changes()) appends += step.starts_with("append");
  EXPECT_EQ(appends, 4u);
  ASSERT_TRUE((*attempt.committer())->commit(1, 0, {committable}).ok());
  EXPECT_EQ(contents(directory / "out-0000000001-000.txt").size(), 1'001'000u);
}

// F11 to F13: a failure at any step of writing and sealing is reported, and nothing becomes visible.
TEST(FileSink, F12ReportsEveryFailureOfWritingAndSealing) {
  for (std::size_t step = 0;; ++step) {
    TemporaryDirectory directory;
    RecordingFileSystem files(posix_file_system());
    files.fail_at(step, Failure::kNotDone);
    Attempt attempt(directory / "out", 1, files);
    auto writer = attempt.writer();
    Status status = writer.status();
    if (status.ok()) status = write<std::string>(**writer, {std::string(300'000, 'x'), "b"});
    if (status.ok()) status = (*writer)->seal(1)().status();
    EXPECT_EQ(status.ok(), !files.fired()) << step;
    if (!files.fired()) break;
  }
}

// F01, F02, F04, D07: whatever step of the commit fails, is cut off, or takes effect and yet reports an error: the commit of the next
// attempt gives the same files.
TEST(FileSink, F04EndsACommitThatWasCutOffAtAnyStep) {
  for (const Failure failure : {Failure::kNotDone, Failure::kDoneAnyway, Failure::kCrash}) {
    std::size_t failures = 0;
    for (std::size_t step = 0;; ++step) {
      TemporaryDirectory directory;
      Attempt first(directory.path(), 1);
      const std::vector<Committable> listed{prepare(first, 1, {"a"}, 0), prepare(first, 1, {"b"}, 1)};

      RecordingFileSystem files(posix_file_system());
      files.fail_at(step, failure);
      Attempt broken(directory.path(), 1, files);
      auto committer = broken.committer();
      const Status cut_off = committer.ok() ? (*committer)->commit(1, 0, listed) : committer.status();
      EXPECT_EQ(cut_off.ok(), !files.fired()) << step;
      failures += files.fired();

      // Twice, and with the clean-up between, as after two crashes.
      for (std::uint64_t attempt = 2; attempt < 4; ++attempt) {
        auto recovered = *Attempt(directory.path(), attempt).committer();
        const Status again = recovered->commit(1, 0, listed);
        ASSERT_TRUE(again.ok()) << again.error().describe();
        ASSERT_TRUE(recovered->discard_unlisted().ok());
        EXPECT_EQ(*recovered->committed_epoch(), 1u);
      }
      EXPECT_THAT(names_in(directory.path()), ElementsAre("out-0000000001-000.txt", "out-0000000001-001.txt"));
      EXPECT_EQ(contents(directory / "out-0000000001-000.txt"), "a\n");
      EXPECT_EQ(contents(directory / "out-0000000001-001.txt"), "b\n");
      EXPECT_THAT(staged_in(directory.path()), IsEmpty());
      if (!files.fired()) break;
    }
    EXPECT_GT(failures, 10u);
  }
}

TEST(FileSink, EndsACommitThatLeftBothNames) {
  TemporaryDirectory directory;
  Attempt attempt(directory.path(), 1);
  const Committable committable = prepare(attempt, 1, {"a"});
  ASSERT_TRUE(posix_file_system().link(directory / staged_in(directory.path()).at(0), directory / "out-0000000001-000.txt").ok());
  ASSERT_TRUE((*attempt.committer())->commit(1, 0, {committable}).ok());
  EXPECT_THAT(staged_in(directory.path()), IsEmpty());
  EXPECT_EQ(contents(directory / "out-0000000001-000.txt"), "a\n");
}

template <class T>
std::string written_by(const Sink<T>& sink, const std::string& directory, std::vector<T> values) {
  const IoContext io = io_on(posix_file_system());
  const SinkIdentity identity{"job", kLineage, 1, "out", 0};
  auto writer = sink.base()->open_writer(io, identity);
  EXPECT_TRUE(writer.ok());
  const Status wrote = write<T>(**writer, std::move(values));
  if (!wrote.ok()) return wrote.error().describe();
  const Bytes sealed = *(*writer)->seal(1)();
  EXPECT_TRUE((*sink.base()->open_committer(io, identity))->commit(1, 0, {{.subtask = 0, .epoch = 1, .bytes = sealed}}).ok());
  return contents(join_path(directory, names_in(directory).at(0)));
}

struct Alert {
  std::int64_t card = 0;
  std::string rule;
  EventTime time;
  double amount = 0;
};

TEST(CsvSink, WritesAHeaderAndQuotesWhereNeeded) {
  TemporaryDirectory directory;
  const auto sink = csv_sink<Alert>(directory / "out", {"card", "ru,le", "time", "amount"},
                                    [](CsvWriter& row, const Alert& alert) {
                                      row.fields(alert.card, alert.rule, alert.time, alert.amount);
                                    });
  EXPECT_EQ(written_by<Alert>(sink, directory / "out", {{1, "a", event_time(0), 0.1}, {-2, "b,\"c\"\n", event_time(1), 1e300}}),
            "card,\"ru,le\",time,amount\n1,a,1970-01-01T00:00:00Z,0.1\n-2,\"b,\"\"c\"\"\n\",1970-01-01T00:00:00.000001Z,1e+300\n");
  EXPECT_THAT(sink.base()->describe(), HasSubstr(directory / "out"));
  EXPECT_EQ(sink.base()->guarantee(), SinkGuarantee::kExactlyOnce);
}

TEST(CsvSink, WritesInputRowsUnderTheInputsHeader) {
  TemporaryDirectory directory;
  write_file(directory / "in.csv", ",a,\"b,c\"\r\n0,\"x \"\"y\"\"\",2\r\n");
  const FileInput input{.path = directory / "in.csv"};
  const auto rows = read_source(csv_source(input, {"a"}, [](CsvRow& row) { return row.raw(); }));
  const auto sink = csv_sink<std::string>(directory / "late", CsvHeader::of(input),
                                          [](CsvWriter& row, const std::string& raw) { row.raw(raw); });
  EXPECT_EQ(written_by<std::string>(sink, directory / "late", rows.values), ",a,\"b,c\"\n0,\"x \"\"y\"\"\",2\n");
}

TEST(CsvSink, FailsOnARowThatDoesNotFitItsHeader) {
  TemporaryDirectory directory;
  const auto sink = csv_sink<std::string>(directory / "out", {"a", "b"},
                                          [](CsvWriter& row, const std::string& value) { row.fields(value); });
  EXPECT_THAT(written_by<std::string>(sink, directory / "out", {"x"}), HasSubstr("1 fields and the header 2"));
}

TEST(NdjsonSink, WritesAnObjectOnEachLine) {
  TemporaryDirectory directory;
  const auto sink = ndjson_sink<Alert>(
      directory / "out", [](JsonWriter& object, const Alert& alert) { object.field("card", alert.card).field("rule", alert.rule); });
  EXPECT_EQ(written_by<Alert>(sink, directory / "out", {{1, "a\n", {}, 0}, {2, "", {}, 0}}),
            "{\"card\":1,\"rule\":\"a\\n\"}\n{\"card\":2,\"rule\":\"\"}\n");
}

TEST(LinesSink, FailsOnALineWithALineEnd) {
  TemporaryDirectory directory;
  EXPECT_THAT(written_by<std::string>(lines_sink(directory / "a"), directory / "a", {"a\nb"}), HasSubstr("a line contains a line end"));
  EXPECT_THAT(written_by<std::string>(lines_sink(directory / "b"), directory / "b", {"a\r"}), HasSubstr("a line contains a line end"));
}

TEST(QuarantineSink, WritesAllThatIsKnown) {
  TemporaryDirectory directory;
  const std::vector<Quarantined> records{
      {.operator_name = "cards", .reason = QuarantineReason::kDecode, .split = "in.csv", .position = 17, .time = kMinusInfinity,
       .decision_watermark = event_time(0), .error = "in.csv: bad", .payload = std::string("1,\"\xFF\\\0", 6)}};
  EXPECT_EQ(written_by<Quarantined>(quarantine_csv_sink(directory / "q"), directory / "q", records),
            "operator,reason,split,position,time,decision_watermark,error,payload\n"
            "cards,decode,in.csv,17,,1970-01-01T00:00:00Z,in.csv: bad,\"1,\"\"\\xff\\\\\\x00\"\n");
}

}  // namespace

// Checkpoints on disk (reliability R1-R3, promise 8; faults F01, F05, F09, F11-F13, F17, F20; lessons D01-D10).

#include <algorithm>

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tidemark/checkpoint/checkpoint_store.hpp>
#include <tidemark/core/hash.hpp>

#include "sample_manifest.hpp"
#include "support/forwarding_file_system.hpp"
#include "support/recording_file_system.hpp"
#include "support/temporary_directory.hpp"

namespace tidemark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Published = CheckpointStore::Published;
using test_support::Failure;
using test_support::RecordingFileSystem;
using test_support::sample_manifest;
using test_support::TemporaryDirectory;

#define ASSERT_OK(expression)                                                                  \
  do {                                                                                         \
    const Status status_seen = (expression);                                                   \
    ASSERT_TRUE(status_seen.ok()) << (status_seen.ok() ? "" : status_seen.error().describe()); \
  } while (false)

std::unique_ptr<CheckpointStore> opened(FileSystem& files, const std::string& directory) {
  auto store = CheckpointStore::open(files, directory);
  EXPECT_TRUE(store.ok()) << store.error().describe();
  return store.ok() ? *std::move(store) : nullptr;
}

Status write(FileSystem& files, const std::string& path, const Bytes& contents) {
  TIDEMARK_ASSIGN(const auto file, files.create(path));
  TIDEMARK_TRY(file->append(contents));
  TIDEMARK_TRY(file->sync());
  return file->close();
}

// A manifest with one file, as the state store would have linked it.
Manifest manifest_of(CheckpointId id) {
  Manifest manifest = sample_manifest(id);
  manifest.committables.clear();
  manifest.files = {{.name = "000001.sst", .size = 5, .checksum = hash_bytes("rows" + std::to_string(id % 10), 0)}};
  return manifest;
}

struct Taken {
  Published published = Published::kNo;
  Status status;
};

Taken take(FileSystem& files, CheckpointStore& store, CheckpointId id) {
  const Result<std::string> directory = store.begin(id);
  if (!directory.ok()) return {Published::kNo, directory.status()};
  if (Status written = write(files, join_path(*directory, "000001.sst"), "rows" + std::to_string(id % 10)); !written.ok()) {
    return {Published::kNo, written};
  }
  if (Status synced = files.sync_directory(*directory); !synced.ok()) return {Published::kNo, synced};
  CheckpointStore::PublishOutcome outcome = store.publish(manifest_of(id));
  return {outcome.published, outcome.status};
}

std::vector<CheckpointId> complete_ids(const DirectoryFacts& facts) {
  std::vector<CheckpointId> ids;
  for (const FoundCheckpoint& found : facts.checkpoints) {
    if (found.manifest != nullptr) ids.push_back(found.id);
  }
  return ids;
}

class CheckpointStoreTest : public ::testing::Test {
 protected:
  DirectoryFacts facts() {
    const Result<DirectoryFacts> found = read_state_directory(files, state);
    EXPECT_TRUE(found.ok()) << found.error().describe();
    return found.ok() ? *found : DirectoryFacts{};
  }
  FileSystem& files = posix_file_system();
  TemporaryDirectory directory;
  std::string state = directory / "state";
};

TEST_F(CheckpointStoreTest, FindsWhatItPublished) {
  EXPECT_THAT(facts().checkpoints, IsEmpty());
  const auto store = opened(files, state);
  ASSERT_OK(store->make_live(1));
  EXPECT_FALSE(facts().ever_completed);
  for (const CheckpointId id : {1U, 2U}) {
    const Taken taken = take(files, *store, id);
    ASSERT_TRUE(taken.status.ok()) << taken.status.error().describe();
    EXPECT_EQ(taken.published, Published::kYes);
  }
  ASSERT_TRUE(store->begin(3).ok());
  const DirectoryFacts found = facts();
  EXPECT_TRUE(found.ever_completed);
  EXPECT_THAT(complete_ids(found), ElementsAre(1, 2));
  EXPECT_TRUE(found.checkpoints[2].incomplete());
  EXPECT_THAT(found.live, ElementsAre(1));
  EXPECT_THAT(found.unknown, IsEmpty());
  EXPECT_TRUE(*found.checkpoints[1].manifest == manifest_of(2));
  ASSERT_OK(check_checkpoint_in(files, checkpoint_path(state, 2), manifest_of(2)));
  ASSERT_OK(verify_checkpoint_in(files, checkpoint_path(state, 2), manifest_of(2)));
  EXPECT_FALSE(check_checkpoint_in(files, checkpoint_path(state, 3), manifest_of(3)).ok());
}

// R3: what was not taken here is verified in full before it is used.
TEST_F(CheckpointStoreTest, KnowsThatItWasCopiedUntilACheckpointIsTakenInIt) {
  const auto is_copied = [&](const std::string& path) {
    const auto store = opened(files, path);
    const Result<DirectoryFacts> found = store->read();
    EXPECT_TRUE(found.ok()) << found.error().describe();
    return found.ok() && found->copied;
  };
  const auto take_in = [&](const std::string& path, CheckpointId id) {
    const auto store = opened(files, path);
    if (id == 1) ASSERT_OK(store->make_live(1));
    ASSERT_EQ(take(files, *store, id).published, Published::kYes);
  };
  take_in(state, 1);
  EXPECT_FALSE(is_copied(state));
  ASSERT_EQ(std::system(("cp -a '" + state + "' '" + directory / "copy" + "'").c_str()), 0);
  EXPECT_TRUE(is_copied(directory / "copy"));
  EXPECT_TRUE(is_copied(directory / "copy"));   // a start alone proves nothing: it may have ended before it used what is here
  take_in(directory / "copy", 2);
  EXPECT_FALSE(is_copied(directory / "copy"));
  EXPECT_FALSE(is_copied(state));
  ASSERT_OK(files.rename(state, directory / "moved"));
  EXPECT_FALSE(is_copied(directory / "moved"));
  EXPECT_THAT(facts().unknown, IsEmpty());
}

TEST_F(CheckpointStoreTest, CountsAsCopiedIfItDoesNotSayWhereItWas) {
  {
    const auto store = opened(files, state);
    ASSERT_OK(store->make_live(1));
    ASSERT_EQ(take(files, *store, 1).published, Published::kYes);
  }
  const Bytes place = *read_file(files, place_path(state), 1000);
  for (std::size_t i = 0; i <= place.size(); ++i) {   // whatever is left of it
    Bytes damaged = place.substr(0, i);
    if (i == place.size()) damaged[i / 2] ^= 1;
    ASSERT_OK(publish_file(files, place_path(state), damaged));
    EXPECT_TRUE(opened(files, state)->read()->copied) << damaged;
  }
  ASSERT_OK(publish_file(files, place_path(state), place));
  EXPECT_FALSE(opened(files, state)->read()->copied);
  ASSERT_OK(files.remove_file(place_path(state)));   // as a release left it that did not say so
  EXPECT_TRUE(opened(files, state)->read()->copied);
}

// R1: the exact steps of a publish.
TEST_F(CheckpointStoreTest, PublishesByWriteSyncRenameSync) {
  RecordingFileSystem recording{files};
  const auto store = opened(recording, state);
  ASSERT_OK(store->make_live(1));
  EXPECT_EQ(take(files, *store, 1).published, Published::kYes);
  ASSERT_TRUE(store->begin(2).ok());
  const std::size_t before = recording.changes().size();
  ASSERT_EQ(store->publish(manifest_of(2)).published, Published::kYes);
  std::vector<std::string> steps = recording.changes();
  steps.erase(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(before));
  const std::string manifest = manifest_path(state, 2);
  const std::string temporary = join_path(parent_path(manifest), ".manifest.partial");
  EXPECT_THAT(steps, ElementsAre("create " + temporary, HasSubstr("append " + temporary), "sync " + temporary, "close " + temporary,
                                 "rename " + temporary + " " + manifest, "sync_directory " + checkpoint_path(state, 2)));
}

TEST_F(CheckpointStoreTest, MakesTheDirectoryOfACheckpointDurableBeforeItsManifest) {
  RecordingFileSystem recording{files};
  const auto store = opened(recording, state);
  ASSERT_OK(store->make_live(1));
  const std::size_t before = recording.changes().size();
  ASSERT_TRUE(store->begin(1).ok());
  std::vector<std::string> steps = recording.changes();
  steps.erase(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(before));
  EXPECT_THAT(steps, ElementsAre("make_directory " + checkpoint_path(state, 1), "make_directory " + checkpoint_store_path(state, 1),
                                 "sync_directory " + checkpoint_path(state, 1), "sync_directory " + checkpoints_path(state)));
}

// A power loss may bring the manifest back until then (seed 14303 of the simulation): the first removal fails at each step.
TEST_F(CheckpointStoreTest, F13RemovesNoFileOfACheckpointBeforeItsManifestIsGoneForGood) {
  std::size_t removals = 0;
  for (std::size_t i = 0;; ++i) {
    const std::string fresh = directory / ("state" + std::to_string(i));
    RecordingFileSystem failing{files};
    const auto store = opened(failing, fresh);
    ASSERT_OK(store->make_live(1));
    ASSERT_EQ(take(failing, *store, 1).published, Published::kYes);
    const std::size_t before = failing.steps().size();
    failing.fail_at(before + i, Failure::kNotDone);
    const bool removed = store->remove(1).ok();
    const bool failed = failing.fired();
    ASSERT_EQ(removed, !failed);
    if (failed) ASSERT_OK(store->remove(1));
    bool manifest_may_come_back = true;
    const std::vector<std::string> steps = failing.steps();
    for (std::size_t step = before; step < steps.size(); ++step) {
      if (steps[step] == "sync_directory " + checkpoint_path(fresh, 1) && step != before + i) manifest_may_come_back = false;
      if (steps[step] == "remove_file " + manifest_path(fresh, 1) || !steps[step].starts_with("remove_file ")) continue;
      ASSERT_FALSE(manifest_may_come_back) << "failed at " << steps[before + i] << ", then " << steps[step];
      ++removals;
    }
    if (!failed) break;
  }
  EXPECT_GT(removals, 0U);
}

// Promise 8, fault F09.
TEST_F(CheckpointStoreTest, F09HasOneOwnerAndTheSecondChangesNothing) {
  auto store = opened(files, state);
  RecordingFileSystem recording{files};
  const auto second = CheckpointStore::open(recording, state);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kDirectoryInUse);
  for (const std::string& step : recording.changes()) EXPECT_THAT(step, ::testing::AnyOf(HasSubstr("sync_directory"), HasSubstr("lock")));
  store.reset();
  EXPECT_TRUE(CheckpointStore::open(files, state).ok());   // a stale lock file is no obstacle
}

// S10
TEST_F(CheckpointStoreTest, RefusesADirectoryThatOthersMayWriteAndChangesNothing) {
  ASSERT_OK(files.make_directory(state));
  ASSERT_EQ(::chmod(state.c_str(), 0775), 0);
  RecordingFileSystem recording{files};
  const auto store = CheckpointStore::open(recording, state);
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, ErrorCode::kDirectoryUnsafe);
  for (const std::string& step : recording.changes()) EXPECT_THAT(step, ::testing::AnyOf(HasSubstr("sync_directory"), HasSubstr("lock")));
  EXPECT_THAT(*files.list(state), IsEmpty());
}

// Fault F20.
TEST_F(CheckpointStoreTest, F20SaysWhyADirectoryCannotBeUsed) {
  for (std::size_t i = 0;; ++i) {
    RecordingFileSystem failing{files};
    failing.fail_at(i, Failure::kNotDone);
    const auto store = CheckpointStore::open(failing, state);
    if (!failing.fired()) {
      ASSERT_TRUE(store.ok());
      break;
    }
    if (store.ok()) continue;   // what failed did not matter
    EXPECT_THAT(store.error().message, HasSubstr("state"));
  }
  ASSERT_OK(write(files, directory / "file", "x"));
  EXPECT_FALSE(CheckpointStore::open(files, directory / "file").ok());
}

// A name of more than 255 bytes, and a path of more than 4096.
TEST_F(CheckpointStoreTest, F20RefusesAStateDirectoryWhoseNameIsTooLong) {
  std::string deep = directory.path();
  while (deep.size() < 4096) deep += "/" + std::string(200, 'd');
  for (const std::string& path : {directory / std::string(256, 'n'), deep}) {
    const auto store = CheckpointStore::open(files, path);
    ASSERT_FALSE(store.ok());
    EXPECT_EQ(store.error().code, ErrorCode::kStorageFailed);
    EXPECT_THAT(store.error().message, HasSubstr("ENAMETOOLONG"));
    EXPECT_EQ(store.error().fix, "choose a directory with a shorter name");
  }
}

// There is room for LOCK and no more: the first long name is that of what a start makes, not that of a later checkpoint.
TEST_F(CheckpointStoreTest, F20FindsAtTheStartThatTheNamesInADirectoryWouldBeTooLong) {
  std::string deep = directory.path();
  while (deep.size() + 202 < 4090) deep += "/" + std::string(200, 'd');
  deep += "/" + std::string(4090 - deep.size() - 1, 'd');
  const auto store = CheckpointStore::open(files, deep);
  ASSERT_FALSE(store.ok());
  EXPECT_THAT(store.error().message, HasSubstr("ENAMETOOLONG"));
}

TEST_F(CheckpointStoreTest, LeavesNoMoreThanTheLockBehindUntilAStartIsDecided) {
  { const auto store = opened(files, state); }
  const auto entries = files.list(state);
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_EQ(entries->front().name, "LOCK");
}

// Fault F17.
TEST_F(CheckpointStoreTest, F17ReportsDamagedManifestsAsWhatTheyAre) {
  const auto store = opened(files, state);
  ASSERT_OK(store->make_live(1));
  for (CheckpointId id = 1; id <= 5; ++id) ASSERT_EQ(take(files, *store, id).published, Published::kYes);
  const auto replace = [&](CheckpointId id, const Bytes& contents) {
    EXPECT_TRUE(files.remove_file(manifest_path(state, id)).ok());
    EXPECT_TRUE(write(files, manifest_path(state, id), contents).ok());
  };
  const Bytes fifth = *read_file(files, manifest_path(state, 5), 1 << 20);
  ASSERT_OK(files.remove_file(manifest_path(state, 1)));   // missing
  replace(2, "");                                           // empty
  replace(3, fifth);                                        // another one's
  ASSERT_OK(files.remove_file(manifest_path(state, 4)));
  ASSERT_EQ(::symlink(manifest_path(state, 5).c_str(), manifest_path(state, 4).c_str()), 0);
  const DirectoryFacts found = facts();
  EXPECT_THAT(complete_ids(found), ElementsAre(5));
  EXPECT_TRUE(found.checkpoints[0].incomplete());
  for (const std::size_t i : {1U, 2U, 3U}) {
    ASSERT_FALSE(found.checkpoints[i].damage.ok());
    EXPECT_EQ(found.checkpoints[i].damage.error().code, ErrorCode::kCheckpointCorrupt);
    EXPECT_THAT(found.checkpoints[i].damage.error().message, HasSubstr(manifest_path(state, i + 1)));
  }
}

// Fault F05: unknown names stay, whatever is deleted.
TEST_F(CheckpointStoreTest, F05ReportsUnknownNamesAndNeverDeletesThem) {
  const auto store = opened(files, state);
  ASSERT_OK(store->make_live(1));
  ASSERT_EQ(take(files, *store, 1).published, Published::kYes);
  ASSERT_OK(write(files, join_path(state, "notes.txt"), "x"));
  ASSERT_OK(write(files, join_path(checkpoints_path(state), "0000000001.bak"), "x"));
  ASSERT_OK(write(files, join_path(checkpoints_path(state), "0000000009"), "x"));   // a file, not a directory
  ASSERT_OK(files.make_directory(join_path(all_live_path(state), "7")));
  const std::vector<std::string> unknown{"notes.txt", "checkpoints/0000000001.bak", "checkpoints/0000000009", "live/7"};
  EXPECT_EQ(facts().unknown, unknown);
  ASSERT_OK(store->remove_all({.checkpoints = {1, 2}, .live = {1, 2}}));
  EXPECT_EQ(facts().unknown, unknown);
  EXPECT_THAT(facts().checkpoints, IsEmpty());
  EXPECT_THAT(facts().live, IsEmpty());
}

TEST_F(CheckpointStoreTest, DoesNotDiscardACheckpointThatHasAManifest) {
  const auto store = opened(files, state);
  ASSERT_OK(store->make_live(1));
  ASSERT_EQ(take(files, *store, 1).published, Published::kYes);
  EXPECT_FALSE(store->discard(1).ok());
  ASSERT_TRUE(store->begin(2).ok());
  ASSERT_OK(store->discard(2));
  EXPECT_THAT(complete_ids(facts()), ElementsAre(1));
  EXPECT_EQ(facts().checkpoints.size(), 1U);
}

// C10: a directory of its own that stays when the checkpoint goes.
TEST_F(CheckpointStoreTest, KeepsACheckpointUnderANameWhateverIsDeleted) {
  const auto store = opened(files, state);
  ASSERT_OK(store->make_live(1));
  for (const CheckpointId id : {1U, 2U}) ASSERT_EQ(take(files, *store, id).published, Published::kYes);
  ASSERT_OK(store->keep(1, "before-upgrade"));
  ASSERT_OK(store->keep(1, "again"));
  ASSERT_OK(store->remove_all({.checkpoints = {1}, .live = {1}}));
  EXPECT_THAT(facts().savepoints, ElementsAre("again", "before-upgrade"));
  EXPECT_THAT(facts().unknown, IsEmpty());
  for (const std::string& path : {savepoint_path(state, "again"), directory / "elsewhere"}) {
    if (path == directory / "elsewhere") ASSERT_OK(files.rename(savepoint_path(state, "before-upgrade"), path));
    const Result<Manifest> manifest = load_manifest_in(files, path);
    ASSERT_TRUE(manifest.ok()) << manifest.error().describe();
    EXPECT_TRUE(*manifest == manifest_of(1));
    EXPECT_TRUE(verify_checkpoint_in(files, path, *manifest).ok());
  }
  EXPECT_EQ(load_manifest_in(files, state).error().code, ErrorCode::kRestoreRefused);
}

// R1, for a directory.
TEST_F(CheckpointStoreTest, PublishesASavepointWhole) {
  RecordingFileSystem recording{files};
  const auto store = opened(recording, state);
  ASSERT_OK(store->make_live(1));
  ASSERT_EQ(take(files, *store, 1).published, Published::kYes);
  ASSERT_OK(store->keep(1, "first"));
  const std::size_t before = recording.changes().size();
  ASSERT_OK(store->keep(1, "second"));
  std::vector<std::string> steps = recording.changes();
  steps.erase(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(before));
  const std::string unfinished = savepoint_path(state, "~");
  EXPECT_THAT(steps, ElementsAre("sync_directory " + state, "make_directory " + unfinished, "make_directory " + store_in(unfinished),
                                 "link " + join_path(checkpoint_store_path(state, 1), "000001.sst") + " " +
                                     join_path(store_in(unfinished), "000001.sst"),
                                 "sync_directory " + store_in(unfinished),
                                 "link " + manifest_path(state, 1) + " " + manifest_in(unfinished),
                                 "sync_directory " + unfinished, "rename " + unfinished + " " + savepoint_path(state, "second"),
                                 "sync_directory " + savepoints_path(state)));
}

TEST_F(CheckpointStoreTest, NeverReplacesASavepoint) {
  const auto store = opened(files, state);
  ASSERT_OK(store->make_live(1));
  for (const CheckpointId id : {1U, 2U}) ASSERT_EQ(take(files, *store, id).published, Published::kYes);
  ASSERT_OK(store->keep(1, "x"));
  const Status refused = store->keep(2, "x");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kBadName);
  EXPECT_THAT(refused.error().describe(), HasSubstr(savepoint_path(state, "x")));
  EXPECT_TRUE(*load_manifest_in(files, savepoint_path(state, "x")) == manifest_of(1));
  for (const std::string& label : {std::string{}, std::string{"."}, std::string{".."}, std::string{"a/b"}, std::string{"~"},
                                   std::string("a\0b", 3), std::string(65, 'a')}) {
    EXPECT_EQ(store->check_label(label).error().code, ErrorCode::kBadName) << label;
  }
  EXPECT_TRUE(store->check_label(std::string(64, 'a')).ok());
}

// Faults F11, F12, F20: a savepoint that fails leaves no half of one, and the next one works.
TEST_F(CheckpointStoreTest, LeavesNoHalfSavepointBehindWhateverStepFails) {
  test_support::UnsyncedFileSystem unsynced{files};
  for (const Failure failure : {Failure::kNotDone, Failure::kDoneAnyway, Failure::kCrash}) {
    for (std::size_t i = 0;; ++i) {
      const std::string fresh = directory / ("state-" + std::to_string(static_cast<int>(failure)) + "-" + std::to_string(i));
      RecordingFileSystem failing{unsynced};
      auto store = opened(failing, fresh);
      ASSERT_OK(store->make_live(1));
      ASSERT_EQ(take(unsynced, *store, 1).published, Published::kYes);
      failing.fail_at(failing.steps().size() + i, failure);
      const bool kept = store->keep(1, "x").ok();
      store.reset();
      const Result<DirectoryFacts> found = read_state_directory(files, fresh);
      ASSERT_TRUE(found.ok());
      EXPECT_THAT(found->unknown, IsEmpty());
      if (kept) {
        EXPECT_THAT(found->savepoints, ElementsAre("x"));
      }
      if (!found->savepoints.empty()) {
        ASSERT_OK(verify_checkpoint_in(files, savepoint_path(fresh, "x"), *load_manifest_in(files, savepoint_path(fresh, "x"))));
      }
      ASSERT_OK(opened(unsynced, fresh)->keep(1, "y"));
      if (!failing.fired()) break;
    }
  }
}

// Lesson D07: an error after the rename is neither success nor failure.
TEST_F(CheckpointStoreTest, DoesNotClaimToKnowWhenTheRenameHappenedAndAnErrorCameBack) {
  std::size_t doubtful = 0;
  test_support::UnsyncedFileSystem unsynced{files};
  for (const Failure failure : {Failure::kNotDone, Failure::kDoneAnyway, Failure::kCrash}) {
    for (std::size_t i = 0;; ++i) {
      const std::string fresh = directory / ("state-" + std::to_string(static_cast<int>(failure)) + "-" + std::to_string(i));
      RecordingFileSystem failing{unsynced};
      const auto store = opened(failing, fresh);
      ASSERT_OK(store->make_live(1));
      ASSERT_TRUE(store->begin(1).ok());
      failing.fail_at(failing.steps().size() + i, failure);
      const CheckpointStore::PublishOutcome outcome = store->publish(manifest_of(1));
      const bool there = *files.kind(manifest_path(fresh, 1)) != FileKind::kAbsent;
      if (outcome.published == Published::kYes) {
        EXPECT_TRUE(there);
      }
      if (outcome.published == Published::kNo) {
        EXPECT_FALSE(there) << i;
      }
      EXPECT_EQ(outcome.published == Published::kYes, outcome.status.ok());
      doubtful += outcome.published == Published::kUnknown ? 1U : 0U;
      if (!failing.fired()) break;
      // No second fsync on a file whose first one failed (R1, planted P12).
      std::vector<std::string> syncs;
      for (const std::string& step : failing.steps()) {
        if (step.rfind("sync ", 0) == 0 && step.find("manifest") != std::string::npos) syncs.push_back(step);
      }
      EXPECT_LE(syncs.size(), 1U);
    }
  }
  EXPECT_GT(doubtful, 0U);
}

// Faults F01, F03, F05: killed at every step of three checkpoints with their garbage collection; what was told complete is there, and
// another life can go on, to be killed at every step of its own recovery.
class Life {
 public:
  Life(FileSystem& files, std::string state) : files_(files), state_(std::move(state)) {}
  // Opens, cleans up, takes `count` checkpoints. `told`: the newest one that was told complete.
  void run(std::size_t count, CheckpointId& told) {
    const auto store = CheckpointStore::open(files_, state_);
    if (!store.ok()) return;
    const Result<DirectoryFacts> facts = (*store)->read();
    if (!facts.ok()) return;
    const std::vector<CheckpointId> complete = complete_ids(*facts);
    const CheckpointId newest = complete.empty() ? 0 : complete.back();
    EXPECT_GE(newest, told) << "a checkpoint that was told complete is gone";
    if (newest != 0 && check_files_) {
      EXPECT_TRUE(verify_checkpoint_in(files_, checkpoint_path(state_, newest), manifest_of(newest)).ok());
    }
    const AttemptId attempt = next_attempt(*facts, {});
    if (!collect(**store, attempt, newest) || !(*store)->make_live(attempt).ok()) return;
    CheckpointId id = facts->checkpoints.empty() ? 1 : facts->checkpoints.back().id + 1;
    for (std::size_t i = 0; i < count; ++i, ++id) {
      if (take(files_, **store, id).published != Published::kYes) return;
      told = id;
      if (!collect(**store, attempt, id)) return;
    }
  }
  void do_not_check_files() { check_files_ = false; }

 private:
  bool collect(CheckpointStore& store, AttemptId attempt, CheckpointId committed) {
    const Result<DirectoryFacts> facts = store.read();
    if (!facts.ok()) return false;
    const std::string lineage = sample_manifest().lineage;
    return store
        .remove_all(choose_deletions(*facts, {.lineage = lineage, .attempt = attempt, .committed = committed, .in_use = {}, .retain = 2}))
        .ok();
  }

  FileSystem& files_;
  std::string state_;
  bool check_files_ = true;
};

TEST_F(CheckpointStoreTest, F03SurvivesBeingKilledAtEveryStepAndAtEveryStepOfTheNextStart) {
  test_support::UnsyncedFileSystem unsynced{files};
  for (std::size_t first = 0;; ++first) {
    // The second life is killed at another step of its own each time; over all first lives each step has its turn.
    const std::size_t second = first % 80;
    const std::string fresh = directory / ("state" + std::to_string(first));
    CheckpointId told = 0;
    RecordingFileSystem killed{unsynced};
    killed.fail_at(first, Failure::kCrash);
    Life one{killed, fresh};
    one.do_not_check_files();
    one.run(3, told);
    RecordingFileSystem again{unsynced};
    again.fail_at(second, Failure::kCrash);
    Life two{again, fresh};
    two.do_not_check_files();
    two.run(1, told);
    CheckpointId last = told;
    Life{unsynced, fresh}.run(2, last);
    EXPECT_GT(last, told);
    const Result<DirectoryFacts> facts = read_state_directory(files, fresh);
    ASSERT_TRUE(facts.ok());
    // At rest: two complete ones, one live directory, nothing else (I6).
    EXPECT_EQ(complete_ids(*facts).size(), 2U);
    EXPECT_EQ(facts->checkpoints.size(), 2U) << "first " << first << " second " << second;
    EXPECT_EQ(facts->live.size(), 1U);
    EXPECT_THAT(facts->unknown, IsEmpty());
    ASSERT_OK(remove_tree(files, fresh));
    if (!killed.fired()) break;
  }
}

TEST(Layout, NamesAreTenDigits) {
  EXPECT_EQ(numbered_name(7), "0000000007");
  EXPECT_EQ(parse_numbered_name("0000000007"), 7U);
  EXPECT_EQ(parse_numbered_name("9999999999"), 9'999'999'999U);
  for (const char* name : {"", "7", "000000007", "00000000007", "0000000000", "000000000a", "-000000001", "0000000007.bak", " 000000007"}) {
    EXPECT_EQ(parse_numbered_name(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace tidemark

// Who owns the files of checkpoints, over random histories on a real disk: checkpoints that are begun, fail, are published, committed, kept
// under a name, restored, and all of it interrupted, while compaction replaces the files underneath (R2, I6; faults F05, F11, F13; lessons
// D01-D07).

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include <gtest/gtest.h>

#include <tidemark/checkpoint/checkpoint_store.hpp>
#include <tidemark/core/hash.hpp>
#include <tidemark/core/random.hpp>

#include "sample_manifest.hpp"
#include "support/forwarding_file_system.hpp"
#include "support/instrumented.hpp"
#include "support/recording_file_system.hpp"
#include "support/temporary_directory.hpp"

namespace tidemark {
namespace {

using Published = CheckpointStore::Published;
using test_support::Failure;
using test_support::RecordingFileSystem;
using test_support::sample_manifest;

// How often what matters came about, over all histories.
struct Seen {
  std::size_t aborted = 0, unknown = 0, crashed = 0, restored = 0, from_savepoint = 0, compacted = 0, savepoints = 0, collected = 0,
      deleted = 0, found_incomplete = 0, collected_beside_pending = 0;
};

class History {
 public:
  History(std::uint64_t seed, Seen& seen) : random_(seed), seen_(seen) {}

  void run(std::size_t steps) {
    restart({});
    for (std::size_t i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      if (chance(6) && (!armed_ || disk_->fired())) break_something();
      step();
      check_what_must_be_there();
    }
  }
  const std::string& told() const { return told_; }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_.next() % bound; }
  bool chance(std::uint64_t in) { return below(in) == 0; }
  void tell(const std::string& what) { told_ += what + "; "; }

  // One of the next steps on the disk fails, or is the last of this process.
  void break_something() {
    constexpr Failure kFailures[] = {Failure::kNotDone, Failure::kDoneAnyway, Failure::kCrash};
    const Failure failure = kFailures[below(3)];
    crashes_ = failure == Failure::kCrash;
    armed_ = true;
    disk_->fail_at(disk_->steps().size() + below(40), failure);
    tell(crashes_ ? "(will crash)" : "(will fail)");
  }
  bool dead() const { return crashes_ && disk_->fired(); }

  void step() {
    switch (below(11)) {
      case 0:
      case 1: ingest(); break;
      case 2: compact(); break;
      case 3:
      case 4:
      case 5: checkpoint(); break;
      case 6: begin_and_fail(); break;
      case 7: keep(); break;
      case 8: checked(); break;
      case 9: collect(std::nullopt); break;
      case 10: crash(); break;
    }
    if (dead()) {
      ++seen_.crashed;
      crash();
    }
  }

  // --- the store of the attempt ---
  void write_live(std::uint64_t number) {
    char name[16];
    std::snprintf(name, sizeof name, "%06llu.sst", static_cast<unsigned long long>(number));
    const Bytes contents = "rows " + std::to_string(++written_);
    auto file = plain_.create(join_path(live(), name));
    ASSERT_TRUE(file.ok()) << file.error().describe();
    ASSERT_TRUE((*file)->append(contents).ok() && (*file)->close().ok());
    live_files_[name] = {.name = name, .size = contents.size(), .checksum = hash_bytes(contents, 0)};
  }
  std::string live() const { return live_store_path(state_, attempt_); }
  void ingest() { write_live(next_file_++); }
  // Some files become one.
  void compact() {
    if (live_files_.size() < 2) return;
    tell("compact");
    ++seen_.compacted;
    write_live(next_file_++);
    const std::string made = live_files_.rbegin()->first;
    for (auto file = live_files_.begin(); file != live_files_.end();) {
      if (file->first == made || chance(3)) {
        ++file;
        continue;
      }
      ASSERT_TRUE(plain_.remove_file(join_path(live(), file->first)).ok());
      file = live_files_.erase(file);
    }
  }

  // --- checkpoints ---
  bool begin(CheckpointId id) {
    const auto directory = store_->begin(id);
    if (!directory.ok()) return false;
    for (const auto& [name, file] : live_files_) {
      if (!link_or_copy(*disk_, join_path(live(), name), join_path(*directory, name)).ok()) return false;
    }
    return disk_->sync_directory(*directory).ok();
  }
  void give_up(CheckpointId id) {
    tell("give up " + std::to_string(id));
    ++seen_.aborted;
    (void)store_->discard(id).ok();
  }
  void begin_and_fail() {   // D01: its files are written, and it fails
    const CheckpointId id = next_checkpoint_++;
    tell("begin " + std::to_string(id));
    (void)begin(id);
    if (chance(2)) compact();
    if (chance(2)) collect(id);
    if (!dead()) give_up(id);
  }
  void checkpoint() {
    const CheckpointId id = next_checkpoint_++;
    tell("checkpoint " + std::to_string(id));
    if (!begin(id)) return dead() ? void() : give_up(id);
    Manifest manifest = sample_manifest(id);
    manifest.attempt = attempt_;
    manifest.committables.clear();
    manifest.files.clear();
    for (const auto& [name, file] : live_files_) manifest.files.push_back(file);
    if (chance(3)) compact();   // after the links were made
    if (chance(4)) collect(id);
    const auto outcome = store_->publish(manifest);
    if (outcome.published == Published::kYes) complete_.insert(id);
    if (dead()) return;
    if (outcome.published == Published::kNo) return give_up(id);
    if (outcome.published == Published::kUnknown) {   // D07: only a restart may say what holds
      ++seen_.unknown;
      tell("unknown");
      return crash();
    }
    if (chance(4)) collect(std::nullopt);   // durable, and no sink has committed it yet
    if (chance(8)) return crash();
    committed_ = id;
    tell("commit");
    if (chance(5)) keep();
    collect(std::nullopt);
  }
  void collect(std::optional<CheckpointId> pending) {
    const bool fired = disk_->fired();
    const auto facts = store_->read();
    if (!facts.ok()) return;
    std::vector<CheckpointId> in_use;
    if (pending) in_use.push_back(*pending);
    if (being_checked_ != 0) in_use.push_back(being_checked_);
    const Deletions deletions = choose_deletions(
        *facts, {.lineage = sample_manifest().lineage, .attempt = attempt_, .committed = committed_, .in_use = in_use, .retain = 2});
    const bool removed = store_->remove_all(deletions).ok();
    if (!removed || disk_->fired() != fired || dead()) return;   // what cannot be read or removed now stays until the next time
    ++seen_.collected;
    seen_.deleted += deletions.checkpoints.size();
    seen_.collected_beside_pending += pending ? 1 : 0;
    complete_ = needed();
    check_that_nothing_else_is_there(pending);
  }
  void keep() {
    if (committed_ == 0 || !complete_.contains(committed_)) return;
    const std::string label = "s" + std::to_string(++labels_);
    tell("keep " + std::to_string(committed_) + " as " + label);
    if (store_->keep(committed_, label).ok()) {
      savepoints_[label] = true;
      ++seen_.savepoints;
    } else {
      savepoints_.emplace(label, false);   // possibly there
    }
  }
  void checked() { being_checked_ = 0; }

  // --- lives ---
  void crash() {
    tell("crash");
    std::optional<std::string> savepoint;
    for (const auto& [label, sure] : savepoints_) {
      if (sure && chance(4 * savepoints_.size())) savepoint = label;
    }
    restart(savepoint);
  }
  // As a start does it: own the directory, read it, make the live directory of a new attempt, link what is restored into it.
  void restart(const std::optional<std::string>& savepoint) {
    const std::set<CheckpointId> needed_before = needed();
    const CheckpointId committed_before = committed_;
    store_.reset();
    live_files_.clear();
    disk_.emplace(unsynced_);
    armed_ = crashes_ = false;
    auto opened = CheckpointStore::open(*disk_, state_);
    ASSERT_TRUE(opened.ok()) << opened.error().describe();
    store_ = *std::move(opened);
    const auto facts = store_->read();
    ASSERT_TRUE(facts.ok());
    complete_.clear();
    for (const FoundCheckpoint& found : facts->checkpoints) {
      ASSERT_TRUE(found.damage.ok()) << found.damage.error().describe();
      if (found.manifest != nullptr) complete_.insert(found.id);
      seen_.found_incomplete += found.incomplete() ? 1 : 0;
      next_checkpoint_ = std::max(next_checkpoint_, found.id + 1);
    }
    for (const CheckpointId id : needed_before) ASSERT_TRUE(complete_.contains(id)) << "checkpoint " << id << " is gone";
    attempt_ = next_attempt(*facts, {});
    const Status made = store_->make_live(attempt_);
    ASSERT_TRUE(made.ok()) << made.error().describe();
    ASSERT_TRUE(plain_.make_directory(live()).ok());
    being_checked_ = 0;
    next_file_ = 1;
    tell("attempt " + std::to_string(attempt_));
    if (complete_.empty()) {
      ASSERT_EQ(committed_before, 0u);
      return;
    }
    const CheckpointId newest = *complete_.rbegin();
    const std::string from = savepoint ? savepoint_path(state_, *savepoint) : checkpoint_path(state_, newest);
    tell("restore " + savepoint.value_or(std::to_string(newest)));
    ++(savepoint ? seen_.from_savepoint : seen_.restored);
    const auto manifest = load_manifest_in(plain_, from);
    ASSERT_TRUE(manifest.ok()) << manifest.error().describe();
    for (const StoredFile& file : manifest->files) {
      const Status linked = link_or_copy(plain_, join_path(store_in(from), file.name), join_path(live(), file.name));
      ASSERT_TRUE(linked.ok()) << linked.error().describe();
      live_files_[file.name] = file;
      next_file_ = std::max<std::uint64_t>(next_file_, std::stoull(file.name) + 1);   // so attempts write different files of one name
    }
    committed_ = newest;   // what it lists is committed again
    if (!savepoint) being_checked_ = newest;
  }

  // --- what must hold, said without choose_deletions ---
  std::set<CheckpointId> needed() const {
    std::set<CheckpointId> ids;
    std::size_t committed = 0;
    for (auto id = complete_.rbegin(); id != complete_.rend(); ++id) {
      if (*id > committed_ || committed++ < 2 || *id == being_checked_) ids.insert(*id);
    }
    return ids;
  }
  void expect_whole(const std::string& directory) {
    const auto manifest = load_manifest_in(plain_, directory);
    ASSERT_TRUE(manifest.ok()) << manifest.error().describe();
    const Status whole = verify_checkpoint_in(plain_, directory, *manifest);
    ASSERT_TRUE(whole.ok()) << whole.error().describe();
  }
  void check_what_must_be_there() {
    const auto facts = read_state_directory(plain_, state_);
    ASSERT_TRUE(facts.ok()) << facts.error().describe();
    std::set<CheckpointId> there;
    for (const FoundCheckpoint& found : facts->checkpoints) {
      ASSERT_TRUE(found.damage.ok()) << found.damage.error().describe();
      if (found.manifest == nullptr) continue;
      there.insert(found.id);
      ASSERT_NO_FATAL_FAILURE(expect_whole(checkpoint_path(state_, found.id)));
    }
    for (const CheckpointId id : needed()) EXPECT_TRUE(there.contains(id)) << "checkpoint " << id << " is gone";
    for (const std::string& label : facts->savepoints) {
      ASSERT_TRUE(savepoints_.contains(label)) << label;
      ASSERT_NO_FATAL_FAILURE(expect_whole(savepoint_path(state_, label)));
    }
    for (const auto& [label, sure] : savepoints_) {
      const bool found = std::find(facts->savepoints.begin(), facts->savepoints.end(), label) != facts->savepoints.end();
      EXPECT_TRUE(found || !sure) << "savepoint " << label << " is gone";
    }
    for (const auto& [name, file] : live_files_) {
      const Status whole = verify_files(plain_, live(), {file});
      EXPECT_TRUE(whole.ok()) << whole.error().describe();
    }
  }
  // I6: every file belongs to a checkpoint or savepoint whose manifest lists it, or to the present attempt.
  void check_that_nothing_else_is_there(std::optional<CheckpointId> pending) {
    const auto facts = read_state_directory(plain_, state_);
    ASSERT_TRUE(facts.ok());
    std::set<std::string> owned{lock_path(state_), lineage_path(state_), join_path(state_, ".LINEAGE.partial"), place_path(state_),
                                join_path(state_, ".PLACE.partial")};
    const auto own = [&](const std::string& directory) {
      const auto manifest = load_manifest_in(plain_, directory);
      ASSERT_TRUE(manifest.ok()) << manifest.error().describe();
      owned.insert(manifest_in(directory));
      for (const StoredFile& file : manifest->files) owned.insert(join_path(store_in(directory), file.name));
    };
    for (const CheckpointId id : needed()) own(checkpoint_path(state_, id));
    for (const std::string& label : facts->savepoints) own(savepoint_path(state_, label));
    for (const auto& entry : std::filesystem::recursive_directory_iterator(state_)) {
      const std::string path = entry.path().string();
      const auto beneath = [&](const std::string& directory) { return (path + "/").starts_with(directory + "/"); };
      if (beneath(live_path(state_, attempt_)) || (pending && beneath(checkpoint_path(state_, *pending)))) continue;
      if (entry.is_regular_file()) {
        EXPECT_TRUE(owned.contains(path)) << path << " belongs to nobody";
      } else if (beneath(checkpoints_path(state_)) && path != checkpoints_path(state_)) {
        const auto id = parse_numbered_name(entry.path().filename().string());
        EXPECT_TRUE(!id || needed().contains(*id)) << path << " belongs to nobody";
      } else if (beneath(all_live_path(state_)) && path != all_live_path(state_)) {
        ADD_FAILURE() << path << " belongs to nobody";
      }
    }
  }

  SeededRandom random_;
  Seen& seen_;
  std::string told_;
  test_support::TemporaryDirectory directory_;
  std::string state_ = directory_ / "state";
  FileSystem& plain_ = posix_file_system();
  test_support::UnsyncedFileSystem unsynced_{plain_};
  std::optional<RecordingFileSystem> disk_;
  bool armed_ = false;
  bool crashes_ = false;
  std::unique_ptr<CheckpointStore> store_;

  AttemptId attempt_ = 0;
  std::map<std::string, StoredFile> live_files_;
  std::uint64_t next_file_ = 1;
  std::uint64_t written_ = 0;
  CheckpointId next_checkpoint_ = 1;
  std::set<CheckpointId> complete_;      // told complete, or found so by a start, and not to be deleted yet
  CheckpointId committed_ = 0;
  CheckpointId being_checked_ = 0;
  std::map<std::string, bool> savepoints_;   // whether it is known to be there
  std::uint64_t labels_ = 0;
};

TEST(RetentionModel, F05NoFileOfARetainedCheckpointIsEverMissingAndNoneStaysThatNobodyHolds) {   // D01-D07, I6
  constexpr std::uint64_t kHistories = test_support::kInstrumented ? 25 : 60;
  Seen seen;
  for (std::uint64_t seed = 1; seed <= kHistories; ++seed) {
    History history{seed, seen};
    history.run(60);
    ASSERT_FALSE(HasFailure()) << "seed " << seed << ": " << history.told();
  }
  EXPECT_GT(seen.aborted, 20u);
  EXPECT_GT(seen.unknown, 0u);
  EXPECT_GT(seen.crashed, 10u);
  EXPECT_GT(seen.restored, 20u);
  EXPECT_GT(seen.from_savepoint, 0u);
  EXPECT_GT(seen.compacted, 20u);
  EXPECT_GT(seen.savepoints, 10u);
  EXPECT_GT(seen.deleted, 20u);
  EXPECT_GT(seen.found_incomplete, 0u);
  EXPECT_GT(seen.collected_beside_pending, 0u);
}

}  // namespace
}  // namespace tidemark

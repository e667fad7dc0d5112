// A whole job on a disk that fails: every step that touches the disk in turn, RocksDB's own among them (faults F11-F14, F20, F22; R1, R2).

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <iostream>
#include <thread>

#include <tidemark/checkpoint/checkpoint_store.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/faulty_file_system.hpp"
#include "../support/forwarding_file_system.hpp"
#include "../support/instrumented.hpp"
#include "../support/job_result.hpp"
#include "../support/temporary_directory.hpp"
#include "payments.hpp"

namespace tidemark {
namespace {

using namespace payments;
using namespace std::chrono_literals;
using namespace test_support;

constexpr std::size_t kStride = kInstrumented ? 13 : 3;

const Splits kSplits = make_payments(21, 2, 3000);
const Expected kExpected = model(kSplits);

// One job in one directory, on one disk that fails when it is told to. What it writes outlives its starts.
class World {
 public:
  explicit World(Splits splits = kSplits) : splits_(std::move(splits)) {
    options.state_directory = directory_.path() + "/state";
    options.checkpoint_every = 1ms;
    options.max_batch = 50;
    options.workers = 1;
    options.files = &files;
    options.logger = Logger::silent();
  }

  Result<std::unique_ptr<Runtime>> start() {
    const MemorySourceOptions pauses{.pause_every = hurries ? 0U : 100U, .pause = 2ms};
    return Runtime::start(make_graph(memory_source(splits_, pauses), lines_.sink(), late_.sink()), options);
  }
  // To the end of the input, or to the error of the start or of the job.
  JobResult run() {
    auto runtime = start();
    failed_checkpoints = 0;
    started = runtime.ok();
    if (!runtime.ok()) return {JobState::kFailed, runtime.error()};
    JobResult result = (*runtime)->wait();
    failed_checkpoints = (*runtime)->snapshot().failed_checkpoints;
    return result;
  }
  // Starts again on a disk without faults: the output is that of an unbroken run, and nothing lies about.
  void expect_a_right_end() {
    files.lose_unsynced();
    expect_whole_checkpoints();
    files.heal();
    hurries = true;
    const JobResult result = run();
    ASSERT_TRUE(result.state == JobState::kFinished || result.state == JobState::kAlreadyFinished)
        << describe(result);
    const Expected expected = model(splits_);
    ASSERT_EQ(sorted(lines_.committed()), expected.lines);
    ASSERT_EQ(sorted(late_.committed()), expected.late);
    expect_whole_checkpoints();
    for (const std::string& offence : files.offences()) ADD_FAILURE() << offence;
  }
  // Every checkpoint that looks complete is so to the last byte, and only names of the layout are there.
  void expect_whole_checkpoints() {
    const auto facts = read_state_directory(under_, options.state_directory);
    ASSERT_TRUE(facts.ok()) << facts.error().describe();
    for (const FoundCheckpoint& found : facts->checkpoints) {
      ASSERT_TRUE(found.damage.ok()) << found.damage.error().describe();
      if (found.manifest == nullptr) continue;
      const Status whole = verify_checkpoint_in(under_, checkpoint_path(options.state_directory, found.id), *found.manifest);
      ASSERT_TRUE(whole.ok()) << whole.error().describe();
    }
    EXPECT_TRUE(facts->unknown.empty()) << facts->unknown.front();
  }
  std::vector<std::string> row_files() const {
    std::vector<std::string> names;
    const std::filesystem::path live = options.state_directory + "/live";
    if (!std::filesystem::exists(live)) return names;
    for (const auto& attempt : std::filesystem::directory_iterator(live)) {
      for (const auto& file : std::filesystem::directory_iterator(attempt.path() / "rows")) names.push_back(file.path().string());
    }
    return names;
  }
  // Every name under the state directory with its size.
  std::vector<std::string> tree() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(options.state_directory)) {
      names.push_back(entry.path().string() + " " + (entry.is_regular_file() ? std::to_string(entry.file_size()) : ""));
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  UnsyncedFileSystem under_{posix_file_system()};
  TemporaryDirectory directory_;
  Splits splits_;
  MemorySink<Line> lines_;
  MemorySink<Line> late_;

 public:
  FaultyFileSystem files{under_};
  RuntimeOptions options;
  bool hurries = false;                   // does without the pauses of the source, which make room for checkpoints
  std::uint64_t failed_checkpoints = 0;   // of the last run()
  bool started = false;
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// That the message names one of the files whose step failed.
void expect_named(const World& world, const Error& error) {
  const std::vector<std::string> failed = world.files.failed_paths();
  EXPECT_TRUE(std::any_of(failed.begin(), failed.end(), [&](const std::string& path) { return has(error.describe(), path); }))
      << error.describe() << "\nfirst failure: " << (failed.empty() ? "none" : failed.front());
}
// Where one failure is enough to end the attempt: the store cannot be trusted any more, or it is not known whether a manifest is there.
bool ends_the_attempt(const std::string& path, Steps steps) {
  if ((has(path, "/live/") && has(path, "/store/")) || has(path, "LINEAGE") || has(path, "PLACE") || path.ends_with("/state")) return true;
  return (steps & static_cast<Steps>(Step::kSyncDirectory)) != 0 && file_name(parent_path(path)) == "checkpoints";
}

// How the job ended with each single failure in turn, until the failure does not come about any more.
struct Outcomes {
  std::size_t refused = 0;
  std::size_t failed = 0;
  std::size_t went_on = 0;            // with a failed checkpoint
  std::size_t took_no_notice = 0;
};

void each_failure(Steps steps, const std::string& reason, Outcomes& outcomes) {
  for (std::size_t i = 0;; i += kStride) {
    SCOPED_TRACE(testing::Message() << reason << " at step " << i);
    World world;
    world.files.inject({.steps = steps, .first = i, .reason = reason});
    const JobResult result = world.run();
    const std::vector<std::string> failed = world.files.failed_paths();
    if (failed.empty()) break;
    SCOPED_TRACE(failed.front());
    if (!world.started) {
      ++outcomes.refused;
    } else if (result.state == JobState::kFailed) {
      ++outcomes.failed;
      EXPECT_TRUE(ends_the_attempt(failed.front(), steps)) << result.error->describe();
    } else {
      EXPECT_EQ(result.state, JobState::kFinished);
      EXPECT_LE(world.failed_checkpoints, 1u);
      EXPECT_TRUE(world.row_files().empty()) << world.row_files().front();   // a failed checkpoint gives its space back
      ++(world.failed_checkpoints == 0 ? outcomes.took_no_notice : outcomes.went_on);
    }
    if (result.error) expect_named(world, *result.error);
    ASSERT_NO_FATAL_FAILURE(world.expect_a_right_end());
  }
  std::cout << reason << ": refused " << outcomes.refused << ", failed " << outcomes.failed << ", went on " << outcomes.went_on
            << ", took no notice " << outcomes.took_no_notice << "\n";
}

TEST(StorageFault, F11FullDiskAtAnyWriteFailsTheCheckpointAndNotTheJob) {
  Outcomes outcomes;
  each_failure(kWrites, "No space left on device (ENOSPC)", outcomes);
  EXPECT_GT(outcomes.went_on, 0u);
  EXPECT_GT(outcomes.refused, 0u);
}

TEST(StorageFault, F13FailedSyncOrCloseIsFinalForItsFileAndLosesNoCheckpoint) {
  Outcomes outcomes;
  each_failure(kSyncs, "Input/output error (EIO)", outcomes);
  EXPECT_GT(outcomes.went_on, 0u);
}

// D07, F13: what a failed sync has lost is in no checkpoint from which the job goes on after a crash.
TEST(StorageFault, F13JobCutOffAfterAFailedSyncGoesOnFromAWholeCheckpoint) {
  std::size_t restored = 0;
  for (std::size_t i = 1;; i += 2 * kStride) {
    SCOPED_TRACE(testing::Message() << "at step " << i);
    World world;
    world.files.inject({.steps = kSyncs, .first = i, .reason = "Input/output error (EIO)"});
    auto runtime = world.start();
    if (runtime.ok()) {
      while (world.files.injected() == 0 && !(*runtime)->wait_for(0ms)) std::this_thread::sleep_for(200us);
      const std::uint64_t then = (*runtime)->snapshot().checkpoints;
      while ((*runtime)->snapshot().checkpoints == then && !(*runtime)->wait_for(0ms)) std::this_thread::sleep_for(200us);
      (*runtime)->request_cancel();
      (*runtime)->wait();
      if (world.files.injected() == 0) break;
      restored += (*runtime)->snapshot().last_checkpoint > 0 ? 1 : 0;
      runtime = Error{};   // lets the directory go
    }
    ASSERT_NO_FATAL_FAILURE(world.expect_a_right_end());
  }
  EXPECT_GT(restored, 0u);
}

TEST(StorageFault, F11DiskThatStaysFullFailsTheJobAfterTheToleratedNumberOfCheckpoints) {
  for (const std::uint32_t tolerated : {0U, 3U}) {
    std::size_t by_policy = 0;
    for (std::size_t i = 0;; i += 5 * kStride) {
      SCOPED_TRACE(testing::Message() << "tolerated " << tolerated << ", from step " << i);
      World world;
      world.options.tolerated_checkpoint_failures = tolerated;
      world.files.inject({.steps = kWrites, .first = i, .times = kForEver});
      const JobResult result = world.run();
      if (world.files.injected() == 0) break;
      ASSERT_EQ(result.state, JobState::kFailed);   // its last checkpoint can never be complete
      expect_named(world, *result.error);
      if (world.started && !has(result.error->message, "LINEAGE") && !has(result.error->message, "PLACE")) {
        ++by_policy;
        EXPECT_EQ(world.failed_checkpoints, tolerated + 1u);
        EXPECT_EQ(result.error->facts.back().first, "failed checkpoints in a row") << result.error->describe();
        EXPECT_EQ(result.error->facts.back().second, std::to_string(tolerated + 1));
      }
      world.options.tolerated_checkpoint_failures = 3;
      ASSERT_NO_FATAL_FAILURE(world.expect_a_right_end());
    }
    EXPECT_GT(by_policy, 0u);
  }
}

TEST(StorageFault, F11JobGoesOnByItselfWhenThereIsSpaceAgainAndHasLeftNothingBehind) {
  std::size_t went_on = 0;
  for (std::size_t i = 0;; i += kStride) {
    SCOPED_TRACE(testing::Message() << "from step " << i);
    World world;
    world.options.parallelism = 3;
    world.options.tolerated_checkpoint_failures = 1000;
    auto runtime = world.start();
    ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
    world.files.inject({.steps = kWrites, .first = i, .times = 1 + i % 12, .on_path_with = "/rows/"});
    const JobResult result = (*runtime)->wait();
    if (world.files.injected() == 0) break;
    EXPECT_EQ(result.state, JobState::kFinished) << describe(result);
    EXPECT_TRUE(world.row_files().empty()) << world.row_files().front() << " " << testing::PrintToString(world.files.failed_paths());
    went_on += (*runtime)->snapshot().failed_checkpoints > 0 ? 1 : 0;
    runtime = Error{};
    ASSERT_NO_FATAL_FAILURE(world.expect_a_right_end());
  }
  EXPECT_GT(went_on, 0u);
}

// Each start reads what the one before has left, and goes on by a checkpoint; the i-th read of each fails.
void each_failed_read(Fault fault, std::size_t stride, Outcomes& outcomes) {
  World world{make_payments(22, 2, 40'000)};
  world.options.max_batch = 20;
  const auto go_on = [&](JobResult& result) {
    auto runtime = world.start();
    world.started = runtime.ok();
    if (!runtime.ok()) {
      result = {JobState::kFailed, runtime.error()};
      return;
    }
    while ((*runtime)->snapshot().checkpoints < 3 && !(*runtime)->wait_for(0ms)) std::this_thread::sleep_for(200us);
    (*runtime)->request_cancel();
    result = (*runtime)->wait();
  };
  JobResult result;
  ASSERT_NO_FATAL_FAILURE(go_on(result));
  ASSERT_EQ(result.state, JobState::kCancelled);
  for (std::size_t i = 0;; i += stride) {
    SCOPED_TRACE(testing::Message() << "read " << i);
    fault.first = i;
    world.files.inject(fault);
    ASSERT_NO_FATAL_FAILURE(go_on(result));
    if (world.files.injected() == 0) break;
    SCOPED_TRACE(world.files.failed_paths().front());
    if (result.error) expect_named(world, *result.error);
    ++(!world.started ? outcomes.refused : result.state == JobState::kFailed ? outcomes.failed : outcomes.took_no_notice);
    if (result.state == JobState::kFinished) break;   // the input is too short for more
    ASSERT_NO_FATAL_FAILURE(world.expect_whole_checkpoints());
  }
  std::cout << "reads: refused " << outcomes.refused << ", failed " << outcomes.failed << ", took no notice " << outcomes.took_no_notice
            << "\n";
  world.options.checkpoint_every = 100ms;
  world.options.max_batch = 1000;
  ASSERT_NO_FATAL_FAILURE(world.expect_a_right_end());
}

TEST(StorageFault, F14ReadThatFailsOnceIsNeverTakenForAnEmptyOrOtherState) {
  Outcomes outcomes;
  each_failed_read({.steps = kReads, .reason = "Input/output error (EIO)"}, 2 * kStride, outcomes);
  EXPECT_GT(outcomes.refused, 0u);
}

TEST(StorageFault, F14RowsThatCannotBeReadAfterALazyRestoreFailTheJobAndTheErrorNamesTheFile) {
  Outcomes outcomes;
  // There are few such reads, so they are not taken further apart where everything is slow.
  each_failed_read({.steps = kReads, .times = kForEver, .reason = "Input/output error (EIO)", .on_path_with = "/live/", .and_with = ".sst"},
                   15, outcomes);
  EXPECT_GT(outcomes.failed, 0u);
}

TEST(StorageFault, F14BackgroundCheckThatCannotReadFailsTheJobAndTheErrorNamesTheFile) {
  Outcomes outcomes;
  each_failed_read(
      {.steps = Steps{} | Step::kRead, .reason = "Input/output error (EIO)", .on_path_with = "/checkpoints/", .and_with = ".sst"},
      kStride, outcomes);
  EXPECT_GT(outcomes.failed, 0u);
}

TEST(StorageFault, F20DirectoryThatMayNotBeWrittenRefusesTheStartAndStaysAsItIs) {
  // Without the right to write a directory one may still open a file that is there, such as the lock.
  for (const auto& [steps, reason] : {std::pair{kChanges, "Permission denied (EACCES)"},
                                      std::pair{kChanges | Step::kLock, "Read-only file system (EROFS)"}}) {
    World world;
    auto runtime = world.start();
    ASSERT_TRUE(runtime.ok());
    while ((*runtime)->snapshot().checkpoints < 1) std::this_thread::sleep_for(1ms);
    (*runtime)->request_cancel();
    (*runtime)->wait();
    runtime = Error{};
    const std::vector<std::string> before = world.tree();
    world.files.inject({.steps = steps, .times = kForEver, .reason = reason});
    const JobResult refused = world.run();
    ASSERT_FALSE(world.started);
    EXPECT_TRUE(has(refused.error->describe(), world.options.state_directory)) << refused.error->describe();
    EXPECT_TRUE(has(refused.error->describe(), reason)) << refused.error->describe();
    EXPECT_EQ(world.tree(), before);
    ASSERT_NO_FATAL_FAILURE(world.expect_a_right_end());
  }
}

TEST(StorageFault, F20FileSystemWithoutHardLinksIsServedByCopies) {
  World world{make_payments(24, 2, 10'000)};
  world.files.inject({.steps = Steps{} | Step::kLink, .times = kForEver, .reason = "Invalid cross-device link (EXDEV)"});
  auto runtime = world.start();
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  auto kept = (*runtime)->request_savepoint("copied").get();
  EXPECT_TRUE(kept.ok()) << kept.error().describe();
  (*runtime)->request_cancel();
  (*runtime)->wait();
  runtime = Error{};
  const JobResult result = world.run();   // still without links
  EXPECT_EQ(result.state, JobState::kFinished) << describe(result);
  EXPECT_EQ(world.failed_checkpoints, 0u);
  EXPECT_GT(world.files.injected(), 0u);
  EXPECT_TRUE(world.row_files().empty()) << world.row_files().front();
  ASSERT_NO_FATAL_FAILURE(world.expect_a_right_end());
}

TEST(StorageFault, F20TooManyOpenFilesFailCheckpointsUntilSomeAreClosed) {
  World world;
  world.options.tolerated_checkpoint_failures = 1000;
  auto runtime = world.start();
  ASSERT_TRUE(runtime.ok());
  world.files.inject({.steps = Step::kCreate | Step::kOpen,
                      .times = 6,
                      .reason = "Too many open files (EMFILE)",
                      .on_path_with = "/checkpoints/"});
  const JobResult result = (*runtime)->wait();
  EXPECT_EQ(result.state, JobState::kFinished) << describe(result);
  EXPECT_GT((*runtime)->snapshot().failed_checkpoints, 0u);
  runtime = Error{};
  ASSERT_NO_FATAL_FAILURE(world.expect_a_right_end());
}

// A sink whose second seal fails as a disk fails, once for all its writers.
class FailingOnceSink final : public SinkBase {
 public:
  explicit FailingOnceSink(std::shared_ptr<memory_internal::MemoryTarget<Line>> target) : under_(std::move(target)) {}
  std::string describe() const override { return under_.describe(); }
  SinkGuarantee guarantee() const override { return under_.guarantee(); }
  Result<std::unique_ptr<SinkWriterBase>> open_writer(const IoContext& io, const SinkIdentity& identity) override {
    TIDEMARK_ASSIGN(auto writer, under_.open_writer(io, identity));
    return std::unique_ptr<SinkWriterBase>{std::make_unique<Writer>(*this, std::move(writer))};
  }
  Result<std::unique_ptr<SinkCommitter>> open_committer(const IoContext& io, const SinkIdentity& identity) override {
    return under_.open_committer(io, identity);
  }

 private:
  class Writer final : public SinkWriter<Line> {
   public:
    Writer(FailingOnceSink& sink, std::unique_ptr<SinkWriterBase> under) : sink_(sink), under_(std::move(under)) {}
    Status write(const Batch<Line>& batch) override { return under_->write_batch(batch); }
    EpochSeal seal(CheckpointId epoch) override {
      EpochSeal sealed = under_->seal(epoch);
      if (++sink_.seals_ != 2) return sealed;
      return [] {
        return Result<Bytes>{Error{.code = ErrorCode::kStorageFailed, .message = "cannot sync \"staged\": Input/output error (EIO)"}};
      };
    }

   private:
    FailingOnceSink& sink_;
    std::unique_ptr<SinkWriterBase> under_;
  };

  memory_internal::TransactionalMemorySink<Line> under_;
  std::atomic<int> seals_{0};
};

TEST(StorageFault, F13OutputThatCannotBeSealedEndsTheAttemptSinceGoingOnWouldLoseIt) {
  TemporaryDirectory directory;
  auto target = std::make_shared<memory_internal::MemoryTarget<Line>>();
  MemorySink<Line> late;
  const Sink<Line> lines{std::make_shared<FailingOnceSink>(target)};
  const Splits splits = make_payments(25, 2, 30'000);   // more than is read before the first attempt fails
  const Expected expected_output = model(splits);
  RuntimeOptions options;
  options.state_directory = directory / "state";
  options.checkpoint_every = 1ms;
  options.max_batch = 50;
  options.logger = Logger::silent();
  for (const JobState expected : {JobState::kFailed, JobState::kFinished}) {
    const MemorySourceOptions pauses{.pause_every = expected == JobState::kFailed ? 100U : 0U, .pause = 2ms};
    auto runtime = Runtime::start(make_graph(memory_source(splits, pauses), lines, late.sink()), options);
    ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
    const JobResult result = (*runtime)->wait();
    ASSERT_EQ(result.state, expected) << describe(result);
    EXPECT_TRUE(!result.error || has(result.error->describe(), "staged")) << result.error->describe();
  }
  EXPECT_EQ(sorted(target->committed()), expected_output.lines);
  EXPECT_EQ(sorted(late.committed()), expected_output.late);
}

TEST(StorageFault, F22CompactionThatCannotWriteFailsTheJobAndTheErrorNamesTheFile) {
  for (const Steps steps : {Steps{} | Step::kCreate, Steps{} | Step::kAppend, Steps{} | Step::kSync}) {
    // More than the job comes to before it fails, however busy the machine.
    World world{make_payments(23, 2, kInstrumented ? 30'000 : 100'000)};
    world.options.files_to_merge = 4;
    auto runtime = world.start();
    ASSERT_TRUE(runtime.ok());
    // Row files come in by links, so whatever is written here under such a name is the work of compaction.
    world.files.inject({.steps = steps, .on_path_with = "/store/", .and_with = ".sst"});
    const JobResult result = (*runtime)->wait();
    ASSERT_EQ(world.files.injected(), 1u);
    ASSERT_EQ(result.state, JobState::kFailed);
    expect_named(world, *result.error);
    runtime = Error{};
    world.options.checkpoint_every = 100ms;
    ASSERT_NO_FATAL_FAILURE(world.expect_a_right_end());
  }
}

}  // namespace
}  // namespace tidemark

// Jobs that are moved: stopped and kept, gone on with from a savepoint, forked, drained (C9, C10, K5; reliability R3, R8; faults F01, F10).

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include <gtest/gtest.h>

#include <tidemark/file/pace.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/forwarding_file_system.hpp"
#include "../support/instrumented.hpp"
#include "../support/recording_file_system.hpp"
#include "../support/temporary_directory.hpp"
#include "payments.hpp"

namespace tidemark {
namespace {

using namespace payments;
using test_support::kInstrumented;
using namespace std::chrono_literals;

// The committed output of a job and of those that go on from it.
struct Targets {
  MemorySink<Line> lines;
  MemorySink<Line> late;
  bool operator==(const Expected& expected) const {
    return sorted(lines.committed()) == expected.lines && sorted(late.committed()) == expected.late;
  }
};

class SavepointTest : public ::testing::Test {
 protected:
  RuntimeOptions options(const std::string& state = "state", std::uint32_t parallelism = 2) {
    RuntimeOptions made;
    made.parallelism = parallelism;
    made.workers = 2;
    made.max_batch = 50;
    made.state_directory = path(state);
    made.checkpoint_every = 5ms;
    made.logger = Logger::silent();
    return made;
  }
  std::string path(const std::string& name) const { return directory.path() + "/" + name; }

  Result<std::unique_ptr<Runtime>> start(const Targets& targets, RuntimeOptions with) {
    return start(targets, std::move(with), memory_source(splits));
  }
  static Result<std::unique_ptr<Runtime>> start(const Targets& targets, RuntimeOptions with, const Source<Payment>& source) {
    return Runtime::start(make_graph(source, targets.lines.sink(), targets.late.sink()), std::move(with));
  }
  // Starts, lets it read something, and hands it over. Its input lasts four seconds or more.
  std::unique_ptr<Runtime> running(const Targets& targets, RuntimeOptions with) {
    const double records = static_cast<double>(splits[0].size());
    return running(targets, std::move(with), paced(memory_source(splits), Pace::records_per_second(records / 4)));
  }
  // The same, and its input lasts longer than a slow machine takes to stop it.
  std::unique_ptr<Runtime> strolling(const Targets& targets, RuntimeOptions with) {
    return running(targets, std::move(with), paced(memory_source(splits), Pace::records_per_second(500)));
  }
  static std::unique_ptr<Runtime> running(const Targets& targets, RuntimeOptions with, const Source<Payment>& source) {
    auto runtime = start(targets, std::move(with), source);
    if (!runtime.ok()) {
      ADD_FAILURE() << runtime.error().describe();
      return nullptr;
    }
    while ((*runtime)->snapshot().records_in == 0 && !(*runtime)->wait_for(0ms)) std::this_thread::sleep_for(1ms);
    return *std::move(runtime);
  }
  Error refused(const Targets& targets, RuntimeOptions with) {
    const auto runtime = start(targets, std::move(with));
    EXPECT_FALSE(runtime.ok()) << "started where a refusal was due";
    return runtime.ok() ? Error{} : runtime.error();
  }
  // Runs to the end of the input.
  void finish(const Targets& targets, RuntimeOptions with) {
    auto runtime = start(targets, std::move(with));
    ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
    const JobResult result = (*runtime)->wait();
    ASSERT_EQ(result.state, JobState::kFinished) << (result.error ? result.error->describe() : "");
  }
  // Stops a new job somewhere in the middle.
  void stop(const Targets& targets, const StopOptions& how) {
    const auto runtime = strolling(targets, options());
    ASSERT_NE(runtime, nullptr);
    const Result<CheckpointId> kept = runtime->request_stop(how).get();
    ASSERT_TRUE(kept.ok()) << kept.error().describe();
    EXPECT_EQ(runtime->wait().state, JobState::kStopped);
    EXPECT_EQ(runtime->snapshot().last_checkpoint, *kept);
  }
  static RestoreFrom from(const std::string& directory) {
    return {.kind = RestoreFrom::Kind::kDirectory, .checkpoint = 0, .name = directory};
  }

  const test_support::TemporaryDirectory directory;
  const Splits splits = make_payments(41, 3, kInstrumented ? 15000 : 60000);
};

TEST_F(SavepointTest, OfAStoppedJobIsWhereItGoesOn) {  // C9
  const Targets targets;
  stop(targets, {.drain = false, .label = "before-upgrade"});
  RuntimeOptions again = options();
  again.from = {.kind = RestoreFrom::Kind::kSavepoint, .checkpoint = 0, .name = "before-upgrade"};
  finish(targets, again);
  EXPECT_TRUE(targets == model(splits));
}

TEST_F(SavepointTest, IsSelfContainedAndMayBeCopiedAnywhere) {  // K5: also at another parallelism
  const Expected expected = model(splits);
  for (const std::uint32_t parallelism : {1U, 2U, 5U}) {
    const Targets targets;
    stop(targets, {.drain = false, .label = "moved"});
    const std::string copy = path("copy" + std::to_string(parallelism));
    std::filesystem::copy(path("state/savepoints/moved"), copy, std::filesystem::copy_options::recursive);
    std::filesystem::remove_all(path("state"));
    RuntimeOptions elsewhere = options("elsewhere" + std::to_string(parallelism), parallelism);
    elsewhere.from = from(copy);
    finish(targets, elsewhere);
    EXPECT_TRUE(targets == expected) << parallelism;
  }
}

TEST_F(SavepointTest, IsVerifiedToTheLastByteWhenItComesFromElsewhere) {  // R3
  const Targets targets;
  stop(targets, {.drain = false, .label = "moved"});
  std::size_t files = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(path("state/savepoints/moved"))) {
    if (!file.is_regular_file()) continue;
    ++files;
    const std::string name = std::filesystem::relative(file.path(), path("state/savepoints/moved")).string();
    const std::string copy = path("copy" + std::to_string(files));
    std::filesystem::copy(path("state/savepoints/moved"), copy, std::filesystem::copy_options::recursive);
    std::fstream bytes(copy + "/" + name, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekg(static_cast<std::streamoff>(file.file_size() / 2));
    const auto byte = static_cast<char>(bytes.peek() ^ 1);
    bytes.seekp(bytes.tellg());
    bytes.put(byte);
    bytes.close();
    RuntimeOptions elsewhere = options("elsewhere");
    elsewhere.from = from(copy);
    EXPECT_EQ(refused(targets, elsewhere).code, ErrorCode::kCheckpointCorrupt) << name;
  }
  EXPECT_GE(files, 4U);
}

TEST_F(SavepointTest, IsTakenWhileTheJobGoesOnAndIsForkedBesideIt) {  // C10, R8
  const Expected expected = model(splits);
  const Targets original;
  {
    const auto runtime = running(original, options());
    ASSERT_NE(runtime, nullptr);
    const Result<CheckpointId> kept = runtime->request_savepoint("middle").get();
    ASSERT_TRUE(kept.ok()) << kept.error().describe();
    // Beside the running job.
    std::vector<std::vector<Line>> forked;
    for (const std::uint32_t parallelism : {1U, 2U, 3U}) {
      const Targets own;
      RuntimeOptions fork = options("fork" + std::to_string(parallelism), parallelism);
      fork.from = from(path("state/savepoints/middle"));
      fork.fork_lineage = true;
      finish(own, fork);
      forked.push_back(sorted(own.lines.committed()));
      EXPECT_TRUE(std::includes(expected.lines.begin(), expected.lines.end(), forked.back().begin(), forked.back().end()));
      EXPECT_EQ(forked.back(), forked.front()) << parallelism;
      EXPECT_GT(forked.back().size(), expected.lines.size() / 2) << "the savepoint came late";
    }
    EXPECT_EQ(runtime->wait().state, JobState::kFinished);
    EXPECT_GT(runtime->snapshot().last_checkpoint, *kept);
  }
  EXPECT_TRUE(original == expected);
}

TEST_F(SavepointTest, IsForkedIntoExactlyWhatTheOriginalHadStillToWrite) {  // C10
  const Targets original;
  const Targets own;
  stop(original, {.drain = false, .label = "end"});
  const std::vector<Line> before = original.lines.committed();
  RuntimeOptions fork = options("fork");
  fork.from = from(path("state/savepoints/end"));
  fork.fork_lineage = true;
  finish(own, fork);
  std::vector<Line> both = own.lines.committed();
  both.insert(both.end(), before.begin(), before.end());
  EXPECT_EQ(sorted(both), model(splits).lines);
  // The original is as it was: it goes on for itself.
  finish(original, options());
  EXPECT_TRUE(original == model(splits));
  // The fork goes on in its own lineage: it had finished.
  const auto again = start(own, options("fork"));
  ASSERT_TRUE(again.ok()) << again.error().describe();
  EXPECT_EQ((*again)->wait().state, JobState::kAlreadyFinished);
}

TEST_F(SavepointTest, IsNotForgottenByAStartThatDiedBeforeItsFirstCheckpointElsewhere) {  // R2, C10
  const Targets original;
  stop(original, {.drain = false, .label = "end"});
  const std::vector<Line> before = original.lines.committed();
  for (const bool forks : {true, false}) {
    const Targets own;
    const Targets& targets = forks ? own : original;
    RuntimeOptions moved = options(forks ? "fork" : "elsewhere");
    moved.from = from(path("state/savepoints/end"));
    moved.fork_lineage = forks;
    RuntimeOptions dies = moved;
    dies.checkpoint_every = 1h;
    {
      const auto runtime = running(targets, dies);
      ASSERT_NE(runtime, nullptr);
      runtime->request_cancel();
      ASSERT_EQ(runtime->wait().state, JobState::kCancelled);
    }
    // Afresh it would write what the original has written.
    const Error error = refused(targets, options(moved.state_directory.substr(directory.path().size() + 1)));
    EXPECT_EQ(error.code, ErrorCode::kRestoreRefused);
    EXPECT_NE(error.fix.find("repeat that --from"), std::string::npos) << error.describe();
    finish(targets, moved);
    std::vector<Line> all = targets.lines.committed();
    if (forks) all.insert(all.end(), before.begin(), before.end());
    EXPECT_EQ(sorted(all), model(splits).lines);
  }
}

TEST_F(SavepointTest, IsNotForkedInTheStateDirectoryOfTheOriginal) {  // C10
  const Targets original;
  const Targets own;
  stop(original, {.drain = false, .label = "end"});
  RuntimeOptions fork = options();
  fork.from = {.kind = RestoreFrom::Kind::kSavepoint, .name = "end"};
  fork.fork_lineage = true;
  EXPECT_EQ(refused(own, fork).code, ErrorCode::kForeignLineage);
  finish(original, options());
  EXPECT_TRUE(original == model(splits));
}

TEST_F(SavepointTest, IsNotForkedIntoATargetThatHoldsTheOutputOfTheOriginal) {  // R8
  const Targets original;
  stop(original, {.drain = false, .label = "end"});
  RuntimeOptions fork = options("fork");
  fork.from = from(path("state/savepoints/end"));
  fork.fork_lineage = true;
  const Error error = refused(original, fork);
  EXPECT_EQ(error.code, ErrorCode::kSinkEpochMismatch);
  EXPECT_FALSE(error.fix.empty());
  finish(original, options());
  EXPECT_TRUE(original == model(splits));
}

TEST_F(SavepointTest, F10OfAnOldCopyOfTheStateDirectoryIsRefusedUnlessItIsForked) {
  const Targets targets;
  stop(targets, {});
  std::filesystem::copy(path("state"), path("backup"), std::filesystem::copy_options::recursive);
  const std::vector<Line> before = targets.lines.committed();
  {
    const auto runtime = running(targets, options());
    ASSERT_NE(runtime, nullptr);
    ASSERT_TRUE(runtime->request_savepoint("later").get().ok());
  }
  const Error error = refused(targets, options("backup"));
  EXPECT_EQ(error.code, ErrorCode::kSinkEpochMismatch);
  EXPECT_NE(error.describe().find("--fork-lineage"), std::string::npos);
  RuntimeOptions fork = options("backup");
  fork.fork_lineage = true;
  const Targets own;
  finish(own, fork);
  std::vector<Line> both = own.lines.committed();
  both.insert(both.end(), before.begin(), before.end());
  EXPECT_EQ(sorted(both), model(splits).lines);
}

TEST_F(SavepointTest, IsRefusedByADirectoryOfAnotherLineage) {
  const Targets targets;
  const Targets other;
  stop(targets, {.drain = false, .label = "moved"});
  finish(other, options("other"));
  RuntimeOptions mixed = options("other");
  mixed.from = from(path("state/savepoints/moved"));
  EXPECT_EQ(refused(targets, mixed).code, ErrorCode::kForeignLineage);
}

TEST_F(SavepointTest, NamesWhatThereIsWhenItIsNotThere) {
  const Targets targets;
  stop(targets, {.drain = false, .label = "before-upgrade"});
  RuntimeOptions wrong = options();
  wrong.from = {.kind = RestoreFrom::Kind::kSavepoint, .checkpoint = 0, .name = "before-upgrad"};
  const Error error = refused(targets, wrong);
  EXPECT_EQ(error.code, ErrorCode::kRestoreRefused);
  EXPECT_NE(error.describe().find("did you mean before-upgrade?"), std::string::npos) << error.describe();
  for (const std::string& nothing : {path("state"), path("nowhere"), std::string{}}) {
    wrong.from = from(nothing);
    EXPECT_EQ(refused(targets, wrong).code, ErrorCode::kRestoreRefused) << nothing;
  }
  wrong.state_directory.clear();
  EXPECT_EQ(refused(targets, wrong).code, ErrorCode::kBadConfiguration);
}

TEST_F(SavepointTest, WithABadOrTakenLabelIsRefusedAndTheJobGoesOn) {
  const Targets targets;
  {
    const auto runtime = running(targets, options());
    ASSERT_NE(runtime, nullptr);
    ASSERT_TRUE(runtime->request_savepoint("taken").get().ok());
    for (const std::string label : {"", "..", "a/b", "taken"}) {
      const Result<CheckpointId> answer = runtime->request_savepoint(label).get();
      ASSERT_FALSE(answer.ok()) << label;
      EXPECT_EQ(answer.error().code, ErrorCode::kBadName) << label;
    }
    EXPECT_EQ(runtime->request_stop({.drain = true, .label = "taken"}).get().error().code, ErrorCode::kBadName);
    auto first = runtime->request_savepoint("twice");
    auto second = runtime->request_savepoint("twice");
    EXPECT_TRUE(first.get().ok());
    EXPECT_EQ(second.get().error().code, ErrorCode::kBadName);
    ASSERT_EQ(runtime->wait().state, JobState::kFinished);
    EXPECT_EQ(runtime->request_savepoint("late").get().error().code, ErrorCode::kJobNotRunning);
    EXPECT_EQ(runtime->request_stop().get().error().code, ErrorCode::kJobNotRunning);
  }
  EXPECT_TRUE(targets == model(splits));
  const auto finished = start(targets, options());
  ASSERT_TRUE(finished.ok());
  EXPECT_EQ((*finished)->request_savepoint("late").get().error().code, ErrorCode::kJobNotRunning);
}

TEST_F(SavepointTest, NeedsAStateDirectory) {
  const Targets targets;
  RuntimeOptions without = options();
  without.state_directory.clear();
  const auto runtime = strolling(targets, without);
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(runtime->request_savepoint("x").get().error().code, ErrorCode::kBadConfiguration);
  EXPECT_TRUE(runtime->request_stop().get().ok());
}

// A savepoint that fails is told, and leaves the job alone. The second one is asked for while the first is still being taken.
TEST_F(SavepointTest, TellsWhyItFailed) {
  const Targets targets;
  class NoDirectories final : public test_support::ForwardingFileSystem {
   public:
    using ForwardingFileSystem::ForwardingFileSystem;
    Status make_directory(const std::string& path) override {
      if (path.find("savepoints") == std::string::npos) return ForwardingFileSystem::make_directory(path);
      return Error{.code = ErrorCode::kStorageFailed, .message = "the disk is full"};
    }
  } files{posix_file_system()};
  RuntimeOptions full = options();
  full.files = &files;
  auto runtime = strolling(targets, full);
  ASSERT_NE(runtime, nullptr);
  auto savepoint = runtime->request_savepoint("x");
  auto stop = runtime->request_stop({.drain = false, .label = "y"});
  EXPECT_EQ(savepoint.get().error().message, "the disk is full");
  EXPECT_EQ(stop.get().error().message, "the disk is full");
  EXPECT_EQ(runtime->wait().state, JobState::kStopped);  // its last checkpoint is there nevertheless
  runtime.reset();
  finish(targets, options());
  EXPECT_TRUE(targets == model(splits));
}

// Windows of one key that fired in parts, put together; the ids of the totals.
std::map<std::string, std::pair<std::int64_t, std::int64_t>> windows_of(const std::vector<Line>& lines) {
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> windows;
  for (const Line& line : lines) {
    long long start = 0, count = 0, sum = 0;
    if (std::sscanf(line.text.c_str(), "window %lld %lld %lld", &start, &count, &sum) != 3) continue;
    auto& [counts, sums] = windows[line.key + " " + std::to_string(start)];
    counts += count;
    sums += sum;
  }
  return windows;
}
// Not EXPECT_EQ: nobody could read what it prints.
template <class Range>
void expect_equal(const char* what, const Range& got, const Range& expected) {
  Range extra, missing;
  std::set_difference(got.begin(), got.end(), expected.begin(), expected.end(), std::inserter(extra, extra.end()));
  std::set_difference(expected.begin(), expected.end(), got.begin(), got.end(), std::inserter(missing, missing.end()));
  EXPECT_TRUE(extra.empty()) << what << ": " << extra.size() << " too many, the first " << testing::PrintToString(*extra.begin());
  EXPECT_TRUE(missing.empty()) << what << ": " << missing.size() << " missing, the first " << testing::PrintToString(*missing.begin());
}

std::vector<long long> totals_of(const std::vector<Line>& lines) {
  std::vector<long long> ids;
  for (const Line& line : lines) {
    long long at = 0, id = 0;
    if (std::sscanf(line.text.c_str(), "total %lld %lld", &at, &id) == 2) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::vector<std::string> late_of(const std::vector<Line>& lines) {
  std::vector<std::string> texts;
  for (const Line& line : lines) texts.push_back(line.text);
  std::sort(texts.begin(), texts.end());
  return texts;
}

// All windows have come out: what is in the totals is in them. (Not the other way: a record may be late for its total alone.)
void expect_drained(const std::vector<Line>& lines) {
  std::int64_t counted = 0;
  for (const auto& [window, value] : windows_of(lines)) counted += value.first;
  EXPECT_GE(counted, static_cast<std::int64_t>(totals_of(lines).size()));
  EXPECT_GT(counted, 0);
}

TEST_F(SavepointTest, AfterADrainIsRefusedAndGoesOnIfThatIsAllowed) {  // C9
  const Expected expected = model(splits);
  for (const std::uint32_t parallelism : {1U, 2U, 3U}) {
    const Targets targets;
    std::filesystem::remove_all(path("state"));
    stop(targets, {.drain = true, .label = "drained"});
    expect_drained(targets.lines.committed());
    EXPECT_EQ(refused(targets, options("state", parallelism)).code, ErrorCode::kDrained);
    RuntimeOptions allowed = options("state", parallelism);
    allowed.allow_drained = true;
    finish(targets, allowed);
    // No record is lost or counted twice, late ones are the same, and what is kept for a key has gone on; but windows came in two parts.
    expect_equal("windows", windows_of(targets.lines.committed()), windows_of(expected.lines));
    expect_equal("totals", totals_of(targets.lines.committed()), totals_of(expected.lines));
    expect_equal("late", late_of(targets.late.committed()), late_of(expected.late));
    EXPECT_GT(targets.lines.committed().size(), expected.lines.size());
  }
}

TEST_F(SavepointTest, F01AndADrainSurviveACrashAtEveryStepThatTouchesTheDisk) {  // lesson D20
  // So few that the row files are small: of a larger one RocksDB 7.8.3 reads the first block while it takes the file in, and an assertion
  // of its own ends the process if that fails.
  const Splits few = make_payments(43, 2, 300);
  const Expected expected = model(few);
  constexpr std::size_t kStride = kInstrumented ? 29 : 5;  // each world is three starts
  test_support::UnsyncedFileSystem unsynced{posix_file_system()};  // a killed process, not a lost machine
  std::size_t crashes = 0;
  std::size_t savepoints = 0;
  std::size_t refusals = 0;
  for (const bool drain : {false, true}) {
    for (std::size_t step = 0;; step += kStride) {
      SCOPED_TRACE(testing::Message() << "crash at step " << step << (drain ? ", draining" : ""));
      test_support::TemporaryDirectory world;
      const Targets targets;
      RuntimeOptions with = options();
      with.state_directory = world.path() + "/state";
      with.checkpoint_every = 0ms;
      with.tolerated_checkpoint_failures = 0;
      bool fired = false;
      {
        test_support::RecordingFileSystem files{unsynced};
        files.fail_at(step, test_support::Failure::kCrash);
        with.files = &files;
        // So slow that there is something left to stop.
        auto broken = start(targets, with, paced(memory_source(few), Pace::records_per_second(500)));
        if (broken.ok()) {
          (void)(*broken)->request_savepoint("one").get();
          (void)(*broken)->request_stop({.drain = drain, .label = "two"}).get();
          (*broken)->wait();
        }
        fired = files.fired();
      }
      with.files = &unsynced;
      for (const char* label : {"one", "two"}) {
        const std::string kept = with.state_directory + "/savepoints/" + label;
        if (!std::filesystem::exists(kept)) continue;
        ++savepoints;
        const Targets own;
        RuntimeOptions fork = with;
        fork.state_directory = world.path() + "/fork-" + label;
        fork.from = from(kept);
        fork.fork_lineage = true;
        fork.allow_drained = true;
        auto runtime = Runtime::start(make_graph(memory_source(few), own.lines.sink(), own.late.sink()), fork);
        ASSERT_TRUE(runtime.ok()) << label << " " << runtime.error().describe();
      }
      if (drain) {   // what it had published and not committed comes out, though the job must not go on
        const auto closed = start(targets, with, memory_source(few));
        if (!closed.ok()) {
          ++refusals;
          ASSERT_EQ(closed.error().code, ErrorCode::kDrained);
          expect_drained(targets.lines.committed());
        }
      }
      with.allow_drained = true;
      auto runtime = start(targets, with, memory_source(few));
      ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
      const JobResult result = (*runtime)->wait();
      ASSERT_TRUE(result.state == JobState::kFinished || result.state == JobState::kAlreadyFinished)
          << (result.error ? result.error->describe() : "");
      expect_equal("totals", totals_of(targets.lines.committed()), totals_of(expected.lines));
      expect_equal("windows", windows_of(targets.lines.committed()), windows_of(expected.lines));
      expect_equal("late", late_of(targets.late.committed()), late_of(expected.late));
      if (!drain) {
        ASSERT_EQ(sorted(targets.lines.committed()), expected.lines);
      }
      if (!fired) break;
      ++crashes;
    }
  }
  EXPECT_GT(crashes, 60U / kStride);
  EXPECT_GT(savepoints, 10U);
  EXPECT_GT(refusals, 0U);
}

}  // namespace
}  // namespace tidemark

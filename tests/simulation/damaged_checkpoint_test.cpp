// A whole job whose newest checkpoint is damaged, with sinks that have committed it or have not (faults F14, F16, F18; R3, C6): it goes on
// from the one before and writes what an unbroken run writes, or it is refused and writes nothing.

#include <gmock/gmock.h>

#include <functional>
#include <string>
#include <vector>

#include <tidemark/checkpoint/checkpoint_store.hpp>

#include "../runtime/payments.hpp"
#include "watched.hpp"

namespace tidemark::simulation {
namespace {

using namespace payments;
using proof::Variant;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;

const Splits kSplits = make_payments(31, 3, 200);
const Expected kExpected = model(kSplits);

using Change = std::function<Bytes(Bytes)>;

// What a process does last. Its two sinks commit in either order, and no epoch before both have committed the one before.
enum class Death { kPublished, kOneSinkCommits, kAllSinksCommit };

// The payments job, in processes one after the other.
class DamagedWorld {
 public:
  // The first process dies with its fourth checkpoint, or with another one.
  explicit DamagedWorld(Death death, std::size_t checkpoint = 4) : world_(7) {
    // It dies with a line of its trace, and what the line says is done.
    switch (death) {
      case Death::kPublished: world_.cut_after(checkpoint, "rename /state/checkpoints/"); break;
      case Death::kOneSinkCommits: world_.cut_after(2 * checkpoint - 1, "commit "); break;
      case Death::kAllSinksCommit: world_.cut_after(2 * checkpoint, "commit "); break;
    }
    EXPECT_FALSE(run().has_value());
    newest_ = newest_on_disk();
    EXPECT_EQ(newest_, checkpoint);
    world_.let_live();
  }

  CheckpointId newest() const { return newest_; }
  CheckpointId newest_on_disk() {
    const auto facts = read_state_directory(world_.disk(), directory());
    return facts.ok() && !facts->checkpoints.empty() ? facts->checkpoints.back().id : 0;
  }
  CheckpointId committed_by_one() const { return std::max(lines_.committed_epoch(), late_.committed_epoch()); }
  CheckpointId committed_by_both() const { return std::min(lines_.committed_epoch(), late_.committed_epoch()); }
  std::string manifest() const { return manifest_path(directory(), newest_); }
  std::string a_row_file() {
    const auto manifest = load_manifest(world_.disk(), directory(), newest_);
    for (const StoredFile& file : manifest->files) {
      if (file.name.ends_with(".sst")) return join_path(store_in(checkpoint_path(directory(), newest_)), file.name);
    }
    ADD_FAILURE() << "there is no row file";
    return {};
  }

  Bytes contents(const std::string& path) {
    const auto bytes = read_file(world_.disk(), path, 1 << 20);
    EXPECT_TRUE(bytes.ok());
    return *bytes;
  }
  // A file of its own: whatever shares the old one by a link keeps it.
  void replace(const std::string& path, const Bytes& bytes) {
    EXPECT_TRUE(world_.disk().remove_file(path).ok());
    const auto file = world_.disk().create(path);
    EXPECT_TRUE(file.ok() && (*file)->append(bytes).ok() && (*file)->close().ok());
  }

  // The next process. Nothing: it died.
  std::optional<JobResult> run(const RestoreFrom& from = {}) {
    RuntimeOptions options = world_.options();
    options.from = from;
    options.parallelism = 2;
    options.checkpoint_every = 2ms;
    options.max_batch = 10;
    options.logger = Logger::to_sink([this](LogLevel, std::string_view line) { said.emplace_back(line); });
    const auto source = paced(memory_source(kSplits), {.records = 15, .pause = 1ms});
    auto runtime = Runtime::start(make_graph(source, watched(world_, "lines", lines_.sink()), watched(world_, "late", late_.sink())),
                                  options);
    if (!runtime.ok()) return JobResult{JobState::kFailed, runtime.error()};
    return world_.run(**runtime);
  }
  // It goes on from the one before the newest, and dies before it has a checkpoint of its own.
  void go_back_and_die() {
    world_.cut_after(10, " worker ");
    EXPECT_FALSE(run({.kind = RestoreFrom::Kind::kCheckpoint, .checkpoint = newest_ - 1}).has_value());
    EXPECT_EQ(newest_on_disk(), newest_);
    world_.let_live();
  }
  // It commits again what the one before could not, and no more: then the power fails.
  void commit_again_and_lose_power(Variant variant) {
    world_.cut_after(2, "commit ");
    (void)run();
    EXPECT_TRUE(world_.cut());
    EXPECT_EQ(committed_by_both(), newest_);
    world_.lose_power(variant, 1);
    world_.let_live();
  }
  void expect_the_end_with_the_output_of_the_model() {
    const auto result = run();
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->state, JobState::kFinished) << result->error->describe();
    EXPECT_EQ(sorted(lines_.committed()), kExpected.lines);
    EXPECT_EQ(sorted(late_.committed()), kExpected.late);
  }
  // With the damage the job is refused and commits nothing; without it, it goes on as if nothing had been.
  void expect_refusal(const std::string& path, const Bytes& damaged) {
    const Bytes whole = contents(path);
    const std::size_t lines = lines_.committed().size();
    replace(path, damaged);
    const auto result = run();
    ASSERT_TRUE(result.has_value());
    ASSERT_EQ(result->state, JobState::kFailed);
    EXPECT_THAT(result->error->code, AnyOf(ErrorCode::kCheckpointCorrupt, ErrorCode::kRestoreRefused));
    EXPECT_THAT(result->error->describe(), HasSubstr(path));
    EXPECT_FALSE(result->error->fix.empty()) << result->error->describe();
    EXPECT_EQ(lines_.committed().size(), lines);
    replace(path, whole);
    expect_the_end_with_the_output_of_the_model();
  }
  // As long as the file cannot be read.
  void expect_refusal_of_a_read(const std::string& path) {
    world_.fail_after(1, "open " + path);
    const auto result = run();
    EXPECT_TRUE(world_.failed());
    ASSERT_TRUE(result.has_value());
    ASSERT_EQ(result->state, JobState::kFailed);
    EXPECT_EQ(result->error->code, ErrorCode::kStorageFailed);
    EXPECT_THAT(result->error->describe(), AllOf(HasSubstr(path), HasSubstr("start again")));
    EXPECT_EQ(newest_on_disk(), newest_);
    world_.let_live();
  }

  std::vector<std::string> said;

 private:
  std::string directory() const { return "/state"; }

  Simulation world_;
  MemorySink<Line> lines_;
  MemorySink<Line> late_;
  CheckpointId newest_ = 0;
};

std::vector<std::pair<const char*, Change>> damages() {
  return {
      {"one bit at the front", [](Bytes bytes) { return bytes[3] ^= 1, bytes; }},
      {"one bit in the middle", [](Bytes bytes) { return bytes[bytes.size() / 2] ^= 8, bytes; }},
      {"one bit at the end", [](Bytes bytes) { return bytes.back() ^= 1, bytes; }},
      {"cut in the middle", [](const Bytes& bytes) { return bytes.substr(0, bytes.size() / 2); }},
      {"a tail of zeros", [](Bytes bytes) { return bytes.replace(bytes.size() / 2, Bytes::npos, bytes.size() - bytes.size() / 2, '\0'); }},
      {"empty", [](const Bytes&) { return Bytes{}; }},
  };
}

TEST(DamagedNewestCheckpoint, F18IsLeftForTheOneBeforeIfNoSinkHasCommittedIt) {
  for (const auto& [what, damage] : damages()) {
    SCOPED_TRACE(what);
    DamagedWorld job(Death::kPublished);
    ASSERT_EQ(job.committed_by_one(), job.newest() - 1);
    ASSERT_EQ(job.committed_by_both(), job.newest() - 1);
    job.replace(job.manifest(), damage(job.contents(job.manifest())));
    job.expect_the_end_with_the_output_of_the_model();
    EXPECT_THAT(job.said, Contains(HasSubstr("no sink has committed it, so checkpoint " + std::to_string(job.newest() - 1) + " is used")));
  }
}

// One sink at n, the other at n - 1: what was committed cannot be taken back.
TEST(DamagedNewestCheckpoint, F18IsRefusedIfOneSinkHasCommittedIt) {
  for (const auto& [what, damage] : damages()) {
    SCOPED_TRACE(what);
    DamagedWorld job(Death::kOneSinkCommits);
    ASSERT_EQ(job.committed_by_one(), job.newest());
    ASSERT_EQ(job.committed_by_both(), job.newest() - 1);
    job.expect_refusal(job.manifest(), damage(job.contents(job.manifest())));
  }
}

TEST(DamagedNewestCheckpoint, F16IsRefusedIfAllSinksHaveCommittedIt) {
  for (const auto& [what, damage] : damages()) {
    SCOPED_TRACE(what);
    DamagedWorld job(Death::kAllSinksCommit);
    ASSERT_EQ(job.committed_by_one(), job.newest());
    ASSERT_EQ(job.committed_by_both(), job.newest());
    job.expect_refusal(job.manifest(), damage(job.contents(job.manifest())));
  }
}

// The damage is the reason, not that a lineage that nobody can read has written what the sinks hold.
TEST(DamagedNewestCheckpoint, F19IsNamedIfItIsTheOnlyOne) {
  for (const auto& [what, damage] : damages()) {
    SCOPED_TRACE(what);
    DamagedWorld job(Death::kAllSinksCommit, 1);
    ASSERT_EQ(job.committed_by_one(), 1U);
    job.expect_refusal(job.manifest(), damage(job.contents(job.manifest())));
  }
}

// It may be read at the next start. To go on from an older one in between would write what it commits in other words.
TEST(DamagedNewestCheckpoint, F14IsWaitedForIfItCannotBeReadForNow) {
  DamagedWorld job(Death::kPublished);
  job.expect_refusal_of_a_read(job.manifest());
  job.expect_the_end_with_the_output_of_the_model();
}

// A process died, or its disk failed, between the rename of the manifest and the sync of its directory. What is committed in its name
// lasts, so the manifest has to (R3).
TEST(NewestCheckpoint, IsMadeToLastBeforeItIsCommittedAgain) {
  for (const Variant variant : proof::kVariants) {
    SCOPED_TRACE(proof::to_string(variant));
    DamagedWorld job(Death::kPublished);
    ASSERT_EQ(job.committed_by_both(), job.newest() - 1);
    job.commit_again_and_lose_power(variant);
    EXPECT_EQ(job.newest_on_disk(), job.newest());
    job.expect_the_end_with_the_output_of_the_model();
  }
}

// What the newest one has prepared is not for a start from an older one to discard: it may be wanted yet (promise 3, R3).
TEST(OlderCheckpoint, CanBeLeftForTheNewestOneAgain) {
  DamagedWorld job(Death::kPublished);
  job.go_back_and_die();
  job.expect_the_end_with_the_output_of_the_model();
}

// A row file is not parsed before it is needed, but its size and its footer are looked at.
TEST(DamagedNewestCheckpoint, F16IsRefusedIfOneOfItsRowFilesIsCut) {
  for (const Death death : {Death::kPublished, Death::kOneSinkCommits, Death::kAllSinksCommit}) {
    DamagedWorld job(death);
    const std::string path = job.a_row_file();
    const Bytes whole = job.contents(path);
    job.expect_refusal(path, whole.substr(0, whole.size() / 2));
  }
}

}  // namespace
}  // namespace tidemark::simulation

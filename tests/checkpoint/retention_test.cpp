// What may be deleted (reliability R2; faults F05; lessons D01-D08).

#include <gmock/gmock.h>

#include <tidemark/checkpoint/retention.hpp>

#include "sample_manifest.hpp"

namespace tidemark {
namespace {

const std::string kOurs = test_support::sample_manifest().lineage;

FoundCheckpoint complete(CheckpointId id) {
  return {.id = id, .manifest = std::make_shared<const Manifest>(test_support::sample_manifest(id)), .damage = {}};
}
// Built on `previous`.
FoundCheckpoint after(CheckpointId previous, CheckpointId id) {
  Manifest manifest = test_support::sample_manifest(id);
  manifest.previous = previous;
  return {.id = id, .manifest = std::make_shared<const Manifest>(manifest), .damage = {}};
}
FoundCheckpoint foreign(CheckpointId id) {
  Manifest manifest = test_support::sample_manifest(id);
  manifest.lineage = std::string(32, 'f');
  return {.id = id, .manifest = std::make_shared<const Manifest>(manifest), .damage = {}};
}
FoundCheckpoint incomplete(CheckpointId id) { return {.id = id, .manifest = nullptr, .damage = {}}; }
FoundCheckpoint unreadable(CheckpointId id) {
  return {.id = id,
          .manifest = nullptr,
          .damage = Error{.code = ErrorCode::kCheckpointCorrupt, .message = "bad", .facts = {}, .why = "", .fix = ""}};
}

using Ids = std::vector<std::uint64_t>;

TEST(Retention, FollowsTheTable) {
  struct Case {
    const char* what;
    std::vector<FoundCheckpoint> found;
    CheckpointId committed;
    Ids in_use;
    std::size_t retain;
    Ids deleted;
  };
  const std::vector<Case> cases{
      {"nothing there", {}, 0, {}, 2, {}},
      {"two are always kept", {complete(1), complete(2)}, 2, {}, 2, {}},
      {"n-2 goes when n is durable and committed", {complete(1), complete(2), complete(3)}, 3, {}, 2, {1}},
      {"n-2 stays while n is durable and not committed", {complete(1), complete(2), complete(3)}, 2, {}, 2, {}},
      {"nothing is committed yet", {complete(1), complete(2), complete(3)}, 0, {}, 2, {}},
      {"numbers jump", {complete(2), complete(5), complete(9), complete(20)}, 20, {}, 2, {2, 5}},
      {"less than two is never kept", {complete(1), complete(2), complete(3)}, 3, {}, 0, {1}},
      {"more are kept if asked for", {complete(1), complete(2), complete(3), complete(4)}, 4, {}, 3, {1}},
      {"one that is in use stays", {complete(1), complete(2), complete(3), complete(4)}, 4, {1}, 2, {2}},
      {"one never completed goes", {complete(1), incomplete(2), complete(3)}, 3, {}, 2, {2}},
      {"one never completed goes at a start, too", {complete(1), complete(2), incomplete(3)}, 2, {}, 2, {3}},
      {"the pending one stays", {complete(1), complete(2), incomplete(3)}, 2, {3}, 2, {}},
      {"an unreadable one stays and does not count as kept", {complete(1), complete(2), unreadable(3), complete(4)}, 4, {}, 2, {1}},
      {"one that was abandoned goes before the one that was gone back to", {after(3, 4), after(4, 5), after(4, 6)}, 6, {}, 2, {5}},
      {"several do", {after(3, 4), after(4, 5), after(5, 6), after(4, 7), after(7, 8)}, 8, {}, 3, {5, 6}},
      {"not before another is committed in its place", {after(3, 4), after(4, 5), after(4, 6)}, 5, {}, 2, {}},
      {"one that is in use stays though it was abandoned", {after(3, 4), after(4, 5), after(4, 6)}, 6, {5}, 2, {}},
      {"where the one before is gone the newest older one is kept", {after(3, 5), after(5, 6), after(3, 7)}, 7, {}, 2, {5}},
      {"another lineage's stay and do not count", {foreign(1), complete(2), foreign(3), complete(4), complete(5)}, 5, {}, 2, {2}},
  };
  for (const Case& one : cases) {
    const DirectoryFacts directory{.ever_completed = true, .checkpoints = one.found, .live = {}, .unknown = {"notes.txt"}};
    const Deletions deletions = choose_deletions(
        directory, {.lineage = kOurs, .attempt = 1, .committed = one.committed, .in_use = one.in_use, .retain = one.retain});
    EXPECT_EQ(deletions.checkpoints, one.deleted) << one.what;
    EXPECT_TRUE(deletions.live.empty()) << one.what;
  }
}

TEST(Retention, RemovesTheLiveDirectoriesOfAllOtherAttempts) {
  const DirectoryFacts directory{.ever_completed = false, .checkpoints = {}, .live = {1, 2, 3, 9}, .unknown = {}};
  EXPECT_EQ(choose_deletions(directory, {.lineage = kOurs, .attempt = 3, .committed = 0, .in_use = {}, .retain = 2}).live, (Ids{1, 2, 9}));
}

// Exhaustive over five checkpoints of each kind: whatever is there, two complete ones at or below the committed one remain if there were
// two, and nothing unreadable, foreign, uncommitted or in use ever goes.
TEST(Retention, NeverDeletesWhatARecoveryMayNeed) {
  constexpr std::size_t kCheckpoints = 5;
  std::size_t worlds = 1;
  for (std::size_t i = 0; i < kCheckpoints; ++i) worlds *= 4;
  for (std::size_t world = 0; world < worlds; ++world) {
    DirectoryFacts directory;
    std::size_t kinds = world;
    for (CheckpointId id = 1; id <= kCheckpoints; ++id, kinds /= 4) {
      FoundCheckpoint (*const make[])(CheckpointId) = {complete, foreign, incomplete, unreadable};
      directory.checkpoints.push_back(make[kinds % 4](id));
    }
    for (CheckpointId committed = 0; committed <= kCheckpoints; ++committed) {
      for (CheckpointId in_use = 1; in_use <= kCheckpoints; ++in_use) {
        const Deletions deletions =
            choose_deletions(directory, {.lineage = kOurs, .attempt = 1, .committed = committed, .in_use = {in_use}, .retain = 2});
        std::size_t had = 0;
        std::size_t left = 0;
        for (const FoundCheckpoint& found : directory.checkpoints) {
          const bool deleted = std::count(deletions.checkpoints.begin(), deletions.checkpoints.end(), found.id) > 0;
          const bool ours = found.manifest != nullptr && found.manifest->lineage == kOurs;
          if (ours && found.id <= committed) {
            ++had;
            left += deleted ? 0U : 1U;
          }
          if (deleted) {
            ASSERT_TRUE(found.incomplete() || (ours && found.id <= committed));
            ASSERT_NE(found.id, in_use);
          }
        }
        ASSERT_GE(left, std::min<std::size_t>(had, 2));
      }
    }
  }
}

}  // namespace
}  // namespace tidemark

#include <tidemark/checkpoint/retention.hpp>

#include <algorithm>

namespace tidemark {
inline namespace v0 {

Deletions choose_deletions(const DirectoryFacts& directory, const RetentionFacts& facts) {
  constexpr std::size_t kLeast = 2;
  const auto in_use = [&](CheckpointId id) { return std::find(facts.in_use.begin(), facts.in_use.end(), id) != facts.in_use.end(); };
  const auto ours = [&](const FoundCheckpoint& found) {
    return found.manifest != nullptr && found.manifest->lineage == facts.lineage && found.id <= facts.committed;
  };
  Deletions deletions;
  std::size_t kept = 0;
  CheckpointId previous = 0;   // the one on which the last that is kept was built; 0: none, or it is not there
  for (auto found = directory.checkpoints.rbegin(); found != directory.checkpoints.rend(); ++found) {
    if (found->incomplete()) {
      if (!in_use(found->id)) deletions.checkpoints.push_back(found->id);
      continue;
    }
    if (!ours(*found)) continue;
    const bool abandoned = previous != 0 && found->id != previous;
    if (kept < std::max(facts.retain, kLeast) && !abandoned) {
      ++kept;
      previous = found->manifest->previous;
      if (std::none_of(found, directory.checkpoints.rend(), [&](const auto& older) { return older.id == previous && ours(older); })) {
        previous = 0;
      }
    } else if (!in_use(found->id)) {
      deletions.checkpoints.push_back(found->id);
    }
  }
  std::reverse(deletions.checkpoints.begin(), deletions.checkpoints.end());
  for (const AttemptId attempt : directory.live) {
    if (attempt != facts.attempt) deletions.live.push_back(attempt);
  }
  return deletions;
}

}  // namespace v0
}  // namespace tidemark

#include <tidemark/checkpoint/retention.hpp>

#include <algorithm>

namespace tidemark {
inline namespace v0 {

Deletions choose_deletions(const DirectoryFacts& directory, const RetentionFacts& facts) {
  constexpr std::size_t kLeast = 2;
  const auto in_use = [&](CheckpointId id) { return std::find(facts.in_use.begin(), facts.in_use.end(), id) != facts.in_use.end(); };
  Deletions deletions;
  std::size_t kept = 0;
  for (auto found = directory.checkpoints.rbegin(); found != directory.checkpoints.rend(); ++found) {
    if (found->incomplete()) {
      if (!in_use(found->id)) deletions.checkpoints.push_back(found->id);
      continue;
    }
    const bool ours = found->manifest != nullptr && found->manifest->lineage == facts.lineage;
    if (!ours || found->id > facts.committed) continue;
    if (kept < std::max(facts.retain, kLeast)) {
      ++kept;
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

#pragma once
// Which old checkpoints and live directories may go. A pure function: ownership and deletion are where checkpointing systems lose data.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <tidemark/checkpoint/manifest.hpp>
#include <tidemark/checkpoint/recovery.hpp>

namespace tidemark {
inline namespace v0 {

struct RetentionFacts {
  std::string lineage;
  AttemptId attempt = 0;                // the running one
  CheckpointId committed = 0;           // newest checkpoint that is durable and whose epoch every sink has committed
  std::vector<CheckpointId> in_use;     // pending; restored, until its background verification is done; kept under a name
  std::size_t retain = 2;               // complete checkpoints to keep, at least 2
};

struct Deletions {
  std::vector<CheckpointId> checkpoints;   // oldest first
  std::vector<AttemptId> live;
  friend bool operator==(const Deletions&, const Deletions&) = default;
};

// Deletes: complete checkpoints of this lineage beyond the newest `retain` of those at or below `committed`, and of these the ones that
// were abandoned, by a start from an older one (each says which was before it; where that is not there, the next older one is taken for
// it); checkpoints without a manifest (never completed); live directories of other attempts. Keeps: what is in use, newer than
// `committed`, of another lineage, or unreadable.
Deletions choose_deletions(const DirectoryFacts& directory, const RetentionFacts& facts);

}  // namespace v0
}  // namespace tidemark

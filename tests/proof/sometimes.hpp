#pragma once
// What must happen at least once in a run of the proof; a proof that never meets it proves less than it says.

#include <array>
#include <atomic>
#include <string>

#include "operation.hpp"
#include "tree.hpp"

namespace tidemark::proof {

enum class Sometimes : std::size_t {
  kManifestNotSynced,      // crash between the rename of a manifest and the fsync of its directory
  kCommitNotMarked,        // crash after results became visible and before the marker says so
  kCommitRepeated,         // the checkpoint restored was newer than what the sinks had committed
  kEpochWithoutOutput,
  kHalfDeleted,            // crash while an old checkpoint was being deleted
  kSavepointNotSynced,     // crash between the rename of a savepoint and the fsync of its directory
  kOtherParallelism,       // a checkpoint was restored at another parallelism
  kOrphanDeleted,          // a recovery crashed after it had deleted what an attempt before it had left
  kRecoveryRepeated,       // a recovery crashed before its first own checkpoint, and the next one went on from the same
  kCheckpointGivenUp,      // crash while what a failed checkpoint had left, after its rows were in the store, was being removed
  kTwoEpochs,              // crash with one epoch sealed and not committed, and the next one begun
  kTwoLineages,            // a fresh start met what another lineage had staged
  kOlderRestored,          // the checkpoint before the newest one was asked for, and gone on from
  kOlderRefused,           // the same, and a sink had something of the newest one
  kFallback,               // the newest checkpoint was damaged, and the one before it gone on from
  kFallbackRefused,        // the same, and a sink had something of the newest one
  kForked,                 // a copy of the state directory became a lineage of its own
  kCopyRefused,            // of a state directory and its copy one had written to the end, and the other one met its results
  kRestoreCutOff,          // a recovery crashed while it laid out its store, and the next one laid it out anew
  kCompactionCutOff,       // crash while a file that compaction writes was not in the list of files of the store
  kCount,
};

// An epoch's output that is not visible yet.
bool is_staged(const std::string& path);

class SometimesTable {
 public:
  void reach(Sometimes which) { reached_[static_cast<std::size_t>(which)] = true; }
  // What the last operation before a crash says.
  void look_at(const Operation& last, const Tree& kept, bool in_recovery);
  std::size_t reached() const;
  std::string missing() const;

 private:
  std::array<std::atomic<bool>, static_cast<std::size_t>(Sometimes::kCount)> reached_{};
};

}  // namespace tidemark::proof

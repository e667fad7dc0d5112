#pragma once
// Which epochs a target in memory holds: the decisions of a transactional sink, without its records. Not promised.

#include <string>

#include <tidemark/core/status.hpp>
#include <tidemark/operators/sink.hpp>

namespace tidemark {
inline namespace v0 {
namespace memory_internal {

// R8. One thread at a time.
class CommittedEpochs {
 public:
  CheckpointId newest() const { return newest_; }

  // The newest epoch, for a committer of `lineage`. kSinkEpochMismatch: another lineage's output is here.
  Result<CheckpointId> newest_for(const std::string& lineage) const;

  enum class Decision { kTake, kHeldAlready };
  // What to do with epoch `epoch` behind `previous`. kSinkEpochMismatch: it would skip an epoch or go back.
  Result<Decision> decide(const std::string& lineage, CheckpointId epoch, CheckpointId previous) const;
  // The epoch's output is visible now.
  void taken(const std::string& lineage, CheckpointId epoch);

 private:
  std::string lineage_;      // empty: nothing was committed yet
  CheckpointId newest_ = 0;
};

}  // namespace memory_internal
}  // namespace v0
}  // namespace tidemark

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
  CheckpointId newest() const { return mark_.epoch; }

  // The newest epoch, for a committer of `lineage`. kSinkEpochMismatch: another lineage's output is here.
  Result<CheckpointId> newest_for(const std::string& lineage) const;

  // Which epoch was committed last, and by which owner.
  struct Mark {
    CheckpointId epoch = 0;
    std::uint64_t owner = 0;
    bool operator==(const Mark&) const = default;
  };
  const Mark& mark() const { return mark_; }

  enum class Decision { kTake, kHeldAlready };
  // What to do with epoch `epoch` behind `previous`, for a committer that saw `seen` when it last looked. kSinkEpochMismatch: it would skip
  // an epoch or go back, or another owner has committed since.
  Result<Decision> decide(const SinkIdentity& identity, const Mark& seen, CheckpointId epoch, CheckpointId previous) const;
  // The epoch's output is visible now.
  void taken(const SinkIdentity& identity, CheckpointId epoch);

 private:
  std::string lineage_;      // empty: nothing was committed yet
  Mark mark_;
};

}  // namespace memory_internal
}  // namespace v0
}  // namespace tidemark

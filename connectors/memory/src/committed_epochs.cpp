#include <tidemark/memory/detail/committed_epochs.hpp>

namespace tidemark {
inline namespace v0 {
namespace memory_internal {

Result<CheckpointId> CommittedEpochs::newest_for(const std::string& lineage) const {
  if (!lineage_.empty() && lineage_ != lineage) {
    return Error{.code = ErrorCode::kSinkEpochMismatch,
                 .message = "the memory sink holds the output of another lineage",
                 .facts = {{"sink", "lineage " + lineage_}, {"job", "lineage " + lineage}},
                 .why = "the output of two lineages in one target can be neither told apart nor continued",
                 .fix = "give the new lineage a MemorySink of its own"};
  }
  return newest_;
}

Result<CommittedEpochs::Decision> CommittedEpochs::decide(const std::string& lineage, CheckpointId epoch, CheckpointId previous) const {
  TIDEMARK_ASSIGN(const CheckpointId held, newest_for(lineage));
  if (held == epoch) return Decision::kHeldAlready;
  if (held == previous && previous < epoch) return Decision::kTake;
  return Error{.code = ErrorCode::kSinkEpochMismatch,
               .message = "the memory sink holds epoch " + std::to_string(held) + " and cannot take epoch " +
                   std::to_string(epoch) + " behind epoch " +
                          std::to_string(previous),
               .facts = {{"sink", "epoch " + std::to_string(held)}, {"checkpoint", "epoch " + std::to_string(epoch) + " behind " +
                   std::to_string(previous)}},
               .why = "output would be lost or doubled",
               .fix = "restore the checkpoint that the sink's epoch belongs to"};
}

void CommittedEpochs::taken(const std::string& lineage, CheckpointId epoch) {
  lineage_ = lineage;
  newest_ = epoch;
}

}  // namespace memory_internal
}  // namespace v0
}  // namespace tidemark

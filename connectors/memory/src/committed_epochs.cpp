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
  return mark_.epoch;
}

Result<CommittedEpochs::Decision> CommittedEpochs::decide(const SinkIdentity& identity, const Mark& seen, CheckpointId epoch,
                                                          CheckpointId previous) const {
  TIDEMARK_ASSIGN(const CheckpointId held, newest_for(identity.lineage));
  if (mark_ != seen && mark_.owner != identity.owner) {
    return Error{.code = ErrorCode::kSinkEpochMismatch,
                 .message = "another process or runtime commits results of this job to the memory sink \"" + identity.sink + "\"",
                 .facts = {{"seen before", "epoch " + std::to_string(seen.epoch)}, {"is there", "epoch " + std::to_string(held)}},
                 .why = "it goes on from a copy of this job's state directory; results of both would be doubled",
                 .fix = "let only one of them run; fork the other with a sink of its own"};
  }
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

void CommittedEpochs::taken(const SinkIdentity& identity, CheckpointId epoch) {
  lineage_ = identity.lineage;
  mark_ = {epoch, identity.owner};
}

}  // namespace memory_internal
}  // namespace v0
}  // namespace tidemark

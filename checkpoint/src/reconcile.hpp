#pragma once
// The job as it is now beside the checkpoint as it was: operators, states, sources and sinks, matched by name (K9, K10).

#include <string>
#include <vector>

#include "src/former_names.hpp"

namespace tidemark {
inline namespace v0 {
namespace checkpoint_internal {

// Gives every state of the job a number.
Status start_empty(const JobFacts& job, RecoveryPlan& plan);
// Fills in what of the checkpoint goes on, begins and ends, or refuses.
Status reconcile(const RenamedManifest& renamed, const JobFacts& job, const std::vector<std::string>& drop_state, RecoveryPlan& plan);

}  // namespace checkpoint_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// A checkpoint of the job as it was called then, under the names that the job has now (K10).

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <tidemark/checkpoint/recovery.hpp>

namespace tidemark {
inline namespace v0 {
namespace checkpoint_internal {

struct RenamedManifest {
  std::shared_ptr<const Manifest> manifest;
  std::map<std::string, std::string> former;   // of each renamed operator, source or sink, by its present name
};

// kStateMismatch if two stored operators, sources or sinks would become one. What is named in `drop_state` keeps its old name.
Result<RenamedManifest> under_present_names(std::shared_ptr<const Manifest> manifest, const JobFacts& job,
                                            const std::vector<std::string>& drop_state);

}  // namespace checkpoint_internal
}  // namespace v0
}  // namespace tidemark

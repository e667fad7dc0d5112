#include "src/checkpoint_choice.hpp"

#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <tidemark/checkpoint/checkpoint_store.hpp>
#include <tidemark/core/file_system.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

Result<Manifest> find_checkpoint(const std::string& directory, std::optional<CheckpointId> id) {
  TIDEMARK_ASSIGN(const DirectoryFacts facts, read_state_directory(posix_file_system(), directory));
  std::vector<CheckpointId> usable;
  const FoundCheckpoint* newest = nullptr;
  const FoundCheckpoint* damaged = nullptr;   // the newest damaged one
  const FoundCheckpoint* wanted = nullptr;
  for (const FoundCheckpoint& found : facts.checkpoints) {
    if (found.id == id) wanted = &found;
    if (found.manifest != nullptr) {
      usable.push_back(found.id);
      newest = &found;
    } else if (!found.incomplete()) {
      damaged = &found;
    }
  }
  if (!id) wanted = newest;
  if (wanted == nullptr) {
    if (damaged != nullptr && !id) return damaged->damage;
    if (usable.empty()) {
      return Error{.code = ErrorCode::kRestoreRefused,
                   .message = "there is no usable checkpoint in " + directory,
                   .fix = "name the state directory of a job with --state DIR"};
    }
    return Error{.code = ErrorCode::kRestoreRefused,
                 .message = fmt::format("there is no checkpoint {} in {}", *id, directory),
                 .facts = {{"usable", fmt::format("{}", fmt::join(usable, ", "))}},
                 .fix = "name one of those, or none for the newest"};
  }
  if (!id && damaged != nullptr && damaged->id > wanted->id) {
    fmt::print(stderr, "checkpoint {} is damaged; this is checkpoint {}\n", damaged->id, wanted->id);
  }
  if (wanted->manifest != nullptr) return *wanted->manifest;
  if (!wanted->damage.ok()) return wanted->damage;
  return load_manifest(posix_file_system(), directory, wanted->id);   // tells that it is missing
}

Error reason_or_removal(const std::string& directory, CheckpointId id, Error error) {
  const auto manifest = posix_file_system().kind(manifest_path(directory, id));
  if (!manifest.ok() || *manifest != FileKind::kAbsent) return error;
  return Error{.code = ErrorCode::kRestoreRefused,
               .message = fmt::format("checkpoint {} was removed while it was read", id),
               .why = "a running job keeps its newest two checkpoints that all sinks have committed, and removes older ones",
               .fix = "look again, at the newest one or while the job does not run"};
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// Which checkpoint a verb looks at.

#include <optional>
#include <string>

#include <tidemark/checkpoint/manifest.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

// The manifest of checkpoint `id`, or of the newest that can be read, which is the one that a start would take; if a newer one is damaged,
// that is said on standard error. Errors: kRestoreRefused if there is none, with those that there are; kCheckpointCorrupt.
Result<Manifest> find_checkpoint(const std::string& directory, std::optional<CheckpointId> id);

// The reason why looking at a checkpoint failed: if it is gone by now, that it was removed meanwhile, else `error` itself.
Error reason_or_removal(const std::string& directory, CheckpointId id, Error error);

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

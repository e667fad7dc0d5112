#pragma once
// `checkpoints ls|show`: what a state directory holds. Only reads, also beside a running job.

#include <optional>
#include <string>

#include <tidemark/checkpoint/manifest.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

// One line (or JSON object) for each checkpoint, oldest first. Returns the exit code.
int list_checkpoints(const std::string& directory, bool json);
// All of one checkpoint; the newest usable one if no id is given.
int show_checkpoint(const std::string& directory, std::optional<CheckpointId> id, bool json);

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// `checkpoints ls|show|verify|diff|gc`: what a state directory holds. All but gc only read, also beside a running job.

#include <optional>
#include <string>

#include <tidemark/checkpoint/manifest.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

// Each returns the exit code.

// One line (or JSON object) for each checkpoint, oldest first.
int list_checkpoints(const std::string& directory, bool json);
// All of one checkpoint; the newest usable one if no id is given.
int show_checkpoint(const std::string& directory, std::optional<CheckpointId> id, bool json);
// Reads every byte of every file of one checkpoint, of the newest if no id is given. kExitFailed if one is not as it was written.
int verify_checkpoint(const std::string& directory, std::optional<CheckpointId> id, bool json);
// What changed from one checkpoint to another: operators and states, positions, watermarks, files.
int diff_checkpoints(const std::string& directory, CheckpointId from, CheckpointId to, bool json);
// Removes what the running job would have removed, under the directory's lock; with `dry_run` only says what, and needs no lock.
int collect_checkpoints(const std::string& directory, bool dry_run, bool json);

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

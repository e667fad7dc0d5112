#pragma once
// `checkpoints ls|show|verify|diff|gc`: what a state directory holds. All but gc only read, also beside a running job.

#include <string>

#include <tidemark/runtime/runtime.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

// Each returns the exit code.

// One line (or JSON object) for each checkpoint, oldest first, then for each savepoint.
int list_checkpoints(const std::string& directory, bool json);
// All of one checkpoint.
int show_checkpoint(const std::string& directory, const RestoreFrom& which, bool json);
// Reads every byte of every file of one checkpoint; kLatest is here the newest, damaged or not. kExitFailed if one is not as it was
// written.
int verify_checkpoint(const std::string& directory, const RestoreFrom& which, bool json);
// What changed from one checkpoint to another: operators and states, positions, watermarks, files.
int diff_checkpoints(const std::string& directory, const RestoreFrom& from, const RestoreFrom& to, bool json);
// Removes what the running job would have removed, under the directory's lock; with `dry_run` only says what, and needs no lock.
int collect_checkpoints(const std::string& directory, bool dry_run, bool json);

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

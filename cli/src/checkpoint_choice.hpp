#pragma once
// Which checkpoint a verb looks at.

#include <string>

#include <tidemark/checkpoint/manifest.hpp>
#include <tidemark/checkpoint/recovery.hpp>
#include <tidemark/runtime/runtime.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

// What people write for a checkpoint: latest, its number, savepoint:LABEL, or the path of a directory, which has a slash so that nothing
// else can be taken for one; and none, where a job may begin with none. kUsage, with `where` it was written in front.
Result<RestoreFrom> parse_checkpoint(const std::string& where, const std::string& text, bool none_is_one);

struct ChosenCheckpoint {
  std::string path;  // of its directory
  Manifest manifest;  // without the places of sources that were dropped
};
// The checkpoint that `which` names in the state directory or elsewhere; kLatest: the newest that can be read, which is the one that a
// start would take; if a newer one is damaged, that is said on standard error. Where `directory` is that of a checkpoint or savepoint,
// kLatest is this one. Precondition: not kNone. Errors: kRestoreRefused if there is none, with those that there are; kCheckpointCorrupt.
Result<ChosenCheckpoint> find_checkpoint(const std::string& directory, const RestoreFrom& which);

// kRestoreRefused where there is nothing of a job's state directory.
Status check_state_directory(const std::string& directory, const DirectoryFacts& facts);

// The reason why looking at a checkpoint failed: if it is gone by now, that it was removed meanwhile, else `error` itself.
Error reason_or_removal(const std::string& checkpoint_path, Error error);

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

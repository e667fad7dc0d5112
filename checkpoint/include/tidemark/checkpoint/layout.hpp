#pragma once
// Names in a job's state directory. Only names of this layout are ever deleted; all others are left alone.
//
//   LOCK                                held by the one owner
//   SOCKET                              where a job that a command line runs listens while it runs
//   LINEAGE                             published after the first checkpoint, or before a start that restores one from elsewhere: from
//                                       then on an empty list of checkpoints is no fresh start
//   PLACE                               published after the first checkpoint that is taken here: which LOCK lies beside it. Beside another
//                                       one, what is here was copied
//   checkpoints/0000000007/manifest     its rename is the commit point
//   checkpoints/0000000007/store/       the state store's files as they were
//   savepoints/before-upgrade/          a checkpoint kept under the user's name: manifest and store/ as above, never deleted by us
//   live/0000000003/store/              the running store of attempt 3
//   live/0000000003/rows/               row files of attempt 3 on their way into the store

#include <optional>
#include <string>
#include <string_view>

#include <tidemark/checkpoint/manifest.hpp>

namespace tidemark {
inline namespace v0 {

// Each takes the state directory first. Pure: they make names and touch nothing.
std::string lock_path(const std::string& directory);
std::string socket_path(const std::string& directory);
std::string lineage_path(const std::string& directory);
std::string place_path(const std::string& directory);
std::string checkpoints_path(const std::string& directory);
std::string checkpoint_path(const std::string& directory, CheckpointId id);
std::string manifest_path(const std::string& directory, CheckpointId id);
std::string checkpoint_store_path(const std::string& directory, CheckpointId id);
std::string savepoints_path(const std::string& directory);
std::string savepoint_path(const std::string& directory, const std::string& label);
std::string all_live_path(const std::string& directory);
std::string live_path(const std::string& directory, AttemptId attempt);
std::string live_store_path(const std::string& directory, AttemptId attempt);
std::string live_rows_path(const std::string& directory, AttemptId attempt);

// In the directory of a checkpoint or savepoint, wherever it lies.
std::string manifest_in(const std::string& checkpoint_directory);
std::string store_in(const std::string& checkpoint_directory);

// "0000000007" <-> 7. Ten digits, not all zero; anything else is not a name of the layout.
std::string numbered_name(std::uint64_t number);
std::optional<std::uint64_t> parse_numbered_name(std::string_view name);

}  // namespace v0
}  // namespace tidemark

#pragma once
// A job that keeps state of every kind, stopped in the middle of a commit. What it leaves on the disk is kept for each
// format of what is stored, and read by every later release (fault F49).
//
//   input.txt   what of the input was there
//   state/      checkpoints and LINEAGE; LOCK, PLACE and the live store are left out
//   out/        committed results, the marker of the commit, and results that are staged and named by the newest checkpoint

#include <string>

#include <tidemark/checkpoint/manifest.hpp>
#include <tidemark/core/status.hpp>

namespace tidemark::golden {

// Makes such a directory; `directory` must not exist.
Status write_golden(const std::string& directory);

// That of v1 and v2 had no lists and maps, that of v3 none by window, that of v4 no list without a key.
enum class Job { kOfTheFirstVersions, kOfTheThird, kOfTheFourth, kOfToday };

// Gives the job in `directory` the rest of the input and runs it to its end.
Status finish(const std::string& directory, Job which);

// The same input in a fresh directory, without a break.
Status run_unbroken(const std::string& directory, Job which);

// The newest one.
Result<Manifest> newest_manifest(const std::string& directory);
inline constexpr CheckpointId kNewest = 2;

}  // namespace tidemark::golden

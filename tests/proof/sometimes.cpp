#include "sometimes.hpp"

#include <algorithm>

#include <tidemark/core/file_system.hpp>

namespace tidemark::proof {

namespace {

constexpr const char* kNames[] = {"manifest not synced", "commit not marked",  "commit repeated",
                                  "epoch without output", "half deleted",      "savepoint not synced",
                                  "other parallelism",    "orphan deleted",    "recovery repeated",
                                  "checkpoint given up",  "two epochs",        "two lineages",
                                  "older restored",       "older refused",     "fallback",
                                  "fallback refused",     "forked",            "copy refused",
                                  "restore cut off",   "compaction cut off"};
static_assert(std::size(kNames) == static_cast<std::size_t>(Sometimes::kCount));

// Whether no checkpoint as new as the one that this path lies in has a manifest.
bool newer_than_all_complete(const std::string& path, const Tree& kept) {
  for (auto at = kept.lower_bound(path.substr(0, std::string{"state/checkpoints/0123456789"}.size()));
       at != kept.end() && at->first.starts_with("state/checkpoints/"); ++at) {
    if (file_name(at->first) == "manifest") return false;
  }
  return true;
}

// ".tidemark-staged-LINEAGE-ATTEMPT-EPOCH-TASK-SINK" without its epoch.
std::string without_epoch(const std::string& path) {
  std::size_t begin = path.size() - file_name(path).size();
  for (int dashes = 0; dashes < 4; ++dashes) begin = path.find('-', begin) + 1;
  return path.substr(0, begin) + path.substr(path.find('-', begin));
}
bool has_other_epoch(const std::string& path, const Tree& kept) {
  return std::any_of(kept.begin(), kept.end(), [&](const auto& entry) {
    return is_staged(entry.first) && entry.first != path && without_epoch(entry.first) == without_epoch(path);
  });
}

}  // namespace

bool is_staged(const std::string& path) { return path.starts_with("out/") && file_name(path).starts_with(".tidemark-staged-"); }

void SometimesTable::look_at(const Operation& last, const Tree& kept, bool in_recovery) {
  using Kind = Operation::Kind;
  if (last.kind == Kind::kRename) {
    const std::string name = file_name(last.to);
    if (name == "manifest") reach(Sometimes::kManifestNotSynced);
    if (parent_path(last.to) == "state/savepoints") reach(Sometimes::kSavepointNotSynced);
    if (last.to.starts_with("out/") && name.front() != '.') reach(Sometimes::kCommitNotMarked);
    // A marker of an epoch in whose directory no result is new: there are fewer results than epochs.
    if (name.starts_with(".tidemark-commit-")) {
      const std::string directory = parent_path(last.to);
      const auto is_result = [&](const auto& entry) {
        return entry.first.starts_with(directory + "/") && file_name(entry.first).front() != '.';
      };
      if (std::none_of(kept.begin(), kept.end(), is_result)) reach(Sometimes::kEpochWithoutOutput);
    }
  }
  const bool removes = last.kind == Kind::kRemoveFile || last.kind == Kind::kRemoveDirectory;
  if (removes && last.path.starts_with("state/checkpoints/")) {
    if (!newer_than_all_complete(last.path, kept)) {
      reach(Sometimes::kHalfDeleted);
    } else if (!in_recovery) {
      reach(Sometimes::kCheckpointGivenUp);
    }
  }
  if (last.kind == Kind::kCreate && is_staged(last.path) && has_other_epoch(last.path, kept)) reach(Sometimes::kTwoEpochs);
  // Rows come into the store by links; what is made there is the work of compaction.
  if (last.kind == Kind::kCreate && last.path.starts_with("state/live/") && last.path.ends_with(".sst") &&
      last.path.find("/store/") != std::string::npos) {
    reach(Sometimes::kCompactionCutOff);
  }
  if (in_recovery && last.kind == Kind::kLink && last.to.starts_with("state/live/")) reach(Sometimes::kRestoreCutOff);
  if (in_recovery && removes && last.path.starts_with("state/live/")) reach(Sometimes::kOrphanDeleted);
}

std::size_t SometimesTable::reached() const {
  return static_cast<std::size_t>(std::count_if(reached_.begin(), reached_.end(), [](const auto& is) { return is.load(); }));
}

std::string SometimesTable::missing() const {
  std::string names;
  for (std::size_t i = 0; i < reached_.size(); ++i) {
    if (!reached_[i]) names += (names.empty() ? "" : ", ") + std::string{kNames[i]};
  }
  return names;
}

}  // namespace tidemark::proof

#include "sometimes.hpp"

#include <algorithm>

#include <tidemark/core/file_system.hpp>

namespace tidemark::proof {

namespace {

constexpr const char* kNames[] = {"manifest not synced", "commit not marked",  "commit repeated",
                                  "epoch without output", "half deleted",      "savepoint not synced",
                                  "other parallelism",    "orphan deleted",    "recovery repeated"};
static_assert(std::size(kNames) == static_cast<std::size_t>(Sometimes::kCount));

}  // namespace

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
  if (last.kind == Kind::kRemoveFile && last.path.starts_with("state/checkpoints/")) reach(Sometimes::kHalfDeleted);
  const bool removes = last.kind == Kind::kRemoveFile || last.kind == Kind::kRemoveDirectory;
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

#include <algorithm>
#include <memory>
#include <string>

#include <fmt/format.h>

#include <tidemark/checkpoint/checkpoint_store.hpp>
#include <tidemark/core/file_system.hpp>

#include "src/checkpoint_choice.hpp"
#include "src/checkpoints_verb.hpp"
#include "src/output.hpp"
#include "src/run_verb.hpp"

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

namespace {

// What is known without the job and its sinks, and no more. The newest manifest lists all output that was not known to be committed when it
// was written.
RetentionFacts retention_facts(const DirectoryFacts& directory, const Manifest& newest) {
  RetentionFacts facts;
  facts.lineage = newest.lineage;
  facts.committed = newest.previous;
  for (const CommittableEntry& pending : newest.committables) {
    facts.committed = std::min(facts.committed, std::max<CheckpointId>(pending.epoch, 1) - 1);
  }
  // The last numbers that were given stay visible, so that they are not given again (C5).
  facts.attempt = directory.live.empty() ? 0 : directory.live.back();
  for (const FoundCheckpoint& found : directory.checkpoints) {
    if (found.incomplete() && found.id > newest.checkpoint) facts.in_use.push_back(found.id);
  }
  return facts;
}

Status print_deletions(const Deletions& deletions, bool dry_run, bool json) {
  const auto print_one = [&](const char* what, std::uint64_t number) {
    if (json) return write_line(fmt::format(R"({{"what":"{}","number":{},"removed":{}}})", what, number, !dry_run));
    return write_line(fmt::format("{} {} {}", what, number, dry_run ? "would be removed" : "removed"));
  };
  for (const CheckpointId id : deletions.checkpoints) TIDEMARK_TRY(print_one("checkpoint", id));
  for (const AttemptId attempt : deletions.live) TIDEMARK_TRY(print_one("live", attempt));
  return flush_output();
}

Result<Deletions> choose(const std::string& directory) {
  TIDEMARK_ASSIGN(const DirectoryFacts facts, read_state_directory(posix_file_system(), directory));
  TIDEMARK_TRY(check_state_directory(directory, facts));
  TIDEMARK_ASSIGN(const ChosenCheckpoint newest, find_checkpoint(directory, {}));
  return choose_deletions(facts, retention_facts(facts, newest.manifest));
}

Result<Deletions> collect(const std::string& directory) {
  TIDEMARK_TRY(choose(directory).status());   // taking the lock would make the directory
  TIDEMARK_ASSIGN(const std::unique_ptr<CheckpointStore> owned, CheckpointStore::open(posix_file_system(), directory));
  TIDEMARK_ASSIGN(Deletions deletions, choose(directory));
  TIDEMARK_TRY(owned->remove_all(deletions));
  return deletions;
}

}  // namespace

int collect_checkpoints(const std::string& directory, bool dry_run, bool json) {
  const auto deletions = dry_run ? choose(directory) : collect(directory);
  if (!deletions.ok()) return report(deletions.error());
  const Status printed = print_deletions(*deletions, dry_run, json);
  return printed.ok() ? kExitDone : report(printed.error());
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

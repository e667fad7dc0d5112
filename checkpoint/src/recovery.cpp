#include <tidemark/checkpoint/recovery.hpp>

#include <algorithm>
#include <utility>

#include "src/former_names.hpp"
#include "src/reconcile.hpp"

namespace tidemark {
inline namespace v0 {

namespace {

using From = RecoveryOptions::From;

Error refusal(ErrorCode code, std::string message, std::vector<std::pair<std::string, std::string>> facts, std::string why,
              std::string fix) {
  return Error{.code = code, .message = std::move(message), .facts = std::move(facts), .why = std::move(why), .fix = std::move(fix)};
}

std::string name_of(CheckpointId id) { return "checkpoint " + std::to_string(id); }

std::string usable_ids(const DirectoryFacts& directory) {
  std::string text;
  for (const FoundCheckpoint& found : directory.checkpoints) {
    if (found.manifest != nullptr) text += (text.empty() ? "" : ", ") + std::to_string(found.id);
  }
  return text.empty() ? "none" : text;
}

// Above every number that left a trace, complete or not (C5).
CheckpointId next_checkpoint(const DirectoryFacts& directory, const Manifest* restored) {
  const CheckpointId newest = directory.checkpoints.empty() ? 0 : directory.checkpoints.back().id;
  return std::max(newest, restored == nullptr ? 0 : restored->checkpoint) + 1;
}

Result<RecoveryPlan> fresh_start(const DirectoryFacts& directory, const JobFacts& job, const RecoveryOptions& options,
                                 const std::vector<SinkPosition>& sinks) {
  if (options.fork_lineage) {
    return refusal(ErrorCode::kRestoreRefused, "there is no checkpoint to fork", {}, "a fork begins with the state of a checkpoint",
                   "name one with --from, or leave --fork-lineage away");
  }
  for (const SinkPosition& position : sinks) {
    if (position.committed == 0) continue;
    return refusal(ErrorCode::kSinkEpochMismatch, "sink " + position.sink + " already holds output of this lineage",
                   {{"committed", "epoch " + std::to_string(position.committed)}}, "a fresh start would write it a second time",
                   "give the sink a target of its own");
  }
  RecoveryPlan plan;
  plan.answer = RecoveryPlan::Answer::kFreshStart;
  plan.seed = job.seed;
  plan.attempt = next_attempt(directory, options);
  plan.next_checkpoint = next_checkpoint(directory, nullptr);
  TIDEMARK_TRY(checkpoint_internal::start_empty(job, plan));
  return plan;
}

Error nothing_usable(const DirectoryFacts& directory) {
  std::string content;
  for (const std::string& name : directory.unknown) content += (content.empty() ? "" : ", ") + name;
  for (const std::string& label : directory.savepoints) content += (content.empty() ? "" : ", ") + ("savepoint " + label);
  if (directory.ever_completed) content += (content.empty() ? "" : ", ") + std::string{"traces of completed checkpoints"};
  std::string fix = "choose another directory, or start afresh with --from none";
  if (!directory.savepoints.empty()) fix = "start from a savepoint with --from savepoint:LABEL, " + fix;
  if (directory.ever_completed) fix = "if the job came here from elsewhere and took no checkpoint since, repeat that --from; else " + fix;
  return refusal(ErrorCode::kRestoreRefused, "there is no checkpoint to restore, and the state directory is not empty",
                 {{"found", content}}, "a fresh start reads all input again and repeats output that was already committed", std::move(fix));
}

// A manifest that is there and cannot be used was complete once, so its epoch may be committed.
Error unusable(const FoundCheckpoint& found, const FoundCheckpoint* older, std::string why) {
  Error error = found.damage.error();
  error.why = std::move(why);
  error.fix = older == nullptr
                  ? "restore the file from a copy; or, if its output may be repeated, start afresh with --from none"
                  : "restore the file from a copy; or, if no sink has committed past it, use --from " + std::to_string(older->id);
  return error;
}

// The file may be good, and the next start may read it: what it commits may have been seen, if only until the power was lost.
bool unreadable(const FoundCheckpoint& found) { return found.damage.error().code == ErrorCode::kStorageFailed; }

Error unreadable_for_now(const FoundCheckpoint& found, const FoundCheckpoint* older) {
  Error error = unusable(found, older, name_of(found.id) + " is complete, and its manifest may be good");
  error.fix = "see to it that the file can be read (the medium, its permissions), and start again" +
              (older == nullptr ? std::string{} : "; or, if its output may be repeated, use --from " + std::to_string(older->id));
  return error;
}

bool newer_format(const FoundCheckpoint& found) { return !found.damage.ok() && found.damage.error().code == ErrorCode::kRestoreRefused; }

const SinkPosition* past(const std::vector<SinkPosition>& sinks, CheckpointId id) {
  const auto found = std::find_if(sinks.begin(), sinks.end(), [&](const SinkPosition& position) { return position.committed > id; });
  return found == sinks.end() ? nullptr : &*found;
}

// `name`: as a manifest has it.
bool position_known(const std::vector<SinkPosition>& sinks, const JobPast& past, const std::string& name) {
  return std::any_of(sinks.begin(), sinks.end(), [&](const SinkPosition& position) {
    const auto formers = past.formerly.find(position.sink);
    return position.sink == name ||
           (formers != past.formerly.end() && std::find(formers->second.begin(), formers->second.end(), name) != formers->second.end());
  });
}

struct Choice {
  std::shared_ptr<const Manifest> manifest;   // null: nothing was ever completed
  std::vector<std::string> warnings;
  bool newest = true;
};

// The newest one; an older one only if every sink is known not to have committed past it (C6, fault F18).
Result<Choice> choose_latest(const DirectoryFacts& directory, const JobPast& job_past, const std::vector<SinkPosition>& sinks) {
  Choice choice;
  std::vector<const FoundCheckpoint*> complete;   // newest first
  for (auto found = directory.checkpoints.rbegin(); found != directory.checkpoints.rend(); ++found) {
    if (!found->incomplete()) complete.push_back(&*found);
  }
  for (std::size_t i = 0; i < complete.size(); ++i) {
    const FoundCheckpoint& found = *complete[i];
    if (found.manifest != nullptr) {
      choice.manifest = found.manifest;
      choice.newest = i == 0;
      return choice;
    }
    const auto usable = std::find_if(complete.begin() + static_cast<std::ptrdiff_t>(i), complete.end(),
                                     [](const FoundCheckpoint* other) { return other->manifest != nullptr; });
    const FoundCheckpoint* older = usable == complete.end() ? nullptr : *usable;
    if (newer_format(found)) return found.damage.error();
    if (unreadable(found)) return unreadable_for_now(found, older);
    if (older == nullptr) return unusable(found, nullptr, "no other checkpoint can be used");
    for (const std::string& sink : older->manifest->sinks) {
      if (!position_known(sinks, job_past, sink)) {
        return unusable(found, older, name_of(older->id) + " is the newest usable one, and sink " + sink + " may have committed past it");
      }
    }
    if (const SinkPosition* position = past(sinks, older->id)) {
      return unusable(found, nullptr, "sink " + position->sink + " has committed epoch " + std::to_string(position->committed) +
                                          ", past the newest usable checkpoint, " + std::to_string(older->id));
    }
    choice.warnings.push_back(name_of(found.id) + " cannot be used (" + found.damage.error().message + "); no sink has committed it, so " +
                              name_of(older->id) + " is used");
  }
  if (directory.ever_completed || !directory.unknown.empty() || !directory.savepoints.empty()) return nothing_usable(directory);
  return choice;
}

Result<Choice> choose_by_id(const DirectoryFacts& directory, CheckpointId id) {
  Choice choice;
  for (const FoundCheckpoint& found : directory.checkpoints) {
    if (found.id > id && !found.incomplete()) choice.newest = false;
    if (found.id != id || found.incomplete()) continue;
    if (found.manifest == nullptr) return found.damage.error();
    choice.manifest = found.manifest;
  }
  if (choice.manifest != nullptr) return choice;
  return refusal(ErrorCode::kRestoreRefused, "there is no " + name_of(id), {{"usable", usable_ids(directory)}}, "",
                 "name one of those, or leave --from away for the newest");
}

// A savepoint, or a checkpoint from elsewhere. It may only come into a directory of its own lineage, or into one without checkpoints: the
// newest of a directory is what the next start goes on from.
Result<Choice> choose_named(const DirectoryFacts& directory, const std::shared_ptr<const Manifest>& named) {
  const FoundCheckpoint* foreign = nullptr;
  for (const FoundCheckpoint& found : directory.checkpoints) {
    if (found.manifest == nullptr) continue;
    if (found.manifest->lineage == named->lineage) {
      foreign = nullptr;
      break;
    }
    foreign = &found;
  }
  if (foreign != nullptr) {
    return refusal(ErrorCode::kForeignLineage, "the state directory holds checkpoints of another lineage",
                   {{"state directory", name_of(foreign->id) + " of lineage " + foreign->manifest->lineage},
                    {"to start from", name_of(named->checkpoint) + " of lineage " + named->lineage}},
                   "two histories would be mixed in one directory",
                   "choose an empty state directory with --state, or go on with what this one holds: leave --from and --fork-lineage away");
  }
  return Choice{.manifest = named, .warnings = {}, .newest = false};
}

// A fork leaves the original as it is (C10): not so in its directory, where retention would take the original's checkpoints for the fork's
// past. A copy of the directory is nobody else's.
Status check_place_of_fork(const DirectoryFacts& directory) {
  if (directory.copied) return {};
  for (auto found = directory.checkpoints.rbegin(); found != directory.checkpoints.rend(); ++found) {
    if (found->incomplete()) continue;
    const std::string lineage = found->manifest == nullptr ? std::string{} : " of lineage " + found->manifest->lineage;
    return refusal(ErrorCode::kForeignLineage, "a fork needs a state directory of its own",
                   {{"state directory", name_of(found->id) + lineage}},
                   "its checkpoints would take the place of the original's, which could not go on",
                   "choose an empty one with --state, and name what to fork by its path: --from STATE/checkpoints/NUMBER or "
                   "STATE/savepoints/LABEL; a fork that has begun goes on without --from and --fork-lineage");
  }
  return {};
}

// Refusals that concern the checkpoint as a whole.
Status check_choice(const Manifest& manifest, const JobFacts& job, const RecoveryOptions& options, const std::vector<SinkPosition>& sinks) {
  if (manifest.job != job.job) {
    return refusal(ErrorCode::kForeignLineage, "the state directory belongs to another job",
                   {{"checkpoint", manifest.job}, {"job", job.job}}, "one job's state means nothing to another",
                   "choose another directory, or give the job its old name");
  }
  if (options.fork_lineage) {
    for (const SinkPosition& position : sinks) {
      if (position.committed == 0) continue;
      return refusal(ErrorCode::kSinkEpochMismatch, "sink " + position.sink + " already holds output of this lineage",
                     {{"committed", "epoch " + std::to_string(position.committed)}}, "a fork must not mix its output with the original's",
                     "give the sink a target of its own");
    }
  } else if (const SinkPosition* position = past(sinks, manifest.checkpoint)) {
    return refusal(ErrorCode::kSinkEpochMismatch, "sink " + position->sink + " has committed past " + name_of(manifest.checkpoint),
                   {{"committed", "epoch " + std::to_string(position->committed)}, {"checkpoint", std::to_string(manifest.checkpoint)}},
                   "output between the two would be written a second time",
                   (options.from == From::kLatest ? std::string{"restore a newer checkpoint"}
                                                  : std::string{"leave --from away to go on with the newest checkpoint"}) +
                       ", or fork with --fork-lineage, a state directory and a target of its own");
  }
  return {};
}

Status check_drained(const Manifest& manifest, const RecoveryOptions& options) {
  if (!manifest.drained || options.allow_drained) return {};
  return refusal(ErrorCode::kDrained, name_of(manifest.checkpoint) + " was taken after a drain", {},
                 "its windows have fired before they were full",
                 "allow it with --allow-drained, or fork an older one: --state NEW --from STATE/checkpoints/NUMBER --fork-lineage");
}

}  // namespace

std::string lineage_to_ask(const DirectoryFacts& directory, const RecoveryOptions& options) {
  if (options.from == From::kNone || options.fork_lineage) return {};
  if (options.from == From::kNamed) return options.named->lineage;
  for (auto found = directory.checkpoints.rbegin(); found != directory.checkpoints.rend(); ++found) {
    if (found->manifest != nullptr && (options.from == From::kLatest || found->id == options.id)) return found->manifest->lineage;
  }
  return {};
}

AttemptId next_attempt(const DirectoryFacts& directory, const RecoveryOptions& options) {
  AttemptId last = directory.live.empty() ? 0 : directory.live.back();
  if (options.named != nullptr) last = std::max(last, options.named->attempt);
  for (const FoundCheckpoint& found : directory.checkpoints) {
    if (found.manifest != nullptr) last = std::max(last, found.manifest->attempt);
  }
  return last + 1;
}

Result<RecoveryPlan> plan_recovery(const DirectoryFacts& directory, const JobFacts& job, const RecoveryOptions& options,
                                   const std::vector<SinkPosition>& sinks) {
  if (options.from == From::kNone) return fresh_start(directory, job, options, sinks);
  Result<Choice> chosen = options.from == From::kId      ? choose_by_id(directory, options.id)
                          : options.from == From::kNamed ? choose_named(directory, options.named)
                                                         : choose_latest(directory, job.past, sinks);
  if (!chosen.ok()) return chosen.status();
  if (chosen->manifest == nullptr) return fresh_start(directory, job, options, sinks);
  if (options.fork_lineage) TIDEMARK_TRY(check_place_of_fork(directory));

  TIDEMARK_TRY(check_choice(*chosen->manifest, job, options, sinks));
  TIDEMARK_ASSIGN(const checkpoint_internal::RenamedManifest renamed,
                  checkpoint_internal::under_present_names(chosen->manifest, job, options.drop_state));
  const std::shared_ptr<const Manifest>& manifest = renamed.manifest;
  RecoveryPlan plan;
  plan.answer = manifest->finished && !options.fork_lineage ? RecoveryPlan::Answer::kAlreadyFinished : RecoveryPlan::Answer::kRestore;
  plan.refusal = check_drained(*manifest, options);
  if (!plan.refusal.ok()) {
    if (options.from != From::kLatest || options.fork_lineage) return plan.refusal;
    plan.answer = RecoveryPlan::Answer::kDrained;
  }
  plan.manifest = manifest;
  plan.seed = manifest->seed;
  plan.attempt = next_attempt(directory, options);
  plan.next_checkpoint = next_checkpoint(directory, manifest.get());
  plan.warnings = std::move(chosen->warnings);
  plan.newest = chosen->newest;
  plan.verify_all = !chosen->newest || options.fork_lineage || directory.copied;
  if (directory.copied && options.from != From::kNamed) {
    plan.warnings.push_back("the state directory was copied, or it is not known where it was before: every byte of " +
                            name_of(manifest->checkpoint) + " is read before the first record");
  }
  if (!options.fork_lineage) {
    // What the original has prepared is for the original to commit.
    plan.lineage = manifest->lineage;
    plan.completed = manifest->checkpoint;
    plan.recommit = manifest->committables;
  }
  TIDEMARK_TRY(checkpoint_internal::reconcile(renamed, job, options.drop_state, plan));
  return plan;
}

}  // namespace v0
}  // namespace tidemark

#pragma once
// What a start does with a state directory: a pure function from facts to an answer, so that each case can be tested without a disk (R3,
// C6). It never falls back silently: an older checkpoint, an empty start in a used directory, state without an owner are errors with a
// remedy, or the user's explicit wish.
//
// Use: read_state_directory -> open the sinks' committers in the name of lineage_to_ask and ask their committed epochs -> plan_recovery ->
// check_checkpoint_in (or verify_checkpoint_in) -> restore_store -> commit plan.recommit -> run.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tidemark/checkpoint/manifest.hpp>
#include <tidemark/core/status.hpp>
#include <tidemark/state/component.hpp>
#include <tidemark/state/migration.hpp>

namespace tidemark {
inline namespace v0 {

// A directory under checkpoints/.
struct FoundCheckpoint {
  CheckpointId id = 0;
  std::shared_ptr<const Manifest> manifest;   // set: it is there and decodes
  Status damage;                              // an error: a manifest is there and cannot be used
  bool incomplete() const { return manifest == nullptr && damage.ok(); }   // no manifest: never completed
};

// What a state directory holds (checkpoint_store.hpp reads it).
struct DirectoryFacts {
  bool ever_completed = false;                // LINEAGE is there: a checkpoint was completed here, or a job came here with one
  std::vector<FoundCheckpoint> checkpoints;   // ascending by id
  std::vector<std::string> savepoints{};      // labels, ascending; what they hold is not looked at
  std::vector<AttemptId> live;                // ascending
  std::vector<std::string> unknown;           // names that are not of the layout
  bool copied = false;                        // it is not known that the newest checkpoint was taken where the directory is now (PLACE)
};

// What a job says about its own past. By the name that the operator, source or sink has now.
struct JobPast {
  std::map<std::string, std::vector<std::string>> formerly;    // names under which older checkpoints have it (K10)
  std::map<std::string, std::vector<Migration>> migrations;    // from what it stored in earlier releases (K9)
  // Of the states whose codec reads other schemas too, by "operator/state": StateSchema::reads.
  std::map<std::string, bool (*)(std::string_view)> reads;
  // Of the states whose values hold accumulators, by "operator/state": StateSchema::parts.
  std::map<std::string, ValueParts> parts;
};

// The job as it was built. State ids are 0: the plan gives them.
struct JobFacts {
  std::string job;
  std::uint32_t key_groups = 0;
  std::optional<std::uint64_t> seed;          // only if the user chose one
  std::vector<OperatorEntry> operators;       // sources and sinks too, with their kinds
  std::vector<std::string> sources;
  std::vector<std::string> sinks;
  JobPast past;
};

struct SinkPosition {
  std::string sink;
  CheckpointId committed = 0;                 // the newest epoch of the lineage that the target shows anything of; 0: none
};

struct RecoveryOptions {
  enum class From : std::uint8_t { kLatest, kNone, kId, kNamed };
  From from = From::kLatest;
  CheckpointId id = 0;                        // with kId
  std::shared_ptr<const Manifest> named;      // with kNamed: of a savepoint, or of a checkpoint that lies elsewhere
  bool allow_drained = false;
  bool fork_lineage = false;                  // a new lineage from this state; directory and sinks' targets its own (R8, C10)
  std::vector<std::string> drop_state;        // operators, "operator/state", sources and sinks whose stored part is given up (K10)
};

// A state whose rows are to be rewritten before they are read (migrate_rows).
struct StateMigration {
  std::string name;                           // "operator/state"
  StateId id = 0;
  bool stamped = false;
  std::vector<Migration> steps;
};

struct RecoveryPlan {
  // kDrained: the newest checkpoint was taken after a drain, and it is not allowed to go on from that. What it lists is committed like that
  // of a job that had finished, and then the start is refused.
  enum class Answer : std::uint8_t { kFreshStart, kRestore, kAlreadyFinished, kDrained };
  Answer answer{};
  Status refusal;                             // kDrained: what to say then; else success
  // To restore (kRestore) or to commit again (kAlreadyFinished, kDrained); null at a fresh start. Renamed operators, sources and sinks have
  // the names that the job gives them, whatever the checkpoint on disk says.
  std::shared_ptr<const Manifest> manifest;
  std::string lineage;                        // to go on with; empty: draw a new one
  std::optional<std::uint64_t> seed;          // of keys; none: draw one
  AttemptId attempt = 1;                      // number of this start
  CheckpointId next_checkpoint = 1;
  CheckpointId completed = 0;                 // the checkpoint whose epoch the sinks will hold; 0: a new lineage, they hold nothing
  std::vector<CommittableEntry> recommit;     // before the first record
  std::vector<OperatorEntry> operators;       // the job's, with state ids, and of restored states dropped_through and live buckets
  StateId next_state_id = 1;
  std::vector<StateId> discarded_states;      // for the next manifests and for StateStore::set_dropped
  std::vector<StateMigration> migrations;
  // For the report of the start: "operator/state" and "source NAME", with "(formerly OLD)" and "(migrated)" behind; of the sinks those that
  // have another name now.
  std::vector<std::string> restored;
  std::vector<std::string> added;             // starts empty
  std::vector<std::string> dropped;           // given up, as the user said
  std::vector<std::string> warnings;          // sentences for the log
  // Not the newest one of its own directory, or of a fork, or of a directory that was copied: verify every byte first.
  bool verify_all = false;
  // There is no newer one in the directory. Otherwise the sinks keep what they have prepared: until this history has a checkpoint of its
  // own, a start may still go on from the newer one, which lists some of it.
  bool newest = true;
};

// The lineage in whose name the sinks are asked for their positions: of the checkpoint that will be restored or, if that is damaged, of the
// newest that is not. Empty: the start is fresh or forks, so a new one is to be drawn; then the positions that count are those under the
// new one.
std::string lineage_to_ask(const DirectoryFacts& directory, const RecoveryOptions& options);
// The number of this start: above all that left a trace.
AttemptId next_attempt(const DirectoryFacts& directory, const RecoveryOptions& options);

// An error is a refusal with reason and remedy. `sinks`: the known positions. Without a sink's position no more is refused than with a good
// one, but a damaged newest checkpoint: an older one needs every sink's position. A newest one that cannot be read now is refused (F14).
Result<RecoveryPlan> plan_recovery(const DirectoryFacts& directory, const JobFacts& job, const RecoveryOptions& options,
                                   const std::vector<SinkPosition>& sinks);

}  // namespace v0
}  // namespace tidemark

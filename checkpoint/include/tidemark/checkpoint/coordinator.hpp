#pragma once
// The coordinator's decisions: when a checkpoint begins, what each report of a task, of the disk or of the sinks leads to, and how a job
// ends. It does nothing itself: facts go in, actions come out, and the runtime carries them out. It reads no clock and starts no I/O, so
// every case is a table.
//
// The one assumption: barriers travel in order, and the runtime reports each outcome that is waited for exactly once, unless the attempt
// ends.
//
// Phases of the one pending checkpoint:
//   begin -> kCollecting -(all tasks acknowledged)-> kPublishing -(manifest durable)-> kCommitting -(all sinks committed)-> over
//              | decline, time-out                      | certainly not published
//              +------------------> kAborting <---------+            -(all of its I/O has ended, frozen entries are dirty again)-> over

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tidemark/checkpoint/manifest.hpp>
#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {

using SteadyTime = std::chrono::steady_clock::time_point;   // handed in by the caller, from the clock seam

enum class CheckpointKind : std::uint8_t {
  kPeriodic,   // the job goes on
  kFinal,      // all tasks have seen the end of their input (or of a drain); nothing follows it
  kStop,       // the last one before a stop; sources have been told to pause, nothing was drained
};

struct CoordinatorOptions {
  std::chrono::milliseconds interval{10'000};       // from begin to begin; zero: none but the final one
  std::chrono::milliseconds min_pause{0};           // from the end of one to the begin of the next
  std::chrono::milliseconds timeout{600'000};       // until all tasks have acknowledged
  std::uint32_t tolerated_failures = 3;             // that many in a row are survived; the next one fails the job
};

// What the runtime shall do, in the order given.
struct CoordinatorAction {
  enum class Kind : std::uint8_t {
    kBegin,          // inject barrier `id` (`checkpoint_kind`)
    kPublish,        // link the store, publish the manifest of `id` with `previous`; then on_published or on_publish_failed
    kCommit,         // all sinks commit up to `id`; then on_committed or on_commit_failed
    kKeep,           // `id` is durable and committed: keep it as a savepoint under each of `labels`. How that ends is not waited for
    kCollectGarbage, // `id` is durable and committed: apply retention
    kAbort,          // give `id` up: tasks settle(false), I/O of it is cancelled or awaited, its directory removed; then on_abort_settled.
                     // The savepoints `labels` are given up with it
    kDrain,          // the sources read nothing more, send +infinity and end
    kFailAttempt,    // stop everything, begin no write or commit and await those under way; then recovery decides. `error` says why
    kFinished,       // the job is at its end (kFinal committed)
    kStopped,        // the stop is complete: after a kStop or drained checkpoint, or at once when cancelled
  };
  Kind kind{};
  CheckpointId id = 0;
  CheckpointId previous = 0;                        // kPublish, kCommit: the completed checkpoint before `id`
  CheckpointKind checkpoint_kind{};                 // kBegin, kPublish
  bool drained = false;                             // kPublish: for the manifest
  std::optional<Error> error{};                     // kAbort, kFailAttempt
  std::vector<std::string> labels{};                // kKeep, kAbort
};
using CoordinatorActions = std::vector<CoordinatorAction>;
std::string_view to_string(CoordinatorAction::Kind kind);

// Not thread-safe; belongs to whoever runs the coordinator's strand.
class Coordinator {
 public:
  enum class Phase : std::uint8_t { kIdle, kCollecting, kPublishing, kCommitting, kAborting, kOver };

  // `tasks`: names of all tasks, for messages; a task is its index. `next`: number of the next checkpoint. `completed`: the newest
  // completed one (0: none), which the sinks have committed. The first checkpoint begins one interval after `now`.
  Coordinator(CoordinatorOptions options, std::vector<std::string> tasks, CheckpointId next, CheckpointId completed, SteadyTime now);

  // Time passed. Call at next_wakeup() or later; more often does no harm.
  CoordinatorActions on_time(SteadyTime now);
  // The task's snapshot of `id` is complete and its files are durable. Reports of older or aborted checkpoints are ignored.
  CoordinatorActions on_acknowledged(std::size_t task, CheckpointId id);
  // The task could not take part in `id`. Ignored for older or aborted ones.
  CoordinatorActions on_declined(std::size_t task, CheckpointId id, Error error);
  // The task saw the end of all its inputs, or of its source, which a drain may have `cut_off` before it had ended. It goes on to take part
  // in checkpoints.
  CoordinatorActions on_task_ended(std::size_t task, bool cut_off, SteadyTime now);
  // The task failed for good: the attempt is over.
  CoordinatorActions on_task_failed(std::size_t task, Error error);
  CoordinatorActions on_published(CheckpointId id);
  // `maybe_published`: the manifest may be there nevertheless (CheckpointStore::Published). Then only recovery may say what holds: the
  // attempt fails.
  CoordinatorActions on_publish_failed(CheckpointId id, bool maybe_published, Error error);
  CoordinatorActions on_committed(CheckpointId id, SteadyTime now);
  // A commit is repeated by recovery, from the manifest: the attempt fails.
  CoordinatorActions on_commit_failed(CheckpointId id, Error error);
  // All that belonged to the aborted `id` has ended.
  CoordinatorActions on_abort_settled(CheckpointId id, SteadyTime now);

  // Memory runs out, and what is dirty can be given up only after a checkpoint: one begins now, also where none is periodic, unless one is
  // under way or the last one is wanted already.
  CoordinatorActions on_checkpoint_wanted(SteadyTime now);
  // A wish for a checkpoint at once, after which the job goes on, kept under `label` (C10). A pending periodic one began before the wish,
  // so the next one is meant. If it is aborted, the wish goes with it.
  CoordinatorActions on_savepoint_requested(std::string label, SteadyTime now);
  // A wish for a last checkpoint at once, kept under `label` unless that is empty. With drain: kDrain first; if that cuts off a source, the
  // final checkpoint counts as drained and ends in kStopped. The last checkpoint is tried again with its labels if it fails. Of two
  // requests the first decides whether the job drains; a drain that comes second is refused.
  Result<CoordinatorActions> on_stop_requested(bool drain, const std::string& label, SteadyTime now);
  // The host will not wait: no new checkpoint. What is being published is awaited, since it cannot be taken back; its commit is left to
  // recovery, and so is one under way. While the sinks commit the last checkpoint of a job there is nothing left to cancel: it ends as it
  // would have.
  CoordinatorActions on_cancelled();

  Phase phase() const { return phase_; }
  // The pending checkpoint; 0: none.
  CheckpointId pending() const { return pending_; }
  CheckpointId last_completed() const { return completed_; }
  bool cancelled() const { return ending_ == Ending::kCancel; }
  std::uint32_t failures_in_a_row() const { return failures_; }
  // Tasks whose acknowledgement is still missing; for messages and `why`.
  std::vector<std::string> missing() const;
  // When on_time has something to do, if nothing else happens before; none: never.
  std::optional<SteadyTime> next_wakeup() const;

 private:
  enum class Ending : std::uint8_t { kNone, kStop, kDrain, kCancel };

  void begin_if_due(SteadyTime now, CoordinatorActions& actions);
  void begin(CheckpointKind kind, SteadyTime now, CoordinatorActions& actions);
  void wish(std::string label);
  void abort(Error error, CoordinatorActions& actions);
  void fail(Error error, CoordinatorActions& actions);
  void finish(CoordinatorAction::Kind kind, CoordinatorActions& actions);
  bool is_pending(CheckpointId id, Phase phase) const;
  bool all_ended() const;

  CoordinatorOptions options_;
  std::vector<std::string> tasks_;
  std::vector<bool> acknowledged_;
  std::vector<bool> ended_;
  std::size_t missing_ = 0;
  std::size_t running_ = 0;            // tasks that have not ended
  bool cut_off_ = false;               // a source, by a drain
  Phase phase_ = Phase::kIdle;
  CheckpointKind kind_ = CheckpointKind::kPeriodic;
  Ending ending_ = Ending::kNone;
  CheckpointId next_ = 1;
  CheckpointId pending_ = 0;
  CheckpointId completed_ = 0;
  std::uint32_t failures_ = 0;
  SteadyTime begun_{};                 // of the pending one, or of the last
  SteadyTime due_{};                   // when the next periodic one may begin
  std::optional<Error> last_failure_;
  std::vector<std::string> labels_;    // of the pending checkpoint
  std::vector<std::string> wishes_;    // labels of the next one to begin
};

}  // namespace v0
}  // namespace tidemark

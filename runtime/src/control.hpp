#pragma once
// The control loop, which has a thread of its own: carries out what the coordinator decides (checkpoint/coordinator.hpp). It alone touches
// the state store and publishes manifests, and it waits for no sink: these commit on the I/O pool. Everything else talks to it by messages.

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include <tidemark/checkpoint/checkpoint_store.hpp>
#include <tidemark/checkpoint/coordinator.hpp>
#include <tidemark/core/detail/executor.hpp>
#include <tidemark/runtime/runtime.hpp>
#include "src/job_builder.hpp"
#include "src/watchdog.hpp"

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

// A sink of the job and its committer.
struct CommittingSink {
  std::string name;
  std::unique_ptr<SinkCommitter> committer;
  CheckpointId in_commit = 0;              // the epoch; 0: none
};

// What the control thread works on. Without a state directory `checkpoints` and `store` are null: then the sinks commit once, at the end.
struct ControlFacts {
  std::unique_ptr<CheckpointStore> checkpoints;
  std::unique_ptr<StateStore> store;
  std::vector<CommittingSink> sinks;
  Manifest manifest;                       // what stays the same from checkpoint to checkpoint
  CheckpointId next_checkpoint = 1;
  CheckpointId completed = 0;
  CheckpointId being_checked = 0;          // restored and not yet verified to its last byte (R3); kept until then. 0: none
};

// The answer to a request that came too late.
Error ended_before_it();
// An allocation failed; `where`, as in "task 3".
Error no_memory(const std::string& where);

class Control final : private core_internal::Loop {
 public:
  // `on_end` is called on the control thread when nothing more will be written or committed; it stops the workers. Called again, if memory
  // ran out on the way, it goes on.
  using OnEnd = std::function<void(JobResult)>;
  // `io`: outlives it; no job of the control's is left when on_end returns.
  Control(const RuntimeOptions& options, core_internal::Executor& executor, core_internal::Jobs& io, ControlFacts facts, BuiltJob& job,
          OnEnd on_end);
  ~Control() override { join(); }

  void start() { runner_->start(); }
  void join() { runner_->join(); }
  bool is_current() const { return runner_->is_current(); }

  // From any thread; none waits.
  void on_snapshot(TaskSnapshot snapshot, std::optional<Error> error);
  void on_task_ended(std::size_t task, bool cut_off);
  void on_task_failed(std::size_t task, Error error, bool broken_invariant);
  void on_memory_spent();
  // How the background check of the restored checkpoint ended.
  void on_checked(Status status);
  CheckpointAnswer request_savepoint(std::string label);
  CheckpointAnswer request_stop(StopOptions options);
  void request_cancel();

  // The checkpoint part of a snapshot of the job's figures, and what hangs.
  void fill(JobSnapshot& snapshot) const;
  // The sinks that commit just now, with the epoch, for messages.
  std::vector<std::string> commits_under_way() const;

 private:
  // What somebody waits to hear of.
  struct Request {
    std::string label;                                       // empty: a stop that keeps nothing
    std::promise<Result<CheckpointId>> answer;
  };

  void post(std::function<void()> message);
  // Takes a request down if its label, when it `keeps` a checkpoint, is allowed, and acts on it.
  CheckpointAnswer ask(std::string label, bool keeps, std::function<Result<CoordinatorActions>()> act);
  Status check_label(const std::string& label) const;
  void keep(const CoordinatorAction& action);
  Error not_kept(Error error, const CoordinatorAction& action) const;
  void answer(const std::vector<std::string>& labels, const Result<CheckpointId>& answer);
  bool step() override;
  bool ready() override;
  std::optional<std::chrono::nanoseconds> pause() const override;
  bool ended() const override { return ended_; }
  std::function<void()> next_message();
  void answer_late_messages();
  void carry_out(CoordinatorActions actions);
  void begin(const CoordinatorAction& action);
  void drain();
  void publish(const CoordinatorAction& action);
  Status store_checkpoint(const CoordinatorAction& action, bool& maybe_published);
  Manifest manifest_of(const CoordinatorAction& action) const;
  void commit(const CoordinatorAction& action);
  std::vector<Committable> prepared_for(const CommittingSink& sink) const;
  void run_commit(CommittingSink& sink, CheckpointId epoch, CheckpointId previous, const std::vector<Committable>& committables);
  void on_commit_ended(CommittingSink& sink, CheckpointId epoch, const Status& status);
  CheckpointId in_commit(const CommittingSink& sink) const;
  void set_in_commit(CommittingSink& sink, CheckpointId epoch);
  void look_for_hangs();
  void show_hangs();
  // Its number in the watchdog.
  std::size_t caller_of(const CommittingSink& sink) const {
    return job_.tasks.size() + static_cast<std::size_t>(&sink - facts_.sinks.data());
  }
  void collect_garbage(CheckpointId committed);
  void abort(const CoordinatorAction& action);
  void take_snapshot(TaskSnapshot snapshot, std::optional<Error> error);
  void remove_row_files(const TaskSnapshot& snapshot);
  void end(JobResult result);
  SteadyTime now() const { return options_.clock->steady_now(); }

  const RuntimeOptions& options_;
  core_internal::Jobs& io_;
  ControlFacts facts_;                                       // under mutex_: in_commit of the sinks
  BuiltJob& job_;
  OnEnd on_end_;
  Coordinator coordinator_;
  std::vector<std::optional<TaskSnapshot>> snapshots_;       // of the pending checkpoint, by task
  using SnapshotReport = std::pair<TaskSnapshot, std::optional<Error>>;
  struct SnapshotReports {
    std::uint64_t taken = 0;
    std::map<std::uint64_t, SnapshotReport> early;   // those that came before an older one
  };
  std::vector<SnapshotReports> reports_;             // by task
  std::vector<CommittableEntry> prepared_;                   // not known to be committed, oldest first
  std::vector<Request> requests_;                            // not answered yet
  std::size_t open_commits_ = 0;                             // sinks that have not committed the pending checkpoint
  Watchdog watchdog_;                                        // of all tasks, then of all sinks
  std::uint64_t hangs_shown_ = 0;
  bool ended_ = false;
  std::atomic<bool> writes_nothing_{false};                  // ended, or a broken invariant: no manifest and no commit is begun any more

  mutable std::mutex mutex_;
  std::queue<std::function<void()>> messages_;
  bool over_ = false;                                        // under mutex_: nobody takes messages any more
  JobSnapshot figures_;                                      // under mutex_
  std::vector<Watchdog::Hang> hangs_;                        // under mutex_
  SteadyTime begun_{};
  SteadyTime completed_at_{};                                // under mutex_
  std::unique_ptr<core_internal::LoopRunner> runner_;
};

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

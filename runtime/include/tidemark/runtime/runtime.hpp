#pragma once
// Runs a job inside the host's process.
//
// Threads: start() makes `workers` threads for the tasks, one for checkpoints, two for disk work and commits, one for the store's
// compaction, and one that helps to read state after a restore or where memory is bounded; nothing else. None of them outlives the object.
// The library installs no signal handler, never ends the process and keeps no global state: several runtimes may live side by side.
//
// The functions of the user run on worker threads. They may call request_savepoint(), request_stop() and request_cancel(), which never
// wait. On a thread of the job wait(), wait_for() and stop() are refused, with kUsage, since it would wait for itself. A Runtime that is
// destroyed on one ends the process, as the destructor can neither wait nor refuse.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tidemark/core/clock.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/core/log.hpp>
#include <tidemark/core/random.hpp>
#include <tidemark/core/status.hpp>
#include <tidemark/core/time.hpp>
#include <tidemark/operators/graph.hpp>

namespace tidemark {
inline namespace v0 {

namespace core_internal {
class Executor;
}  // namespace core_internal

struct RestoreFrom {
  enum class Kind : std::uint8_t { kLatest, kNone, kCheckpoint, kSavepoint, kDirectory };
  Kind kind = Kind::kLatest;
  CheckpointId checkpoint = 0;   // with kCheckpoint
  // With kSavepoint: its label. With kDirectory: the directory of a savepoint or checkpoint, which may be a copy and lie anywhere; it is
  // only read. A state directory with checkpoints of another lineage refuses it.
  std::string name{};
};

struct RuntimeOptions {
  // In every manifest; a state directory belongs to one job.
  std::string job_name = "job";
  // Where checkpoints live. Empty: none are taken, nothing survives the process, and sinks commit once, at the end of the input.
  std::string state_directory{};
  // Tasks per stage, at most the number of key groups (128). The output does not depend on it, and it may change from start to start.
  std::uint32_t parallelism = 1;
  // Threads for the tasks; 0: as many as the parallelism, but no more than the machine has cores.
  std::uint32_t workers = 0;
  // From the beginning of one checkpoint to the beginning of the next; results become visible that often. Zero: only the final one, and
  // those without which `memory` does not suffice.
  std::chrono::milliseconds checkpoint_every{1000};
  // A checkpoint whose rows are not on the disk after this time is given up and counts as failed; the job goes on meanwhile. Positive.
  std::chrono::milliseconds checkpoint_timeout{600'000};
  // How many checkpoints in a row may fail before the job fails.
  std::uint32_t tolerated_checkpoint_failures = 3;
  // The log says, once for each, when an operator, or a sink in its commit, has not returned for this long, and when it has returned after
  // all (fault F37); JobSnapshot::hangs has it meanwhile. Nobody is stopped. Zero: nothing is watched.
  std::chrono::milliseconds step_warning{10'000};
  // What to start from. kNone gives up what the directory holds, on purpose.
  RestoreFrom from{};
  // Begins a new lineage with what `from` holds and leaves the original as it is (R8). Needs targets of its own for all sinks; output that
  // the original has prepared and not committed is the original's. Without it the job goes on in the same lineage.
  bool fork_lineage = false;
  // Goes on from a checkpoint that was taken after a drain, which is refused otherwise (C9): its windows have fired early, and records that
  // belong to them open them anew. Keyed state and positions are as they were; what waits on time begins empty.
  bool allow_drained = false;
  // Operators, single states ("operator/state"), sources and sinks whose stored part is given up (K10), at each start that names them.
  std::vector<std::string> drop_state{};
  // Bound in bytes for hot tables, rows on their way to disk, queues between tasks and blocks read back; 0: none. Past it the state of keys
  // that were not seen lately, windows, and timers and waiting records whose time is far are in the store alone, and are read when they
  // are seen again or fire. Lists without a key stay. Needs a state directory.
  std::size_t memory = 0;
  // What a restore reads before the first record. kLazily: the manifest, and presence, size and footer of every file; then every byte of
  // them in the background, and each block when it is used. kFull: every byte of every file; so does a restore from anything but the
  // newest checkpoint of this lineage, taken where the directory is now: not in one that was copied since.
  enum class Verify : std::uint8_t { kLazily, kFull };
  Verify verify = Verify::kLazily;
  // Records in a batch, 1 to 65536. The output does not depend on it.
  std::uint32_t max_batch = 1000;
  // Bound of each queue between two tasks. What a record owns on the heap counts if footprint() knows its type, else sizeof alone.
  std::size_t queue_bytes = std::size_t{256} << 10;
  // Sorted firings and a fixed seed of the key hash: equal bytes from run to run (D4), at the cost of a sort per firing.
  bool deterministic = false;
  // Seed of the key hash; drawn at random for a new job if not given.
  std::optional<std::uint64_t> key_seed{};

  // The seams. Each outlives the runtime.
  Logger logger = Logger::to_stderr(LogLevel::kWarning);
  FileSystem* files = &posix_file_system();
  const Clock* clock = &system_clock();
  Random* random = &system_random();
  // For tests of this library alone, and not promised: what runs the job instead of threads (tests/simulation). Null: threads, as above.
  core_internal::Executor* executor = nullptr;
  // The same: after how many row files compaction begins. 0: as many as was measured to be best.
  std::uint32_t files_to_merge = 0;
};

enum class JobState : std::uint8_t {
  kRunning,
  kFinished,          // the end of the input was reached and everything is committed
  kAlreadyFinished,   // it had been before: nothing was done
  kStopped,           // after a final checkpoint; a start on the same directory goes on from there
  kCancelled,         // at once; a start on the same directory goes on from the last checkpoint
  kFailed,            // `error` says why; a start on the same directory goes on from the last checkpoint
};
std::string_view to_string(JobState state);

// A call that has not returned for longer than RuntimeOptions::step_warning.
struct Hang {
  std::string what;                         // operator "counts" of task counts/1; commit of epoch 7 by sink "results"
  std::chrono::milliseconds lasts{0};
};

// The figures of one moment. Counters run from the start of this process, not of the job.
struct JobSnapshot {
  JobState state = JobState::kRunning;
  std::chrono::milliseconds uptime{0};
  std::uint64_t records_in = 0;             // read by the sources
  std::uint64_t records_out = 0;            // given to the sinks
  std::uint64_t late = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t dropped = 0;
  EventTime watermark = kMinusInfinity;     // the least of all tasks behind a with_event_time
  CheckpointId last_checkpoint = 0;         // newest completed one; 0: none yet
  std::chrono::milliseconds since_checkpoint{0};
  std::chrono::milliseconds checkpoint_duration{0};
  std::uint64_t checkpoint_bytes = 0;       // written by the last one
  bool stopping = false;                    // a stop was accepted: the last checkpoint is next, or has been taken
  bool drained = false;                     // the last checkpoint counts as drained: who goes on from it must say so
  std::uint64_t checkpoints = 0;            // completed by this process
  std::uint64_t failed_checkpoints = 0;
  std::size_t state_memory = 0;             // bytes of hot tables, where memory is bounded
  std::vector<Hang> hangs{};                // usually none
};

struct JobResult {
  JobState state = JobState::kRunning;
  std::optional<Error> error;               // with kFailed; with kRunning: why wait() was refused
};

struct StopOptions {
  // Send +infinity first, so that all windows and timers fire, full or not (C9). The checkpoint is then for the record: going on from it is
  // refused unless allow_drained says otherwise.
  bool drain = false;
  // Keep the final checkpoint as a savepoint of this name; empty: do not.
  std::string label{};
};

// The number of the checkpoint that a request led to, as soon as it is durable and committed and, if it has a label, kept; or why there is
// none. May be let go. Waiting for it on a thread of the job would be waiting for oneself.
using CheckpointAnswer = std::future<Result<CheckpointId>>;

// What a start found in the state directory.
struct StartReport {
  CheckpointId restored_checkpoint = 0;     // 0: a fresh start
  std::string lineage;
  std::uint64_t attempt = 0;
  std::vector<std::string> restored;        // "operator/state" and "source NAME", with "(formerly OLD)" and "(migrated)" behind
  std::vector<std::string> added;           // starts empty; sinks too
  std::vector<std::string> dropped;         // given up by drop_state
};

class Runtime {
 public:
  // Builds the job, restores it, and starts its threads. An error means that nothing runs and no committed output was changed.
  static Result<std::unique_ptr<Runtime>> start(Graph graph, RuntimeOptions options);
  // Cancels the job if it still runs, and joins all threads: it returns when the last call into an operator or sink has.
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Blocks until the job has ended. Not on a thread of the job, see above.
  JobResult wait();
  // As wait(), but gives up at the deadline: nothing.
  std::optional<JobResult> wait_for(std::chrono::milliseconds deadline);

  // Take a checkpoint now and keep it under `label`, [A-Za-z0-9._-]{1,64} and not taken, in savepoints/ of the state directory; the job
  // goes on (C10). Any thread; does not wait. The savepoint is a directory that can be copied or moved and started from; nobody deletes it
  // but the user. Errors: kBadName; kBadConfiguration without a state directory; kCheckpointFailed and what the disk says; kJobNotRunning.
  CheckpointAnswer request_savepoint(std::string label);
  // Take a final checkpoint, commit, and stop (C9). Any thread; does not wait. No window fires for it unless it drains. If the label is
  // refused the job goes on; the errors are those of request_savepoint(), and kJobNotRunning if it is to drain and stops already without.
  CheckpointAnswer request_stop(StopOptions options = {});
  // Stop now, with no further checkpoint. Any thread; does not wait. A job whose sinks already commit its last one ends as it would have.
  void request_cancel();
  // request_stop(), then waits. At the deadline the job is cancelled, and the error kStopTimeout names the operators and sinks that had not
  // returned for a while.
  Status stop(std::chrono::milliseconds deadline);

  // Any thread.
  JobSnapshot snapshot() const;
  const StartReport& start_report() const;

 private:
  class Job;
  explicit Runtime(std::unique_ptr<Job> job);
  std::unique_ptr<Job> job_;
};

}  // namespace v0
}  // namespace tidemark

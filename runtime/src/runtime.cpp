#include <tidemark/runtime/runtime.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <thread>

#include <tidemark/core/check.hpp>
#include <tidemark/core/detail/thrown.hpp>
#include "src/background_check.hpp"
#include "src/control.hpp"
#include "src/job_start.hpp"
#include "src/thread_executor.hpp"
#include "src/worker.hpp"

namespace tidemark {
inline namespace v0 {

using namespace runtime_internal;

std::string_view to_string(JobState state) {
  switch (state) {
    case JobState::kRunning: return "running";
    case JobState::kFinished: return "finished";
    case JobState::kAlreadyFinished: return "already finished";
    case JobState::kStopped: return "stopped";
    case JobState::kCancelled: return "cancelled";
    case JobState::kFailed: return "failed";
  }
  TIDEMARK_CHECK(false, "unknown state");
}

namespace {

Error a_defect(const std::string& what_it_did, const std::string& broken, const std::string& what_is_left) {
  return Error{.code = ErrorCode::kBrokenInvariant,
               .message = "a defect in Tidemark " + what_it_did,
               .facts = {{"broken", broken}},
               .why = "what follows a broken invariant cannot be trusted; nothing more was written or committed",
               .fix = "please report it; " + what_is_left};
}

}  // namespace

class Runtime::Job {
 public:
  Job(Graph graph, RuntimeOptions options)
      : graph_(std::move(graph)),
        options_(std::move(options)),
        io_{*options_.files, *options_.clock, options_.logger},
        began_(options_.clock->steady_now()) {}

  ~Job() {
    TIDEMARK_CHECK(!own_thread(), "a Runtime is destroyed on one of its own threads");
    if (control_) {
      control_->request_cancel();
      control_->join();
    }
  }

  Status start() {
    try {
      return prepare_and_begin();
    } catch (const JobFailure& failure) {   // operators that read their state when they are restored throw as they do on a worker
      return failure.error();
    } catch (const BrokenInvariant& broken) {
      return a_defect("refused the start", broken.what(), "the checkpoint is as it was");
    } catch (const std::system_error& refused) {
      return Error{.code = ErrorCode::kResourcesExhausted,
                   .message = "the job cannot start its threads",
                   .facts = {{"system", refused.what()}},
                   .why = "nothing was read, and what is committed stays as it is",
                   .fix = "raise the limits of the process on threads and address space, or lower `workers`"};
    }
  }

  JobResult wait() {
    if (own_thread()) return {JobState::kRunning, waits_for_itself("wait()")};
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return result_.has_value(); });
    return *result_;
  }

  std::optional<JobResult> wait_for(std::chrono::milliseconds deadline) {
    if (own_thread()) return JobResult{JobState::kRunning, waits_for_itself("wait_for()")};
    std::unique_lock lock(mutex_);
    ended_.wait_for(lock, deadline, [this] { return result_.has_value(); });
    return result_;
  }

  Status stop(std::chrono::milliseconds deadline) {
    if (own_thread()) return waits_for_itself("stop()");
    request_stop({});
    // A step takes a millisecond or two: who is in the same one at two looks does not return.
    const auto between_looks = std::min(deadline / 4, std::chrono::milliseconds{100});
    if (wait_for(deadline - between_looks)) return {};
    std::vector<std::uint64_t> steps;
    for (const auto& task : job_.tasks) steps.push_back(task->step_under_way());
    if (wait_for(between_looks)) return {};
    std::vector<std::pair<std::string, std::string>> facts;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const Task& task = *job_.tasks[i];
      if (steps[i] == 0 || task.step_under_way() != steps[i]) continue;
      const std::string batch = task.last_batch();
      facts.emplace_back("does not return", task.at_work() + (batch.empty() ? "" : ", " + batch));
    }
    for (std::string& commit : control_->commits_under_way()) facts.emplace_back("does not return", std::move(commit));
    if (facts.empty()) facts.emplace_back("in work", "a checkpoint, which waits for the disk or for a sink to prepare its output");
    request_cancel();
    return Error{.code = ErrorCode::kStopTimeout,
                 .message = "the job did not stop within " + std::to_string(deadline.count()) + " ms",
                 .facts = std::move(facts),
                 .fix = "look at what that operator or sink waits for; the job was cancelled, and goes on from its last checkpoint when it "
                        "is started again"};
  }

  CheckpointAnswer request_savepoint(std::string label) {
    return control_ ? control_->request_savepoint(std::move(label)) : had_finished();
  }
  CheckpointAnswer request_stop(StopOptions options) { return control_ ? control_->request_stop(std::move(options)) : had_finished(); }
  void request_cancel() {
    if (control_) control_->request_cancel();
  }

  JobSnapshot snapshot() const {
    JobSnapshot snapshot;
    {
      const std::lock_guard lock(mutex_);
      if (result_) snapshot.state = result_->state;
    }
    snapshot.uptime = std::chrono::duration_cast<std::chrono::milliseconds>(options_.clock->steady_now() - began_);
    std::optional<EventTime> least;
    for (const auto& task : job_.tasks) {
      const TaskGauges& gauges = task->gauges();
      snapshot.records_in += gauges.records_in.load(std::memory_order_relaxed);
      snapshot.records_out += gauges.records_out.load(std::memory_order_relaxed);
      snapshot.late += gauges.late.load(std::memory_order_relaxed);
      snapshot.quarantined += gauges.quarantined.load(std::memory_order_relaxed);
      snapshot.dropped += gauges.dropped.load(std::memory_order_relaxed);
      if (!task->waits_for_event_time()) continue;
      least = std::min(least.value_or(kPlusInfinity), event_time(gauges.watermark.load(std::memory_order_relaxed)));
    }
    snapshot.watermark = least.value_or(kMinusInfinity);
    if (memory_) snapshot.state_memory = memory_->used();
    if (control_) control_->fill(snapshot);
    return snapshot;
  }

  const StartReport& report() const { return report_; }

 private:
  core_internal::Executor& executor() { return options_.executor != nullptr ? *options_.executor : thread_executor(); }

  void make_workers() {
    std::uint32_t count = options_.workers;
    if (count == 0) count = std::min(options_.parallelism, std::max(1U, std::thread::hardware_concurrency()));
    count = std::min(count, static_cast<std::uint32_t>(job_.tasks.size()));
    for (std::uint32_t i = 0; i < count; ++i) {
      workers_.push_back(std::make_unique<Worker>(executor(), "worker " + std::to_string(i),
                                                  [this](Stepped& task) { on_failure(static_cast<Task&>(task)); }));
    }
    // Tasks of one subtask share a worker, so that what is handed on stays in its cache.
    for (auto& task : job_.tasks) {
      Worker& worker = *workers_[task->subtask() % count];
      worker.add(*task);
      task->worker = &worker.waker();
    }
    for (auto& task : job_.tasks) {
      for (Task::Input& input : task->inputs) input.channel->consumed_by(*task->worker);
      for (auto& writer : task->writers) writer->produced_by(*task->worker);
    }
  }

  Status prepare_and_begin() {
    TIDEMARK_ASSIGN(PreparedJob prepared, prepare_job(graph_, options_, io_));
    report_ = std::move(prepared.report);
    if (prepared.already_finished) {
      end({JobState::kAlreadyFinished, std::nullopt});
      return {};
    }
    memory_ = std::move(prepared.memory);
    job_ = std::move(prepared.job);
    io_pool_ = executor().jobs("tidemark-io", 2);
    control_ = std::make_unique<Control>(options_, executor(), *io_pool_, std::move(prepared.facts), job_,
                                         [this](JobResult result) { shut_down(std::move(result)); });
    make_workers();
    for (auto& task : job_.tasks) {
      Task::Reports reports{
          .on_snapshot = [this](TaskSnapshot snapshot,
                                std::optional<Error> error) { control_->on_snapshot(std::move(snapshot), std::move(error)); },
          .on_ended = [this](std::size_t index, bool cut_off) { control_->on_task_ended(index, cut_off); },
          .on_no_memory = [this](std::size_t index) { on_no_memory(*job_.tasks[index]); },
          .on_memory_spent = [this] { control_->on_memory_spent(); }};
      std::unique_ptr<SnapshotRows> rows;
      if (prepared.checkpoints) {
        rows = std::make_unique<SnapshotRows>(
            SnapshotRows::Options{.io = io_pool_.get(),
                                  .files = options_.files,
                                  .stem = join_path(prepared.rows_directory, task->stage() + "-" + std::to_string(task->subtask())),
                                  .pieces = prepared.row_pieces,
                                  .memory = memory_.get(),
                                  .on_caught_up = [task = task.get()] { task->worker->wake_if_asleep(); }});
      }
      task->begin(std::move(reports), io_pool_.get(), std::move(rows), memory_.get());
    }
    if (!prepared.unchecked.empty()) {
      check_ = std::make_shared<BackgroundCheck>(*io_pool_, *options_.files, std::move(prepared.unchecked_directory),
                                                 std::move(prepared.unchecked),
                                                 [this](Status status) { control_->on_checked(std::move(status)); });
    }
    // The control thread last: it joins the workers when a short job ends.
    for (auto& worker : workers_) worker->start();
    if (check_) check_->start();
    try {
      control_->start();
    } catch (...) {
      // The check tells the control of what it finds.
      if (check_) check_->stop();
      io_pool_->join();
      throw;
    }
    return {};
  }

  // In a catch block on a worker's thread.
  void on_failure(Task& task) {
    try {
      throw;
    } catch (const JobFailure& failure) {
      control_->on_task_failed(task.index(), failure.error(), false);
    } catch (const std::bad_alloc&) {
      on_no_memory(task);
    } catch (...) {   // also from code of the user's that nothing else guards
      control_->on_task_failed(task.index(),
                               a_defect("stopped the job in task " + task.describe(), core_internal::what_was_thrown(),
                                        "the job goes on from its last checkpoint when it is started again"),
                               true);
    }
  }

  // In the middle of anything: the task's state can be trusted as little as after a broken invariant.
  void on_no_memory(const Task& task) { control_->on_task_failed(task.index(), no_memory("task " + task.describe()), true); }

  // On the control thread; more than once only if memory ran out on the way, and then the first result holds.
  void shut_down(JobResult result) {
    for (auto& worker : workers_) worker->request_end();
    for (auto& worker : workers_) worker->join();
    if (check_) check_->stop();
    io_pool_->join();
    end(std::move(result));
  }

  void end(JobResult result) {
    const std::lock_guard lock(mutex_);
    if (!result_) result_ = std::move(result);
    ended_.notify_all();
  }

  static CheckpointAnswer had_finished() {
    std::promise<Result<CheckpointId>> answer;
    answer.set_value(ended_before_it());
    return answer.get_future();
  }

  bool own_thread() const {
    return (control_ && control_->is_current()) || (io_pool_ && io_pool_->is_current()) ||
           std::any_of(workers_.begin(), workers_.end(), [](const auto& worker) { return worker->is_current(); });
  }
  static Error waits_for_itself(const std::string& call) {
    return Error{.code = ErrorCode::kUsage,
                 .message = call + " was called on a thread of the job",
                 .why = "it would wait for itself",
                 .fix = "call request_stop() from functions of the job"};
  }

  Graph graph_;
  RuntimeOptions options_;
  IoContext io_;
  std::chrono::steady_clock::time_point began_;
  StartReport report_;
  // In this order: what is declared later refers to what is declared earlier.
  std::unique_ptr<MemoryBudget> memory_;
  BuiltJob job_;
  std::unique_ptr<core_internal::Jobs> io_pool_;
  std::shared_ptr<BackgroundCheck> check_;
  std::unique_ptr<Control> control_;
  std::vector<std::unique_ptr<Worker>> workers_;

  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::optional<JobResult> result_;
};

Runtime::Runtime(std::unique_ptr<Job> job) : job_(std::move(job)) {}
Runtime::~Runtime() = default;

Result<std::unique_ptr<Runtime>> Runtime::start(Graph graph, RuntimeOptions options) {
  try {
    auto job = std::make_unique<Job>(std::move(graph), std::move(options));
    TIDEMARK_TRY(job->start());
    return std::unique_ptr<Runtime>(new Runtime(std::move(job)));
  } catch (const std::bad_alloc&) {
    return no_memory("the start");
  }
}

JobResult Runtime::wait() { return job_->wait(); }
std::optional<JobResult> Runtime::wait_for(std::chrono::milliseconds deadline) { return job_->wait_for(deadline); }
CheckpointAnswer Runtime::request_savepoint(std::string label) { return job_->request_savepoint(std::move(label)); }
CheckpointAnswer Runtime::request_stop(StopOptions options) { return job_->request_stop(std::move(options)); }
void Runtime::request_cancel() { job_->request_cancel(); }
Status Runtime::stop(std::chrono::milliseconds deadline) { return job_->stop(deadline); }
JobSnapshot Runtime::snapshot() const { return job_->snapshot(); }
const StartReport& Runtime::start_report() const { return job_->report(); }

}  // namespace v0
}  // namespace tidemark

#include "src/run_verb.hpp"

#include <csignal>
#include <cstdio>

#include <atomic>
#include <memory>

#include <fmt/format.h>

#include "src/job_server.hpp"
#include "src/output.hpp"
#include "src/progress.hpp"

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

namespace {

// The only state that a signal handler may touch.
std::atomic<int> signals_seen{0};
std::atomic<int> last_signal{0};

extern "C" void on_signal(int signal) {
  last_signal.store(signal);
  signals_seen.fetch_add(1);
}

// While this lives SIGINT and SIGTERM are counted, and a pipe that nobody reads any more (`run 2>&1 | head`) does not end the job.
class SignalWatch {
 public:
  SignalWatch() {
    signals_seen.store(0);
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &old_interrupt_);
    sigaction(SIGTERM, &action, &old_terminate_);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, &old_pipe_);
  }
  ~SignalWatch() {
    sigaction(SIGINT, &old_interrupt_, nullptr);
    sigaction(SIGTERM, &old_terminate_, nullptr);
    sigaction(SIGPIPE, &old_pipe_, nullptr);
  }
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  struct sigaction old_interrupt_ {};
  struct sigaction old_terminate_ {};
  struct sigaction old_pipe_ {};
};

void say_how_it_starts(const StartReport& report, const RuntimeOptions& options) {
  const std::string where = options.state_directory.empty() ? std::string{"without a state directory: nothing survives this process"}
                                                            : "state in " + options.state_directory;
  if (report.restored_checkpoint == 0) {
    talk("{}: a fresh start, {}\n", options.job_name, where);
    return;   // everything is new
  }
  talk("{}: {} checkpoint {}, {}\n", options.job_name, options.fork_lineage ? "forks" : "goes on from", report.restored_checkpoint,
       where);
  if (!report.restored.empty()) talk("  matched : {}\n", fmt::join(report.restored, ", "));
  if (!report.added.empty()) talk("  new     : {}\n", fmt::join(report.added, ", "));
  if (!report.dropped.empty()) talk("  dropped : {}\n", fmt::join(report.dropped, ", "));
}

// The job matters more than that it can be talked to.
std::unique_ptr<JobServer> listen(const RuntimeOptions& options) {
  if (options.state_directory.empty()) return nullptr;
  auto server = JobServer::open(options);
  if (server.ok()) return *std::move(server);
  talk("{}: `savepoint`, `stop` and `status` will not reach this job: {}\n", options.job_name, server.error().message);
  return nullptr;
}

int exit_code_of_signal() { return last_signal.load() == SIGTERM ? 143 : 130; }

}  // namespace

int exit_code_of(ErrorCode code) {
  switch (static_cast<int>(code) / 100) {
    case 1: return kExitUsage;
    case 2: return kExitRefused;
    default: break;
  }
  switch (code) {
    case ErrorCode::kDirectoryInUse:
    case ErrorCode::kDirectoryUnsafe:
    case ErrorCode::kSinkEpochMismatch: return kExitRefused;
    default: return kExitFailed;
  }
}

int report(const Error& error) {
  talk("{}\n", error.describe());
  return exit_code_of(error.code);
}

int run_job(Graph graph, RunOptions options) {
  const SignalWatch watch;
  const std::string job = options.runtime.job_name;
  std::unique_ptr<JobServer> server;   // outlives the runtime: see JobServer::finish
  auto started = Runtime::start(std::move(graph), options.runtime);
  if (!started.ok()) return report(started.error());
  Runtime& runtime = **started;
  const StartReport& start = runtime.start_report();
  ProgressDisplay display;
  int handled = 0;
  std::optional<JobResult> result = runtime.wait_for(std::chrono::milliseconds{0});
  if (!result) {
    say_how_it_starts(start, options.runtime);
    server = listen(options.runtime);
  }
  while (!result) {
    result = runtime.wait_for(std::chrono::milliseconds{50});
    if (server) server->serve(runtime);
    if (!options.quiet && !result) display.update(runtime.snapshot());
    for (const int seen = signals_seen.load(); handled < seen && !result; ++handled) {
      if (handled == 0) {
        talk("\n{}: stopping after a final checkpoint; once more to stop at once\n", job);
        runtime.request_stop();
      } else {
        runtime.request_cancel();
      }
    }
  }
  if (server) server->finish(runtime);
  if (!options.quiet && result->state != JobState::kAlreadyFinished) display.finish(runtime.snapshot());
  switch (result->state) {
    case JobState::kFinished: talk("{}: finished; all output is committed\n", job); return kExitDone;
    case JobState::kAlreadyFinished:
      talk("{}: had finished before (checkpoint {}); nothing was written\n", job, start.restored_checkpoint);
      return kExitDone;
    case JobState::kStopped:
      talk("{}: stopped; {}\n", job,
           runtime.snapshot().drained ? "after the drain a start from here needs --allow-drained" : "the same command goes on from here");
      return handled > 0 ? exit_code_of_signal() : kExitDone;
    case JobState::kCancelled:
      talk("{}: stopped at once; the same command goes on from the last checkpoint\n", job);
      return exit_code_of_signal();
    default: break;
  }
  report(*result->error);
  return kExitFailed;
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

#include "victim.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <optional>

#include <sys/resource.h>

#include <tidemark/core/file_system.hpp>
#include <tidemark/core/log.hpp>
#include <tidemark/runtime/runtime.hpp>

namespace tidemark::torture {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kPerSplit = 4000;
constexpr double kPace = 2000;         // records of a split in a second, so that a job takes a few lives
constexpr rlim_t kMostMemory = rlim_t{1} << 30;   // of the whole process, in bytes; it takes a tenth of that

}  // namespace

payments::Splits input_of(const Job& job) {
  return payments::make_payments(job.seed, job.scenario->splits, kPerSplit, job.scenario->disorder);
}

ExitCode live(const Job& job, const Life& life) {
  const rlimit memory{kMostMemory, kMostMemory};
  ::setrlimit(RLIMIT_DATA, &memory);
  sigset_t terminate;
  sigemptyset(&terminate);
  sigaddset(&terminate, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &terminate, nullptr);   // before there are threads, which inherit it

  RuntimeOptions options;
  options.state_directory = job.directory + "/state";
  options.parallelism = life.parallelism;
  options.memory = life.memory;
  options.checkpoint_every = 20ms;
  options.max_batch = 50;
  options.queue_bytes = std::size_t{16} << 10;
  options.tolerated_checkpoint_failures = 1'000'000;   // a disk that is full is emptied again
  options.logger = Logger::to_stderr(LogLevel::kError);
  auto runtime = Runtime::start(job.scenario->graph(input_of(job), kPace, job.directory + "/out"), options);
  if (!runtime.ok()) {
    std::fprintf(stderr, "%s\n", runtime.error().describe().c_str());
    return kFailed;
  }
  std::ofstream figures(life.figures, std::ios::app);
  CheckpointId last = 0;
  std::optional<JobResult> result;
  while (!result) {
    result = (*runtime)->wait_for(20ms);
    const JobSnapshot now = (*runtime)->snapshot();
    if (now.last_checkpoint > last && now.checkpoints > 0) figures << now.checkpoint_duration.count() << std::endl;
    last = now.last_checkpoint;
    const timespec none{};
    if (::sigtimedwait(&terminate, nullptr, &none) == SIGTERM) (*runtime)->request_stop();
  }
  if (result->error) {
    std::fprintf(stderr, "%s\n", result->error->describe().c_str());
    return kFailed;
  }
  if (result->state == JobState::kAlreadyFinished) return kHadEnded;
  return result->state == JobState::kStopped ? kStopped : kInputEnded;
}

}  // namespace tidemark::torture

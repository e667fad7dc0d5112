// From a start after kill -9 to the first output, by the size of the state: a job with a keyed state is killed without warning behind its
// first checkpoint that holds all keys, and started again. With --rescale it is stopped instead and started at other parallelisms in turn.

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <tidemark/checkpoint/checkpoint_store.hpp>
#include <tidemark/memory/callback.hpp>
#include <tidemark/memory/generator.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "peer_workload.hpp"
#include "scratch_directory.hpp"

namespace {

using namespace tidemark;
using SteadyClock = std::chrono::steady_clock;
using Key = std::uint64_t;

struct Total {
  std::uint64_t count = 0;
  std::uint64_t amount = 0;
};

struct RunningTotal {
  struct Out {
    Key key;
    std::uint64_t count;
  };
  void operator()(const Key& record, Total& total, ProcessContext<Key>&, Collector<Out>& out) {
    total.amount += record % 1000;
    out({record, ++total.count});
  }
};

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

// An endless stream that goes through all keys again and again.
Graph totals(std::uint64_t keys, std::atomic<std::uint64_t>& outputs, std::atomic<std::uint64_t>& greatest_count) {
  Graph graph;
  graph.from("records", generator_source<Key>("records", ~std::uint64_t{0} >> 1, [keys](std::uint64_t i) { return peer::mix(i % keys); }))
      .key_by([](const Key& key) { return key; })
      .process<RunningTotal::Out>("totals", RunningTotal{})
      .to("out", callback_sink_by_task<RunningTotal::Out>([&](std::uint32_t) {
            return [&](const Batch<RunningTotal::Out>& batch) {
              greatest_count.store(batch.values.back().count, std::memory_order_relaxed);
              outputs.fetch_add(batch.values.size(), std::memory_order_relaxed);
            };
          }));
  return graph;
}

RuntimeOptions options_for(const std::string& directory) {
  RuntimeOptions options;
  options.job_name = "restart_bench";
  options.state_directory = directory;
  return options;
}

std::unique_ptr<Runtime> start(std::uint64_t keys, const RuntimeOptions& options, std::atomic<std::uint64_t>& outputs,
                               std::atomic<std::uint64_t>& greatest_count) {
  auto runtime = Runtime::start(totals(keys, outputs, greatest_count), options);
  if (!runtime.ok()) fail(runtime.error().describe());
  return *std::move(runtime);
}

// A start on a directory that holds all keys, up to its first output.
struct Restart {
  Restart(std::uint64_t keys, const RuntimeOptions& options) {
    const SteadyClock::time_point begin = SteadyClock::now();
    const auto ms = [begin] { return std::chrono::duration<double, std::milli>(SteadyClock::now() - begin).count(); };
    runtime = start(keys, options, outputs, greatest_count);
    start_ms = ms();
    while (outputs.load() == 0) std::this_thread::sleep_for(std::chrono::microseconds{100});
    first_output_ms = ms();
    if (greatest_count.load() < 2) fail("the restored job does not know its keys");
  }

  std::atomic<std::uint64_t> outputs{0};
  std::atomic<std::uint64_t> greatest_count{0};
  std::unique_ptr<Runtime> runtime;
  double start_ms = 0;
  double first_output_ms = 0;
};

// In a process of its own: runs until a checkpoint holds all keys, then dies.
[[noreturn]] void run_and_die(std::uint64_t keys, const std::string& directory) {
  std::atomic<std::uint64_t> outputs{0};
  std::atomic<std::uint64_t> greatest_count{0};
  const auto runtime = start(keys, options_for(directory), outputs, greatest_count);
  while (outputs.load() < keys) std::this_thread::sleep_for(std::chrono::milliseconds{5});
  const CheckpointId before = runtime->snapshot().last_checkpoint;
  while (runtime->snapshot().last_checkpoint < before + 2) std::this_thread::sleep_for(std::chrono::milliseconds{5});
  ::kill(::getpid(), SIGKILL);
  std::abort();
}

void measure(std::uint64_t keys, const std::string& directory) {
  const pid_t child = ::fork();
  if (child == 0) run_and_die(keys, directory);
  int status = 0;
  const bool waited = child > 0 && ::waitpid(child, &status, 0) == child;
  if (!waited || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) fail("the first run did not end by SIGKILL");

  const Restart restart(keys, options_for(directory));
  std::printf("RESULT keys=%llu restart_to_first_output_ms=%.1f start_ms=%.1f restored_checkpoint=%llu\n",
              static_cast<unsigned long long>(keys), restart.first_output_ms, restart.start_ms,
              static_cast<unsigned long long>(restart.runtime->start_report().restored_checkpoint));
  std::fflush(stdout);
  restart.runtime->request_cancel();
  (void)restart.runtime->wait();
}

void stop(Runtime& runtime) {
  runtime.request_stop();
  const JobResult result = runtime.wait();
  if (result.error) fail(result.error->describe());
}

// Of the newest checkpoint, by name.
std::map<std::string, StoredFile> row_files(const std::string& directory) {
  const Result<DirectoryFacts> facts = read_state_directory(posix_file_system(), directory);
  if (!facts.ok() || facts->checkpoints.empty() || facts->checkpoints.back().manifest == nullptr) fail("there is no checkpoint");
  std::map<std::string, StoredFile> files;
  for (const StoredFile& file : facts->checkpoints.back().manifest->files) {
    if (file.name.ends_with(".sst")) files[file.name] = file;
  }
  return files;
}

std::uint64_t bytes_only_in(const std::map<std::string, StoredFile>& files, const std::map<std::string, StoredFile>& others) {
  std::uint64_t bytes = 0;
  for (const auto& [name, file] : files) {
    const auto other = others.find(name);
    if (other == others.end() || other->second != file) bytes += file.size;
  }
  return bytes;
}

// Each run takes one checkpoint, when it is stopped behind its first output.
void rescale(std::uint64_t keys, const std::string& directory) {
  RuntimeOptions options = options_for(directory);
  options.checkpoint_every = std::chrono::milliseconds{0};
  {
    std::atomic<std::uint64_t> outputs{0};
    std::atomic<std::uint64_t> greatest_count{0};
    const auto runtime = start(keys, options, outputs, greatest_count);
    while (outputs.load() < keys) std::this_thread::sleep_for(std::chrono::milliseconds{5});
    stop(*runtime);
  }
  std::map<std::string, StoredFile> before = row_files(directory);
  for (const std::uint32_t parallelism : {2U, 3U, 1U}) {
    options.parallelism = parallelism;
    const Restart restart(keys, options);
    stop(*restart.runtime);
    const std::map<std::string, StoredFile> now = row_files(directory);
    const std::uint64_t rewritten = bytes_only_in(before, now);
    std::printf("RESULT keys=%llu parallelism=%u restart_to_first_output_ms=%.1f start_ms=%.1f restored_bytes=%llu "
                "rescale_bytes_rewritten=%llu new_bytes=%llu\n",
                static_cast<unsigned long long>(keys), parallelism, restart.first_output_ms, restart.start_ms,
                static_cast<unsigned long long>(bytes_only_in(before, {})), static_cast<unsigned long long>(rewritten),
                static_cast<unsigned long long>(bytes_only_in(now, before)));
    std::fflush(stdout);
    before = now;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::uint64_t> keys{1'000'000, 5'000'000, 10'000'000, 20'000'000};
  std::string directory = "build";
  bool rescaled = false;
  CLI::App app{"From a start after kill -9 to the first output"};
  app.add_option("--keys", keys, "Keys in the state; a run for each")->capture_default_str();
  app.add_option("--state", directory, "A fresh folder in it holds the files, and is removed afterwards")->capture_default_str();
  app.add_flag("--rescale", rescaled, "Restart at parallelism 2, 3 and 1 instead, with the bytes that were written anew");
  CLI11_PARSE(app, argc, argv);

  const ScratchDirectory scratch(directory, "restart_bench");
  for (const std::uint64_t each : keys) {
    std::fprintf(stderr, "%llu keys\n", static_cast<unsigned long long>(each));
    (rescaled ? rescale : measure)(each, scratch / std::to_string(each));
    std::filesystem::remove_all(scratch / std::to_string(each));
  }
  return 0;
}

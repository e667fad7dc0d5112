#pragma once
// A world of one thread: the whole runtime runs in it as it does in production, but nothing runs by itself. What could go on (a worker, the
// control loop, a job for the disk or for RocksDB) waits until it is its turn, and whose turn it is a seed decides. Time is virtual: it
// stands still while anything can go on, and then jumps to the next moment that somebody waits for. So one seed is one run, to the byte.
//
//   Simulation world{seed};
//   world.cut_after(1000);
//   auto runtime = Runtime::start(graph, world.options());
//   if (runtime.ok()) world.run(**runtime);
//
// What a process leaves behind stays: the disk, and whatever the test keeps outside. The rest goes with the Runtime.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/detail/executor.hpp>
#include <tidemark/core/random.hpp>
#include <tidemark/operators/sink.hpp>
#include <tidemark/operators/source.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/recording_file_system.hpp"
#include "memory_disk.hpp"

namespace tidemark::simulation {

// A source has so many records of each split at a time, and then none for a while.
struct Pace {
  std::size_t records = 0;
  std::chrono::milliseconds pause{0};
};
std::shared_ptr<SourceBase> paced(std::shared_ptr<SourceBase> source, Pace pace);
template <class T>
Source<T> paced(const Source<T>& source, Pace pace) {
  return Source<T>(paced(source.base(), pace));
}

class Simulation final : private core_internal::Executor {
 public:
  explicit Simulation(std::uint64_t seed);
  ~Simulation() override;

  // Those of a job in this world, in its one state directory.
  RuntimeOptions options();
  // A sink whose commits are lines of the trace, so that the process may die before one and after one.
  template <class T>
  Sink<T> watch(const std::string& name, const Sink<T>& sink) {
    return Sink<T>(watched(name, sink.base()));
  }

  // The next process dies when it has added so many lines with this text to the trace: from then on nothing that it does has an effect on
  // the disk or on targets.
  void cut_after(std::size_t lines, std::string with = {});
  bool cut() const { return cut_; }
  // After so many steps on the disk with this text, the last of them is refused; all else works.
  void fail_after(std::size_t steps, std::string with = {});
  bool failed() const { return failed_; }
  // The next process meets neither.
  void let_live();

  // Gives turns until the job has ended, which is answered, or its process was cut off: nothing. A job that can never go on fails the test.
  // `between` is called before each turn.
  std::optional<JobResult> run(Runtime& runtime, const std::function<void()>& between = [] {});

  // As it is, for a look that is no part of the trace.
  FileSystem& disk() { return disk_; }
  // One line for each decision, each step on the disk and each commit: number, virtual microseconds, who, what.
  const std::vector<std::string>& trace() const { return trace_; }

 private:
  class VirtualClock final : public Clock {
   public:
    std::chrono::steady_clock::time_point steady_now() const override { return std::chrono::steady_clock::time_point{} + now; }
    std::chrono::system_clock::time_point wall_now() const override { return std::chrono::sys_days{std::chrono::year{2026} / 1 / 1} + now; }

    std::chrono::nanoseconds now{std::chrono::hours{1}};
  };
  class Runner;
  class Queue;
  class WatchedSink;
  class WatchedCommitter;
  // A piece of work that could be done now: the next step of a loop, or a job.
  struct Choice {
    Runner* runner = nullptr;
    Queue* queue = nullptr;
    std::size_t job = 0;
  };

  std::unique_ptr<core_internal::LoopRunner> runner(std::string name, core_internal::Loop& loop) override;
  std::unique_ptr<core_internal::Jobs> jobs(const char* name, int threads) override;
  std::shared_ptr<SinkBase> watched(std::string name, std::shared_ptr<SinkBase> sink);

  std::vector<Choice> choices() const;
  bool pass_time();
  // Does one piece of work. false: there is none, now or later.
  bool go_on();
  // `work` in the name of `who`.
  template <class Work>
  void as(const std::string& who, const std::string& what, Work work);
  // Adds a line. An error: the process is dead.
  Status note(const std::string& what);
  Status note_disk_step(const std::string& what);

  SeededRandom random_;
  VirtualClock clock_;
  MemoryDisk disk_;
  test_support::RecordingFileSystem files_;
  std::vector<Runner*> runners_;   // in the order of their birth
  std::vector<Queue*> queues_;
  std::string who_ = "start";      // in whose name something is done
  std::vector<std::string> trace_;
  // Becomes due with a line of the trace.
  struct Fate {
    std::size_t lines_left = 0;   // of those with the text; 0: never
    std::string text;
    bool due_with(const std::string& line) { return lines_left > 0 && line.find(text) != std::string::npos && --lines_left == 0; }
  };
  Fate death_;
  Fate failure_;
  bool cut_ = false;
  bool failed_ = false;
};

}  // namespace tidemark::simulation

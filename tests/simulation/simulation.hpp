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
// What a process leaves behind is the disk, as a killed process leaves it, or one that lost its power. The rest goes with the Runtime.

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
#include <tidemark/runtime/runtime.hpp>

#include "../proof/disk.hpp"
#include "../proof/logged_file_system.hpp"
#include "../support/recording_file_system.hpp"
#include "memory_disk.hpp"

namespace tidemark::simulation {

class Simulation final : private core_internal::Executor {
 public:
  explicit Simulation(std::uint64_t seed);
  ~Simulation() override;

  // Those of a job in this world, in its one state directory.
  RuntimeOptions options();
  // The next process dies when it has added so many lines with this text to the trace: from then on nothing that it does has an effect on
  // the disk.
  void cut_after(std::size_t lines, std::string with = {});
  bool cut() const { return cut_; }
  // After so many steps on the disk with this text, the last of them is refused; all else works.
  void fail_after(std::size_t steps, std::string with = {});
  bool failed() const { return failed_; }
  // The next process meets neither.
  void let_live();

  // When its Runtime is gone: what the next process finds is what a disk may hold that lost its power at the end of this one. What an
  // earlier process left and nobody has synced since is in danger as well.
  void lose_power(proof::Variant variant, std::uint64_t seed);

  // Gives turns until the job has ended, which is answered, or its process was cut off, or can never go on (stuck): nothing. `between` is
  // called before each turn.
  std::optional<JobResult> run(Runtime& runtime, const std::function<void()>& between = [] {});

  // Nothing is left that could go on or become due; or the trace is so long that it will never end.
  bool stuck() const { return stuck_; }

  // As it is, for a look that is no part of the trace.
  MemoryDisk& disk() { return disk_; }
  // One line for each decision and each step on the disk: number, virtual microseconds, who, what.
  const std::vector<std::string>& trace() const { return trace_; }
  // Adds a line. An error: the process is dead.
  Status note(const std::string& what);
  // Each line as soon as it is there.
  void print_trace() { prints_ = true; }
  // For a job of little memory. Which blocks RocksDB's cache still has then depends on how malloc rounds their sizes up, which no seed
  // decides: so reads of a running store are neither traced nor refused.
  void leave_out_reads() { leaves_out_reads_ = true; }

 private:
  class VirtualClock final : public Clock {
   public:
    std::chrono::steady_clock::time_point steady_now() const override { return std::chrono::steady_clock::time_point{} + now; }
    std::chrono::system_clock::time_point wall_now() const override { return std::chrono::sys_days{std::chrono::year{2026} / 1 / 1} + now; }

    std::chrono::nanoseconds now{std::chrono::hours{1}};
  };
  class Runner;
  class Queue;
  // A piece of work that could be done now: the next step of a loop, or a job.
  struct Choice {
    Runner* runner = nullptr;
    Queue* queue = nullptr;
    std::size_t job = 0;
  };

  std::unique_ptr<core_internal::LoopRunner> runner(std::string name, core_internal::Loop& loop) override;
  std::unique_ptr<core_internal::Jobs> jobs(const char* name, int threads) override;

  std::vector<Choice> choices() const;
  bool pass_time();
  // Does one piece of work. false: there is none, now or later.
  bool go_on();
  // `work` in the name of `who`.
  template <class Work>
  void as(const std::string& who, const std::string& what, Work work);
  Status note_disk_step(const std::string& what);

  SeededRandom random_;
  VirtualClock clock_;
  MemoryDisk disk_;
  proof::LoggedFileSystem logged_;
  test_support::RecordingFileSystem files_;
  proof::Disk lasting_{{}};        // all that was logged up to the last loss of power
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
  bool stuck_ = false;
  bool prints_ = false;
  bool leaves_out_reads_ = false;
};

}  // namespace tidemark::simulation

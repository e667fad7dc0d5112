#pragma once
// The executor seam: what a job's loops and background jobs run on. Production runs them on threads; the simulation (tests/simulation) runs
// all of them on the thread of the test, one piece after another, in the order that a seed says.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace tidemark {
inline namespace v0 {
namespace core_internal {

// Told that there is something to do for a loop that may be asleep. Any thread; costs a fence when the loop is awake.
class Waker {
 public:
  virtual ~Waker() = default;
  virtual void wake_if_asleep() = 0;
};

// What goes on in bounded pieces until it has ended: a worker, the control loop. Never called by two threads at once.
class Loop {
 public:
  virtual ~Loop() = default;
  // Must not throw. false: there is nothing to do until ready(), or until pause() has passed.
  virtual bool step() = 0;
  // Whether there is something to do after a step that said no. Whoever makes it so wakes the loop.
  virtual bool ready() = 0;
  // How long the loop may sleep at most, by the job's clock; nothing: until it is woken.
  virtual std::optional<std::chrono::nanoseconds> pause() const = 0;
  // Asked by the loop's own thread alone.
  virtual bool ended() const = 0;
};

// Runs one loop, which outlives it.
class LoopRunner : public Waker {
 public:
  // Throws std::system_error if a thread cannot be had.
  virtual void start() = 0;
  // Returns when the loop has ended, or was never started.
  virtual void join() = 0;
  // Whether the caller is called by the loop.
  virtual bool is_current() const = 0;
};

// Jobs that may block: writing row files, syncing, preparing sinks' output, compaction. They run in no particular order.
class Jobs {
 public:
  virtual ~Jobs() = default;
  // `job` must not throw. It need only be movable.
  template <class Job>
  void post(Job job) {
    post_shared([shared = std::make_shared<Job>(std::move(job))] { (*shared)(); });
  }
  // Waits for all jobs, those that jobs post among them; none may be posted after.
  virtual void join() = 0;
  // Whether the caller is called by one of the jobs.
  virtual bool is_current() const = 0;

 private:
  virtual void post_shared(std::function<void()> job) = 0;
};

class Executor {
 public:
  virtual ~Executor() = default;
  // Names are for debuggers and traces.
  virtual std::unique_ptr<LoopRunner> runner(std::string name, Loop& loop) = 0;
  // At most `threads` jobs at a time. The destructor of the result joins. Throws std::system_error if a thread cannot be had.
  virtual std::unique_ptr<Jobs> jobs(const char* name, int threads) = 0;
};

// `threads` background threads (background_thread.hpp) that start at once. Throws std::system_error.
std::unique_ptr<Jobs> thread_jobs(const char* name, int threads);

}  // namespace core_internal
}  // namespace v0
}  // namespace tidemark

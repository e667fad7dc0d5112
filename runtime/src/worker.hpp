#pragma once
// A worker: one thread with its own Asio loop that steps its tasks in turn, and sleeps in the loop when none can go on.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "src/channel.hpp"

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

// What a worker steps.
class Stepped {
 public:
  enum class Step : std::uint8_t {
    kProgress,   // did something; step me again
    kWaiting,    // nothing to do until I am woken, or until wait() has passed
  };
  virtual ~Stepped() = default;
  // A bounded slice of work, under 2 ms. May throw: the job then fails.
  virtual Step step() = 0;
  // Whether something came in since the last step that said kWaiting.
  virtual bool ready() = 0;
  // How long the worker may sleep at most; zero: until woken.
  virtual std::chrono::milliseconds wait() const = 0;
};

class Worker final : public Waker {
 public:
  // `on_failure` is called in a catch block, on the worker's thread, with the task that threw; the worker then ends.
  using OnFailure = std::function<void(Stepped&)>;
  explicit Worker(OnFailure on_failure);
  ~Worker() override;

  void add(Stepped& task) { tasks_.push_back(&task); }
  void start();
  // The thread ends after the current step. Any thread.
  void request_end();
  void join();
  // Any thread; costs a fence when the worker is awake.
  void wake_if_asleep() override;
  // The task in work and since when, for the message of a stop that hangs; null between steps.
  const Stepped* in_step() const { return in_step_.load(std::memory_order_relaxed); }
  bool is_current_thread() const;

 private:
  void run();
  bool step_all();
  void sleep();

  struct Loop;   // the Asio part
  OnFailure on_failure_;
  std::vector<Stepped*> tasks_;
  std::unique_ptr<Loop> loop_;
  std::atomic<std::thread::id> thread_id_{};
  std::atomic<bool> asleep_{false};
  std::atomic<bool> end_{false};
  std::atomic<const Stepped*> in_step_{nullptr};
};

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

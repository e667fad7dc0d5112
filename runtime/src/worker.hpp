#pragma once
// A worker: a loop that steps its tasks in turn, and sleeps when none can go on.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tidemark/core/detail/executor.hpp>

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

class Worker final : private core_internal::Loop {
 public:
  // `on_failure` is called in a catch block, by the worker, with the task that threw; the worker then ends.
  using OnFailure = std::function<void(Stepped&)>;
  Worker(core_internal::Executor& executor, std::string name, OnFailure on_failure);
  ~Worker() override;

  void add(Stepped& task) { tasks_.push_back(&task); }
  core_internal::Waker& waker() { return *runner_; }
  void start() { runner_->start(); }
  // The loop ends after the current step. Any thread.
  void request_end();
  void join() { runner_->join(); }
  bool is_current() const { return runner_->is_current(); }

 private:
  bool step() override;
  bool ready() override;
  std::optional<std::chrono::nanoseconds> pause() const override;
  bool ended() const override { return end_.load(std::memory_order_relaxed); }

  OnFailure on_failure_;
  std::vector<Stepped*> tasks_;
  std::atomic<bool> end_{false};
  std::unique_ptr<core_internal::LoopRunner> runner_;
};

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

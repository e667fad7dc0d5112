#pragma once
// The threads for work that blocks: writing row files, syncing, preparing sinks' output. Jobs run in no particular order.

#include <functional>
#include <memory>
#include <utility>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

class IoPool {
 public:
  // Throws std::system_error if a thread cannot be had.
  explicit IoPool(unsigned threads);
  ~IoPool();
  // `job` must not throw. It need only be movable.
  template <class Job>
  void post(Job job) {
    post_shared([shared = std::make_shared<Job>(std::move(job))] { (*shared)(); });
  }
  // Waits for all jobs; none may be posted after.
  void join();

 private:
  void post_shared(std::function<void()> job);
  struct Threads;
  std::unique_ptr<Threads> threads_;
};

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

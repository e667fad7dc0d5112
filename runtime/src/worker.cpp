#include "src/worker.hpp"

#include <algorithm>
#include <utility>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

Worker::Worker(core_internal::Executor& executor, std::string name, OnFailure on_failure)
    : on_failure_(std::move(on_failure)), runner_(executor.runner(std::move(name), *this)) {}

Worker::~Worker() {
  request_end();
  join();
}

void Worker::request_end() {
  end_.store(true);
  runner_->wake_if_asleep();
}

bool Worker::step() {
  bool progress = false;
  for (Stepped* task : tasks_) {
    if (ended()) return true;
    try {
      progress |= task->step() == Stepped::Step::kProgress;
    } catch (...) {
      end_.store(true);
      on_failure_(*task);
    }
  }
  return progress;
}

bool Worker::ready() {
  return ended() || std::any_of(tasks_.begin(), tasks_.end(), [](Stepped* task) { return task->ready(); });
}

std::optional<std::chrono::nanoseconds> Worker::pause() const {
  std::optional<std::chrono::nanoseconds> shortest;
  for (const Stepped* task : tasks_) {
    const auto wait = task->wait();
    if (wait > std::chrono::milliseconds{0} && (!shortest || wait < *shortest)) shortest = wait;
  }
  return shortest;
}

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

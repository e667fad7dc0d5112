#pragma once
// For tests that hold a thread of a job where they want it.

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace tidemark::test_support {

// Holds whoever comes while it is closed.
class Gate {
 public:
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  void open() {
    const std::lock_guard lock(mutex_);
    closed_ = false;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    if (!closed_) return;
    held_ = true;
    changed_.wait(lock, [&] { return !closed_; });
    held_ = false;
  }
  bool holds_somebody() const {
    const std::lock_guard lock(mutex_);
    return held_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
  bool held_ = false;
};

// True as soon as it holds; false if it does not within a time that only a job that hangs takes.
template <class Condition>
bool comes_true(Condition condition) {
  for (int i = 0; i < 6000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  return false;
}

}  // namespace tidemark::test_support

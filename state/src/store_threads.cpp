#include "src/store_threads.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <tidemark/core/background_thread.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

namespace {

class OwnThreads final : public rocksdb::EnvWrapper {
 public:
  // The threads begin here and not when there is work, since RocksDB could not be told that one cannot be had. Throws std::system_error.
  OwnThreads(std::unique_ptr<rocksdb::Env> target, int threads) : EnvWrapper(target.get()), held_(std::move(target)) {
    file_system_ = held_->GetFileSystem();
    system_clock_ = held_->GetSystemClock();
    try {
      for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
    } catch (...) {
      end();
      throw;
    }
  }
  ~OwnThreads() override { end(); }
  const char* Name() const override { return "tidemark.own-threads"; }

  void Schedule(void (*function)(void*), void* argument, Priority priority, void* tag, void (*unscheduled)(void*)) override {
    {
      const std::lock_guard guard{mutex_};
      queue_.push_back({function, argument, priority, tag, unscheduled});
    }
    changed_.notify_one();
  }
  int UnSchedule(void* tag, Priority priority) override {
    std::vector<Work> taken;
    {
      const std::lock_guard guard{mutex_};
      std::deque<Work> kept;
      for (const Work& work : queue_) {
        if (work.tag == tag && work.priority == priority) {
          taken.push_back(work);
        } else {
          kept.push_back(work);
        }
      }
      queue_ = std::move(kept);
    }
    for (const Work& work : taken) {
      if (work.unscheduled != nullptr) work.unscheduled(work.argument);
    }
    return static_cast<int>(taken.size());
  }
  unsigned GetThreadPoolQueueLen(Priority) const override {
    const std::lock_guard guard{mutex_};
    return static_cast<unsigned>(queue_.size());
  }
  // RocksDB asks for as many as the options say, and gets what was agreed on here.
  void SetBackgroundThreads(int, Priority) override {}
  void IncBackgroundThreadsIfNeeded(int, Priority) override {}
  int GetBackgroundThreads(Priority) override { return static_cast<int>(threads_.size()); }
  int ReserveThreads(int, Priority) override { return 0; }
  int ReleaseThreads(int, Priority) override { return 0; }

 private:
  struct Work {
    void (*function)(void*);
    void* argument;
    Priority priority;
    void* tag;
    void (*unscheduled)(void*);
  };

  void end() {
    {
      const std::lock_guard guard{mutex_};
      ending_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  void work() {
    become_background_thread("tidemark-store");
    std::unique_lock lock{mutex_};
    while (true) {
      changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
      if (queue_.empty()) return;
      const Work next = queue_.front();
      queue_.pop_front();
      lock.unlock();
      next.function(next.argument);
      lock.lock();
    }
  }

  std::unique_ptr<rocksdb::Env> held_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;
  std::vector<std::thread> threads_;
  bool ending_ = false;
};

}  // namespace

std::unique_ptr<rocksdb::Env> with_own_threads(std::unique_ptr<rocksdb::Env> environment, int threads) {
  return std::make_unique<OwnThreads>(std::move(environment), threads);
}

class ReadingThreads::Team {
 public:
  explicit Team(int threads) {
    try {
      for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
    } catch (...) {
      end();
      throw;
    }
  }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team() { end(); }

  void share(std::size_t parts, const std::function<void(std::size_t)>& part) {
    Shared shared{.part = part, .parts = parts};
    bool others_help = false;
    if (parts > 1 && !threads_.empty()) {
      const std::lock_guard lock(mutex_);
      others_help = shared_ == nullptr;
      if (others_help) shared_ = &shared;
    }
    if (others_help) wanted_.notify_all();
    shared.take_parts();
    if (!others_help) return;
    std::unique_lock lock(mutex_);
    shared_ = nullptr;
    left_.wait(lock, [&] { return shared.helpers == 0; });
  }

 private:
  struct Shared {
    const std::function<void(std::size_t)>& part;
    const std::size_t parts;
    std::atomic<std::size_t> next{0};
    std::size_t helpers = 0;   // in it; under the mutex

    void take_parts() {
      for (std::size_t i = 0; (i = next.fetch_add(1)) < parts;) part(i);
    }
  };

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      wanted_.wait(lock, [this] { return ending_ || (shared_ != nullptr && shared_->next < shared_->parts); });
      if (ending_) return;
      Shared& shared = *shared_;
      ++shared.helpers;
      lock.unlock();
      shared.take_parts();
      lock.lock();
      if (--shared.helpers == 0) left_.notify_all();
    }
  }
  void end() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wanted_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  std::mutex mutex_;
  std::condition_variable wanted_;
  std::condition_variable left_;
  Shared* shared_ = nullptr;   // on the stack of whoever shares it
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

ReadingThreads::ReadingThreads(int threads) : team_(std::make_unique<Team>(threads)) {}
ReadingThreads::~ReadingThreads() = default;
void ReadingThreads::share(std::size_t parts, const std::function<void(std::size_t)>& part) { team_->share(parts, part); }

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

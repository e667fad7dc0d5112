#include "src/store_threads.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

namespace {

class JobEnvironment final : public rocksdb::EnvWrapper {
 public:
  JobEnvironment(std::unique_ptr<rocksdb::Env> target, core_internal::Jobs& jobs, int threads)
      : EnvWrapper(target.get()), held_(std::move(target)), jobs_(jobs), threads_(threads) {
    file_system_ = held_->GetFileSystem();
    system_clock_ = held_->GetSystemClock();
  }
  ~JobEnvironment() override { jobs_.join(); }
  const char* Name() const override { return "tidemark.jobs"; }

  void Schedule(void (*function)(void*), void* argument, Priority priority, void* tag, void (*unscheduled)(void*)) override {
    {
      const std::lock_guard guard{mutex_};
      queue_.push_back({function, argument, priority, tag, unscheduled});
    }
    jobs_.post([this] { run_next(); });
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
  int GetBackgroundThreads(Priority) override { return threads_; }
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

  void run_next() {
    Work next{};
    {
      const std::lock_guard guard{mutex_};
      if (queue_.empty()) return;   // taken back meanwhile
      next = queue_.front();
      queue_.pop_front();
    }
    next.function(next.argument);
  }

  std::unique_ptr<rocksdb::Env> held_;
  core_internal::Jobs& jobs_;
  const int threads_;
  mutable std::mutex mutex_;
  std::deque<Work> queue_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> with_jobs(std::unique_ptr<rocksdb::Env> environment, core_internal::Jobs& jobs, int threads) {
  return std::make_unique<JobEnvironment>(std::move(environment), jobs, threads);
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

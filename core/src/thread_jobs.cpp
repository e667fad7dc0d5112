#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include <tidemark/core/background_thread.hpp>
#include <tidemark/core/detail/executor.hpp>

namespace tidemark {
inline namespace v0 {
namespace core_internal {

namespace {

thread_local const Jobs* jobs_of_this_thread = nullptr;

class ThreadJobs final : public Jobs {
 public:
  // All threads begin here and not when there is work, so that a start is refused if one cannot be had.
  ThreadJobs(const char* name, int threads) {
    try {
      for (int i = 0; i < threads; ++i) threads_.emplace_back([this, name] { work(name); });
    } catch (...) {
      join();
      throw;
    }
  }
  ThreadJobs(const ThreadJobs&) = delete;
  ThreadJobs& operator=(const ThreadJobs&) = delete;
  ~ThreadJobs() override { join(); }

  void join() override {
    {
      const std::lock_guard guard{mutex_};
      ending_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  bool is_current() const override { return jobs_of_this_thread == this; }

 private:
  void post_shared(std::function<void()> job) override {
    {
      const std::lock_guard guard{mutex_};
      queue_.push_back(std::move(job));
    }
    changed_.notify_one();
  }
  void work(const char* name) {
    become_background_thread(name);
    jobs_of_this_thread = this;
    std::unique_lock lock{mutex_};
    while (true) {
      changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
      if (queue_.empty()) return;
      {
        const std::function<void()> job = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        job();
      }   // what the job held goes before the lock is taken again
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<Jobs> thread_jobs(const char* name, int threads) { return std::make_unique<ThreadJobs>(name, threads); }

}  // namespace core_internal
}  // namespace v0
}  // namespace tidemark

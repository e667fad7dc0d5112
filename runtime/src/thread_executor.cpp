#include "src/thread_executor.hpp"

#include <atomic>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

namespace {

using core_internal::Jobs;
using core_internal::Loop;
using core_internal::LoopRunner;

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

// Not the number of the thread, which a thread of the host may be given when ours has ended.
thread_local const LoopRunner* runner_of_this_thread = nullptr;

class ThreadRunner final : public LoopRunner {
 public:
  explicit ThreadRunner(Loop& loop) : loop_(loop) {}
  ~ThreadRunner() override { join(); }

  void start() override {
    thread_ = std::thread([this] { run(); });
  }
  void join() override {
    if (thread_.joinable()) thread_.join();
  }
  bool is_current() const override { return runner_of_this_thread == this; }
  void wake_if_asleep() override {
    // Pairs with the fence in sleep(): either we see the loop asleep, or it sees what we have just made. (The thread sanitizer does not
    // know fences; it need not, since these order nothing but the two flags.)
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!asleep_.load(std::memory_order_relaxed) || !asleep_.exchange(false)) return;
    try {
      boost::asio::post(io_, [] {});
    } catch (...) {   // no memory: the loop sleeps on, and whoever ends the job must find it so
      asleep_.store(true);
      throw;
    }
  }

 private:
  void run() {
    runner_of_this_thread = this;
    while (!loop_.ended()) {
      if (!loop_.step()) sleep();
    }
  }
  void sleep() {
    // A neighbour is usually about to hand something over: going to sleep and being woken costs more than looking a few times.
    for (int look = 0; look < 200; ++look) {
      if (loop_.ready()) return;
      relax();
    }
    asleep_.store(true);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!loop_.ready()) {
      if (const auto pause = loop_.pause()) {
        io_.run_one_for(*pause);
      } else {
        io_.run_one();
      }
    }
    asleep_.store(false);
  }

  Loop& loop_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{io_.get_executor()};
  std::thread thread_;
  std::atomic<bool> asleep_{false};
};

class ThreadExecutor final : public core_internal::Executor {
 public:
  std::unique_ptr<LoopRunner> runner(std::string, Loop& loop) override { return std::make_unique<ThreadRunner>(loop); }
  std::unique_ptr<Jobs> jobs(const char* name, int threads) override { return core_internal::thread_jobs(name, threads); }
};

}  // namespace

core_internal::Executor& thread_executor() {
  static ThreadExecutor executor;
  return executor;
}

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

#include "src/worker.hpp"

#include <algorithm>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

namespace {
void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}
}  // namespace

struct Worker::Loop {
  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{io.get_executor()};
  std::thread thread;
};

Worker::Worker(OnFailure on_failure) : on_failure_(std::move(on_failure)), loop_(std::make_unique<Loop>()) {}

Worker::~Worker() {
  request_end();
  join();
}

void Worker::start() {
  loop_->thread = std::thread([this] { run(); });
}

void Worker::request_end() {
  end_.store(true);
  wake_if_asleep();
}

void Worker::join() {
  if (loop_->thread.joinable()) loop_->thread.join();
}

bool Worker::is_current_thread() const { return thread_id_.load() == std::this_thread::get_id(); }

void Worker::wake_if_asleep() {
  // Pairs with the fence in sleep(): either we see the worker asleep, or it sees what we have just made. (The thread sanitizer does not
  // know fences; it need not, since these order nothing but the two flags.)
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (asleep_.load(std::memory_order_relaxed) && asleep_.exchange(false)) boost::asio::post(loop_->io, [] {});
}

void Worker::run() {
  thread_id_.store(std::this_thread::get_id());
  while (!end_.load(std::memory_order_relaxed)) {
    if (!step_all()) sleep();
  }
}

bool Worker::step_all() {
  bool progress = false;
  for (Stepped* task : tasks_) {
    if (end_.load(std::memory_order_relaxed)) return true;
    in_step_.store(task, std::memory_order_relaxed);
    try {
      progress |= task->step() == Stepped::Step::kProgress;
    } catch (...) {
      end_.store(true);
      on_failure_(*task);
    }
    in_step_.store(nullptr, std::memory_order_relaxed);
  }
  return progress;
}

void Worker::sleep() {
  auto ready = [this] {
    return end_.load(std::memory_order_relaxed) || std::any_of(tasks_.begin(), tasks_.end(), [](Stepped* task) { return task->ready(); });
  };
  // A neighbour is usually about to hand something over: going to sleep and being woken costs more than looking a few times.
  for (int look = 0; look < 200; ++look) {
    if (ready()) return;
    relax();
  }
  asleep_.store(true);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (ready()) {
    asleep_.store(false);
    return;
  }
  std::chrono::milliseconds longest{0};
  for (const Stepped* task : tasks_) {
    const auto wait = task->wait();
    if (wait > std::chrono::milliseconds{0} && (longest == std::chrono::milliseconds{0} || wait < longest)) longest = wait;
  }
  if (longest > std::chrono::milliseconds{0}) {
    loop_->io.run_one_for(longest);
  } else {
    loop_->io.run_one();
  }
  asleep_.store(false);
}

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

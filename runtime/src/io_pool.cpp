#include "src/io_pool.hpp"

#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <tidemark/core/background_thread.hpp>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

// Not an asio::thread_pool: that of Boost 1.81 waits for ever in its constructor if a thread but the first cannot be had.
struct IoPool::Threads {
  explicit Threads(unsigned count) {
    try {
      for (unsigned i = 0; i < count; ++i) {
        threads.emplace_back([this] {
          become_background_thread("tidemark-io");
          io.run();
        });
      }
    } catch (...) {
      join();
      throw;
    }
  }
  void join() {
    guard.reset();
    for (std::thread& thread : threads) {
      if (thread.joinable()) thread.join();
    }
  }

  boost::asio::io_context io;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{io.get_executor()};
  std::vector<std::thread> threads;
};

IoPool::IoPool(unsigned threads) : threads_(std::make_unique<Threads>(threads)) {}
IoPool::~IoPool() { join(); }
void IoPool::post_shared(std::function<void()> job) { boost::asio::post(threads_->io, std::move(job)); }
void IoPool::join() { threads_->join(); }

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

#include "src/io_pool.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <tidemark/core/background_thread.hpp>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

struct IoPool::Threads {
  explicit Threads(unsigned count) : pool(count) {}
  boost::asio::thread_pool pool;
};

IoPool::IoPool(unsigned threads) : threads_(std::make_unique<Threads>(threads)) {}
IoPool::~IoPool() { join(); }
void IoPool::post_shared(std::function<void()> job) {
  boost::asio::post(threads_->pool, [job = std::move(job)] {
    thread_local const bool once = (become_background_thread("tidemark-io"), true);
    static_cast<void>(once);
    job();
  });
}
void IoPool::join() { threads_->pool.join(); }

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

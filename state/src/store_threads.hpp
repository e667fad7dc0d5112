#pragma once
// Who does a store's work beside its caller: compaction, and reading. Its own jobs and threads, so that they end with it and the host's
// other stores never wait for them.

#include <cstddef>
#include <functional>
#include <memory>

#include <rocksdb/env.h>

#include <tidemark/core/detail/executor.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

// `environment`, with RocksDB's background work among `jobs`: these run `threads` at a time, are the store's own, and outlive the result,
// whose destructor joins them. They are of lower priority than the job: what is compacted a little later costs nothing, what delays
// records does. Under a seed's executor there may be no thread for them but the caller's, so a store joins them before it is closed.
std::unique_ptr<rocksdb::Env> with_jobs(std::unique_ptr<rocksdb::Env> environment, core_internal::Jobs& jobs, int threads);

// Threads that help whoever has many rows to look up: each row waits for the disk, or for a block to be unpacked, by itself.
class ReadingThreads {
 public:
  // Throws std::system_error.
  explicit ReadingThreads(int threads);
  ~ReadingThreads();

  // Calls part(i) for each i below `parts`, on the calling thread and on those that have nothing to do; returns when all have returned. Any
  // thread may call; whoever finds the others taken does it alone. `part` must not throw.
  void share(std::size_t parts, const std::function<void(std::size_t)>& part);

 private:
  class Team;
  std::unique_ptr<Team> team_;
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

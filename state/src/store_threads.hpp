#pragma once
// The threads of a store, for compaction and for reading: its own, so that they end with it and the host's other stores never wait for
// them.

#include <cstddef>
#include <functional>
#include <memory>

#include <rocksdb/env.h>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

// `environment` with `threads` threads of its own for RocksDB's background work, of lower priority than the job's: what is compacted a
// little later costs nothing, what delays records does. They start with the first work and are joined by the destructor, which the store
// that uses them must not outlive.
std::unique_ptr<rocksdb::Env> with_own_threads(std::unique_ptr<rocksdb::Env> environment, int threads);

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

#pragma once
// RocksDB's way to the disk, through the file system seam: so that the same faults can be injected under it and the same steps recorded.
// Its background work is in store_threads.hpp.

#include <memory>
#include <mutex>
#include <string>

#include <rocksdb/env.h>

#include <tidemark/core/file_system.hpp>
#include <tidemark/core/log.hpp>
#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

// The first read that failed. RocksDB does not always look: 7.8.3 takes a file in whose first block it could not read, with wrong bounds.
class ReadFailures {
 public:
  void add(const Status& failed) {
    const std::lock_guard guard{mutex_};
    if (first_.ok()) first_ = failed;
  }
  Status first() const {
    const std::lock_guard guard{mutex_};
    return first_;
  }

 private:
  mutable std::mutex mutex_;
  Status first_;
};

// `files` outlives the result. Only row files (*.sst) are ever synced: nothing else of a live store is read by another process start, and
// what a checkpoint needs of it is copied and synced there.
// Row files outside of `store` (empty: there are none) are read whole when they are opened: these are about to be ingested, and RocksDB
// 7.8.3 ends the process by an assertion of its own if it cannot read a block meanwhile.
std::unique_ptr<rocksdb::Env> make_environment(FileSystem& files, std::shared_ptr<ReadFailures> failures, const std::string& store = {});
// Warnings and errors of RocksDB, as lines of ours.
std::shared_ptr<rocksdb::Logger> make_rocksdb_logger(Logger logger);
// `what` is a verb and its object: "open the store in \"a/b\"". Corruption becomes kCheckpointCorrupt, all else kStorageFailed.
Error error_of(const rocksdb::Status& status, const std::string& what);

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

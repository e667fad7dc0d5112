#pragma once
// The second step of a restore's verification (R3): every byte of the restored checkpoint, file by file, while the job runs.

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tidemark/core/detail/executor.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/state/store.hpp>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

class BackgroundCheck : public std::enable_shared_from_this<BackgroundCheck> {
 public:
  // `done` is called once, on a thread of the pool, with the first file that is not what it was; not if stop() came before. All outlive the
  // pool's jobs.
  BackgroundCheck(core_internal::Jobs& pool, FileSystem& files, std::string directory, std::vector<StoredFile> stored,
                  std::function<void(Status)> done)
      : pool_(pool), files_(files), directory_(std::move(directory)), stored_(std::move(stored)), done_(std::move(done)) {}

  void start() { post(0); }
  // Any thread. The file in work is read to its end.
  void stop() { stopped_.store(true, std::memory_order_relaxed); }

 private:
  // One job for each file, so that row files of a checkpoint come in between.
  void post(std::size_t next) {
    pool_.post([self = shared_from_this(), next] { self->check(next); });
  }
  void check(std::size_t next) {
    if (stopped_.load(std::memory_order_relaxed)) return;
    if (next == stored_.size()) return done_({});
    const Status status = verify_files(files_, directory_, {stored_[next]});
    if (!status.ok()) return done_(status);
    post(next + 1);
  }

  core_internal::Jobs& pool_;
  FileSystem& files_;
  std::string directory_;
  std::vector<StoredFile> stored_;
  std::function<void(Status)> done_;
  std::atomic<bool> stopped_{false};
};

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// One task's part of one checkpoint, on its way from the barrier to the coordinator.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <tidemark/checkpoint/manifest.hpp>
#include <tidemark/core/status.hpp>
#include <tidemark/state/store.hpp>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

// What of a timed or stamped state the manifest must say (R2); gathered at the freeze.
struct BucketFacts {
  StateId id = 0;
  EventTime dropped_through = kMinusInfinity;
  std::vector<EventTime> live;
};

// A row file, in the order in which files are taken in: later ones win.
struct SnapshotFile {
  bool early = false;          // its rows were encoded before their turn
  std::uint64_t number = 0;    // ascending within a task
  RowFile file;

  friend bool operator<(const SnapshotFile& a, const SnapshotFile& b) {
    return std::tuple(!a.early, a.number) < std::tuple(!b.early, b.number);
  }
};

struct TaskSnapshot {
  CheckpointId checkpoint = 0;
  std::size_t task = 0;
  std::uint64_t number = 0;                         // how many the task began before this one
  TaskEntry entry;
  std::map<std::uint32_t, SplitEntry> splits;       // by number; sources
  std::vector<BucketFacts> buckets;
  std::vector<SnapshotFile> row_files;
  std::uint64_t bytes = 0;
  std::vector<CommittableEntry> committables;
};

// Collects what the I/O pool makes of a snapshot; when the last part is done, reports once. Thread-safe.
class SnapshotWork {
 public:
  // `error` is set if a part failed; the snapshot holds what did not fail.
  using Report = std::function<void(TaskSnapshot, std::optional<Error>)>;
  SnapshotWork(TaskSnapshot snapshot, Report report) : snapshot_(std::move(snapshot)), report_(std::move(report)) {}

  // A part was begun; each is finished once by finish(). The task itself is a part until it has encoded everything.
  void begin() {
    const std::lock_guard lock(mutex_);
    ++open_;
  }
  // `add` puts the part's result into the snapshot.
  void finish(const Status& status, const std::function<void(TaskSnapshot&)>& add = {}) {
    {
      const std::lock_guard lock(mutex_);
      // A sink that failed ends the attempt, so no other error may hide it.
      const bool sink_failed = !status.ok() && status.error().code == ErrorCode::kSinkFailed;
      if (!status.ok() && (!error_ || sink_failed)) error_ = status.error();
      if (status.ok() && add) add(snapshot_);
      if (--open_ > 0) return;
    }
    report_(std::move(snapshot_), std::move(error_));
  }

 private:
  std::mutex mutex_;
  std::size_t open_ = 1;
  TaskSnapshot snapshot_;
  std::optional<Error> error_;
  Report report_;
};

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

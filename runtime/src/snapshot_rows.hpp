#pragma once
// The rows of a task's part of a checkpoint, on their way from the states to row files.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <tidemark/core/detail/executor.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/state/memory_budget.hpp>
#include <tidemark/state/rows.hpp>
#include <tidemark/state/store.hpp>

#include "src/snapshot.hpp"

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

using core_internal::Jobs;

class RowFilePart;

// How the rows of a task are cut on their way to disk.
struct RowPieces {
  std::size_t bytes = 0;        // of rows gathered in memory before they are handed over
  std::size_t file_bytes = 0;   // of rows in a file; at least `bytes`
  std::size_t in_flight = 0;    // pieces that may be on their way at a time: then the task waits with encoding
};

// States encode most rows in their turn, nearly in the order of their keys, and some before it, because a record is about to change them.
// The two are kept apart: the files of the first then cover ranges of keys side by side, and whoever looks for a key looks into one of
// them. A file is written in pieces, so that its size does not follow from the memory that there is for rows.
//
// Belongs to its task's thread; the writing is done by the I/O pool.
class SnapshotRows final : public RowSink {
 public:
  struct Options {
    Jobs* io = nullptr;
    FileSystem* files = nullptr;
    std::string stem;                    // of the paths of files: directory and task
    RowPieces pieces{};
    MemoryBudget* memory = nullptr;      // null: no bound; outlives the object
    std::function<void()> on_caught_up;  // from any thread: is_behind() may have become false
  };
  explicit SnapshotRows(Options options) : options_(std::move(options)) { account_.attach(options_.memory); }
  ~SnapshotRows() override;

  // Each file is a part of `work`.
  void begin(CheckpointId checkpoint, std::shared_ptr<SnapshotWork> work);
  // Whether what is put from now on comes in its turn.
  void set_in_turn(bool in_turn) { to_ = in_turn ? &in_turn_ : &early_; }
  void put(ByteView key, ByteView value) override { to_->put(key, value); }
  void erase(ByteView key) override { to_->erase(key); }
  // There is enough for a piece. Small pieces are not worth a step: rows that do not come in the order of their keys, such as those of
  // timers, are sorted piece by piece, and each becomes a file.
  bool is_full() const override {
    return std::max(early_.bytes(), in_turn_.bytes()) >= std::max(options_.pieces.bytes, std::size_t{2} << 20);
  }

  // Hands over what is enough for a piece; `all`: everything, and the checkpoint gets no more.
  void hand_over(bool all);
  // The checkpoint was given up before all was handed over.
  void give_up();
  // No more should be encoded until the disk has caught up.
  bool is_behind() const;
  // While the disk is behind, records make rows early all the same. What is held beyond what the pieces are to take is charged to the
  // memory budget.
  void charge() {
    const std::size_t held = early_.bytes() + in_turn_.bytes() + bytes_in_flight_.load(std::memory_order_relaxed);
    const std::size_t planned = options_.pieces.bytes * options_.pieces.in_flight;
    account_.set(held - std::min(held, planned));
  }

 private:
  std::shared_ptr<RowFilePart> new_file(bool early);
  // What is left of `rows` is empty.
  void add(RowFilePart& file, RowRun& rows, bool last);
  void end();
  // Forgets the rows, and keeps their memory for later if that is no more than pieces are to take.
  void forget(RowRun& rows) const;

  Options options_;
  RowRun in_turn_;
  RowRun early_;
  RowRun* to_ = &early_;
  CheckpointId checkpoint_ = 0;
  std::shared_ptr<SnapshotWork> work_;
  std::shared_ptr<RowFilePart> open_;    // takes the next piece of in_turn_
  std::size_t open_bytes_ = 0;           // of rows that it got
  bool cut_ = false;                     // the checkpoint has more than one file or piece
  std::uint64_t files_ = 0;              // begun
  std::size_t pieces_ = 0;               // handed over since the checkpoint began
  std::atomic<std::size_t> pieces_in_flight_{0};
  std::atomic<std::size_t> bytes_in_flight_{0};
  MemoryAccount account_;
  std::mutex mutex_;
  std::vector<RowRun> spare_;            // written, and empty; as many as the last checkpoint had use for
};

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

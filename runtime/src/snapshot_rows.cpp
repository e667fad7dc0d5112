#include "src/snapshot_rows.hpp"

#include <deque>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include <tidemark/core/check.hpp>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

// One file, or several where rows come so far out of order that one will not do. Its pieces are written one after the other.
class RowFilePart : public std::enable_shared_from_this<RowFilePart> {
 public:
  RowFilePart(Jobs& io, FileSystem& files, std::string stem, bool early, std::uint64_t number, std::shared_ptr<SnapshotWork> work)
      : io_(io), files_(files), stem_(std::move(stem)), early_(early), number_(number), work_(std::move(work)) {
    work_->begin();
  }

  // `done` gets the rows back when they are on disk, or cannot be.
  void add(RowRun rows, bool last, std::function<void(RowRun)> done) { add({std::move(rows), last, std::move(done), {}}); }
  void give_up() {
    add({.rows = {}, .last = true, .done = [](RowRun) {},
         .verdict = Error{.code = ErrorCode::kCheckpointFailed, .message = "the checkpoint was given up"}});
  }

 private:
  struct Piece {
    RowRun rows;
    bool last = false;
    std::function<void(RowRun)> done;
    Status verdict;   // an error: what was written is of no use
  };

  void add(Piece piece) {
    {
      const std::lock_guard lock(mutex_);
      pieces_.push_back(std::move(piece));
      if (std::exchange(running_, true)) return;
    }
    io_.post([self = shared_from_this()] { self->run(); });
  }
  void run() {
    while (true) {
      Piece piece;
      {
        const std::lock_guard lock(mutex_);
        if (pieces_.empty()) {
          running_ = false;
          return;
        }
        piece = std::move(pieces_.front());
        pieces_.pop_front();
      }
      if (status_.ok()) status_ = piece.verdict;
      if (status_.ok() && piece.rows.rows() > 0) status_ = write(piece.rows);
      if (status_.ok() && piece.last) status_ = finish_file();
      piece.done(std::move(piece.rows));
      if (piece.last) return report();
    }
  }
  Status write(const RowRun& rows) {
    for (bool taken = false; !taken;) {
      if (file_ == nullptr) {
        TIDEMARK_ASSIGN(file_, create_row_file(files_, stem_ + "-" + std::to_string(written_.size()) + ".sst"));
      }
      TIDEMARK_ASSIGN(taken, file_->append(rows));
      if (!taken) TIDEMARK_TRY(finish_file());
    }
    return {};
  }
  Status finish_file() {
    if (file_ == nullptr) return {};
    TIDEMARK_ASSIGN(RowFile written, file_->finish());
    file_.reset();
    bytes_ += written.size;
    written_.push_back(std::move(written));
    return {};
  }
  void report() {
    file_.reset();
    if (!status_.ok()) {
      for (const RowFile& file : written_) (void)files_.remove_file(file.path).ok();
    }
    work_->finish(status_, [&](TaskSnapshot& into) {
      into.bytes += bytes_;
      for (RowFile& file : written_) into.row_files.push_back({early_, number_, std::move(file)});
    });
  }

  Jobs& io_;
  FileSystem& files_;
  const std::string stem_;
  const bool early_;
  const std::uint64_t number_;
  const std::shared_ptr<SnapshotWork> work_;
  std::mutex mutex_;
  std::deque<Piece> pieces_;
  bool running_ = false;

  // Of the thread that runs.
  Status status_;
  std::unique_ptr<RowFileWriter> file_;
  std::vector<RowFile> written_;
  std::uint64_t bytes_ = 0;
};

SnapshotRows::~SnapshotRows() = default;

void SnapshotRows::begin(CheckpointId checkpoint, std::shared_ptr<SnapshotWork> work) {
  TIDEMARK_CHECK(work_ == nullptr, "checkpoint " + std::to_string(checkpoint));
  checkpoint_ = checkpoint;
  work_ = std::move(work);
  set_in_turn(false);
}

void SnapshotRows::hand_over(bool all) {
  if (all && !cut_ && early_.bytes() + in_turn_.bytes() <= options_.pieces.bytes) {
    early_.append(std::move(in_turn_));   // few rows: one file for both
  }
  if (early_.rows() > 0 && (all || early_.bytes() >= options_.pieces.bytes)) {
    add(*new_file(true), early_, true);
  }
  if (in_turn_.rows() > 0 && (all || in_turn_.bytes() >= options_.pieces.bytes)) {
    if (open_ == nullptr) open_ = new_file(false);
    open_bytes_ += in_turn_.bytes();
    const bool full = open_bytes_ >= options_.pieces.file_bytes;
    add(*open_, in_turn_, all || full);
    if (all || full) open_.reset();
  }
  if (all && open_ != nullptr) add(*std::exchange(open_, nullptr), in_turn_, true);   // which is empty
  if (all) end();
}

void SnapshotRows::give_up() {
  if (open_ != nullptr) open_->give_up();
  end();
}

bool SnapshotRows::is_behind() const { return pieces_in_flight_.load(std::memory_order_acquire) >= options_.pieces.in_flight; }

std::shared_ptr<RowFilePart> SnapshotRows::new_file(bool early) {
  cut_ = true;
  open_bytes_ = 0;
  const std::uint64_t number = files_++;
  return std::make_shared<RowFilePart>(*options_.io, *options_.files,
                                       options_.stem + "-" + std::to_string(checkpoint_) + "-" + std::to_string(number), early, number,
                                       work_);
}

void SnapshotRows::add(RowFilePart& file, RowRun& rows, bool last) {
  ++pieces_;
  RowRun empty;
  {
    const std::lock_guard lock(mutex_);
    if (!spare_.empty()) {
      empty = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  pieces_in_flight_.fetch_add(1, std::memory_order_relaxed);
  const std::size_t bytes = rows.bytes();
  bytes_in_flight_.fetch_add(bytes, std::memory_order_relaxed);
  file.add(std::exchange(rows, std::move(empty)), last, [this, bytes](RowRun written) {
    forget(written);
    bytes_in_flight_.fetch_sub(bytes, std::memory_order_relaxed);
    {
      const std::lock_guard lock(mutex_);
      if (spare_.size() < options_.pieces.in_flight) spare_.push_back(std::move(written));
    }
    pieces_in_flight_.fetch_sub(1, std::memory_order_release);
    options_.on_caught_up();
  });
}

void SnapshotRows::forget(RowRun& rows) const {
  if (rows.bytes() > 2 * options_.pieces.bytes) {
    rows = RowRun{};
  } else {
    rows.clear();
  }
}

void SnapshotRows::end() {
  open_.reset();
  forget(in_turn_);
  forget(early_);
  cut_ = false;
  work_.reset();
  const std::lock_guard lock(mutex_);
  if (spare_.size() > pieces_) spare_.resize(pieces_);
  pieces_ = 0;
}

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// The durable and cold tier of a job's state: sorted rows on disk. Hot tables (keyed_table.hpp and its neighbours) hand it the rows that
// changed, as files; a checkpoint is a set of links to its files. It knows rows, not their meaning, but for the time bucket of timed
// states and the time at which rows of stamped states were written.
//
// Life of a row: RowRun (memory) -> RowFileWriter (a synced file) -> StateStore::ingest -> StateStore::link_into (a checkpoint) ->
// restore_store, or open_stored_rows for those who only look. Thread rule: writing and verifying files may run on any thread, also at
// the same time; calls on one StateStore come one at a time, but for those of ColdRows, which any thread may make. Errors: kStorageFailed
// when the disk refuses; kCheckpointCorrupt when stored bytes are not what was written. Each names the file.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/core/log.hpp>
#include <tidemark/core/status.hpp>
#include <tidemark/core/time.hpp>
#include <tidemark/state/cold_rows.hpp>
#include <tidemark/state/rows.hpp>

namespace tidemark {
inline namespace v0 {

namespace core_internal {
class Executor;
}  // namespace core_internal

// A file of a checkpoint, as its manifest lists it.
struct StoredFile {
  std::string name;             // within its directory
  std::uint64_t size = 0;
  std::uint64_t checksum = 0;   // XXH3, 64 bit, seed 0, of the whole file
  friend bool operator==(const StoredFile&, const StoredFile&) = default;
};

// Rows of one task on their way to disk. Filled on the task's thread, then moved to the I/O pool. Bytes are copied in; a moved-from run is
// empty.
class RowRun final : public RowSink {
 public:
  RowRun();
  ~RowRun() override;
  RowRun(RowRun&&) noexcept;
  RowRun& operator=(RowRun&&) noexcept;

  // Keys and values are shorter than 2 GiB.
  void put(ByteView key, ByteView value) override;
  void erase(ByteView key) override;
  std::size_t rows() const { return rows_; }     // tombstones included
  std::size_t bytes() const { return bytes_; }   // memory held by rows
  // Puts the rows of `other` behind its own; no row is copied.
  void append(RowRun other);
  // Empties the run and keeps its memory for the next rows.
  void clear();

 private:
  friend struct RowRunReader;
  struct Block {
    std::unique_ptr<char[]> data;
    std::size_t used = 0;
    std::size_t capacity = 0;
  };
  void add(ByteView key, ByteView value, std::uint32_t value_mark);
  char* room_for(std::size_t size);

  std::vector<Block> blocks_;
  std::size_t filling_ = 0;     // of blocks_; those behind it are empty
  std::size_t rows_ = 0;
  std::size_t bytes_ = 0;
};

// A finished row file, before a store takes it in.
struct RowFile {
  std::string path;
  std::uint64_t size = 0;
  std::uint64_t checksum = 0;   // as that of a StoredFile
};

// One file of rows, written piece by piece: what takes memory is a piece, not the file. A file that is not finished, or of which a call
// failed, is of no use and is removed, if that is possible, when its writer goes.
class RowFileWriter {
 public:
  virtual ~RowFileWriter() = default;
  // Sorts the rows (nearly sorted input is cheap; of equal keys the last one wins). Pieces need not be cut quite in order: the last few
  // hundred rows of each are kept back and sorted once more, among those of the next. false: nothing of the piece was taken, since a row
  // of it belongs before some that are written; it needs another file.
  virtual Result<bool> append(const RowRun& piece) = 0;
  // Writes what was kept back, and syncs. Nothing may be called after. Precondition: there was a row.
  virtual Result<RowFile> finish() = 0;
};
// `path` must not exist.
Result<std::unique_ptr<RowFileWriter>> create_row_file(FileSystem& files, const std::string& path);

// A file of one piece. Precondition: run.rows() > 0.
Result<RowFile> write_row_file(FileSystem& files, const std::string& path, const RowRun& run);

// Which rows of a state are dead without a tombstone.
struct Dropped {
  // Those of buckets at or below it; of a stamped state, those written at or below it. kPlusInfinity: all rows of the state.
  EventTime through = kMinusInfinity;
  bool stamped = false;   // the state has no buckets, and its row values begin with the time at which they were written
  friend bool operator==(const Dropped&, const Dropped&) = default;
};

class StateStore : public ColdRows {
 public:
  // Takes row files in, all or none: in that order, later files win over earlier ones and over what is there. The files
  // are moved, not read: their checksums are those that were taken while they were written. No files: success, nothing is done.
  virtual Status ingest(const std::vector<RowFile>& row_files) = 0;
  // Links (copies across file systems) every file of the store as it is now into `directory` (made by the caller, empty), syncs what it
  // wrote and the directory, and lists all with size and checksum, sorted by name.
  virtual Result<std::vector<StoredFile>> link_into(const std::string& directory) = 0;
  // Visits the live rows whose keys begin with `prefix` in key order, block checksums verified, dead rows left out; stops at the first
  // error of `visit` and returns it. The views are valid during the visit.
  virtual Status scan(ByteView prefix, const std::function<Status(ByteView key, ByteView value)>& visit) = 0;
  // By the last durable manifest (the restored one, after a restore): compaction may remove dead rows, and who reads does not see them.
  // Times never fall.
  virtual void set_dropped(std::map<StateId, Dropped> durable) = 0;
  // An error: the disk failed behind the store's back (in compaction, say) and it is of no more use. Each other call returns the same error
  // then. The job must go back to its last checkpoint, with a new store.
  virtual Status health() const = 0;
};

struct StoreOptions {
  std::size_t block_cache_bytes = std::size_t{32} << 20;   // memory for blocks read back, indexes and filters
  Logger logger = Logger::silent();                        // what RocksDB warns of
  int background_threads = 1;                              // for compaction
  // How many files of level 0 are merged at a time; why so many: store_options.cpp. The second is for a job all of whose state stays in
  // memory: it reads what a restore has left in the store and nothing else, so fewer merges are worth more files.
  int files_to_merge = 80;
  static constexpr int kFilesToMergeInMemory = 112;
  int reading_threads = 0;                                 // that help whoever looks up many rows at once
  core_internal::Executor* executor = nullptr;             // for tests: what runs compaction instead of threads; null: threads
};

// Makes an empty store in `directory`, which must not exist.
Result<std::unique_ptr<StateStore>> create_store(FileSystem& files, const std::string& directory, StoreOptions options);

// Links (copies across file systems) `files` from `checkpoint_directory` to `directory`, which must not exist, and opens the store there.
// Checks the size of every file and the footer of every row file first, and the whole content of the rest. Never writes to the checkpoint.
Result<std::unique_ptr<StateStore>> restore_store(FileSystem& files, const std::string& checkpoint_directory,
                                                  const std::vector<StoredFile>& stored, const std::string& directory,
                                                  StoreOptions options);

// The rows of a checkpoint where they lie, to be looked at.
class StoredRows {
 public:
  virtual ~StoredRows() = default;
  // As StateStore::scan.
  virtual Status scan(ByteView prefix, const std::function<Status(ByteView key, ByteView value)>& visit) = 0;
};

// Opens the files of a checkpoint in their own directory and never writes, links or locks there, so that it may be called beside a running
// job; from then on it holds them open, and does not mind if the checkpoint is removed. Checks what restore_store checks. `dropped` is
// that of the manifest, see StateStore::set_dropped. The result is used by one thread at a time.
Result<std::unique_ptr<StoredRows>> open_stored_rows(FileSystem& files, const std::string& checkpoint_directory,
                                                     const std::vector<StoredFile>& stored,
                                                     const std::map<StateId, Dropped>& dropped, StoreOptions options);

// Presence and size of every file, without reading it. Errors as for verify_files.
Status check_files(FileSystem& files, const std::string& directory, const std::vector<StoredFile>& stored);

// Reads every byte of every file and compares size and checksum. A missing file, a symbolic link, a wrong byte: kCheckpointCorrupt. Files
// that are not listed are not looked at.
Status verify_files(FileSystem& files, const std::string& directory, const std::vector<StoredFile>& stored);

}  // namespace v0
}  // namespace tidemark

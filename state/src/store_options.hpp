#pragma once
// How RocksDB is set up (R4): in code alone, never read from disk.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <rocksdb/compaction_filter.h>
#include <rocksdb/options.h>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/time.hpp>
#include <tidemark/state/store.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

// Tells dead rows. Immutable.
class DeadRows {
 public:
  DeadRows() = default;
  explicit DeadRows(const std::map<StateId, Dropped>& dropped);

  // No row is dead.
  bool none() const;

  enum class Answer : std::uint8_t { kAlive, kDead, kDeadRange };
  // kDeadRange: all rows are dead from this one to `next`, the first key that may be alive again (empty: there is none). `next` is not
  // touched otherwise.
  Answer judge(ByteView key, ByteView value, std::string* next) const;

  // All rows with first <= key < end are dead. An empty `end`: to the last row of all.
  struct Range {
    std::string first;
    std::string end;
  };
  // But for those that were the same in `before`.
  std::vector<Range> ranges_since(const DeadRows& before) const;

 private:
  // Of a state that has such a range: the first key behind it, empty if there is none.
  void set_end(StateId id, std::string* end) const;

  std::vector<Dropped> dropped_;   // by state id
};

// The present DeadRows, shared with compactions.
class SharedDeadRows {
 public:
  std::shared_ptr<const DeadRows> get() const {
    const std::lock_guard guard{mutex_};
    return rows_;
  }
  void set(DeadRows rows) {
    auto shared = std::make_shared<const DeadRows>(std::move(rows));
    const std::lock_guard guard{mutex_};
    rows_ = std::move(shared);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const DeadRows> rows_ = std::make_shared<const DeadRows>();
};

// For a RowFileWriter. `environment` outlives their use.
rocksdb::Options row_file_options(rocksdb::Env* environment);
// For an open store.
rocksdb::Options store_options(rocksdb::Env* environment, const StoreOptions& options, std::shared_ptr<const SharedDeadRows> dead);

// The name under which RocksDB keeps our checksums of row files, the form in which it does, and back; false: it has none of ours.
inline constexpr const char* kFileChecksumName = "tidemark-xxh3-64";
Bytes raw_file_checksum(std::uint64_t checksum);
bool take_file_checksum(const std::string& function, const std::string& raw, std::uint64_t& checksum);

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// How a RowRun lays its rows out, and the order in which they go to disk.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <tidemark/core/bytes.hpp>
#include <tidemark/state/store.hpp>

namespace tidemark {
inline namespace v0 {

// One row within a block: key size, value mark, key, value.
struct StoredRow {
  static constexpr std::size_t kHeader = 8;
  static constexpr std::uint32_t kTombstone = 0xFFFF'FFFF;

  explicit StoredRow(const char* at) : at_(at) {
    std::memcpy(&key_size_, at, 4);
    std::memcpy(&value_mark_, at + 4, 4);
  }
  bool tombstone() const { return value_mark_ == kTombstone; }
  ByteView key() const { return {at_ + kHeader, key_size_}; }
  ByteView value() const { return tombstone() ? ByteView{} : ByteView{at_ + kHeader + key_size_, value_mark_}; }
  std::size_t size() const { return kHeader + key_size_ + (tombstone() ? 0 : value_mark_); }

 private:
  const char* at_;
  std::uint32_t key_size_ = 0;
  std::uint32_t value_mark_ = 0;
};

struct RowRunReader {
  // f(const char* row), in the order of put and erase.
  template <class F>
  static void each(const RowRun& run, F&& f) {
    for (const RowRun::Block& block : run.blocks_) {
      for (const char *at = block.data.get(), *end = at + block.used; at != end; at += StoredRow{at}.size()) f(at);
    }
  }
};

namespace state_internal {

// The rows of `first`, then of `second`, by ascending key, of equal keys the last one alone. Views; the runs outlive them.
std::vector<StoredRow> sorted_rows(const RowRun& first, const RowRun& second);

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

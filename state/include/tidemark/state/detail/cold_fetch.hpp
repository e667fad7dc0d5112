#pragma once
// One look-up of several rows in the cold tier: keys gathered, then read together.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/bytes.hpp>
#include <tidemark/state/cold_rows.hpp>
#include <tidemark/state/rows.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

// How many rows are read together: so many that seeking them in all files costs little beside, but few bytes against any job's memory.
class ReadQuota {
 public:
  explicit ReadQuota(std::size_t rows) : rows_(rows) {}
  bool spent() const { return rows_ == 0 || bytes_ == 0; }
  // A row was read, so much of which stays in memory.
  void count(std::size_t bytes) {
    rows_ -= std::min<std::size_t>(rows_, 1);
    bytes_ -= std::min(bytes_, bytes);
  }

 private:
  std::size_t rows_;
  std::size_t bytes_ = std::size_t{1} << 20;
};

class ColdFetch {
 public:
  // `rows` outlives the object. `state`: its name, for messages.
  ColdFetch(ColdRows& rows, std::string state) : rows_(rows), state_(std::move(state)) {}

  void begin();
  // The buffer to which one key is appended; end_key() closes it.
  Bytes& key_buffer() { return bytes_; }
  void end_key() { ends_.push_back(bytes_.size()); }

  // Calls take(index, value) for each key that has a row; take answers false if the value cannot be decoded. Throws JobFailure if the store
  // cannot be read or a value is malformed.
  void read(const std::function<bool(std::size_t index, ByteView value)>& take);
  // As read(), for all rows that begin with one of the keys: take(index, bytes after the key, value).
  void read_prefixes(const std::function<bool(std::size_t index, ByteView rest, ByteView value)>& take);
  // Calls take(bytes after the state id, value) for the rows of `state` with first <= bytes after the id < end, in that order. An empty
  // `end`: to the last row of the state. Throws as read().
  enum class Next : std::uint8_t { kGoOn, kStop, kMalformed };
  void read_range(StateId state, ByteView first, ByteView end,
                  const std::function<Next(ByteView key_after_state_id, ByteView value)>& take);

 private:
  void view_keys();
  [[noreturn]] void fail(const Status& status) const;
  [[noreturn]] void fail_malformed() const;

  ColdRows& rows_;
  std::string state_;
  Bytes bytes_;
  std::vector<std::size_t> ends_;
  std::vector<ByteView> keys_;
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

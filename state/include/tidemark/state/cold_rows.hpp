#pragma once
// The rows of the store as the tables of a task read them: what is not in memory is looked up here.

#include <cstddef>
#include <functional>
#include <span>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {

// Thread-safe, also beside calls that change the store; each call sees the store as it is at some moment during the call. Keys begin with
// the state id. Views given out are good for the call alone. Errors as those of the store (store.hpp).
class ColdRows {
 public:
  virtual ~ColdRows() = default;
  // Looks up all keys together, and calls found(index, value) for each that has a row, in no promised order.
  virtual Status get(std::span<const ByteView> keys, const std::function<void(std::size_t index, ByteView value)>& found) = 0;
  // Visits the rows whose keys begin with one of `prefixes`, of each in key order, until `visit` answers false. For a few rows of each;
  // fastest if the prefixes ascend.
  virtual Status read_prefixes(std::span<const ByteView> prefixes,
                               const std::function<bool(std::size_t index, ByteView key, ByteView value)>& visit) = 0;
  // Visits the rows with first <= key < end in key order, until `visit` answers false.
  virtual Status read_range(ByteView first, ByteView end, const std::function<bool(ByteView key, ByteView value)>& visit) = 0;
};

}  // namespace v0
}  // namespace tidemark

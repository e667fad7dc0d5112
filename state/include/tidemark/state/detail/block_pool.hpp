#pragma once
// Memory of sub-tables. Blocks of a dropped slice are kept for the next one, so that windows in steady state allocate nothing.

#include <cstddef>
#include <utility>
#include <vector>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

class BlockPool {
 public:
  BlockPool() = default;
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool();

  // A block of `bytes` bytes on a cache line's boundary; what it holds is unspecified.
  void* take(std::size_t bytes);
  // Gives a block back to the system.
  void release(void* block, std::size_t bytes);
  // Keeps a block for a later take() of the same size, unless more would be kept than was ever in use at once.
  void recycle(void* block, std::size_t bytes);

  // Bytes that were taken and not given back.
  std::size_t in_use() const { return in_use_; }
  // Bytes kept for later.
  std::size_t idle() const { return idle_; }

 private:
  std::vector<std::pair<std::size_t, std::vector<void*>>> sizes_;   // few: one for each power of two
  std::size_t in_use_ = 0;
  std::size_t idle_ = 0;
  std::size_t most_in_use_ = 0;
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

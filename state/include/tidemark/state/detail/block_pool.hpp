#pragma once
// Memory of sub-tables. Small blocks are carved from large chunks, which lie in huge pages: random access to many blocks is else bound by
// misses of the page table's cache. What is given back is used again, so that windows in steady state allocate nothing.

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
  // Gives a block back. Large blocks go back to the system, unless `keep` says that one of the same size will be asked for soon.
  void give(void* block, std::size_t bytes, bool keep);

  // Memory held, in use or not.
  std::size_t bytes() const { return bytes_; }

 private:
  std::byte* carve(std::size_t bytes);
  void add_chunk();
  std::vector<std::byte*>& free_blocks(std::size_t bytes);

  std::vector<std::pair<std::byte*, std::size_t>> chunks_;
  std::size_t uncarved_ = 0;                                  // of the last chunk, at its beginning
  // Given back, by size. Sub-tables double, so the sizes are few and recur; what a grown table leaves behind serves the next small one.
  std::vector<std::pair<std::size_t, std::vector<std::byte*>>> free_;
  std::vector<std::pair<std::size_t, std::byte*>> kept_;      // large blocks, with their size
  std::size_t bytes_ = 0;
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// Memory of sub-tables. Small blocks are carved from large chunks, which lie in huge pages: random access to many blocks is else bound by
// misses of the page table's cache. What is given back is used again, so that windows in steady state allocate nothing; a chunk of which
// nothing is in use any more goes back to the system.

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include <tidemark/state/memory_budget.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

class BlockPool {
 public:
  BlockPool() = default;
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool();

  // All memory is charged to `budget` from now on; null: to nobody.
  void charge_to(MemoryBudget* budget) { account_.attach(budget); }
  // What is held beside the blocks for what lies in them.
  void charge_heap(std::size_t bytes) {
    heap_ = bytes;
    account_.set(bytes_ + heap_);
  }
  // Whether take(bytes) would stay within the budget.
  bool may_take(std::size_t bytes) const;
  // More is held, by all together, than the budget allows.
  bool spent() const { return account_.spent(); }
  // Less than half of the budget is held, by all together.
  bool roomy() const { return account_.roomy(); }
  // What was needed all the same: dirty entries keep the state from staying within.
  void press() const { account_.press(); }

  // A block of `bytes` bytes on a cache line's boundary; what it holds is unspecified.
  void* take(std::size_t bytes);
  // Gives a block back. `keep`: one of the same size will be asked for soon, so it does not go back to the system.
  void give(void* block, std::size_t bytes, bool keep);

  // What nothing is in goes back to the system, also where it was kept.
  void trim();

  // Memory held, in use or not.
  std::size_t bytes() const { return bytes_; }

 private:
  struct Chunk {
    std::size_t size = 0;
    std::size_t in_use = 0;
  };

  std::byte* carve(std::size_t bytes);
  std::size_t next_chunk_size(std::size_t least) const;
  void add_chunk(std::size_t least);
  void release(std::map<std::byte*, Chunk>::iterator chunk);
  void free_kept();
  void set_bytes(std::size_t bytes);
  std::vector<std::byte*>& free_blocks(std::size_t bytes);
  std::map<std::byte*, Chunk>::iterator chunk_of(std::byte* block);

  std::map<std::byte*, Chunk> chunks_;
  std::byte* carving_ = nullptr;                              // the chunk from which blocks are carved, if any
  std::size_t uncarved_ = 0;                                  // of it, at its beginning
  std::size_t last_chunk_ = 0;                                // size of the last one made
  // Given back, by size. Sub-tables double, so the sizes are few and recur; what a grown table leaves behind serves the next small one.
  std::vector<std::pair<std::size_t, std::vector<std::byte*>>> free_;
  std::vector<std::pair<std::size_t, std::byte*>> kept_;      // large blocks, with their size
  std::size_t bytes_ = 0;
  std::size_t heap_ = 0;
  MemoryAccount account_;
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

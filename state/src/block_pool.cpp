#include <tidemark/state/detail/block_pool.hpp>

#include <algorithm>
#include <cstdlib>
#include <new>

#include <sys/mman.h>

namespace tidemark {
inline namespace v0 {
namespace state_internal {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

void* allocate(std::size_t bytes) {
  void* block = nullptr;
  const bool huge = bytes >= kHugePage;
  if (::posix_memalign(&block, huge ? kHugePage : kCacheLine, bytes) != 0) throw std::bad_alloc{};
  // Random access to large tables is bound by misses of the page table's cache. A refusal changes nothing but speed.
  if (huge) static_cast<void>(::madvise(block, bytes, MADV_HUGEPAGE));
  return block;
}

}  // namespace

BlockPool::~BlockPool() {
  for (auto& [bytes, blocks] : sizes_) {
    for (void* block : blocks) std::free(block);
  }
}

void* BlockPool::take(std::size_t bytes) {
  in_use_ += bytes;
  most_in_use_ = std::max(most_in_use_, in_use_);
  for (auto& [size, blocks] : sizes_) {
    if (size != bytes || blocks.empty()) continue;
    void* block = blocks.back();
    blocks.pop_back();
    idle_ -= bytes;
    return block;
  }
  return allocate(bytes);
}

void BlockPool::release(void* block, std::size_t bytes) {
  in_use_ -= bytes;
  std::free(block);
}

void BlockPool::recycle(void* block, std::size_t bytes) {
  if (in_use_ + idle_ > most_in_use_) return release(block, bytes);
  in_use_ -= bytes;
  idle_ += bytes;
  for (auto& [size, blocks] : sizes_) {
    if (size == bytes) return blocks.push_back(block);
  }
  sizes_.emplace_back(bytes, std::vector<void*>{block});
}

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

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
constexpr std::size_t kFirstChunk = std::size_t{64} << 10;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kLarge = kHugePage / 2;   // blocks of this size are not carved from chunks

std::byte* allocate(std::size_t bytes) {
  void* block = nullptr;
  const bool huge = bytes >= kHugePage;
  if (::posix_memalign(&block, huge ? kHugePage : kCacheLine, bytes) != 0) throw std::bad_alloc{};
  // A refusal changes nothing but speed.
  if (huge) static_cast<void>(::madvise(block, bytes, MADV_HUGEPAGE));
  return static_cast<std::byte*>(block);
}

std::size_t whole_lines(std::size_t bytes) { return (bytes + kCacheLine - 1) / kCacheLine * kCacheLine; }

}  // namespace

BlockPool::~BlockPool() {
  for (const auto& [size, block] : kept_) std::free(block);
  for (const auto& [chunk, size] : chunks_) std::free(chunk);
}

void* BlockPool::take(std::size_t bytes) {
  bytes = whole_lines(bytes);
  if (bytes < kLarge) return carve(bytes);
  const auto kept = std::find_if(kept_.begin(), kept_.end(), [bytes](const auto& candidate) { return candidate.first == bytes; });
  if (kept != kept_.end()) {
    void* block = kept->second;
    *kept = kept_.back();
    kept_.pop_back();
    return block;
  }
  // Kept blocks of other sizes were kept in vain.
  for (const auto& [size, block] : kept_) {
    std::free(block);
    bytes_ -= size;
  }
  kept_.clear();
  bytes_ += bytes;
  return allocate(bytes);
}

void BlockPool::give(void* block, std::size_t bytes, bool keep) {
  bytes = whole_lines(bytes);
  auto* place = static_cast<std::byte*>(block);
  if (bytes >= kLarge) {
    if (keep) return kept_.emplace_back(bytes, place), void();
    std::free(block);
    bytes_ -= bytes;
    return;
  }
  free_blocks(bytes).push_back(place);
}

std::vector<std::byte*>& BlockPool::free_blocks(std::size_t bytes) {
  for (auto& [size, blocks] : free_) {
    if (size == bytes) return blocks;
  }
  return free_.emplace_back(bytes, std::vector<std::byte*>{}).second;
}

std::byte* BlockPool::carve(std::size_t bytes) {
  auto& blocks = free_blocks(bytes);
  if (!blocks.empty()) {
    std::byte* block = blocks.back();
    blocks.pop_back();
    return block;
  }
  while (uncarved_ < bytes) add_chunk();   // what is left of the chunk before is less than this block
  uncarved_ -= bytes;
  return chunks_.back().first + uncarved_;
}

void BlockPool::add_chunk() {
  const std::size_t size = chunks_.empty() ? kFirstChunk : std::min(kHugePage, chunks_.back().second * 2);
  std::byte* chunk = allocate(size);
  chunks_.emplace_back(chunk, size);
  uncarved_ = size;
  bytes_ += size;
}

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

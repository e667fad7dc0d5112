#include <tidemark/state/detail/block_pool.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>
#include <new>

#include <sys/mman.h>

namespace tidemark {
inline namespace v0 {
namespace state_internal {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kFirstChunk = std::size_t{64} << 10;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kLarge = kHugePage / 2;   // blocks of this size are not carved from chunks

std::size_t whole_pages(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

// Straight from the system, and back to it: malloc kept most of what was given back, in pieces that the next large block did not fit into,
// so that a process held twice what its budget allows.
std::byte* map(std::size_t bytes) {
  const bool huge = bytes >= kHugePage;
  const std::size_t size = whole_pages(bytes);
  const std::size_t mapped = huge ? size + kHugePage - kPage : size;
  void* const begin = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (begin == MAP_FAILED) throw std::bad_alloc{};
  auto* block = static_cast<std::byte*>(begin);
  if (!huge) return block;
  const std::size_t before = (kHugePage - reinterpret_cast<std::uintptr_t>(block) % kHugePage) % kHugePage;
  const std::size_t behind = mapped - before - size;
  if (before > 0) ::munmap(block, before);
  block += before;
  if (behind > 0) ::munmap(block + size, behind);
  // A refusal changes nothing but speed.
  static_cast<void>(::madvise(block, size, MADV_HUGEPAGE));
  return block;
}
void unmap(std::byte* block, std::size_t bytes) { ::munmap(block, whole_pages(bytes)); }

template <class Note>
bool noted(Note note) {
  try {
    note();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

std::size_t whole_lines(std::size_t bytes) { return (bytes + kCacheLine - 1) / kCacheLine * kCacheLine; }

}  // namespace

BlockPool::~BlockPool() {
  for (const auto& [size, block] : kept_) unmap(block, size);
  for (const auto& [chunk, facts] : chunks_) unmap(chunk, facts.size);
}

bool BlockPool::may_take(std::size_t bytes) const {
  bytes = whole_lines(bytes);
  const auto of_size = [bytes](const auto& candidate) { return candidate.first == bytes; };
  if (const auto kept = std::find_if(kept_.begin(), kept_.end(), of_size); kept != kept_.end()) return true;
  if (bytes >= kLarge) return account_.allows(bytes);
  if (const auto spare = std::find_if(free_.begin(), free_.end(), of_size); spare != free_.end() && !spare->second.empty()) return true;
  return uncarved_ >= bytes || account_.allows(next_chunk_size(bytes));
}

// Chunks double up to one that is little against the budget, so that not much of that is taken by what nothing is in yet.
std::size_t BlockPool::next_chunk_size(std::size_t least) const {
  const std::size_t largest = std::clamp(std::bit_floor(account_.budget() / 32), kFirstChunk, kHugePage);
  return std::max(std::bit_ceil(least), std::clamp(last_chunk_ * 2, kFirstChunk, largest));
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
  free_kept();   // they are of other sizes: they were kept in vain
  void* block = map(bytes);
  set_bytes(bytes_ + bytes);
  return block;
}

void BlockPool::free_kept() {
  std::size_t freed = 0;
  for (const auto& [size, block] : kept_) {
    unmap(block, size);
    freed += size;
  }
  kept_.clear();
  set_bytes(bytes_ - freed);
}

void BlockPool::trim() {
  free_kept();
  for (auto chunk = chunks_.begin(); chunk != chunks_.end();) {
    const auto here = chunk++;
    if (here->second.in_use > 0) continue;
    if (here->first == carving_) {
      carving_ = nullptr;
      uncarved_ = 0;
    }
    release(here);
  }
  if (chunks_.empty()) last_chunk_ = 0;
}

// Destructors give blocks back, and must be able to where there is no memory to note it: a large block is then freed, and a small one lies
// idle until its chunk goes.
void BlockPool::give(void* block, std::size_t bytes, bool keep) {
  bytes = whole_lines(bytes);
  auto* place = static_cast<std::byte*>(block);
  if (bytes >= kLarge) {
    if (keep && noted([&] { kept_.emplace_back(bytes, place); })) return;
    unmap(place, bytes);
    return set_bytes(bytes_ - bytes);
  }
  (void)noted([&] { free_blocks(bytes).push_back(place); });
  const auto chunk = chunk_of(place);
  chunk->second.in_use -= bytes;
  if (chunk->second.in_use == 0 && !keep && chunk->first != carving_) release(chunk);
}

std::vector<std::byte*>& BlockPool::free_blocks(std::size_t bytes) {
  for (auto& [size, blocks] : free_) {
    if (size == bytes) return blocks;
  }
  return free_.emplace_back(bytes, std::vector<std::byte*>{}).second;
}

std::map<std::byte*, BlockPool::Chunk>::iterator BlockPool::chunk_of(std::byte* block) { return std::prev(chunks_.upper_bound(block)); }

std::byte* BlockPool::carve(std::size_t bytes) {
  std::byte* block = nullptr;
  if (auto& blocks = free_blocks(bytes); !blocks.empty()) {
    block = blocks.back();
    blocks.pop_back();
  } else {
    if (uncarved_ < bytes) add_chunk(bytes);   // what is left of the chunk before is less than this block
    uncarved_ -= bytes;
    block = carving_ + uncarved_;
  }
  chunk_of(block)->second.in_use += bytes;
  return block;
}

void BlockPool::add_chunk(std::size_t least) {
  last_chunk_ = next_chunk_size(least);
  std::byte* chunk = map(last_chunk_);
  const auto before = carving_ == nullptr ? chunks_.end() : chunks_.find(carving_);
  chunks_[chunk] = {last_chunk_, 0};
  carving_ = chunk;
  uncarved_ = last_chunk_;
  set_bytes(bytes_ + last_chunk_);
  if (before != chunks_.end() && before->second.in_use == 0) release(before);
}

void BlockPool::release(std::map<std::byte*, Chunk>::iterator chunk) {
  std::byte* const begin = chunk->first;
  std::byte* const end = begin + chunk->second.size;
  for (auto& [size, blocks] : free_) {
    std::erase_if(blocks, [&](const std::byte* block) { return block >= begin && block < end; });
  }
  set_bytes(bytes_ - chunk->second.size);
  unmap(begin, chunk->second.size);
  chunks_.erase(chunk);
}

void BlockPool::set_bytes(std::size_t bytes) {
  bytes_ = bytes;
  account_.set(bytes_ + heap_);
}

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

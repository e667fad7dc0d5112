// The memory under hot tables: aligned, used again, and given back to the system.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <utility>
#include <vector>

#include <unistd.h>

#include <gtest/gtest.h>

#include <tidemark/state/detail/block_pool.hpp>

namespace tidemark::state_internal {
namespace {

std::size_t resident_bytes() {
  std::size_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

constexpr std::size_t kMiB = std::size_t{1} << 20;

TEST(BlockPool, GivesBlocksOfAnySizeOnTheBoundaryOfACacheLine) {
  BlockPool pool;
  std::size_t sum = 0;
  std::vector<std::pair<void*, std::size_t>> blocks;
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{64}, std::size_t{1000}, 300 * std::size_t{1024}, kMiB + 1, 5 * kMiB + 17}) {
    void* const block = pool.take(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0U) << bytes;
    std::memset(block, 0xA5, bytes);
    blocks.emplace_back(block, bytes);
    sum += bytes;
  }
  EXPECT_GE(pool.bytes(), sum);
  for (const auto& [block, bytes] : blocks) pool.give(block, bytes, false);
  pool.trim();
  EXPECT_EQ(pool.bytes(), 0U);
}

TEST(BlockPool, GivesAKeptBlockOutAgain) {
  BlockPool pool;
  for (const std::size_t bytes : {std::size_t{4096}, 3 * kMiB}) {
    void* const block = pool.take(bytes);
    pool.give(block, bytes, true);
    const std::size_t held = pool.bytes();
    EXPECT_EQ(pool.take(bytes), block);
    EXPECT_EQ(pool.bytes(), held);
    pool.give(block, bytes, false);
  }
}

// A budget counts what the pool holds; the process must not hold more. malloc does: a few small allocations that live on between the large
// ones keep most of these from the system.
TEST(BlockPool, GivesBackToTheSystemWhatNothingIsInAnyMoreWhateverElseWasAllocated) {
  BlockPool pool;
  std::vector<std::unique_ptr<char[]>> others;
  const std::size_t before = resident_bytes();
  for (int round = 0; round < 4; ++round) {
    std::vector<std::pair<void*, std::size_t>> blocks;
    for (std::size_t i = 0; i < 100; ++i) {
      const std::size_t bytes = (i % 5 + 1) * 300 * 1024 + static_cast<std::size_t>(round) * 64 * 1024;
      void* const block = pool.take(bytes);
      std::memset(block, 0xA5, bytes);
      blocks.emplace_back(block, bytes);
      others.push_back(std::make_unique<char[]>(1000));
    }
    EXPECT_GT(resident_bytes(), before + 80 * kMiB);
    for (const auto& [block, bytes] : blocks) pool.give(block, bytes, false);
    pool.trim();
    ASSERT_EQ(pool.bytes(), 0U);
    EXPECT_LT(resident_bytes(), before + 8 * kMiB) << "after round " << round;
  }
}

}  // namespace
}  // namespace tidemark::state_internal

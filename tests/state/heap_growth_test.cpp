// What keys and values own on the heap is charged to the memory budget as it grows, not only at the next checkpoint (promise 9, F41).

#include <gtest/gtest.h>

#include <string>

#include <tidemark/state/backend.hpp>

#include "row_collector.hpp"

namespace tidemark::state_test {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kBudget = 4 * kMiB;
constexpr std::uint64_t kKeys = 1000;

std::uint64_t hash_of(std::uint64_t key) { return (key + 1) * 0x9E3779B97F4A7C15u; }

// Lists of texts by key, in a job that may hold 4 MiB.
class HeapGrowth : public testing::Test {
 protected:
  HeapGrowth() { backend_.attach(&store_, &budget_); }

  StateCall call(const std::uint64_t& key) { return {hash_of(key), &key, event_time(1), kMinusInfinity, ++calls_}; }
  void append(std::uint64_t key, std::size_t bytes) {
    lists_.change(call(key)).append(std::string(bytes, 'x'), event_time(1), lists_.life());
  }
  std::size_t read(std::uint64_t key) {
    const auto* list = lists_.find(call(key));
    return list == nullptr ? 0 : list->live();
  }
  // As a task does it between two checkpoints.
  void follow(bool may_shrink, int times = 1) {
    for (int i = 0; i < times; ++i) backend_.follow_growth(may_shrink);
  }
  void checkpoint() {
    RowCollector rows;
    backend_.note_checkpoint(++checkpoint_);
    backend_.freeze(rows);
    while (!backend_.encode_some(1000)) {}
    store_.ingest(rows);
    backend_.settle(true);
  }

  PlayedStore store_;
  MemoryBudget budget_{kBudget, 1};
  StateBackend backend_{KeySpace{.groups = 8, .seed = 0}, 0, 8};
  EntriesTable<std::uint64_t, state_internal::EntryList<std::string>>& lists_ =
      backend_.entries_table<std::uint64_t, state_internal::EntryList<std::string>>("lists", {});
  std::uint64_t calls_ = 0;
  std::uint64_t checkpoint_ = 0;
};

TEST_F(HeapGrowth, IsSeenThoughNoTableGrowsAndNoCheckpointComes) {
  for (std::uint64_t key = 0; key < kKeys; ++key) append(key, 100);
  follow(false);
  EXPECT_FALSE(budget_.holds_back());
  std::size_t held = 0;
  for (int round = 1; round <= 20; ++round) {
    for (std::uint64_t key = 0; key < kKeys; ++key) append(key, 1000);
    follow(false, 4);
    held = kKeys * (100 + 1000 * static_cast<std::size_t>(round));
    EXPECT_GT(budget_.used(), held / 2) << round;
    EXPECT_LT(budget_.used(), 2 * held + kMiB) << round;
  }
  EXPECT_GT(held, 4 * kBudget);
  EXPECT_TRUE(budget_.holds_back());
}

TEST_F(HeapGrowth, OfOneKeyAmongManyIsSeenAsWell) {
  for (std::uint64_t key = 0; key < kKeys; ++key) append(key, 100);
  for (int i = 0; i < 100; ++i) {
    append(7, 100'000);
    follow(false, 4);
  }
  EXPECT_GT(budget_.used(), kBudget) << "10 MB in one list";
}

TEST_F(HeapGrowth, OfKeysThatAreReadDrivesOthersOut) {
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    for (int i = 0; i < 20; ++i) append(key, 1000);
  }
  checkpoint();
  follow(true, 20);
  EXPECT_LE(budget_.used(), kBudget);
  for (int round = 0; round < 2; ++round) {
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      EXPECT_EQ(read(key), 20u);
      if (key % 10 == 0) follow(true);
      EXPECT_LT(lists_.entries(), kKeys / 2) << "20 KB each";
    }
  }
}

// However few they are.
TEST_F(HeapGrowth, OfFewLargeKeysLeavesMemoryToo) {
  for (std::uint64_t key = 0; key < 10; ++key) append(key, kMiB);
  checkpoint();
  follow(true, 20);
  EXPECT_LE(budget_.used(), kBudget);
  EXPECT_LE(lists_.entries(), 4u);
  for (std::uint64_t key = 0; key < 10; ++key) EXPECT_EQ(read(key), 1u);
}

// The buffer of event-time order holds a record until the watermark comes.
TEST(WaitingRecords, AreChargedWithWhatTheyOwnBeforeTheirFirstCheckpoint) {
  PlayedStore store;
  MemoryBudget budget{kBudget, 1};
  StateBackend backend{KeySpace{.groups = 8, .seed = 0}, 0, 8};
  auto& buffer = backend.time_buffer<std::uint64_t, std::string>("waiting");
  backend.attach(&store, &budget);
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    buffer.add(event_time(static_cast<std::int64_t>(i)), hash_of(i), i, std::string(1000, 'x'));
  }
  EXPECT_GT(budget.used(), kBudget) << "ten million bytes";
}

}  // namespace
}  // namespace tidemark::state_test

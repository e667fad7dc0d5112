#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/core/hash.hpp>
#include <tidemark/core/random.hpp>

#include "shared_xxhash.hpp"

namespace {

using namespace tidemark;

// K1: the name of the hash is in every manifest, so the inlined one must be the one that everybody else computes.
TEST(Hash, IsTheXxh3OfTheSharedLibrary) {
  SeededRandom random{1};
  for (std::size_t size : {0, 1, 3, 4, 8, 9, 16, 17, 31, 32, 127, 128, 129, 240, 241, 512, 1024, 1025, 4096, 100'000}) {
    Bytes bytes;
    while (bytes.size() < size) bytes += static_cast<char>(random.next());
    for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, random.next()}) {
      EXPECT_EQ(hash_bytes(bytes, seed), shared_xxh3(bytes, seed)) << size << " bytes, seed " << seed;
    }
  }
}

TEST(KeySpace, MakesOfEachGroupARangeOfHashes) {
  const KeySpace space{.groups = 128};
  constexpr std::uint64_t kWidth = std::uint64_t{1} << 57;   // 2^64 / 128
  EXPECT_EQ(space.group_of(0), 0U);
  EXPECT_EQ(space.group_of(kWidth - 1), 0U);
  EXPECT_EQ(space.group_of(kWidth), 1U);
  EXPECT_EQ(space.group_of(127 * kWidth - 1), 126U);
  EXPECT_EQ(space.group_of(127 * kWidth), 127U);
  EXPECT_EQ(space.group_of(~std::uint64_t{0}), 127U);
  EXPECT_EQ((KeySpace{.groups = 1}.group_of(~std::uint64_t{0})), 0U);
  EXPECT_EQ((KeySpace{.groups = 100}.group_of(~std::uint64_t{0})), 99U);
}

// K2
TEST(KeySpace, GivesTheGroupsToTheTasksAsFlinkDoes) {
  const KeySpace space{.groups = 128};
  using Range = std::pair<std::uint32_t, std::uint32_t>;
  const std::vector<std::vector<Range>> ranges_of_tasks = {
      {{0, 127}},
      {{0, 63}, {64, 127}},
      {{0, 42}, {43, 85}, {86, 127}},
  };
  for (const std::vector<Range>& ranges : ranges_of_tasks) {
    const auto parallelism = static_cast<std::uint32_t>(ranges.size());
    for (std::uint32_t task = 0; task < parallelism; ++task) {
      EXPECT_EQ(space.first_group_of_task(task, parallelism), ranges[task].first);
      EXPECT_EQ(space.first_group_of_task(task + 1, parallelism), ranges[task].second + 1);
    }
  }
}

// K2
TEST(KeySpace, LeavesNoGroupOutAndGivesNoneTwice) {
  for (const std::uint32_t groups : {1U, 2U, 7U, 100U, 128U, 129U, 32768U}) {
    const KeySpace space{.groups = groups};
    for (const std::uint32_t parallelism : {1U, 2U, 3U, 5U, 7U, 64U, 100U, 127U, 128U}) {
      if (parallelism > groups) continue;
      EXPECT_EQ(space.first_group_of_task(0, parallelism), 0U);
      EXPECT_EQ(space.first_group_of_task(parallelism, parallelism), groups);
      for (std::uint32_t task = 0; task < parallelism; ++task) {
        const std::uint32_t first = space.first_group_of_task(task, parallelism);
        const std::uint32_t end = space.first_group_of_task(task + 1, parallelism);
        EXPECT_LT(first, end) << "a task without groups";
        for (std::uint32_t group = first; group < end; ++group) {
          ASSERT_EQ(space.task_of_group(group, parallelism), task) << "group " << group << " of " << groups;
        }
      }
    }
  }
}

TEST(SeededRandom, RepeatsItselfAndTheSystemsDoesNot) {
  SeededRandom first{42};
  SeededRandom second{42};
  std::set<std::uint64_t> numbers;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(first.next(), second.next());
    numbers.insert(system_random().next());
  }
  EXPECT_EQ(numbers.size(), 100U);
}

}  // namespace

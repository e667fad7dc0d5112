// The parts that window operators are made of, each against a plain model.

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <tidemark/operators/detail/dense_index.hpp>
#include <tidemark/operators/detail/window_math.hpp>

namespace {

using namespace tidemark;
using operators_internal::DenseIndex;
using operators_internal::Slicing;

TEST(DenseIndex, KeepsNumbersUntilTheyAreRemoved) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    DenseIndex<std::string, int> index;
    std::map<std::string, std::pair<std::uint32_t, int>> model;
    for (int step = 0; step < 4000; ++step) {
      const int name = static_cast<int>(random() % 150);
      const std::string key = std::to_string(name);
      const std::uint64_t hash = static_cast<std::uint64_t>(name % (1 + seed * 3));   // few hashes: runs of collisions
      const auto found = model.find(key);
      if (found != model.end() && random() % 3 == 0) {
        index.remove(found->second.first);
        EXPECT_EQ(index[found->second.first], 0);
        model.erase(found);
      } else {
        const std::uint32_t number = index.find_or_add(hash, key);
        if (found == model.end()) {
          EXPECT_EQ(index[number], 0) << "made anew";
          index[number] = step;
          model[key] = {number, step};
        }
        ASSERT_EQ(number, model[key].first);
      }
      for (const auto& [name_of, entry] : model) {
        ASSERT_EQ(index.key(entry.first), name_of);
        ASSERT_EQ(index[entry.first], entry.second);
      }
      ASSERT_EQ(index.size() - index.free(), model.size());
    }
    index.clear();
    EXPECT_EQ(index.size(), 0u);
    EXPECT_EQ(index.find_or_add(1, "a"), 0u);
  }
}

// Nor do the tables of state: a user's key is any struct that can be stored.
TEST(DenseIndex, NeedsNoEqualityOfItsKeys) {
  struct Card {
    std::int32_t bank = 0;
    std::int32_t number = 0;
  };
  DenseIndex<Card, int> index;
  index[index.find_or_add(7, {1, 2})] = 12;
  index[index.find_or_add(7, {1, 3})] = 13;
  EXPECT_EQ(index[index.find_or_add(7, {1, 2})], 12);
  EXPECT_EQ(index[index.find_or_add(7, {1, 3})], 13);
  EXPECT_EQ(index.size(), 2u);
}

TEST(Slicing, MakesEveryWindowOfWholeSlices) {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    const auto slide = static_cast<std::int64_t>(1 + random() % 12);
    const auto size = slide + 1 + static_cast<std::int64_t>(random() % 40);
    const auto offset = static_cast<std::int64_t>(random() % 50) - 25;
    const Slicing slicing{Duration{size}, Duration{slide}, Duration{offset}};
    for (std::int64_t t = -60; t < 60; ++t) {
      const std::int64_t slice = slicing.slice_of(event_time(t));
      ASSERT_LE(slicing.slice_start(slice), event_time(t));
      ASSERT_GT(slicing.slice_end(slice), event_time(t));
      ASSERT_EQ(slicing.slice_ending_at(slicing.slice_end(slice)), slice);
      // A2: the windows that hold t, by definition.
      std::set<std::int64_t> expected;
      for (std::int64_t start = t - size + 1; start <= t; ++start) {
        if ((start - offset) % slide == 0) expected.insert(start);
      }
      std::set<std::int64_t> found;
      for (std::int64_t window = slicing.first_window_with(slice); window <= slicing.last_window_with(slice); window += slicing.step()) {
        const Window bounds = slicing.window(window);
        EXPECT_EQ(bounds.end, slicing.slice_end(window + slicing.length() - 1)) << "ends with a slice";
        found.insert(micros(bounds.start));
      }
      ASSERT_EQ(found, expected) << size << " by " << slide << " offset " << offset << " at " << t;
      // L1: the first window that a watermark leaves open.
      const std::int64_t open = slicing.first_window_after(event_time(t));
      ASSERT_GT(micros(slicing.window(open).end) - 1, t);
      ASSERT_LE(micros(slicing.window(open - slicing.step()).end) - 1, t);
    }
  }
}

TEST(Slicing, FindsTheFirstOpenWindowAtTheFirstTimesThereAre) {
  const Duration longest = kLongestDuration;
  for (const Duration slide : {longest - Duration{1}, longest / 2, longest / 2 + Duration{1}, longest / 3, Duration{1}}) {
    for (const Duration offset : {Duration{0}, slide / 2, slide - Duration{1}}) {
      for (const EventTime watermark : {kFirstRecordTime, kFirstRecordTime + Duration{1}, kFirstRecordTime + longest}) {
        const Slicing slicing{longest, slide, offset};
        const EventTime end = slicing.window(slicing.first_window_after(watermark)).end;
        EXPECT_GT(end - Duration{1}, watermark) << slide.count() << " offset " << offset.count();
        EXPECT_LE(end - slide - Duration{1}, watermark) << slide.count() << " offset " << offset.count();
      }
    }
  }
}

TEST(Slicing, NeedsNoCommonDivisorOfSizeAndSlide) {
  const Slicing slicing{Duration{1'000'003}, Duration{1'000}, Duration{0}};
  EXPECT_EQ(slicing.length(), 2001);
}

}  // namespace

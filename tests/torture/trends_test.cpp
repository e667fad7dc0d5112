#include "trends.hpp"

#include <gtest/gtest.h>

namespace {

using tidemark::torture::Trend;
using tidemark::torture::Trends;

TEST(Trends, OfWhatStaysAsItIsAreFlat) {
  Trends trends;
  for (int i = 0; i < 20; ++i) trends.add(i % 2 == 0 ? "small" : "large", i, i % 2 == 0 ? 1 : 100);
  EXPECT_NEAR(trends.trend().growth, 0, 1e-9);
  EXPECT_FALSE(trends.trend().exceeds(0.01));
}

TEST(Trends, OfWhatGrowsAreSeenInEveryKind) {
  Trends trends;
  for (int i = 0; i < 40; ++i) trends.add(i % 2 == 0 ? "small" : "large", i, (i % 2 == 0 ? 1 : 100) * (1 + 0.01 * i));
  EXPECT_NEAR(trends.trend().growth, 0.33, 0.02);   // of the mean, which is a fifth above the beginning
  EXPECT_TRUE(trends.trend().exceeds(0.1));
}

TEST(Trends, OfNoiseDoNotExceedALimit) {
  Trends trends;
  for (int i = 0; i < 30; ++i) trends.add("one", i, 10 + (i * 7919 % 13) - 6);
  EXPECT_FALSE(trends.trend().exceeds(0.1));
}

TEST(Trends, OfTooFewValuesAreNone) {
  Trends trends;
  trends.add("one", 0, 1);
  trends.add("one", 1, 100);
  EXPECT_EQ(trends.trend().growth, 0);
}

}  // namespace

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/core/batch.hpp>

namespace {

using namespace tidemark;

// W5
TEST(BehindCursor, TellsTheWatermarkOfRecordsThatAreBehindAndOfNoOthers) {
  const std::vector<Behind> behind = {{.index = 1, .as_of = event_time(10)}, {.index = 2, .as_of = event_time(11)},
                                      {.index = 5, .as_of = event_time(12)}};
  BehindCursor cursor{behind};
  const std::vector<EventTime> expected = {kMinusInfinity, event_time(10), event_time(11), kMinusInfinity,
                                           kMinusInfinity, event_time(12), kMinusInfinity};
  for (std::size_t index = 0; index < expected.size(); ++index) EXPECT_EQ(cursor.as_of(index), expected[index]) << index;
}

TEST(BehindCursor, MaySkipRecords) {
  const std::vector<Behind> behind = {{.index = 1, .as_of = event_time(10)}, {.index = 5, .as_of = event_time(12)}};
  BehindCursor cursor{behind};
  EXPECT_EQ(cursor.as_of(3), kMinusInfinity);
  EXPECT_EQ(cursor.as_of(5), event_time(12));
}

TEST(BehindCursor, FindsNothingInAnEmptyList) {
  const std::vector<Behind> behind;
  BehindCursor cursor{behind};
  EXPECT_EQ(cursor.as_of(0), kMinusInfinity);
}

TEST(Batch, IsEmptiedWithAllItsColumnsAndKeepsItsMemory) {
  Batch<std::string> batch;
  batch.values = {"a", "b"};
  batch.times = {event_time(1), event_time(2)};
  batch.hashes = {1, 2};
  batch.origins = {{.split = 0, .position = 1}, {.split = 0, .position = 2}};
  batch.behind = {{.index = 1, .as_of = event_time(2)}};
  EXPECT_EQ(batch.size(), 2U);
  EXPECT_TRUE(batch.has_times());
  EXPECT_EQ(batch.bytes(), 2 * (sizeof(std::string) + sizeof(EventTime) + sizeof(std::uint64_t) + sizeof(Origin)));
  const std::size_t capacity = batch.values.capacity();

  batch.clear();
  EXPECT_TRUE(batch.empty());
  EXPECT_FALSE(batch.has_times());
  EXPECT_TRUE(batch.hashes.empty() && batch.origins.empty() && batch.behind.empty());
  EXPECT_EQ(batch.bytes(), 0U);
  EXPECT_EQ(batch.values.capacity(), capacity);
}

// A plain struct with a field of which nobody knows what it owns.
struct Opaque {
  std::string text;
  std::shared_ptr<int> owned;
};

TEST(Batch, CountsWhatItsRecordsOwnWhereThatCanBeSeen) {   // promise 9
  Batch<std::vector<std::string>> batch;
  batch.values = {{std::string(1000, 'x')}, {}};
  EXPECT_EQ(batch.bytes(), 2 * sizeof(std::vector<std::string>) + footprint(batch.values[0]));
  EXPECT_GE(footprint(batch.values[0]), 1000U);

  Batch<Opaque> opaque;
  opaque.values = {{.text = std::string(1000, 'x'), .owned = nullptr}};
  EXPECT_EQ(opaque.bytes(), sizeof(Opaque));
}

}  // namespace

#include <memory>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tidemark/memory/push_source.hpp>

#include "io_context.hpp"

namespace tidemark::memory_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(PushSource, SaysThatItCannotDeliverItsRecordsAgain) {
  const PushSource<int> pushed;
  EXPECT_FALSE(pushed.source().base()->replayable());
  EXPECT_FALSE(pushed.source().base()->bounded());
  EXPECT_THAT(pushed.source().base()->describe(), ::testing::HasSubstr("not replayable"));
}

TEST(PushSource, DeliversWhatWasPushedAndEndsWhenItIsClosedAndEmpty) {
  PushSource<int> pushed;
  const auto reader = open(pushed.source(), "0");
  EXPECT_EQ(poll<int>(*reader, 10).result, PollResult::kNothingNow);
  EXPECT_TRUE(pushed.push(1));
  EXPECT_TRUE(pushed.push(2));
  EXPECT_THAT(poll<int>(*reader, 10).values, ElementsAre(1, 2));
  EXPECT_TRUE(pushed.push(3));
  EXPECT_TRUE(pushed.push(4));
  pushed.close();
  EXPECT_EQ(poll<int>(*reader, 1).result, PollResult::kRecords);
  const auto last = poll<int>(*reader, 1);
  EXPECT_THAT(last.values, ElementsAre(4));
  EXPECT_EQ(last.result, PollResult::kEnd);
  EXPECT_FALSE(pushed.push(5));
}

TEST(PushSource, HoldsNoMoreThanItsCapacity) {
  PushSource<int> pushed(2);
  EXPECT_TRUE(pushed.try_push(1));
  EXPECT_TRUE(pushed.try_push(2));
  EXPECT_FALSE(pushed.try_push(3));
  const auto reader = open(pushed.source(), "0");
  EXPECT_THAT(poll<int>(*reader, 1).values, ElementsAre(1));
  EXPECT_TRUE(pushed.try_push(4));
  EXPECT_THAT(poll<int>(*reader, 10).values, ElementsAre(2, 4));
}

TEST(PushSource, LetsAPusherWaitForRoomAndLosesNothing) {
  constexpr int kRecords = 10'000;
  PushSource<int> pushed(3);
  const auto reader = open(pushed.source(), "0");
  std::thread host([pushed]() mutable {
    for (int i = 0; i < kRecords; ++i) EXPECT_TRUE(pushed.push(i));
    pushed.close();
  });
  const std::vector<int> all = read_to_end<int>(*reader, 2);
  host.join();
  ASSERT_EQ(all.size(), static_cast<std::size_t>(kRecords));
  for (int i = 0; i < kRecords; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)], i);
}

TEST(PushSource, WakesAPusherWhenTheJobThatReadFromItIsGone) {
  PushSource<int> pushed(1);
  auto reader = open(pushed.source(), "0");
  EXPECT_TRUE(pushed.push(1));
  std::thread host([pushed]() mutable { EXPECT_FALSE(pushed.push(2)); });
  reader.reset();
  host.join();
  EXPECT_FALSE(pushed.try_push(3));
}

TEST(PushSource, FeedsOneJobAtATime) {
  PushSource<int> pushed;
  const auto reader = open(pushed.source(), "0");
  EXPECT_EQ(open(pushed.source(), "0"), nullptr);
}

TEST(PushSource, CountsPositionsOnAcrossARestore) {
  PushSource<int> pushed;
  const auto reader = open(pushed.source(), "0", memory_internal::encode_position(40));
  EXPECT_TRUE(pushed.push(1));
  EXPECT_THAT(poll<int>(*reader, 10).values, ElementsAre(1));
  EXPECT_EQ(reader->position(), memory_internal::encode_position(41));
}

}  // namespace
}  // namespace tidemark::memory_test

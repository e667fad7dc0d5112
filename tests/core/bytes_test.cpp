#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/core/bytes.hpp>

namespace {

using namespace tidemark;

// Row keys hold times this way: a range of times is a range of rows.
TEST(RowKeyBytes, OrderAsTimesDoAlsoBelowZero) {
  const std::vector<EventTime> ascending = {kMinusInfinity,  kFirstRecordTime, event_time(-1'000'000), event_time(-256), event_time(-255),
                                            event_time(-1),  event_time(0),    event_time(1),          event_time(255),  event_time(256),
                                            kLastRecordTime, kPlusInfinity};
  Bytes before;
  for (const EventTime time : ascending) {
    Bytes bytes;
    append_time_big_endian(bytes, time);
    ASSERT_EQ(bytes.size(), 8U);
    EXPECT_LT(before, bytes) << to_string(time);
    ByteView in = bytes;
    EventTime back{};
    ASSERT_TRUE(take_time_big_endian(in, back));
    EXPECT_EQ(back, time);
    before = bytes;
  }
}

TEST(RowKeyBytes, OrderAsNumbersDo) {
  Bytes small;
  Bytes large;
  append_u16_big_endian(small, 255);
  append_u16_big_endian(large, 256);
  EXPECT_LT(small, large);
  EXPECT_EQ(large, Bytes("\x01\x00", 2));
  small.clear();
  large.clear();
  append_u64_big_endian(small, 255);
  append_u64_big_endian(large, std::uint64_t{1} << 63);
  EXPECT_LT(small, large);
  ByteView in = large;
  std::uint64_t back = 0;
  ASSERT_TRUE(take_u64_big_endian(in, back));
  EXPECT_EQ(back, std::uint64_t{1} << 63);
}

TEST(Varint, TakesSevenBitsAByteAndComesBack) {
  struct Case {
    std::uint64_t value;
    std::size_t bytes;
  };
  for (const Case& example : std::vector<Case>{{0, 1}, {127, 1}, {128, 2}, {16'383, 2}, {16'384, 3}, {~std::uint64_t{0}, 10}}) {
    Bytes bytes;
    append_varint(bytes, example.value);
    EXPECT_EQ(bytes.size(), example.bytes) << example.value;
    ByteView in = bytes;
    std::uint64_t back = 1;
    ASSERT_TRUE(take_varint(in, back));
    EXPECT_EQ(back, example.value);
    EXPECT_TRUE(in.empty());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      ByteView cut = ByteView{bytes}.substr(0, size);
      EXPECT_FALSE(take_varint(cut, back));
    }
  }
}

TEST(SizedBytes, NeverReachBeyondTheirSource) {
  Bytes bytes;
  append_sized(bytes, "abc");
  ByteView in = bytes;
  ByteView taken;
  ASSERT_TRUE(take_sized(in, taken));
  EXPECT_EQ(taken, "abc");
  ByteView cut = ByteView{bytes}.substr(0, 3);
  EXPECT_FALSE(take_sized(cut, taken));
}

}  // namespace

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/core/clock.hpp>
#include <tidemark/core/status.hpp>
#include <tidemark/core/time.hpp>

namespace {

using namespace tidemark;

struct Written {
  std::int64_t micros;
  std::string text;
};

TEST(EventTimeText, IsIsoInUtcWithAsManyDigitsAsNeeded) {
  const std::vector<Written> table = {
      {0, "1970-01-01T00:00:00Z"},
      {-1, "1969-12-31T23:59:59.999999Z"},
      {1, "1970-01-01T00:00:00.000001Z"},
      {1'769'860'859'500'000, "2026-01-31T12:00:59.5Z"},
      {951'782'400'000'000, "2000-02-29T00:00:00Z"},
      {-62'167'219'200'000'000, "0000-01-01T00:00:00Z"},
      {-62'167'219'200'000'001, "-0001-12-31T23:59:59.999999Z"},
      {253'402'300'799'999'999, "9999-12-31T23:59:59.999999Z"},
      {253'402'300'800'000'000, "+10000-01-01T00:00:00Z"},
      {std::numeric_limits<std::int64_t>::max() - 1, "+294247-01-10T04:00:54.775806Z"},
      {std::numeric_limits<std::int64_t>::min() + 1, "-290308-12-21T19:59:05.224193Z"},
      {std::numeric_limits<std::int64_t>::min(), "-inf"},
      {std::numeric_limits<std::int64_t>::max(), "+inf"},
  };
  for (const Written& example : table) {
    EXPECT_EQ(to_string(event_time(example.micros)), example.text);
    const Result<EventTime> back = parse_event_time(example.text);
    ASSERT_TRUE(back.ok()) << example.text;
    EXPECT_EQ(micros(*back), example.micros) << example.text;
  }
}

TEST(EventTimeText, IsReadWithOffsetsAndShortForms) {
  const std::vector<Written> table = {
      {1'769'860'859'500'000, "2026-01-31T13:00:59.5+01:00"},
      {1'769'860'859'500'000, "2026-01-31 06:30:59.500000999-05:30"},
      {1'769'860'800'000'000, "2026-01-31T12:00Z"},
  };
  for (const Written& example : table) {
    const Result<EventTime> time = parse_event_time(example.text);
    ASSERT_TRUE(time.ok()) << example.text;
    EXPECT_EQ(micros(*time), example.micros) << example.text;
  }
}

TEST(EventTimeText, IsRefusedWhenItIsNotATime) {
  for (const char* text : {"", "2026-01-31", "2026-01-31T12:00:59", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
                           "2026-01-00T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z", "2026-01-31T12:00:60Z",
                           "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00Zx",
                           " 2026-01-31T12:00:00Z", "2026-1-31T12:00:00Z", "20260131T120000Z", "inf",
                           "+300000-01-01T00:00:00Z", "-300000-01-01T00:00:00Z", "12345-01-01T00:00:00Z", "2026-01-31T12:00:00+24:00"}) {
    const Result<EventTime> time = parse_event_time(text);
    ASSERT_FALSE(time.ok()) << text << " was read as " << to_string(*time);
    EXPECT_EQ(time.error().code, ErrorCode::kDecodeFailed);
  }
}

// W1
TEST(EventTimeArithmetic, F24StaysAtTheInfinities) {
  EXPECT_EQ(saturating_add(kPlusInfinity, Duration{-5}), kPlusInfinity);
  EXPECT_EQ(saturating_add(kMinusInfinity, Duration{5}), kMinusInfinity);
  EXPECT_EQ(saturating_add(event_time(std::numeric_limits<std::int64_t>::max() - 1), Duration{5}), kPlusInfinity);
  EXPECT_EQ(saturating_add(event_time(std::numeric_limits<std::int64_t>::min() + 1), Duration{-5}), kMinusInfinity);
  EXPECT_EQ(saturating_add(event_time(1), Duration{-5}), event_time(-4));
}

// A1
TEST(EventTimeArithmetic, HasRemaindersThatAreNeverNegative) {
  EXPECT_EQ(floor_mod(Duration{7}, Duration{5}), Duration{2});
  EXPECT_EQ(floor_mod(Duration{-1}, Duration{5}), Duration{4});
  EXPECT_EQ(floor_mod(Duration{-5}, Duration{5}), Duration{0});
}

// A5
TEST(Window, GivesItsResultsTheGreatestTimeThatCanLieInIt) {
  EXPECT_EQ((Window{event_time(0), event_time(10)}.max_time()), event_time(9));
  EXPECT_EQ((Window{kMinusInfinity, kPlusInfinity}.max_time()), kPlusInfinity);
}

TEST(SystemClock, DoesNotGoBack) {
  const auto first = system_clock().steady_now();
  EXPECT_LE(first, system_clock().steady_now());
  EXPECT_GT(system_clock().wall_now().time_since_epoch().count(), 0);
}

}  // namespace

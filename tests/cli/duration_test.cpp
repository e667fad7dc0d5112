#include "src/duration.hpp"

#include <gmock/gmock.h>

namespace tidemark::cli_internal {
namespace {

using namespace std::chrono_literals;
using ::testing::Eq;
using ::testing::Optional;

struct Written {
  const char* text;
  std::chrono::milliseconds duration;
};

TEST(Duration, IsReadInEachUnit) {
  for (const Written& each : std::initializer_list<Written>{{"0s", 0ms},
                                                            {"1ms", 1ms},
                                                            {"500ms", 500ms},
                                                            {"30s", 30s},
                                                            {"5min", 5min},
                                                            {"1h", 1h},
                                                            {"2d", 48h},
                                                            {"9223372036854775807ms", std::chrono::milliseconds::max()}}) {
    EXPECT_THAT(parse_duration(each.text), Optional(each.duration)) << each.text;
  }
}

TEST(Duration, IsRefusedRatherThanGuessed) {
  for (const char* text : {"", "5", "s", "-1s", "+1s", " 1s", "1s ", "1 s", "1.5s", "1S", "1m", "1sec", "1h30min", "0x10s",
                           "9223372036854775808ms", "9223372036854775807s"}) {
    EXPECT_THAT(parse_duration(text), Eq(std::nullopt)) << '"' << text << '"';
  }
}

TEST(Duration, IsWrittenInTheLargestUnitThatHoldsIt) {
  for (const Written& each : std::initializer_list<Written>{
           {"0s", 0ms}, {"1ms", 1ms}, {"1500ms", 1500ms}, {"30s", 30s}, {"90s", 90s}, {"5min", 300s}, {"1h", 60min}, {"2d", 48h}}) {
    EXPECT_EQ(duration_text(each.duration), each.text);
    EXPECT_THAT(parse_duration(each.text), Optional(each.duration));
  }
}

}  // namespace
}  // namespace tidemark::cli_internal

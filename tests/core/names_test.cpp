#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/core/names.hpp>

namespace {

using namespace tidemark;
using namespace std::string_view_literals;

// S03
TEST(Name, IsOneToSixtyFourHarmlessCharacters) {
  for (const std::string_view name : {"a"sv, "clicks_per_user"sv, "A-1.b"sv, "..."sv, ".hidden"sv}) {
    EXPECT_TRUE(check_name("operator", name).ok()) << name;
  }
  EXPECT_TRUE(check_name("operator", std::string(64, 'x')).ok());
  for (const std::string_view name : {""sv, "."sv, ".."sv, "../a"sv, "a/b"sv, "/etc"sv, "a\\b"sv, "%2e%2e"sv, "%252f"sv, "a b"sv, "a\0b"sv,
                                      "a\nb"sv, "\x1b[31m"sv, "caf\xC3\xA9"sv}) {
    const Status status = check_name("operator", name);
    ASSERT_FALSE(status.ok()) << name;
    EXPECT_EQ(status.error().code, ErrorCode::kBadName);
  }
  for (const std::size_t length : {65U, 4096U}) {
    const Status status = check_name("operator", std::string(length, 'x'));
    ASSERT_FALSE(status.ok());
    EXPECT_LT(status.error().message.size(), 200U) << "a message does not repeat a huge name";
  }
}

TEST(Name, IsRefusedInWordsThatCannotForgeALine) {
  const Status status = check_name("sink", "a\nerror: forged");
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "sink name \"a\\nerror: forged\" has a character that is not allowed");
}

TEST(Nearest, IsTheCandidateThatSomebodyProbablyMeant) {
  const std::vector<std::string> candidates = {"parallelism", "state-dir", "interval"};
  EXPECT_EQ(nearest("paralellism", candidates), "parallelism");
  EXPECT_EQ(nearest("statedir", candidates), "state-dir");
  EXPECT_EQ(nearest("intervall", candidates), "interval");
  EXPECT_EQ(nearest("banana", candidates), "");
  EXPECT_EQ(nearest("x", {"y"}), "y");
  EXPECT_EQ(nearest("", candidates), "");
}

}  // namespace

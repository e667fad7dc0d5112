#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/core/log.hpp>

namespace {

using namespace tidemark;

TEST(Logger, GivesTheHostsSinkTheLinesOfItsLevelAndAbove) {
  std::vector<std::pair<LogLevel, std::string>> lines;
  const Logger logger =
      Logger::to_sink([&lines](LogLevel level, std::string_view line) { lines.emplace_back(level, line); }, LogLevel::kWarning);
  logger.info("unheard");
  logger.warning("careful");
  const Logger copy = logger;
  copy.error("broken");
  EXPECT_EQ(lines, (std::vector<std::pair<LogLevel, std::string>>{{LogLevel::kWarning, "careful"}, {LogLevel::kError, "broken"}}));
}

// S04
TEST(Logger, LetsNoDataForgeALineOrSteerATerminal) {
  std::string heard;
  const Logger logger = Logger::to_sink([&heard](LogLevel, std::string_view line) { heard = line; });
  constexpr char kLine[] = "key \r\n12:00 error forged \x1b[31m\t\x7f\0 \xC2\x9B caf\xC3\xA9";
  logger.info(std::string_view{kLine, sizeof kLine - 1});
  EXPECT_EQ(heard, "key \\r\\n12:00 error forged \\x1b[31m\\t\\x7f\\x00 \\x9b caf\xC3\xA9") << "other letters stay as they are";
}

TEST(Logger, SurvivesASinkThatThrows) {
  const Logger logger = Logger::to_sink([](LogLevel, std::string_view) { throw std::runtime_error{"full"}; });
  EXPECT_NO_THROW(logger.error("line"));
}

TEST(Logger, WritesReadableLinesToStandardError) {
  ::testing::internal::CaptureStderr();
  Logger::to_stderr().info("started {} %s");
  Logger::to_stderr().log(LogLevel::kDebug, "unheard");
  Logger::silent().error("unheard");
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("info started {} %s\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("unheard"), std::string::npos) << text;
}

}  // namespace

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include <tidemark/core/check.hpp>
#include <tidemark/core/status.hpp>

namespace {

using namespace tidemark;

Error window_changed() {
  return Error{.code = ErrorCode::kStateMismatch,
               .message = "cannot restore operator \"velocity\" from checkpoint 42",
               .facts = {{"checkpoint", "window=tumbling(60s) key=string  state schema v3"},
                         {"job", "window=sliding(60s, 10s) key=string  state schema v4"}},
               .why = "the window changed; slices of the old kind cannot be read as the new kind",
               .fix = "give the operator a new name and add --drop-state velocity, or start with --from none"};
}

TEST(Error, IsDescribedWithBothSidesTheReasonAndTheRemedy) {
  EXPECT_EQ(window_changed().describe(),
            "error[TM0203]: cannot restore operator \"velocity\" from checkpoint 42\n"
            "  checkpoint : window=tumbling(60s) key=string  state schema v3\n"
            "  job        : window=sliding(60s, 10s) key=string  state schema v4\n"
            "  why  : the window changed; slices of the old kind cannot be read as the new kind\n"
            "  fix  : give the operator a new name and add --drop-state velocity, or start with --from none\n"
            "  help : tidemark explain TM0203");
}

TEST(Error, LeavesOutWhatItDoesNotKnow) {
  const Error error{.code = ErrorCode::kUsage, .message = "no such verb"};
  EXPECT_EQ(error.describe(), "error[TM0101]: no such verb\n  help : tidemark explain TM0101");
}

// S04
TEST(Error, CannotBeMadeToForgeLinesByWhatItQuotes) {
  const Error error{.code = ErrorCode::kDecodeFailed, .message = "bad \x1b[2J", .facts = {{"record", "a\nerror[TM0000]: all is lost"}}};
  EXPECT_EQ(error.describe(),
            "error[TM0403]: bad \\x1b[2J\n"
            "  record : a\\nerror[TM0000]: all is lost\n"
            "  help : tidemark explain TM0403");
}

Status refuse() { return window_changed(); }
Result<int> number(bool good) {
  if (!good) return window_changed();
  return 7;
}
Result<std::unique_ptr<int>> doubled(bool good) {
  TIDEMARK_ASSIGN(const int value, number(good));
  TIDEMARK_TRY(Status{});
  return std::make_unique<int>(2 * value);
}

TEST(Result, IsAValueOrTheErrorThatStoppedIt) {
  EXPECT_TRUE(Status{}.ok());
  EXPECT_FALSE(refuse().ok());
  const Result<std::unique_ptr<int>> good = doubled(true);
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(**good, 14);
  const Result<std::unique_ptr<int>> bad = doubled(false);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().code, ErrorCode::kStateMismatch);
}

TEST(Check, ThrowsWithThePlaceTheConditionAndTheValues) {
  const int records = 3;
  EXPECT_NO_THROW(TIDEMARK_CHECK(records == 3));
  try {
    TIDEMARK_CHECK(records == 4, "records " + std::to_string(records));
    FAIL() << "a broken invariant went unnoticed";
  } catch (const BrokenInvariant& broken) {
    const std::string text = broken.what();
    EXPECT_NE(text.find("status_test.cpp:"), std::string::npos) << text;
    EXPECT_NE(text.find("broken invariant: records == 4: records 3"), std::string::npos) << text;
  }
}

}  // namespace

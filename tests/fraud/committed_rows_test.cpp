// The comparison at the end of `demo recovery` sees what it should.

#include "committed_rows.hpp"

#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "support/temporary_directory.hpp"

namespace tidemark::demo {
namespace {

class CompareRuns : public ::testing::Test {
 protected:
  CompareRuns() {
    for (const std::string run : {"unbroken", "broken"}) {
      write(run, "alerts", "alerts-0000000001-000.csv", "1,a\n2,b\n1,c\n");
      write(run, "late", "late-0000000002-000.csv", "x,1,a\nx,2,b\n");
    }
  }
  // Files of the same name are replaced. Their first line is a header.
  void write(const std::string& run, const std::string& sink, const std::string& name, const std::string& rows) {
    const std::filesystem::path folder = std::filesystem::path(directory_.path()) / run / sink;
    std::filesystem::create_directories(folder);
    std::ofstream(folder / name) << "header\n" << rows;
  }
  Difference compare() const {
    const std::filesystem::path root = directory_.path();
    return compare_runs(root / "unbroken", root / "broken");
  }

 private:
  const test_support::TemporaryDirectory directory_;
};

TEST_F(CompareRuns, FindsEqualRunsEqual) { EXPECT_TRUE(compare().none()); }

TEST_F(CompareRuns, DoesNotMindHowRowsAreSpreadOverFilesOrCards) {
  write("broken", "alerts", "alerts-0000000001-000.csv", "2,b\n1,a\n");
  write("broken", "alerts", "alerts-0000000002-000.csv", "1,c\n");
  write("broken", "alerts", ".tidemark-staged-alerts", "1,never committed\n");
  EXPECT_TRUE(compare().none());
}

TEST_F(CompareRuns, SeesALostRow) {
  write("broken", "alerts", "alerts-0000000001-000.csv", "1,a\n1,c\n");
  EXPECT_EQ(compare().lost, 1u);
  EXPECT_EQ(compare().duplicated, 0u);
}

TEST_F(CompareRuns, SeesADoubledRow) {
  write("broken", "alerts", "alerts-0000000002-000.csv", "1,c\n");
  EXPECT_EQ(compare().lost, 0u);
  EXPECT_EQ(compare().duplicated, 1u);
}

TEST_F(CompareRuns, SeesRowsOfACardThatIsNew) {
  write("broken", "alerts", "alerts-0000000002-000.csv", "3,c\n");
  EXPECT_EQ(compare().duplicated, 1u);
}

TEST_F(CompareRuns, SeesAnotherOrderOfOneCard) {
  write("broken", "alerts", "alerts-0000000001-000.csv", "1,c\n1,a\n2,b\n");
  EXPECT_EQ(compare().reordered, 1u);
  EXPECT_FALSE(compare().none());
}

TEST_F(CompareRuns, SeesALateDecisionThatChanged) {
  write("broken", "late", "late-0000000002-000.csv", "x,1,a\n");
  EXPECT_EQ(compare().late_changed, 1u);
  EXPECT_EQ(compare().lost, 1u);
}

}  // namespace
}  // namespace tidemark::demo

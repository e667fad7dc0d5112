// The sources over real files, where they are at hand.

#include <cstdlib>
#include <set>
#include <string>

#include <gmock/gmock.h>

#include <tidemark/file/csv.hpp>

#include "read_source.hpp"

namespace {

using namespace tidemark;
using namespace tidemark::file_test;
using testing::HasSubstr;

// The folder of TIDEMARK_DATA_DIR, or the one beside the project.
std::string data_file(const std::string& name) {
  const char* folder = std::getenv("TIDEMARK_DATA_DIR");
  const std::string path = join_path(folder != nullptr ? folder : TIDEMARK_SOURCE_DIR "/../shared/data", name);
  const auto kind = posix_file_system().kind(path);
  return kind.ok() && *kind == FileKind::kFile ? path : "";
}

TEST(RealData, OfCardTransactionsIsReadWhole) {
  const std::string path = data_file("card_transactions.csv");
  if (path.empty()) GTEST_SKIP() << "card_transactions.csv is not at hand: set TIDEMARK_DATA_DIR";
  std::set<std::int64_t> cards;
  std::int64_t last = 0;
  const auto outcome = read_source(
      csv_source({.path = path}, {"cc_num", "trans_num", "unix_time", "amt", "merch_lat", "merch_long", "is_fraud"}, [&](CsvRow& row) {
    const std::int64_t time = row.integer(2);
    if (time < last) row.refuse("not in time order");
    last = time;
    if (row.text(1).size() != 32) row.refuse("a transaction number has 32 digits");
    if (row.number(4) < -90 || row.number(4) > 90 || row.number(5) < -180 || row.number(5) > 180) row.refuse("not a place");
    if (!(row.number(3) > 0)) row.refuse("an amount is above zero");
    cards.insert(row.integer(0));
    return row.integer(6);
  }));
  ASSERT_TRUE(outcome.ok()) << outcome.error.describe();
  EXPECT_TRUE(outcome.refused.empty()) << outcome.refused.front().error;
  EXPECT_EQ(outcome.values.size(), 5116u);
  EXPECT_EQ(std::count(outcome.values.begin(), outcome.values.end(), 1), 18);
}

TEST(RealData, OfProductsWithoutQuotingIsReadWhole) {
  const std::string path = data_file("openfoodfacts_products.tsv");
  if (path.empty()) GTEST_SKIP() << "openfoodfacts_products.tsv is not at hand: set TIDEMARK_DATA_DIR";
  const auto outcome = read_source(
      csv_source({.path = path}, {"code", "product_name"}, [](CsvRow& row) { return row.text(0) + row.text(1); },
                                              {.delimiter = '\t', .quoted = false}));
  ASSERT_TRUE(outcome.ok()) << outcome.error.describe();
  EXPECT_TRUE(outcome.refused.empty()) << outcome.refused.front().error;
  EXPECT_EQ(outcome.values.size(), 1000u);
}

TEST(RealData, WithAMisspeltColumnIsRefusedWithTheNearestName) {
  const std::string path = data_file("card_transactions.csv");
  if (path.empty()) GTEST_SKIP() << "card_transactions.csv is not at hand: set TIDEMARK_DATA_DIR";
  const auto outcome = read_source(csv_source({.path = path}, {"merch_lon"}, [](CsvRow& row) { return row.number(0); }));
  EXPECT_THAT(outcome.error.fix, HasSubstr("merch_long"));
}

}  // namespace

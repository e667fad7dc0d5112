#pragma once
// A seeded generator of card transactions: ordinary shopping with disorder, a few that come late, and planted frauds of each rule.

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace tidemark::demo {

struct TransactionsOptions {
  std::uint64_t seed = 1;
  std::size_t transactions = 50'000;
  std::size_t cards = 1'000;
  // Rows are out of order by up to this many seconds; a few lie 10 s further behind what the demo's job waits for.
  int disorder_s = 25;
};

// Frauds that were planted: (rule, transaction id) of the transaction at which the rule must speak.
using Planted = std::set<std::pair<std::string, std::string>>;

struct Transactions {
  std::string csv;      // with a header; the columns that the fraud job reads, and a few that it does not
  Planted planted;
  std::size_t late = 0;
};

// The same options give the same bytes.
Transactions make_transactions(const TransactionsOptions& options);

}  // namespace tidemark::demo

#include "transactions.hpp"

#include <algorithm>
#include <cstdio>

#include <tidemark/core/random.hpp>

namespace tidemark::demo {

namespace {

struct Row {
  std::int64_t time = 0;      // seconds
  std::int64_t arrival = 0;   // seconds; rows are written in this order
  std::uint64_t card = 0;
  std::uint64_t number = 0;
  double amount = 0;
  double latitude = 0;
  double longitude = 0;
  const char* planted = nullptr;
};

constexpr std::int64_t kStart = 1'704'067'200;   // 2024-01-01 UTC
constexpr std::int64_t kSecondsPerRow = 2;
constexpr const char* kMerchants[] = {"Grocer, Main Street", "Fuel Stop", "The \"Corner\" Shop", "Books & More", "Pharmacy"};

class Generator {
 public:
  explicit Generator(const TransactionsOptions& options) : options_(options), random_(options.seed) {}

  Transactions make() {
    for (std::size_t i = 0; i < options_.transactions; ++i) {
      const std::int64_t time = kStart + static_cast<std::int64_t>(i) * kSecondsPerRow;
      // Honest cards shop seldom and near home; each planted fraud has a card of its own, so that the expected alert is certain.
      add(time, below(options_.cards), nullptr);
      if (i % 1000 == 500) plant_velocity(time);
      if (i % 1000 == 600) plant_travel(time);
      if (i % 1000 == 700) plant_amount(time);
    }
    for (Row& row : rows_) row.arrival = row.time + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(options_.disorder_s) + 1));
    make_some_late();
    std::stable_sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) { return a.arrival < b.arrival; });
    return write();
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_.next() % bound; }

  Row& add(std::int64_t time, std::uint64_t card, const char* planted) {
    Row row;
    row.time = time;
    row.card = card;
    row.number = rows_.size();
    row.amount = 5 + static_cast<double>(below(2000)) / 100;
    row.latitude = 48 + static_cast<double>(card % 100) / 100;
    row.longitude = 9 + static_cast<double>(card % 97) / 100;
    row.planted = planted;
    rows_.push_back(row);
    return rows_.back();
  }
  std::uint64_t fraud_card() { return 1'000'000 + frauds_++; }

  void plant_velocity(std::int64_t time) {
    const std::uint64_t card = fraud_card();
    for (int k = 0; k < 6; ++k) add(time + k * 7, card, k == 5 ? "high_velocity" : nullptr);
  }
  void plant_travel(std::int64_t time) {
    const std::uint64_t card = fraud_card();
    add(time, card, nullptr);
    Row& far = add(time + 600, card, "impossible_travel");
    far.latitude = -33.9;
    far.longitude = 151.2;
  }
  void plant_amount(std::int64_t time) {
    const std::uint64_t card = fraud_card();
    for (int k = 0; k < 3; ++k) add(time + k * 300, card, nullptr);
    // Some are above 10,000, for the rule large_amount.
    add(time + 1200, card, "amount_anomaly").amount = 900 + 700 * static_cast<double>(frauds_ % 20);
  }

  // Far behind whatever is written around them.
  void make_some_late() {
    for (std::size_t i = 400; i < rows_.size(); i += 997) {
      if (rows_[i].card >= 1'000'000) continue;
      rows_[i].arrival += 120;
      ++late_;
    }
  }

  Transactions write() const {
    Transactions made;
    made.late = late_;
    made.csv = ",cc_num,merchant,amt,trans_num,unix_time,merch_lat,merch_long\n";
    char line[256];
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const Row& row = rows_[i];
      char id[32];
      std::snprintf(id, sizeof id, "t%08llu", static_cast<unsigned long long>(row.number));
      std::string merchant = kMerchants[row.number % std::size(kMerchants)];
      for (std::size_t at = 0; (at = merchant.find('"', at)) != std::string::npos; at += 2) merchant.insert(at, "\"");
      std::snprintf(line, sizeof line, "%zu,%llu,\"%s\",%.2f,%s,%lld,%.4f,%.4f\n", i, 4'000'000'000'000'000ULL + row.card, merchant.c_str(),
                    row.amount, id, static_cast<long long>(row.time), row.latitude, row.longitude);
      made.csv += line;
      if (row.planted != nullptr) made.planted.emplace(row.planted, id);
    }
    return made;
  }

  const TransactionsOptions options_;
  SeededRandom random_;
  std::vector<Row> rows_;
  std::uint64_t frauds_ = 0;
  std::size_t late_ = 0;
};

}  // namespace

Transactions make_transactions(const TransactionsOptions& options) { return Generator(options).make(); }

}  // namespace tidemark::demo

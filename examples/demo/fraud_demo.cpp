#include <chrono>
#include <fstream>

#include <fmt/format.h>

#include "child.hpp"
#include "committed_rows.hpp"
#include "demo.hpp"
#include "transactions.hpp"

namespace tidemark::demo {

namespace {

std::vector<std::string> fields_of(const std::string& row) {
  std::vector<std::string> fields(1);
  for (const char c : row) {
    if (c == ',') {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

void print_recall(const Planted& planted, const Planted& found) {
  fmt::print("\n{:<20} {:>8} {:>8} {:>8}\n", "RULE", "PLANTED", "FOUND", "RECALL");
  for (const char* rule : {"high_velocity", "impossible_travel", "amount_anomaly"}) {
    std::size_t all = 0, hit = 0;
    for (const auto& each : planted) {
      if (each.first != rule) continue;
      ++all;
      hit += found.contains(each) ? 1 : 0;
    }
    fmt::print("{:<20} {:>8} {:>8} {:>7.1f}%\n", rule, all, hit,
               all == 0 ? 0.0 : 100.0 * static_cast<double>(hit) / static_cast<double>(all));
  }
}

}  // namespace

int show_fraud(const std::string& fraud_program) {
  Workspace workspace;
  const TransactionsOptions options{.seed = 7, .transactions = 20'000};
  const Transactions transactions = make_transactions(options);
  const auto input = workspace.path() / "transactions.csv";
  std::ofstream(input, std::ios::binary) << transactions.csv;
  fmt::print(stderr, "{} card transactions, out of order by up to {} s, {} of them late; {} frauds are planted\n", options.transactions,
             options.disorder_s, transactions.late, transactions.planted.size());

  const auto begin = std::chrono::steady_clock::now();
  const auto out = workspace.path() / "out";
  Child job({fraud_program, "run", "--transactions", input, "--out", out, "--state", workspace.path() / "state", "--checkpoint-every",
             "200ms", "--quiet"},
            workspace.path() / "log");
  const auto code = job.wait_for(std::chrono::minutes{2});
  if (code != 0) {
    fmt::print(stderr, "the job failed; it said:\n{}",
               std::string(std::istreambuf_iterator<char>(std::ifstream(workspace.path() / "log").rdbuf()), {}));
    return 1;
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);

  fmt::print("{:<18} {:<10} {:<21} {:<18} {:>9}  {}\n", "CARD", "ID", "TIME", "RULE", "AMOUNT", "DETAIL");
  Planted found;
  std::size_t alerts = 0;
  constexpr std::size_t kShown = 20;
  for (const auto& [card, rows] : read_rows(out / "alerts", 0)) {
    for (const std::string& row : rows) {
      const auto fields = fields_of(row);
      found.emplace(fields[3], fields[1]);
      if (++alerts > kShown) continue;
      const double amount = std::stod(fields[4]);
      fmt::print("{:<18} {:<10} {:<21} {:<18} {:>9.2f}  {}\n", fields[0], fields[1], fields[2], fields[3], amount, fields[5]);
    }
  }
  if (alerts > kShown) fmt::print("... and {} more\n", alerts - kShown);
  print_recall(transactions.planted, found);
  std::size_t late = 0;
  for (const auto& [card, rows] : read_rows(out / "late", 1)) late += rows.size();
  fmt::print("\n{} alerts, {} late rows, in {} ms\n", alerts, late, took.count());
  for (const auto& planted : transactions.planted) {
    if (!found.contains(planted)) return 1;
  }
  return 0;
}

}  // namespace tidemark::demo

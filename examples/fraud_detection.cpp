// Watches card transactions for fraud. Reads a CSV file, keeps an hour of each card's history, and writes alerts, late rows and rows that
// cannot be read, exactly once whatever happens to the process.
//
//   fraud_detection run --transactions transactions.csv --out results --state state

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/cli/cli.hpp>
#include <tidemark/file/csv.hpp>
#include <tidemark/file/pace.hpp>
#include <tidemark/file/quarantine.hpp>
#include <tidemark/operators/stream.hpp>

#include "fraud/fraud_rules.hpp"

using namespace fraud;
using namespace tidemark;

namespace {

struct Options {
  std::string transactions;
  std::string out;
  std::string rules = "v1";
  std::chrono::milliseconds disorder = 30s;
  std::uint64_t pace = 0;
  std::string speed;
};

Result<Source<Transaction>> transactions(const Options& options) {
  const std::vector<std::string> columns = {"cc_num", "trans_num", "unix_time", "amt", "merch_lat", "merch_long"};
  auto source = csv_source({.path = options.transactions}, columns, [](CsvRow& row) {
    return Transaction{.card = row.integer(0),
                       .id = std::string{row.text(1)},
                       .time = row.unix_seconds(2),
                       .amount = row.number(3),
                       .latitude = row.number(4),
                       .longitude = row.number(5),
                       .row = std::string{row.raw()}};
  });
  source = paced(source, Pace::records_per_second(options.pace));
  if (options.speed.empty()) return source;
  TIDEMARK_ASSIGN(const EventTimePace speed, Pace::speed(options.speed));
  return paced(source, speed, &Transaction::time);
}

Result<Graph> fraud_job(const Options& options) {
  TIDEMARK_ASSIGN(auto source, transactions(options));
  Graph graph;
  auto alerts = graph.from("transactions", std::move(source))
                    .with_event_time(&Transaction::time, {.out_of_orderness = options.disorder})
                    .key_by(&Transaction::card)
                    .process<Alert>("rules", Rules{options.rules == "v2" ? Rules::Version::kV2 : Rules::Version::kV1},
                                    event_time_order(&Transaction::id));

  alerts.to("alerts", csv_sink<Alert>(options.out + "/alerts", {"card", "transaction", "time", "rule", "amount", "detail"},
                                      [](CsvWriter& row, const Alert& alert) {
                                        row.fields(alert.card, alert.transaction, alert.time, alert.rule, alert.amount, alert.detail);
                                      }));
  alerts.late().to("late", csv_sink<Late<Transaction>>(options.out + "/late", CsvHeader::of({.path = options.transactions}),
                                                       [](CsvWriter& row, const Late<Transaction>& late) { row.raw(late.record.row); }));
  graph.quarantine_to("quarantine", quarantine_csv_sink(options.out + "/quarantine"),
                      {.decode = OnRefused::kQuarantine, .too_large = OnRefused::kQuarantine});
  return graph;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  Cli cli("fraud_detection", "Finds suspicious card transactions: high velocity, impossible travel, unusual amounts.");
  cli.option("--transactions", options.transactions, "CSV of card transactions: a file, a glob or a directory").required();
  cli.option("--out", options.out, "Folder for alerts/, late/ and quarantine/").required();
  cli.option("--rules", options.rules, "Rule set", {"v1", "v2"});
  cli.option("--disorder", options.disorder, "How far a transaction may come behind later ones");
  cli.option("--pace", options.pace, "Records per second to read at most; 0: as fast as possible");
  cli.option("--speed", options.speed, "Read as if the transactions happened now, that much faster: 60x plays an hour in a minute");
  return cli.run(argc, argv, [&] { return fraud_job(options); });
}

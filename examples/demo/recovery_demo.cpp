#include <algorithm>
#include <chrono>
#include <fstream>

#include <fmt/format.h>

#include <tidemark/core/random.hpp>

#include "child.hpp"
#include "committed_rows.hpp"
#include "demo.hpp"
#include "transactions.hpp"

namespace tidemark::demo {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kPace = 20'000;                  // transactions per second in the broken run
constexpr std::size_t kTransactionsPerKill = 7'000;    // so that the input outlasts the kills
constexpr std::size_t kMostTransactions = 400'000;

std::vector<std::string> command(const std::string& program, const std::filesystem::path& input, const std::filesystem::path& folder,
                                 std::uint64_t parallelism, std::size_t pace) {
  std::vector<std::string> words = {program, "run", "--quiet", "--checkpoint-every", "50ms"};
  words.insert(words.end(), {"--transactions", input, "--out", folder / "out", "--state", folder / "state"});
  words.insert(words.end(), {"--parallelism", std::to_string(parallelism), "--pace", std::to_string(pace)});
  return words;
}

int say_failed(const std::filesystem::path& log, int code) {
  fmt::print(stderr, "the job ended with exit code {}; it said:\n{}", code,
             std::string(std::istreambuf_iterator<char>(std::ifstream(log).rdbuf()), {}));
  return 1;
}

}  // namespace

int show_recovery(const std::string& fraud_program, const RecoveryOptions& options) {
  Workspace workspace;
  SeededRandom random(options.seed);
  const std::size_t count = std::clamp(options.kills * kTransactionsPerKill, std::size_t{50'000}, kMostTransactions);
  const auto input = workspace.path() / "transactions.csv";
  std::ofstream(input, std::ios::binary) << make_transactions({.seed = options.seed, .transactions = count}).csv;

  fmt::print(stderr, "an unbroken run over {} transactions, parallelism {} ...\n", count, options.parallelism);
  const auto unbroken = workspace.path() / "unbroken";
  const auto log = workspace.path() / "log";
  std::filesystem::create_directory(unbroken);
  {
    Child job(command(fraud_program, input, unbroken, options.parallelism, 0), log);
    const int code = job.wait_for(5min).value_or(-1);
    if (code != 0) return say_failed(log, code);
  }

  Difference difference;
  std::uint64_t kills = 0;
  for (int round = 1; kills < options.kills || round == 1; ++round) {
    const auto folder = workspace.path() / ("broken-" + std::to_string(round));
    std::filesystem::create_directory(folder);
    while (true) {
      Child job(command(fraud_program, input, folder, options.parallelism, kills < options.kills ? kPace : 0), log);
      if (kills < options.kills) {
        // From before the first checkpoint of a start until well after some.
        const std::chrono::milliseconds patience{20 + static_cast<std::int64_t>(random.next() % 500)};
        if (!job.wait_for(patience) && job.kill()) {
          ++kills;
          fmt::print(stderr, "kill -9 number {} after {} ms\n", kills, patience.count());
          continue;
        }
      }
      const int code = job.wait_for(5min).value_or(-1);
      if (code != 0) return say_failed(log, code);
      break;
    }
    const Difference here = compare_runs(unbroken / "out", folder / "out");
    difference.lost += here.lost;
    difference.duplicated += here.duplicated;
    difference.reordered += here.reordered;
    difference.late_changed += here.late_changed;
    if (!here.none()) {
      workspace.keep();
      break;
    }
    std::filesystem::remove_all(folder);
  }
  if (difference.reordered > 0) fmt::print("rows of {} cards came in another order\n", difference.reordered);
  if (!difference.none()) fmt::print(stderr, "both outputs are kept in {}\n", workspace.path().string());
  fmt::print("{} kills · lost {} · duplicated {} · late decisions changed {}\n", kills, difference.lost, difference.duplicated,
             difference.late_changed);
  return difference.none() ? 0 : 1;
}

}  // namespace tidemark::demo

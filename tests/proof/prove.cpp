// The proof by exhaustion: README.md says what it does. Its last line has the numbers; it ends with 1 if anything failed.

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/random.hpp>

#include "explorer.hpp"
#include "planted.hpp"
#include "proof_scenarios.hpp"
#include "world.hpp"

namespace {

using namespace tidemark;
using namespace tidemark::proof;

constexpr const char* kUsage =
    "usage: prove [--quick|--exhaustive] [--scenario NAME] [--depth 1..3] [--seed S] [--seeds K] [--threads N] [--at-least STATES]\n"
    "       prove --scenario NAME --crash 143:V3[,17:V1] --seed S     what a failure prints\n"
    "       prove --scenario NAME --tree DIRECTORY                    recovers from the very tree that a failure kept\n";

struct Arguments {
  bool quick = false;
  bool exhaustive = false;
  std::string scenario{};
  std::string tree{};
  int depth = 3;
  std::uint64_t at_least = 0;
  Settings settings{};
};

// Every state after the first crash is tried. This is how much is tried of what lies below: each of them has a recovery with a thousand
// crash states of its own.
struct Effort {
  std::size_t parents;         // states after the first crash whose recovery is crashed in turn
  std::size_t second;          // states tried of one such recovery
  std::size_t third_parents;   // states after the second crash whose recovery is crashed
  std::size_t third;
};
constexpr Effort kQuick{.parents = 60, .second = 25, .third_parents = 20, .third = 10};
constexpr Effort kUsual{.parents = SIZE_MAX, .second = 20, .third_parents = 200, .third = 20};
constexpr Effort kExhaustive{.parents = SIZE_MAX, .second = SIZE_MAX, .third_parents = 1000, .third = 20};
// They stand for stateless and for stateful jobs.
bool goes_deep(const Scenario& scenario) {
  static const std::set<std::string> kDeep{"map", "tumbling"};
  return scenario.every_second || is_backward(scenario.twist) || kDeep.contains(scenario.name);
}

std::optional<Arguments> parse(int argc, char** argv) {
  Arguments arguments;
  const std::vector<std::string> words(argv + 1, argv + argc);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--quick" || words[i] == "--exhaustive") {
      (words[i] == "--quick" ? arguments.quick : arguments.exhaustive) = true;
      continue;
    }
    if (i + 1 == words.size()) return std::nullopt;
    const std::string& value = words[i + 1];
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
    const bool is_number = parsed.ec == std::errc{} && parsed.ptr == value.data() + value.size();
    const std::string& name = words[i++];
    if (name == "--scenario") {
      arguments.scenario = value;
    } else if (name == "--tree") {
      arguments.tree = value;
    } else if (name == "--crash") {
      const auto crashes = parse_crashes(value);
      if (!crashes) return std::nullopt;
      arguments.settings.only = *crashes;
    } else if (!is_number) {
      return std::nullopt;
    } else if (name == "--depth") {
      arguments.depth = static_cast<int>(number);
    } else if (name == "--seed") {
      arguments.settings.seed = number;
    } else if (name == "--seeds") {
      arguments.settings.seeds = number;
    } else if (name == "--threads") {
      arguments.settings.threads = number;
    } else if (name == "--at-least") {
      arguments.at_least = number;
    } else {
      return std::nullopt;
    }
  }
  if ((!arguments.tree.empty() || !arguments.settings.only.empty()) && arguments.scenario.empty()) return std::nullopt;
  return arguments;
}

class Proof {
 public:
  explicit Proof(Arguments arguments)
      : arguments_(std::move(arguments)), effort_(arguments_.quick ? kQuick : arguments_.exhaustive ? kExhaustive : kUsual) {
    for (const auto* table : {&scenarios(), &proof_scenarios()}) {
      for (const Scenario& scenario : *table) {
        if (arguments_.scenario.empty() || arguments_.scenario == scenario.name) chosen_.push_back(&scenario);
      }
    }
  }

  int run() {
    if (chosen_.empty()) {
      std::fprintf(stderr, "there is no scenario \"%s\"\n", arguments_.scenario.c_str());
      return 2;
    }
    if (!arguments_.tree.empty()) return again(*chosen_.front());
    if (!arguments_.settings.only.empty()) return repeat(*chosen_.front());
    for (const Scenario* scenario : chosen_) explore(*scenario);
    const bool all = arguments_.scenario.empty();
    if (all) plant(scenarios()[1]);
    return summary(all);
  }

 private:
  Explorer::OnFailure reporter(const Scenario& scenario) {
    return [this, &scenario](const CrashState& state, const Verdict& verdict) {
      // Threads make each recording another one, so the tree itself is kept too.
      const std::string kept =
          (std::filesystem::temp_directory_path() / ("tidemark-proof-failure-" + std::to_string(system_random().next()))).string();
      if (++kept_ <= 5) {
        std::filesystem::create_directory(kept);
        (void)write_tree(state.tree, kept).ok();
      }
      std::string again = std::string{"prove --scenario "} + scenario.name;
      if (!state.crashes.empty()) again += " --crash " + to_string(state.crashes) + " --seed " + std::to_string(state.seed);
      if (kept_ <= 5) again += "   or, the very tree: --tree " + kept;
      std::printf("FAILED:%s\n  %s\n", verdict.describe().c_str(), again.c_str());
      std::fflush(stdout);
    };
  }

  void add(const Explorer& explorer) {
    states_ += explorer.tried();
    failures_ += explorer.failures();
    total_.lost += explorer.total().lost;
    total_.doubled += explorer.total().doubled;
    total_.late_changed += explorer.total().late_changed;
  }

  void explore(const Scenario& scenario) {
    const std::uint64_t seed = arguments_.settings.seed;
    Explorer explorer(scenario, arguments_.settings, sometimes_, reporter(scenario));
    const Log log = explorer.record();
    const std::vector<CrashState> states = explorer.states_of({}, log);
    explorer.try_all(states);
    std::string line = std::to_string(log.size()) + " operations · crash states " + std::to_string(states.size());
    if (goes_deep(scenario) && arguments_.depth >= 2) {
      std::vector<CrashState> second;
      const std::vector<CrashState> parents = some(states, scenario.every_second ? SIZE_MAX : effort_.parents, seed);
      std::size_t recoveries = 0;
      for (const CrashState& parent : parents) {
        if (recoveries++ % 200 == 199) {
          std::fprintf(stderr, "%s: recovery %zu of %zu is crashed, after %llu crash states\n", scenario.name, recoveries, parents.size(),
                       static_cast<unsigned long long>(explorer.tried()));
        }
        const std::vector<CrashState> below = crashed_recoveries(explorer, parent, scenario.every_second ? SIZE_MAX : effort_.second);
        explorer.try_all(below);
        for (CrashState& state : some(below, 1, seed + explorer.tried())) second.push_back(std::move(state));
      }
      const std::uint64_t second_crashes = explorer.tried() - states.size();
      line += (scenario.every_second ? " · after every second crash " : " · after a second crash ") + std::to_string(second_crashes);
      if (arguments_.depth >= 3) {
        const std::uint64_t before = explorer.tried();
        for (const CrashState& parent : some(std::move(second), effort_.third_parents, seed)) {
          explorer.try_all(crashed_recoveries(explorer, parent, effort_.third));
        }
        line += " · after a third " + std::to_string(explorer.tried() - before);
      }
    }
    std::printf("%-10s %s\n", scenario.name, line.c_str());
    std::fflush(stdout);
    add(explorer);
  }

  static std::vector<CrashState> crashed_recoveries(Explorer& explorer, CrashState parent, std::size_t most = SIZE_MAX) {
    const Log log = explorer.record_recovery(parent);
    return explorer.states_of(parent, log, most);
  }

  // Crashes that a planted bug must not survive, from the scenario's own log.
  void plant(const Scenario& scenario) {
    SometimesTable none;
    const Log log = Explorer(scenario, arguments_.settings, none, {}).record();
    for (const PlantedBug& bug : planted_bugs) {
      Explorer explorer(scenario, arguments_.settings, none, [](const CrashState&, const Verdict&) {});
      const std::vector<CrashState> states = explorer.states_of({}, bug.plant(log));
      explorer.try_all(states, true);
      const bool caught = explorer.failures() > 0;
      caught_ += caught ? 1 : 0;
      std::printf("planted %s, %s: %s after %llu crash states\n", bug.name, bug.says, caught ? "caught" : "NOT CAUGHT",
                  static_cast<unsigned long long>(explorer.tried()));
      std::fflush(stdout);
    }
  }

  int repeat(const Scenario& scenario) {
    Explorer explorer(scenario, arguments_.settings, sometimes_, reporter(scenario));
    std::vector<CrashState> states = explorer.states_of({}, explorer.record());
    for (std::size_t depth = 1; depth < arguments_.settings.only.size() && !states.empty(); ++depth) {
      states = crashed_recoveries(explorer, states.front());
    }
    if (states.empty()) {
      std::printf("this recording has no such crash point\n");
      return 1;
    }
    explorer.try_all(states);
    add(explorer);
    return summary(false);
  }

  int again(const Scenario& scenario) {
    Result<Tree> tree = read_tree(arguments_.tree);
    if (!tree.ok()) {
      std::fprintf(stderr, "%s\n", tree.error().describe().c_str());
      return 2;
    }
    Explorer explorer(scenario, arguments_.settings, sometimes_, reporter(scenario));
    explorer.try_one({.tree = *tree, .seen = seen_in(*tree)});
    add(explorer);
    return summary(false);
  }

  int summary(bool all) {
    const std::string missing = sometimes_.missing();
    if (all && !missing.empty()) std::printf("never reached: %s\n", missing.c_str());
    if (states_ < arguments_.at_least) {
      std::printf("fewer than %llu crash states\n", static_cast<unsigned long long>(arguments_.at_least));
    }
    std::printf("crash states %llu · lost %llu · doubled %llu · late changed %llu", static_cast<unsigned long long>(states_),
                static_cast<unsigned long long>(total_.lost), static_cast<unsigned long long>(total_.doubled),
                static_cast<unsigned long long>(total_.late_changed));
    if (failures_ > 0) std::printf(" · FAILED %llu", static_cast<unsigned long long>(failures_));
    if (all) {
      std::printf(" · planted %d of %d caught · sometimes %zu of %zu reached", caught_, kPlantedBugs, sometimes_.reached(),
                  static_cast<std::size_t>(Sometimes::kCount));
    }
    std::printf("\n");
    const bool complete = !all || (caught_ == kPlantedBugs && missing.empty());
    return failures_ == 0 && complete && states_ >= arguments_.at_least ? 0 : 1;
  }

  const Arguments arguments_;
  const Effort effort_;
  std::vector<const Scenario*> chosen_;
  SometimesTable sometimes_;
  std::uint64_t states_ = 0;
  std::uint64_t failures_ = 0;
  Verdict total_;
  int caught_ = 0;
  int kept_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::optional<Arguments> arguments = parse(argc, argv);
    if (!arguments) {
      std::fputs(kUsage, stderr);
      return 2;
    }
    return Proof(*arguments).run();
  } catch (const std::exception& failed) {
    std::printf("FAILED: %s\n", failed.what());
    return 1;
  }
}

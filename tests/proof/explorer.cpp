#include "explorer.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <exception>
#include <stdexcept>
#include <thread>
#include <unordered_map>
#include <utility>

#include <tidemark/core/random.hpp>

#include "world.hpp"

namespace tidemark::proof {

namespace {

constexpr std::size_t kLongEnough = 300;   // operations

bool depends_on_seed(Variant variant) {
  return variant == Variant::kV4 || variant == Variant::kV4s || variant == Variant::kV4p || variant == Variant::kV5 ||
         variant == Variant::kV5g;
}

std::uint64_t identity_of(const CrashState& state) {
  return hash_of_what_counts(state.tree) + 31 * hash_of(state.seen.results) + 1'000'003 * state.seen.committed;
}

}  // namespace

std::vector<CrashState> some(std::vector<CrashState> states, std::size_t most, std::uint64_t seed) {
  SeededRandom random(seed);
  most = std::min(most, states.size());
  for (std::size_t i = 0; i < most; ++i) std::swap(states[i], states[i + random.next() % (states.size() - i)]);
  states.resize(most);
  return states;
}

std::string to_string(const std::vector<CrashPoint>& crashes) {
  std::string text;
  for (const CrashPoint& crash : crashes) {
    text += (text.empty() ? "" : ",") + std::to_string(crash.operations) + ":" + to_string(crash.variant);
  }
  return text;
}

std::optional<std::vector<CrashPoint>> parse_crashes(const std::string& text) {
  std::vector<CrashPoint> crashes;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string one = text.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t colon = std::min(one.find(':'), one.size());
    CrashPoint crash;
    const auto number = std::from_chars(one.data(), one.data() + colon, crash.operations);
    const auto* variant = std::find_if(std::begin(kVariants), std::end(kVariants),
                                       [&](Variant known) { return colon < one.size() && to_string(known) == one.substr(colon + 1); });
    if (number.ec != std::errc{} || number.ptr != one.data() + colon || variant == std::end(kVariants)) return std::nullopt;
    crash.variant = *variant;
    crashes.push_back(crash);
  }
  return crashes;
}

Explorer::Explorer(const Scenario& scenario, Settings settings, SometimesTable& sometimes, OnFailure on_failure)
    : scenario_(scenario),
      settings_(std::move(settings)),
      expected_(scenario.model(input_of(scenario))),
      sometimes_(sometimes),
      on_failure_(std::move(on_failure)) {}

Log Explorer::record() {
  // A busy machine makes long recordings, which prove the same at greater length: the shortest of a few is taken.
  Log shortest;
  for (int times = 0; times < 20; ++times) {
    Log log;
    World world({});
    const World::Run run = world.record(scenario_, log);
    if (scenario_.one_fails && run.failed != 1) continue;
    if (!run.problem.empty()) throw std::runtime_error(std::string{scenario_.name} + ": the unbroken run failed: " + run.problem);
    if (!scenario_.savepoint) {   // which stops in the middle
      const Verdict verdict = judge(expected_, {}, 0, world.tree());
      if (!verdict.ok()) throw std::runtime_error(std::string{scenario_.name} + ": the unbroken run is wrong:" + verdict.describe());
      if (run.checkpoints < scenario_.checkpoints) continue;
    }
    if (shortest.empty() || log.size() < shortest.size()) shortest = std::move(log);
    if (shortest.size() <= kLongEnough) break;
  }
  if (shortest.empty()) throw std::runtime_error(std::string{scenario_.name} + ": no run has enough checkpoints");
  return shortest;
}

std::vector<CrashState> Explorer::states_of(const CrashState& before, const Log& log, std::size_t most) {
  const bool in_recovery = !before.crashes.empty();
  const CrashPoint* only = before.crashes.size() < settings_.only.size() ? &settings_.only[before.crashes.size()] : nullptr;
  std::vector<CrashState> states;
  std::unordered_map<std::uint64_t, std::size_t> known;   // by hash of the tree
  Disk disk(before.tree);
  for (std::size_t i = 0; i <= log.size(); ++i) {
    if (i > 0 && !disk.apply(log[i - 1])) continue;
    const Tree kept = disk.crash(Variant::kV1, 0);
    Seen seen = before.seen;
    seen.add(seen_in(kept));
    if (i > 0) sometimes_.look_at(log[i - 1], kept, in_recovery);
    for (const Variant variant : kVariants) {
      if (only != nullptr && *only != CrashPoint{i, variant}) continue;
      for (std::uint64_t seed = settings_.seed; seed < settings_.seed + (depends_on_seed(variant) ? settings_.seeds : 1); ++seed) {
        Tree tree = variant == Variant::kV1 ? kept : disk.crash(variant, seed * 1'000'003 + i);
        const auto [found, is_new] = known.emplace(hash_of_what_counts(tree), states.size());
        if (!is_new) {
          states[found->second].seen.add(seen);   // the same tree must satisfy whoever saw more
          continue;
        }
        states.push_back({.tree = std::move(tree), .seen = seen, .crashes = before.crashes, .seed = seed, .restored = before.restored});
        states.back().crashes.push_back({i, variant});
      }
    }
  }
  // Whoever saw the same and finds the same must go on in the same way.
  std::erase_if(states, [&](const CrashState& state) { return met_.contains(identity_of(state)); });
  states = some(std::move(states), most, settings_.seed + log.size());
  for (const CrashState& state : states) met_.insert(identity_of(state));
  return states;
}

Verdict Explorer::verdict_on(const CrashState& state) {
  World world(state.tree);
  if (scenario_.savepoint) {
    if (std::string problem = world.try_savepoints(scenario_); !problem.empty()) return {.problem = std::move(problem)};
  }
  const World::Run run = world.recover(scenario_, state.crashes.size(), nullptr);
  if (run.restored == 0) {   // a fresh start, which draws its lineage anew
    if (std::any_of(state.tree.begin(), state.tree.end(), [](const auto& entry) { return is_staged(entry.first); })) {
      sometimes_.reach(Sometimes::kTwoLineages);
    }
  } else {
    if (scenario_.parallelism != scenario_.parallelism_after) sometimes_.reach(Sometimes::kOtherParallelism);
    if (run.restored > seen_in(state.tree).committed) sometimes_.reach(Sometimes::kCommitRepeated);
    if (run.restored == state.restored) sometimes_.reach(Sometimes::kRecoveryRepeated);
  }
  if (!run.problem.empty()) return {.problem = run.problem};
  const Tree after = world.tree();
  Verdict verdict = judge(expected_, state.seen, run.restored, after);
  if (verdict.ok() && run.at_rest) verdict.problem = leftover(after);
  return verdict;
}

void Explorer::try_one(const CrashState& state) {
  Verdict verdict;
  try {
    verdict = verdict_on(state);
  } catch (const std::exception& thrown) {   // on a thread of ours nobody else would
    verdict.problem = thrown.what();
  }
  const std::lock_guard guard{mutex_};
  ++tried_;
  total_.lost += verdict.lost;
  total_.doubled += verdict.doubled;
  total_.late_changed += verdict.late_changed;
  if (verdict.ok()) return;
  ++failures_;
  on_failure_(state, verdict);
}

void Explorer::try_all(const std::vector<CrashState>& states, bool until_failure) {
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < states.size(); i = next++) {
      try_one(states[i]);
      if (until_failure) {
        const std::lock_guard guard{mutex_};
        if (failures_ > 0) next = states.size();
      }
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < settings_.threads; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
}

Log Explorer::record_recovery(const CrashState& state, CheckpointId& restored) {
  World world(state.tree);
  Log log;
  restored = world.recover(scenario_, state.crashes.size(), &log).restored;
  return log;
}

}  // namespace tidemark::proof

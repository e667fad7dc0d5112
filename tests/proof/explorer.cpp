#include "explorer.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <exception>
#include <stdexcept>
#include <thread>
#include <unordered_map>
#include <utility>

#include <tidemark/checkpoint/layout.hpp>
#include <tidemark/core/file_system.hpp>
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

// Those with a manifest, in their order.
std::vector<CheckpointId> complete_checkpoints(const Tree& tree) {
  const std::string directory = checkpoints_path("state");
  std::vector<CheckpointId> complete;
  for (auto at = tree.lower_bound(directory + "/"); at != tree.end() && at->first.starts_with(directory + "/"); ++at) {
    const auto id = parse_numbered_name(file_name(parent_path(at->first)));
    if (id && file_name(at->first) == "manifest") complete.push_back(*id);
  }
  return complete;
}

// How a start is led to the checkpoint before the newest one, and whether it may go on from there.
struct WayBack {
  WayBack(Twist twist, const Tree& before) : tree(before) {
    const std::vector<CheckpointId> complete = complete_checkpoints(before);
    there_is_one = complete.size() >= (twist == Twist::kOlder ? 2 : 1);
    if (!there_is_one) return;
    older = complete.size() < 2 ? 0 : complete[complete.size() - 2];
    allowed = older > 0 && seen_in(before).begun <= older;
    manifest = manifest_path("state", complete.back());
    if (twist == Twist::kOlder) {
      start.from = {.kind = RestoreFrom::Kind::kCheckpoint, .checkpoint = older};
    } else {
      SeededRandom random(hash_of(before));
      Bytes bytes = *before.at(manifest);
      bytes[random.next() % bytes.size()] ^= static_cast<char>(1 << random.next() % 8);
      tree[manifest] = std::make_shared<const Bytes>(std::move(bytes));
    }
  }

  Tree tree;
  Start start{};
  std::string manifest{};   // of the newest one
  CheckpointId older = 0;   // 0: the newest one is the only one
  bool there_is_one = false;
  bool allowed = false;
};

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
  // A busy machine makes long recordings, which prove the same at greater length: the shortest of a few is taken. A very busy one reads all
  // input before the first checkpoint, which proves nothing: it is asked more often.
  constexpr int kTimes = 20;
  constexpr int kPatience = 500;
  Log shortest;
  for (int times = 0; times < (shortest.empty() ? kPatience : kTimes); ++times) {
    Log log;
    World world({});
    const World::Run run = world.record(scenario_, log);
    if (run.ended_early || (scenario_.one_fails && run.failed != 1)) continue;
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
  if (state.crashes.size() > 1) return verdict_on_plain_start(state);
  const bool leads_back = is_backward(scenario_.twist) && WayBack(scenario_.twist, state.tree).there_is_one;
  if (leads_back) return verdict_on_going_back(state);
  const bool copied = scenario_.twist == Twist::kCopied && state.tree.contains("state");
  return copied ? verdict_on_copies(state) : verdict_on_plain_start(state);
}

// Either results of the newest checkpoint are visible, and the start is refused and changes nothing; or the job goes on from the one before
// (C6, R3). What was visible for a moment and then lost with the power is not on the disk, and nobody can miss it in a history without it.
Verdict Explorer::verdict_on_going_back(const CrashState& state) {
  const WayBack back(scenario_.twist, state.tree);
  World world(back.tree);
  const World::Run run = world.recover(scenario_, state.crashes.size(), nullptr, back.start);
  const bool is_older = scenario_.twist == Twist::kOlder;
  Tree after = world.tree();
  if (!run.refused) {
    sometimes_.reach(is_older ? Sometimes::kOlderRestored : Sometimes::kFallback);
    Verdict verdict = judge(expected_, seen_in(state.tree), run.restored, after);
    if (!run.problem.empty()) verdict.problem = run.problem;
    if (!back.allowed) verdict.problem = "checkpoint " + std::to_string(run.restored) + " was gone on from, and a later epoch is visible";
    if (verdict.ok() && run.at_rest && is_older) verdict.problem = leftover(after, run.restored);   // what is damaged stays
    return verdict;
  }
  if (back.allowed) return {.problem = run.problem};
  const bool as_expected = is_older ? run.refused == ErrorCode::kSinkEpochMismatch
                                    : run.refused == ErrorCode::kCheckpointCorrupt || run.refused == ErrorCode::kRestoreRefused;
  if (!as_expected) return {.problem = "refused for another reason: " + run.problem};
  if (back.older > 0) sometimes_.reach(is_older ? Sometimes::kOlderRefused : Sometimes::kFallbackRefused);
  CrashState mended = state;
  mended.tree = std::move(after);
  mended.tree[back.manifest] = state.tree.at(back.manifest);
  return verdict_on_plain_start(mended);
}

// One after the other: a fork of a copy with a target of its own, then the original and a copy in the same lineage, in either order. The
// second of these finds all results there, and must not add to them (R8, faults F08, F10).
Verdict Explorer::verdict_on_copies(const CrashState& state) {
  World world(state.tree);
  world.copy_directory("state", "copy");
  world.copy_directory("state", "fork");
  const std::size_t crashes = state.crashes.size();
  const bool any = !complete_checkpoints(state.tree).empty();
  const World::Run forked =
      world.recover(scenario_, crashes, nullptr, {.fork_lineage = true, .state = "fork", .out = "fork-out"});
  if (any ? !forked.problem.empty() : forked.refused != ErrorCode::kRestoreRefused) return {.problem = "the fork: " + forked.problem};

  const bool original_first = hash_of(state.tree) % 2 == 0;
  const World::Run first = world.recover(scenario_, crashes, nullptr, {.state = original_first ? "state" : "copy"});
  if (!first.problem.empty()) return {.problem = first.problem};
  const Seen by_first = seen_in(world.tree());
  const World::Run second = world.recover(scenario_, crashes, nullptr, {.state = original_first ? "copy" : "state"});
  const Tree after = world.tree();
  Verdict verdict = judge(expected_, state.seen, first.restored, after);
  if (any) {
    sometimes_.reach(Sometimes::kForked);
    const Verdict of_fork = judge(expected_, {}, 0, with_fork(after, forked.restored, "fork-out"));
    if (verdict.ok() && !of_fork.ok()) return of_fork;
  }
  if (second.refused) sometimes_.reach(Sometimes::kCopyRefused);
  if (second.refused ? second.refused != ErrorCode::kSinkEpochMismatch : !second.problem.empty()) {
    verdict.problem = "the second one: " + second.problem;
  }
  if (hash_of(seen_in(after).results) != hash_of(by_first.results)) verdict.problem = "the second one has changed the results";
  return verdict;
}

Verdict Explorer::verdict_on_plain_start(const CrashState& state) {
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
  if (verdict.ok() && run.at_rest && scenario_.twist != Twist::kDamaged) verdict.problem = leftover(after, run.restored);
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

Log Explorer::record_recovery(CrashState& state) {
  Start start;
  if (state.crashes.size() == 1 && is_backward(scenario_.twist)) {
    WayBack back(scenario_.twist, state.tree);
    if (back.allowed) {
      state.tree = std::move(back.tree);
      state.seen = seen_in(state.tree);
      start = back.start;
    }
  }
  World world(state.tree);
  Log log;
  state.restored = world.recover(scenario_, state.crashes.size(), &log, start).restored;
  return log;
}

}  // namespace tidemark::proof

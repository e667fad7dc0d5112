#pragma once
// Runs a scenario once, crashes it after every operation in every variant, recovers from what each crash leaves and compares; then does
// the same to the recoveries.

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "disk.hpp"
#include "judge.hpp"
#include "scenarios.hpp"
#include "sometimes.hpp"

namespace tidemark::proof {

// Where a crash struck: after so many operations of the log, "143:V3".
struct CrashPoint {
  std::size_t operations = 0;
  Variant variant = Variant::kV1;
  friend bool operator==(const CrashPoint&, const CrashPoint&) = default;
};
std::string to_string(const std::vector<CrashPoint>& crashes);              // "143:V3,17:V1"
std::optional<std::vector<CrashPoint>> parse_crashes(const std::string& text);

struct Settings {
  std::uint64_t seed = 1;
  std::uint64_t seeds = 1;             // how many of them, from `seed` on
  std::size_t threads = 2;
  std::vector<CrashPoint> only{};      // try this one
};

// A state after one or several crashes.
struct CrashState {
  Tree tree{};
  Seen seen{};
  std::vector<CrashPoint> crashes{};
  std::uint64_t seed = 0;
  CheckpointId restored = 0;           // what the recovery that was crashed had gone on from
};

// So many of them, by seed.
std::vector<CrashState> some(std::vector<CrashState> states, std::size_t most, std::uint64_t seed);

class Explorer {
 public:
  using OnFailure = std::function<void(const CrashState&, const Verdict&)>;
  Explorer(const Scenario& scenario, Settings settings, SometimesTable& sometimes, OnFailure on_failure);

  // The unbroken run. What it wrote is judged as well. Throws if there is none with enough checkpoints.
  Log record();
  // The states that a crash in this log leaves, without those that this explorer has met before; if there are more than `most`, so many of
  // them by seed.
  std::vector<CrashState> states_of(const CrashState& before, const Log& log, std::size_t most = SIZE_MAX);
  // Recovers from each; counts and reports. Stops at the first failure if asked to.
  void try_all(const std::vector<CrashState>& states, bool until_failure = false);
  // The recovery from a state, recorded; the state then has what it began with and went on from.
  Log record_recovery(CrashState& state);
  void try_one(const CrashState& state);

  std::uint64_t tried() const { return tried_; }
  const Verdict& total() const { return total_; }
  std::uint64_t failures() const { return failures_; }

 private:
  Verdict verdict_on(const CrashState& state);
  Verdict verdict_on_plain_start(const CrashState& state);
  Verdict verdict_on_going_back(const CrashState& state);
  Verdict verdict_on_copies(const CrashState& state);

  const Scenario& scenario_;
  const Settings settings_;
  const Output expected_;
  SometimesTable& sometimes_;
  const OnFailure on_failure_;
  std::set<std::uint64_t> met_;   // by hash
  std::mutex mutex_;   // of what follows
  std::uint64_t tried_ = 0;
  std::uint64_t failures_ = 0;
  Verdict total_;
};

}  // namespace tidemark::proof

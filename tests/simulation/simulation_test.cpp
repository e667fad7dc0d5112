// The whole runtime on one thread, driven by a seed, in virtual time: whatever the order in which its loops and jobs take their turns, and
// wherever its process is cut off, what is committed is the output of the model (promises 1, 2; faults F01-F04, F06, F11-F14; K5).

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include <tidemark/core/hash.hpp>

#include "../support/instrumented.hpp"
#include "trial.hpp"

namespace tidemark::simulation {
namespace {

constexpr std::uint64_t kSeeds = test_support::kInstrumented ? 30 : 300;

std::uint64_t hash_of(const std::vector<std::string>& trace) {
  std::uint64_t hash = 0;
  for (const std::string& line : trace) hash = hash_bytes(line, hash);
  return hash;
}

TEST(Simulation, OfOneSeedGivesOneTraceToTheByte) {
  for (std::uint64_t seed = 0; seed < kSeeds / 10; ++seed) {
    const Plan plan = *plan_of(seed);
    const Outcome one = try_plan(plan);
    const Outcome other = try_plan(plan);
    const auto differs = std::mismatch(one.trace.begin(), one.trace.end(), other.trace.begin(), other.trace.end());
    if (differs.first != one.trace.end()) ADD_FAILURE() << "seed " << seed << " was: " << *differs.first;
    if (differs.second != other.trace.end()) ADD_FAILURE() << "seed " << seed << " is:  " << *differs.second;
  }
}

TEST(Simulation, OfManySeedsGivesManyTracesAndTheOutputOfTheModel) {
  std::set<std::uint64_t> traces;   // by hash
  std::set<std::string> jobs;
  std::set<std::string> last_lines;
  Outcome all;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Plan plan = *plan_of(seed);
    Outcome outcome = try_plan(plan);
    if (!outcome.problem.empty()) {
      const Changes smallest = shrink(seed, {});
      FAIL() << plan.job.name << ": " << outcome.problem << "\nrepeat it with: " << command_of(seed, smallest);
    }
    EXPECT_TRUE(traces.insert(hash_of(outcome.trace)).second) << "seed " << seed << " has the trace of another one";
    jobs.insert(plan.job.name);
    last_lines.merge(outcome.last_lines);
    all.checkpoints += outcome.checkpoints;
    all.failed_checkpoints += outcome.failed_checkpoints;
    all.power_losses += outcome.power_losses;
    all.drains += outcome.drains;
    all.forks += outcome.forks;
  }
  EXPECT_GT(all.checkpoints, 2 * kSeeds);
  if (kSeeds < 300) return;
  // What must have been met at least once.
  EXPECT_EQ(jobs.size(), proof::scenarios().size());
  EXPECT_GT(all.checkpoints, 3 * kSeeds);
  EXPECT_GT(all.failed_checkpoints, 0U);
  EXPECT_GT(all.power_losses, 0U);
  EXPECT_GT(all.drains, 0U);
  EXPECT_GT(all.forks, 0U);
  for (const char* place :
       {"start ", "worker ", "tidemark-io ", "control        rename", "tidemark-io    rename_new", "control        remove"}) {
    EXPECT_TRUE(std::any_of(last_lines.begin(), last_lines.end(), [&](const auto& line) { return line.starts_with(place); })) << place;
  }
}

TEST(Simulation, RunsTheCompactionOfTheStoreToo) {
  const Outcome outcome = try_plan(*plan_of(19, {.job = "branches", .records = 800}));
  EXPECT_EQ(outcome.problem, "");
  EXPECT_TRUE(std::any_of(outcome.trace.begin(), outcome.trace.end(),
                          [](const std::string& line) { return line.find(" tidemark-store ") != std::string::npos; }));
}

TEST(Simulation, OfASeedWithoutAllThatBefallsItIsAWorldOfOneProcess) {
  Changes changes{.records = 3, .processes = 1};
  const Plan plan = *plan_of(17, changes);
  EXPECT_EQ(plan.processes.size(), 1U);
  EXPECT_TRUE(plan.processes.front().misfortunes.empty());
  EXPECT_EQ(try_plan(plan).problem, "");
  changes.without = {2, 5};
  EXPECT_EQ(command_of(17, changes), "simulate --seed 17 --records 3 --processes 1 --without 2,5 --trace");
}

TEST(Simulation, HasNoPlanForAJobThatThereIsNot) { EXPECT_FALSE(plan_of(1, {.job = "nothing"})); }

}  // namespace
}  // namespace tidemark::simulation

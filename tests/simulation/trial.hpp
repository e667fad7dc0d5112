#pragma once
// Carries out a plan: process after process in one world, and what must hold after each of them and at the end (reliability, section 4: I1
// to I4, I6, I7).

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "plan.hpp"

namespace tidemark::simulation {

struct Outcome {
  std::string problem{};                 // empty: all is as it must be
  std::vector<std::string> trace{};
  std::uint64_t checkpoints = 0;
  std::uint64_t failed_checkpoints = 0;
  std::uint64_t power_losses = 0;
  std::uint64_t drains = 0;
  std::uint64_t forks = 0;               // starts from a savepoint
  std::set<std::string> last_lines{};    // of the processes that were cut off, from who on
};
Outcome try_plan(const Plan& plan, bool print_trace = false);

// Leaves out of the world of this seed what it does not need to fail; it fails with `changes`.
Changes shrink(std::uint64_t seed, Changes changes);

}  // namespace tidemark::simulation

#pragma once
// What a world of the simulation does, drawn by its seed before it begins: which job, its processes one after the other, and what befalls
// them. Since all of it is drawn beforehand, parts of it can be left out, to find the smallest world that still fails.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "../proof/disk.hpp"
#include "../proof/scenarios.hpp"

namespace tidemark::simulation {

// One of the things that may befall a process.
struct Misfortune {
  enum class Kind : std::uint8_t {
    kCut,          // it dies after so many lines of the trace that have the text (faults F01, F03, F04)
    kFailure,      // the so manieth step of the disk that has the text is refused (faults F11-F14)
    kSavepoint,    // before so many turns it is asked for one
    kStop,         // or to stop (fault F06)
    kDrainedStop,  // or to stop with a drain (C9)
    kCancel,
  };
  Kind kind{};
  std::size_t after = 0;
  const char* text = "";
};

struct ProcessPlan {
  std::uint32_t parallelism = 1;
  std::uint32_t workers = 1;
  std::chrono::milliseconds checkpoint_every{1};
  std::uint32_t files_to_merge = 0;   // as RuntimeOptions has it
  std::vector<std::size_t> misfortunes{};   // by number in the plan
  // What becomes of the disk if the process is cut off: all is kept (V1), or the power is lost (fault F02).
  proof::Variant variant = proof::Variant::kV1;
  std::uint64_t crash_seed = 0;
};

// What is left out of a plan, and what is asked of it otherwise.
struct Changes {
  std::string job{};                           // empty: the seed's
  std::optional<std::size_t> records{};        // of each split
  std::optional<std::size_t> processes{};
  std::set<std::size_t> without{};             // misfortunes, by number
};

struct Plan {
  std::uint64_t seed = 0;
  proof::Scenario job{};
  payments::Splits input{};
  double pace = 0;
  std::vector<ProcessPlan> processes{};         // the last one is let live
  std::vector<Misfortune> misfortunes{};
};

// Nothing: there is no such job.
std::optional<Plan> plan_of(std::uint64_t seed, const Changes& changes = {});
// The command that does it again: "simulate --seed 17 --records 40 --without 3,5".
std::string command_of(std::uint64_t seed, const Changes& changes);

}  // namespace tidemark::simulation

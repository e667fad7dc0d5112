#pragma once
// The process that is tortured: runs a job on a directory until its input ends, it is asked to stop by SIGTERM, or worse.

#include <cstddef>
#include <cstdint>
#include <string>

#include "../proof/scenarios.hpp"

namespace tidemark::torture {

// What a whole job is, from its first process to its last.
struct Job {
  const proof::Scenario* scenario = nullptr;
  std::uint64_t seed = 0;
  std::string directory;   // of its state and its output
};
payments::Splits input_of(const Job& job);

// Of one of its processes.
struct Life {
  std::uint32_t parallelism = 1;
  std::size_t memory = 0;   // RuntimeOptions::memory
  std::string figures;      // a file, to which it adds a line with the milliseconds of each checkpoint that it sees completed
};

enum ExitCode : int { kInputEnded = 0, kFailed = 1, kStopped = 10, kHadEnded = 11 };   // kHadEnded: there was nothing to do, nor to tidy up
// Call in a fresh process, which it must not outlive. Errors go to standard error.
ExitCode live(const Job& job, const Life& life);

}  // namespace tidemark::torture

#pragma once
// The demonstrations of the stand-alone program. Both run the fraud_detection program that is built beside it.

#include <cstdint>
#include <string>

namespace tidemark::demo {

// Runs the job over generated transactions and shows its alerts as a table, with the recall of the planted frauds. Returns the exit code.
int show_fraud(const std::string& fraud_program);

struct RecoveryOptions {
  std::uint64_t kills = 10;
  std::uint64_t seed = 1;
  std::uint64_t parallelism = 2;
};
// Kills the job again and again, starts it again each time, and compares what it committed with an unbroken run. Returns the exit code: 0
// if nothing differs.
int show_recovery(const std::string& fraud_program, const RecoveryOptions& options);

}  // namespace tidemark::demo

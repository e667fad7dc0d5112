#pragma once
// `run`: starts the job, shows its progress, turns signals into stops.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <tidemark/operators/graph.hpp>
#include <tidemark/runtime/runtime.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

struct RunOptions {
  RuntimeOptions runtime;
  bool quiet = false;          // no progress
};

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitRefused = 3;

int run_job(Graph graph, RunOptions options);

int exit_code_of(ErrorCode code);
// Prints the error to standard error; the exit code that belongs to it.
int report(const Error& error);

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

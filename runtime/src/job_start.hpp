#pragma once
// From options and a state directory to a job that is ready to run: decides what to restore, restores it, and commits again what a crash
// left open.

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <tidemark/runtime/runtime.hpp>
#include <tidemark/state/memory_budget.hpp>
#include <tidemark/state/store.hpp>
#include "src/control.hpp"
#include "src/job_builder.hpp"
#include "src/snapshot_rows.hpp"

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

struct PreparedJob {
  bool already_finished = false;       // then nothing else is filled in but the report
  StartReport report;
  std::unique_ptr<MemoryBudget> memory;   // of the hot tables; null: no bound
  RowPieces row_pieces{};               // of each task
  ControlFacts facts;
  BuiltJob job;
  bool checkpoints = false;
  std::string rows_directory;          // of row files on their way into the store; empty without checkpoints
  // What is left to be verified while the job runs; nothing if `unchecked` is empty.
  std::string unchecked_directory;
  std::vector<StoredFile> unchecked;
};

// `io` outlives the job. Errors leave committed output as it was.
Result<PreparedJob> prepare_job(const Graph& graph, const RuntimeOptions& options, IoContext& io);

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

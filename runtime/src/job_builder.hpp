#pragma once
// Turns a graph into tasks: cuts it into stages where records change tasks, makes the operators of each subtask, and connects them.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tidemark/checkpoint/recovery.hpp>
#include <tidemark/operators/graph.hpp>
#include "src/task.hpp"

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

struct BuildOptions {
  std::string job;
  std::string lineage;
  std::uint64_t attempt = 1;
  std::uint32_t parallelism = 1;
  KeySpace key_space;
  std::uint32_t max_batch = 1000;
  std::size_t queue_bytes = 0;
  bool deterministic = false;
  bool checkpoints = false;     // state is tracked
  IoContext* io = nullptr;
};

// A split of a source of the job.
struct JobSplit {
  NodeId source = 0;
  std::string name;
  Bytes position;
  bool finished = false;
};

struct BuiltJob {
  std::vector<std::unique_ptr<Task>> tasks;   // of all stages
  std::vector<JobSplit> splits;               // by number
  std::unique_ptr<std::vector<std::string>> split_names = std::make_unique<std::vector<std::string>>();   // beside it: "source/split"
};

// What the recovery plan must know of the job; opens every stateful operator once to learn its schemas.
Result<JobFacts> describe_job(const Graph& graph, const BuildOptions& options);

// Tasks that are ready for restore() and begin(). `splits` are dealt out to the subtasks of their sources in order. `states`: the ids of
// states by operator and name; empty without checkpoints.
Result<BuiltJob> build_job(const Graph& graph, const BuildOptions& options, std::vector<JobSplit> splits,
                           const std::vector<OperatorEntry>& states);

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

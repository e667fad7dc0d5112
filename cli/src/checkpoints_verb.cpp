#include "src/checkpoints_verb.hpp"

#include <cstdio>
#include <numeric>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <tidemark/checkpoint/checkpoint_store.hpp>
#include <tidemark/core/file_system.hpp>

#include "src/json_text.hpp"
#include "src/run_verb.hpp"

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

namespace {

std::uint64_t bytes_of(const Manifest& manifest) {
  return std::accumulate(manifest.files.begin(), manifest.files.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const StoredFile& file) { return sum + file.size; });
}

std::string created_text(const Manifest& manifest) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::time_point_cast<std::chrono::seconds>(manifest.created));
}

const char* kind_of(const Manifest& manifest) { return manifest.finished ? "finished" : manifest.drained ? "drained" : "complete"; }

std::string summary_json(const Manifest& manifest) {
  return fmt::format(
      R"({{"checkpoint":{},"state":"{}","job":{},"lineage":"{}","attempt":{},"previous":{},"created":"{}","files":{},"bytes":{}}})",
      manifest.checkpoint, kind_of(manifest), json_text(manifest.job), manifest.lineage, manifest.attempt, manifest.previous,
      created_text(manifest), manifest.files.size(), bytes_of(manifest));
}

void print_manifest(const Manifest& manifest) {
  fmt::print("checkpoint  {} ({}), after {}\n", manifest.checkpoint, kind_of(manifest), manifest.previous);
  fmt::print("job         {}\nlineage     {}, attempt {}\ncreated     {} by Tidemark {}\n", manifest.job, manifest.lineage,
             manifest.attempt, created_text(manifest), manifest.tidemark_version);
  fmt::print("key groups  {}, {}\n\nSOURCES\n", manifest.key_groups, manifest.hash);
  for (const SourceEntry& source : manifest.sources) {
    for (const SplitEntry& split : source.splits) {
      fmt::print("  {:<24} {:<40} {:>6} bytes of position{}\n", source.operator_name, split.name, split.position.size(),
                 split.finished ? ", finished" : "");
    }
  }
  fmt::print("\nSTATE\n");
  for (const OperatorEntry& entry : manifest.operators) {
    for (const StateEntry& state : entry.states) {
      fmt::print("  {:<24} {:<12} {:<8} {} -> {}{}\n", entry.name, state.name, state.kind, state.key,
                 state.value.empty() ? "nothing" : state.value,
                 state.live_buckets.empty() ? std::string{} : fmt::format(", {} live buckets", state.live_buckets.size()));
    }
  }
  fmt::print("\nTASKS\n");
  for (const TaskEntry& task : manifest.tasks) {
    fmt::print("  {:<24} {:>3}", task.task, task.subtask);
    for (const InputEntry& input : task.inputs) {
      fmt::print("  {} at {}{}", input.channel, to_string(input.watermark), input.finished ? ", finished" : "");
    }
    fmt::print("\n");
  }
  fmt::print("\nSINKS\n");
  for (const std::string& sink : manifest.sinks) {
    std::size_t prepared = 0;
    for (const CommittableEntry& entry : manifest.committables) prepared += entry.sink == sink ? 1 : 0;
    fmt::print("  {:<24} {} prepared outputs\n", sink, prepared);
  }
  fmt::print("\nFILES       {} files, {} bytes\n", manifest.files.size(), bytes_of(manifest));
}

}  // namespace

int list_checkpoints(const std::string& directory, bool json) {
  const auto facts = read_state_directory(posix_file_system(), directory);
  if (!facts.ok()) return report(facts.error());
  if (!json) fmt::print("{:>10}  {:<9}  {:<20}  {:>7}  {:>12}  {}\n", "CHECKPOINT", "STATE", "CREATED", "ATTEMPT", "BYTES", "JOB");
  for (const FoundCheckpoint& found : facts->checkpoints) {
    if (found.manifest == nullptr) {
      const char* state = found.incomplete() ? "incomplete" : "damaged";
      if (json) {
        fmt::print("{{\"checkpoint\":{},\"state\":\"{}\"}}\n", found.id, state);
      } else {
        fmt::print("{:>10}  {:<9}  {}\n", found.id, state, found.incomplete() ? "" : found.damage.error().message);
      }
      continue;
    }
    const Manifest& manifest = *found.manifest;
    if (json) {
      fmt::print("{}\n", summary_json(manifest));
    } else {
      fmt::print("{:>10}  {:<9}  {:<20}  {:>7}  {:>12}  {}\n", manifest.checkpoint, kind_of(manifest), created_text(manifest),
                 manifest.attempt, bytes_of(manifest), manifest.job);
    }
  }
  return kExitDone;
}

int show_checkpoint(const std::string& directory, std::optional<CheckpointId> id, bool json) {
  const auto facts = read_state_directory(posix_file_system(), directory);
  if (!facts.ok()) return report(facts.error());
  std::vector<CheckpointId> usable;
  bool found = false;
  for (const FoundCheckpoint& each : facts->checkpoints) {
    if (each.manifest != nullptr) usable.push_back(each.id);
    found = found || each.id == id;
  }
  if (usable.empty() && !found) {
    return report({.code = ErrorCode::kRestoreRefused,
                   .message = "there is no usable checkpoint in " + directory,
                   .fix = "name the state directory of a job with --state DIR"});
  }
  if (id && !found) {
    return report({.code = ErrorCode::kRestoreRefused,
                   .message = fmt::format("there is no checkpoint {} in {}", *id, directory),
                   .facts = {{"usable", fmt::format("{}", fmt::join(usable, ", "))}},
                   .fix = "name one of those, or none for the newest"});
  }
  if (!id) id = usable.back();
  const auto manifest = load_manifest(posix_file_system(), directory, *id);
  if (!manifest.ok()) return report(manifest.error());
  if (json) {
    fmt::print("{}\n", summary_json(*manifest));
  } else {
    print_manifest(*manifest);
  }
  return kExitDone;
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

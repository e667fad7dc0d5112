#include "src/checkpoints_verb.hpp"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <tidemark/checkpoint/checkpoint_store.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/core/schema.hpp>

#include "src/checkpoint_choice.hpp"
#include "src/manifest_text.hpp"
#include "src/output.hpp"
#include "src/run_verb.hpp"

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

namespace {

std::uint64_t bytes_of(const Manifest& manifest) {
  return std::accumulate(manifest.files.begin(), manifest.files.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const StoredFile& file) { return sum + file.size; });
}

const char* kind_of(const Manifest& manifest) { return manifest.finished ? "finished" : manifest.drained ? "drained" : "complete"; }

// Without braces.
std::string summary_fields(const Manifest& manifest) {
  return fmt::format(
      R"("checkpoint":{},"state":"{}","job":{},"lineage":"{}","attempt":{},"previous":{},"created":"{}","files":{},"bytes":{})",
      manifest.checkpoint, kind_of(manifest), json_string(manifest.job), manifest.lineage, manifest.attempt, manifest.previous,
      created_text(manifest), manifest.files.size(), bytes_of(manifest));
}

std::string summary_json(const Manifest& manifest) { return "{" + summary_fields(manifest) + "}"; }

std::string savepoint_json(const std::string& label, const Manifest& manifest) {
  return fmt::format(R"({{"savepoint":{},{}}})", json_string(label), summary_fields(manifest));
}

std::size_t prepared_by(const Manifest& manifest, const std::string& sink) {
  return static_cast<std::size_t>(std::count_if(manifest.committables.begin(), manifest.committables.end(),
                                                [&](const CommittableEntry& entry) { return entry.sink == sink; }));
}

// All that print_manifest shows.
std::string manifest_json(const Manifest& manifest) {
  std::vector<std::string> sources, states, tasks, sinks;
  for (const SourceEntry& source : manifest.sources) {
    for (const SplitEntry& split : source.splits) sources.push_back(split_json(source, split));
  }
  for (const OperatorEntry& entry : manifest.operators) {
    for (const StateEntry& state : entry.states) {
      states.push_back(fmt::format(R"({{"operator":{},"state":{},"kind":{},"key":{},"value":{},"live_buckets":{}}})",
                                   json_string(entry.name), json_string(state.name), json_string(state.kind), json_string(state.key),
                                   json_string(state.value), state.live_buckets.size()));
    }
  }
  for (const TaskEntry& task : manifest.tasks) {
    std::vector<std::string> inputs;
    for (const InputEntry& input : task.inputs) inputs.push_back("{" + input_fields(input) + "}");
    tasks.push_back(
        fmt::format(R"({{"task":{},"subtask":{},"inputs":[{}]}})", json_string(task.task), task.subtask, fmt::join(inputs, ",")));
  }
  for (const std::string& sink : manifest.sinks) {
    sinks.push_back(fmt::format(R"({{"sink":{},"prepared":{}}})", json_string(sink), prepared_by(manifest, sink)));
  }
  return fmt::format(R"({{{},"tidemark":{},"key_groups":{},"hash":{},"sources":[{}],"states":[{}],"tasks":[{}],"sinks":[{}]}})",
                     summary_fields(manifest), json_string(manifest.tidemark_version), manifest.key_groups, json_string(manifest.hash),
                     fmt::join(sources, ","), fmt::join(states, ","), fmt::join(tasks, ","), fmt::join(sinks, ","));
}

void print_manifest(const Manifest& manifest) {
  print("checkpoint  {} ({}), after {}\n", manifest.checkpoint, kind_of(manifest), manifest.previous);
  print("job         {}\nlineage     {}, attempt {}\ncreated     {} by Tidemark {}\n", manifest.job, manifest.lineage,
        manifest.attempt, created_text(manifest), manifest.tidemark_version);
  print("key groups  {}, {}\n\nSOURCES\n", manifest.key_groups, manifest.hash);
  for (const SourceEntry& source : manifest.sources) {
    for (const SplitEntry& split : source.splits) {
      print("  {:<24} {:<40} {:>6} bytes of position{}\n", source.operator_name, split.name, split.position.size(),
            split.finished ? ", finished" : "");
    }
  }
  print("\nSTATE\n");
  for (const OperatorEntry& entry : manifest.operators) {
    for (const StateEntry& state : entry.states) {
      print("  {:<24} {:<12} {:<8} {} -> {}{}\n", entry.name, state.name, state.kind, state.key.empty() ? "no key" : state.key,
            state.value.empty() ? "nothing" : state.value,
            state.live_buckets.empty() ? std::string{} : fmt::format(", {} live buckets", state.live_buckets.size()));
    }
  }
  print("\nTASKS\n");
  for (const TaskEntry& task : manifest.tasks) {
    print("  {:<24} {:>3}", task.task, task.subtask);
    for (const InputEntry& input : task.inputs) {
      print("  {} at {}{}", input.channel, to_string(input.watermark), input.finished ? ", finished" : "");
    }
    print("\n");
  }
  print("\nSINKS\n");
  for (const std::string& sink : manifest.sinks) {
    print("  {:<24} {} prepared outputs\n", sink, prepared_by(manifest, sink));
  }
  print("\nFILES       {} files, {} bytes\n", manifest.files.size(), bytes_of(manifest));
}

}  // namespace

namespace {

Status list_savepoints(const std::string& directory, const std::vector<std::string>& labels, bool json) {
  Table table({{"SAVEPOINT"}, {"CHECKPOINT", Table::Align::kRight}, {"STATE"}, {"CREATED"}, {"BYTES", Table::Align::kRight}, {"JOB"}});
  for (const std::string& label : labels) {
    const auto manifest = load_manifest_in(posix_file_system(), savepoint_path(directory, label));
    if (!manifest.ok()) {
      if (json) {
        TIDEMARK_TRY(write_line(fmt::format(R"({{"savepoint":{},"state":"damaged","reason":{}}})", json_string(label),
                                            json_string(manifest.error().message))));
      }
      table.add({label, "", "damaged", manifest.error().message, "", ""});
      continue;
    }
    if (json) TIDEMARK_TRY(write_line(savepoint_json(label, *manifest)));
    table.add({label, std::to_string(manifest->checkpoint), kind_of(*manifest), created_text(*manifest),
               std::to_string(bytes_of(*manifest)), manifest->job});
  }
  if (json || labels.empty()) return flush_output();
  TIDEMARK_TRY(write_line(""));
  TIDEMARK_TRY(table.print());
  return flush_output();
}

}  // namespace

int list_checkpoints(const std::string& directory, bool json) {
  const auto facts = read_state_directory(posix_file_system(), directory);
  if (!facts.ok()) return report(facts.error());
  if (const Status there = check_state_directory(directory, *facts); !there.ok()) return report(there.error());
  if (!json) print("{:>10}  {:<9}  {:<20}  {:>7}  {:>12}  {}\n", "CHECKPOINT", "STATE", "CREATED", "ATTEMPT", "BYTES", "JOB");
  for (const FoundCheckpoint& found : facts->checkpoints) {
    if (found.manifest == nullptr) {
      const char* state = found.incomplete() ? "incomplete" : "damaged";
      const std::string reason = found.incomplete() ? std::string{} : found.damage.error().message;
      if (!json) {
        print("{:>10}  {:<9}  {}\n", found.id, state, reason);
      } else if (found.incomplete()) {
        print(R"({{"checkpoint":{},"state":"{}"}})" "\n", found.id, state);
      } else {
        print(R"({{"checkpoint":{},"state":"{}","reason":{}}})" "\n", found.id, state, json_string(reason));
      }
      continue;
    }
    const Manifest& manifest = *found.manifest;
    if (json) {
      print("{}\n", summary_json(manifest));
    } else {
      print("{:>10}  {:<9}  {:<20}  {:>7}  {:>12}  {}\n", manifest.checkpoint, kind_of(manifest), created_text(manifest),
            manifest.attempt, bytes_of(manifest), manifest.job);
    }
  }
  const Status listed = list_savepoints(directory, facts->savepoints, json);
  return listed.ok() ? kExitDone : report(listed.error());
}

int show_checkpoint(const std::string& directory, const RestoreFrom& which, bool json) {
  const auto chosen = find_checkpoint(directory, which);
  if (!chosen.ok()) return report(chosen.error());
  if (json) {
    print("{}\n", manifest_json(chosen->manifest));
  } else {
    print_manifest(chosen->manifest);
  }
  return kExitDone;
}

namespace {

// The newest is here the newest that was ever complete, damaged or not: that is the one that somebody must hear of.
Result<ChosenCheckpoint> find_to_verify(const std::string& directory, RestoreFrom which) {
  if (which.kind == RestoreFrom::Kind::kLatest) {
    TIDEMARK_ASSIGN(const DirectoryFacts facts, read_state_directory(posix_file_system(), directory));
    for (const FoundCheckpoint& found : facts.checkpoints) {
      if (found.incomplete()) continue;
      which.kind = RestoreFrom::Kind::kCheckpoint;
      which.checkpoint = found.id;
    }
  }
  return find_checkpoint(directory, which);
}

}  // namespace

int verify_checkpoint(const std::string& directory, const RestoreFrom& which, bool json) {
  const auto chosen = find_to_verify(directory, which);
  if (!chosen.ok()) {
    const int code = report(chosen.error());
    return chosen.error().code == ErrorCode::kCheckpointCorrupt ? kExitFailed : code;
  }
  const Manifest& manifest = chosen->manifest;
  Table table({{"FILE"}, {"BYTES", Table::Align::kRight}, {"CHECKSUM"}, {"RESULT"}});
  std::vector<Error> damages;
  for (const StoredFile& file : manifest.files) {
    const Status status = verify_files(posix_file_system(), store_in(chosen->path), {file});
    if (!status.ok()) {
      damages.push_back(reason_or_removal(chosen->path, status.error()));
      if (damages.back().code == ErrorCode::kRestoreRefused) return report(damages.back());   // removed: nothing is damaged
    }
    if (json) {
      print("{{\"file\":{},\"bytes\":{},\"checksum\":\"{:016x}\",\"ok\":{}}}\n", json_string(file.name), file.size, file.checksum,
            status.ok());
    } else {
      table.add({file.name, std::to_string(file.size), fmt::format("{:016x}", file.checksum), status.ok() ? "ok" : "damaged"});
    }
  }
  if (!json) {
    if (const Status printed = table.print(); !printed.ok()) return report(printed.error());
    print("\ncheckpoint {}: its manifest and {} of {} files, {} bytes in all, are as they were written\n", manifest.checkpoint,
          manifest.files.size() - damages.size(), manifest.files.size(), bytes_of(manifest));
  }
  for (const Error& damage : damages) report(damage);
  if (const Status flushed = flush_output(); !flushed.ok()) return report(flushed.error());
  return damages.empty() ? kExitDone : kExitFailed;
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

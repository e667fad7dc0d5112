#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <tidemark/core/schema.hpp>
#include <tidemark/state/component.hpp>

#include "src/checkpoint_choice.hpp"
#include "src/checkpoints_verb.hpp"
#include "src/output.hpp"
#include "src/run_verb.hpp"

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

namespace {

// One thing that is not the same in both.
struct Change {
  std::string what;   // "history", "operator", "state", "split", "watermark"
  std::string name;
  std::optional<std::string> from;   // none: it is not there
  std::optional<std::string> to;
  const char* kind() const { return !from ? "added" : !to ? "removed" : "changed"; }
};

using Named = std::map<std::string, std::string>;

void compare(const std::string& what, const Named& from, const Named& to, std::vector<Change>& changes) {
  for (const auto& [name, value] : from) {
    const auto other = to.find(name);
    if (other == to.end()) {
      changes.push_back({what, name, value, {}});
    } else if (other->second != value) {
      changes.push_back({what, name, value, other->second});
    }
  }
  for (const auto& [name, value] : to) {
    if (!from.contains(name)) changes.push_back({what, name, {}, value});
  }
}

Named history_of(const Manifest& manifest) { return {{"job", manifest.job}, {"lineage", manifest.lineage}}; }

Named operators_of(const Manifest& manifest) {
  Named named;
  for (const OperatorEntry& entry : manifest.operators) {
    named[entry.name] = fmt::format("{}, parallelism {}", entry.kind, entry.parallelism);
  }
  return named;
}

Named states_of(const Manifest& manifest) {
  Named named;
  for (const OperatorEntry& entry : manifest.operators) {
    for (const StateEntry& state : entry.states) {
      named[entry.name + "/" + state.name] = fmt::format("number {}, {}", state.id, schema_of(state).text());
    }
  }
  return named;
}

Named splits_of(const Manifest& manifest) {
  Named named;
  for (const SourceEntry& source : manifest.sources) {
    for (const SplitEntry& split : source.splits) {
      named[source.operator_name + "/" + split.name] = hex_text(split.position) + (split.finished ? " finished" : "");
    }
  }
  return named;
}

Named watermarks_of(const Manifest& manifest) {
  Named named;
  for (const TaskEntry& task : manifest.tasks) {
    for (const InputEntry& input : task.inputs) {
      named[fmt::format("{}:{} from {}", task.task, task.subtask, input.channel)] =
          to_string(input.watermark) + (input.finished ? " finished" : input.idle ? " idle" : "");
    }
  }
  return named;
}

struct FileCount {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  void add(const StoredFile& file) {
    ++files;
    bytes += file.size;
  }
};

struct FileChanges {
  FileCount added;
  FileCount shared;
  FileCount removed;
  std::vector<std::pair<const char*, FileCount>> all() const { return {{"added", added}, {"shared", shared}, {"removed", removed}}; }
};

// A file is its content: two attempts write different files of one name.
FileChanges compare_files(const Manifest& from, const Manifest& to) {
  using Content = std::pair<std::uint64_t, std::uint64_t>;
  const auto content_of = [](const StoredFile& file) { return Content{file.checksum, file.size}; };
  std::set<Content> before, after;
  for (const StoredFile& file : from.files) before.insert(content_of(file));
  for (const StoredFile& file : to.files) after.insert(content_of(file));
  FileChanges changes;
  for (const StoredFile& file : to.files) (before.contains(content_of(file)) ? changes.shared : changes.added).add(file);
  for (const StoredFile& file : from.files) {
    if (!after.contains(content_of(file))) changes.removed.add(file);
  }
  return changes;
}

Status print_json(const std::vector<Change>& changes, const FileChanges& files) {
  for (const Change& change : changes) {
    TIDEMARK_TRY(write_line(fmt::format(R"({{"what":"{}","name":{},"change":"{}","from":{},"to":{}}})", change.what,
                                        json_string(change.name), change.kind(), change.from ? json_string(*change.from) : "null",
                                        change.to ? json_string(*change.to) : "null")));
  }
  for (const auto& [change, count] : files.all()) {
    TIDEMARK_TRY(write_line(fmt::format(R"({{"what":"files","change":"{}","files":{},"bytes":{}}})", change, count.files, count.bytes)));
  }
  return flush_output();
}

Status print_text(const std::vector<Change>& changes, const FileChanges& files) {
  if (!changes.empty()) {
    Table table({{"WHAT"}, {"NAME"}, {"CHANGE"}, {"FROM"}, {"TO"}});
    for (const Change& change : changes) {
      table.add({change.what, change.name, change.kind(), change.from.value_or("-"), change.to.value_or("-")});
    }
    TIDEMARK_TRY(table.print());
    TIDEMARK_TRY(write_line(""));
  }
  Table table({{"FILES"}, {"COUNT", Table::Align::kRight}, {"BYTES", Table::Align::kRight}});
  for (const auto& [change, count] : files.all()) {
    table.add({change, std::to_string(count.files), std::to_string(count.bytes)});
  }
  TIDEMARK_TRY(table.print());
  return flush_output();
}

}  // namespace

int diff_checkpoints(const std::string& directory, const RestoreFrom& from, const RestoreFrom& to, bool json) {
  const auto chosen_from = find_checkpoint(directory, from);
  if (!chosen_from.ok()) return report(chosen_from.error());
  const auto chosen_to = find_checkpoint(directory, to);
  if (!chosen_to.ok()) return report(chosen_to.error());
  const Manifest& before = chosen_from->manifest;
  const Manifest& after = chosen_to->manifest;
  std::vector<Change> changes;
  compare("history", history_of(before), history_of(after), changes);
  compare("operator", operators_of(before), operators_of(after), changes);
  compare("state", states_of(before), states_of(after), changes);
  compare("split", splits_of(before), splits_of(after), changes);
  compare("watermark", watermarks_of(before), watermarks_of(after), changes);
  const FileChanges files = compare_files(before, after);
  const Status printed = json ? print_json(changes, files) : print_text(changes, files);
  return printed.ok() ? kExitDone : report(printed.error());
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

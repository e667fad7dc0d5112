#include "planted.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>

#include <tidemark/checkpoint/layout.hpp>
#include <tidemark/core/file_system.hpp>

namespace tidemark::proof {

namespace {

using Kind = Operation::Kind;

template <class Forgets>
Log without(const Log& log, Forgets forgets) {
  Log rest;
  std::remove_copy_if(log.begin(), log.end(), std::back_inserter(rest), forgets);
  return rest;
}

Log unsynced_files(const Log& log) {
  return without(log, [](const Operation& operation) { return operation.kind == Kind::kSync; });
}
Log unsynced_directories(const Log& log) {
  return without(log, [](const Operation& operation) { return operation.kind == Kind::kSyncDirectory; });
}
// Directories are synced, but for those in which others were made.
Log unsynced_parents(const Log& log) {
  std::set<std::string> parents;
  for (const Operation& operation : log) {
    if (operation.kind == Kind::kMakeDirectory) parents.insert(parent_path("/" + operation.path));
  }
  return without(log, [&](const Operation& operation) {
    return operation.kind == Kind::kSyncDirectory && parents.contains(operation.path.empty() ? "/" : "/" + operation.path);
  });
}

// Results become visible, and the marker that says so may overtake them: their directory is synced once, after both.
Log unsynced_results(const Log& log) {
  Log planted;
  for (const Operation& operation : log) {
    const bool of_results = !planted.empty() && planted.back().kind == Kind::kRename && planted.back().to.starts_with("out/") &&
                            file_name(planted.back().to).front() != '.';
    if (operation.kind != Kind::kSyncDirectory || !of_results) planted.push_back(operation);
  }
  return planted;
}

// The checkpoint whose manifest this operation publishes.
std::optional<CheckpointId> published_by(const Operation& operation) {
  if (operation.kind != Kind::kRename || file_name(operation.to) != "manifest") return std::nullopt;
  return parse_numbered_name(file_name(parent_path(operation.to)));
}

Log deletes_before_publishing(const Log& log) {
  Log planted;
  std::set<CheckpointId> complete;
  for (const Operation& operation : log) {
    if (const auto id = published_by(operation)) {
      for (const CheckpointId old : complete) planted.push_back({.kind = Kind::kRemoveFile, .path = manifest_path("state", old)});
      complete = {*id};
    }
    planted.push_back(operation);
  }
  return planted;
}

Log commits_before_publishing(const Log& log) {
  Log planted = log;
  for (std::size_t i = 0; i < planted.size(); ++i) {
    const auto id = published_by(planted[i]);
    if (!id) continue;
    std::size_t to = i;
    for (std::size_t from = i + 1; from < planted.size(); ++from) {
      const Operation& later = planted[from];
      const bool of_epoch = later.kind == Kind::kRename && later.to.find("-" + numbered_name(*id) + "-") != std::string::npos;
      if (!of_epoch) continue;
      const auto begin = planted.begin() + static_cast<std::ptrdiff_t>(to++);
      std::rotate(begin, planted.begin() + static_cast<std::ptrdiff_t>(from), planted.begin() + static_cast<std::ptrdiff_t>(from) + 1);
    }
    i = to;
  }
  return planted;
}

// Row files are synced only when the manifest that lists them is.
Log publishes_before_rows_last(const Log& log) {
  Log planted;
  std::set<std::uint64_t> row_files;
  Log waiting;
  for (const Operation& operation : log) {
    if (operation.kind == Kind::kCreate && operation.path.ends_with(".sst")) row_files.insert(operation.file);
    if (operation.kind == Kind::kSync && row_files.contains(operation.file)) {
      waiting.push_back(operation);
      continue;
    }
    planted.push_back(operation);
    if (operation.kind != Kind::kSyncDirectory || !parse_numbered_name(file_name(operation.path))) continue;
    if (planted.size() > 1 && published_by(planted[planted.size() - 2])) {
      planted.insert(planted.end(), waiting.begin(), waiting.end());
      waiting.clear();
    }
  }
  return planted;
}

}  // namespace

const PlantedBug planted_bugs[kPlantedBugs] = {
    {"P01", "no fsync of a file", unsynced_files},
    {"P02", "no fsync of the directory", unsynced_directories},
    {"P02", "no fsync of the results before their marker", unsynced_results},
    {"P03", "no fsync of the parent", unsynced_parents},
    {"P04", "old checkpoint deleted before publish", deletes_before_publishing},
    {"P05", "sink commits before the manifest is durable", commits_before_publishing},
    {"P24", "acknowledgement sent before the row file is durable", publishes_before_rows_last},
};

}  // namespace tidemark::proof

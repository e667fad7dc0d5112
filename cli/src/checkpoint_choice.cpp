#include "src/checkpoint_choice.hpp"

#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <tidemark/checkpoint/checkpoint_store.hpp>
#include <tidemark/checkpoint/layout.hpp>
#include <tidemark/core/check.hpp>
#include <tidemark/core/file_system.hpp>

#include "src/output.hpp"

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

Result<RestoreFrom> parse_checkpoint(const std::string& where, const std::string& text, bool none_is_one) {
  constexpr std::string_view kLabel = "savepoint:";
  RestoreFrom which;
  if (text == "latest") return which;
  if (text == "none" && none_is_one) {
    which.kind = RestoreFrom::Kind::kNone;
    return which;
  }
  if (text.starts_with(kLabel)) {
    which.kind = RestoreFrom::Kind::kSavepoint;
    which.name = text.substr(kLabel.size());
    return which;
  }
  if (text.find('/') != std::string::npos) {
    which.kind = RestoreFrom::Kind::kDirectory;
    which.name = text;
    return which;
  }
  which.kind = RestoreFrom::Kind::kCheckpoint;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), which.checkpoint);
  if (error == std::errc{} && end == text.data() + text.size() && which.checkpoint != 0) return which;
  return Error{.code = ErrorCode::kUsage,
               .message = where + "\"" + text + "\" names no checkpoint",
               .facts = {{"names are", std::string{"latest, "} + (none_is_one ? "none, " : "") +
                                           "a number, savepoint:LABEL, the path of a savepoint or checkpoint"}},
               .fix = "see `checkpoints ls`; a path has a slash in it, as in ./" + text};
}

namespace {

// A checkpoint in its place in the state directory; none: the newest.
Result<Manifest> find_numbered(const std::string& directory, std::optional<CheckpointId> id) {
  TIDEMARK_ASSIGN(const DirectoryFacts facts, read_state_directory(posix_file_system(), directory));
  std::vector<CheckpointId> usable;
  const FoundCheckpoint* newest = nullptr;
  const FoundCheckpoint* damaged = nullptr;   // the newest damaged one
  const FoundCheckpoint* wanted = nullptr;
  for (const FoundCheckpoint& found : facts.checkpoints) {
    if (found.id == id) wanted = &found;
    if (found.manifest != nullptr) {
      usable.push_back(found.id);
      newest = &found;
    } else if (!found.incomplete()) {
      damaged = &found;
    }
  }
  if (!id) wanted = newest;
  if (wanted == nullptr) {
    if (damaged != nullptr && !id) return damaged->damage;
    if (usable.empty()) {
      return Error{.code = ErrorCode::kRestoreRefused,
                   .message = "there is no usable checkpoint in " + directory,
                   .fix = "name the state directory of a job with --state DIR"};
    }
    return Error{.code = ErrorCode::kRestoreRefused,
                 .message = fmt::format("there is no checkpoint {} in {}", *id, directory),
                 .facts = {{"usable", fmt::format("{}", fmt::join(usable, ", "))}},
                 .fix = "name one of those, or latest"};
  }
  if (!id && damaged != nullptr && damaged->id > wanted->id) {
    talk("checkpoint {} is damaged; this is checkpoint {}\n", damaged->id, wanted->id);
  }
  if (wanted->manifest != nullptr) return *wanted->manifest;
  if (!wanted->damage.ok()) return wanted->damage;
  return load_manifest(posix_file_system(), directory, wanted->id);   // tells that it is missing
}

// `directory` is itself that of a savepoint or checkpoint.
bool is_checkpoint(const std::string& directory) {
  const auto kind = posix_file_system().kind(manifest_in(directory));
  return kind.ok() && *kind == FileKind::kFile;
}

Result<ChosenCheckpoint> choose(const std::string& directory, const RestoreFrom& which) {
  ChosenCheckpoint chosen;
  switch (which.kind) {
    case RestoreFrom::Kind::kNone: TIDEMARK_CHECK(false, "none was to be refused by parse_checkpoint"); break;
    case RestoreFrom::Kind::kLatest:
      if (is_checkpoint(directory)) {
        chosen.path = directory;
        break;
      }
      [[fallthrough]];
    case RestoreFrom::Kind::kCheckpoint: {
      const bool latest = which.kind == RestoreFrom::Kind::kLatest;
      TIDEMARK_ASSIGN(chosen.manifest, find_numbered(directory, latest ? std::nullopt : std::optional{which.checkpoint}));
      chosen.path = checkpoint_path(directory, chosen.manifest.checkpoint);
      return chosen;
    }
    case RestoreFrom::Kind::kSavepoint: {
      TIDEMARK_ASSIGN(chosen.path, find_savepoint(posix_file_system(), directory, which.name));
      break;
    }
    case RestoreFrom::Kind::kDirectory: chosen.path = which.name; break;
  }
  TIDEMARK_ASSIGN(chosen.manifest, load_manifest_in(posix_file_system(), chosen.path));
  return chosen;
}

}  // namespace

Result<ChosenCheckpoint> find_checkpoint(const std::string& directory, const RestoreFrom& which) {
  TIDEMARK_ASSIGN(ChosenCheckpoint chosen, choose(directory, which));
  std::erase_if(chosen.manifest.sources, [](const SourceEntry& source) { return source.operator_name.empty(); });
  return chosen;
}

Status check_state_directory(const std::string& directory, const DirectoryFacts& facts) {
  if (!facts.checkpoints.empty() || !facts.savepoints.empty() || !facts.live.empty() || facts.ever_completed) return {};
  return Error{.code = ErrorCode::kRestoreRefused,
               .message = "there is no state directory of a job in \"" + directory + "\"",
               .fix = "name one with --state; into the directory of a savepoint look with `checkpoints show`"};
}

Error reason_or_removal(const std::string& checkpoint_path, Error error) {
  const auto manifest = posix_file_system().kind(manifest_in(checkpoint_path));
  if (!manifest.ok() || *manifest != FileKind::kAbsent) return error;
  return Error{.code = ErrorCode::kRestoreRefused,
               .message = "\"" + checkpoint_path + "\" was removed while it was read",
               .why = "a running job keeps its newest two checkpoints that all sinks have committed, and removes older ones",
               .fix = "look again, at the newest one or while the job does not run"};
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

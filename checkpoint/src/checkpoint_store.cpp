#include <tidemark/checkpoint/checkpoint_store.hpp>

#include <algorithm>
#include <utility>

#include <tidemark/core/check.hpp>
#include <tidemark/core/detail/planted.hpp>
#include <tidemark/core/names.hpp>

#include "src/footer.hpp"

namespace tidemark {
inline namespace v0 {

namespace {

using checkpoint_internal::damaged;

constexpr const char* kProbe = ".probe";
constexpr std::uint64_t kLargestPlace = 4096;
constexpr const char* kUnfinishedSavepoint = "~";   // no label

// Children of `path`; none if it is absent. A symbolic link in its place is an error of list().
Result<std::vector<DirectoryEntry>> children(FileSystem& files, const std::string& path) {
  TIDEMARK_ASSIGN(const FileKind kind, files.kind(path));
  if (kind == FileKind::kAbsent) return std::vector<DirectoryEntry>{};
  return files.list(path);
}

// Files of the layout, and what publish_file leaves of them in a process that is killed.
bool is_our_file(const std::string& name) {
  return name == "LOCK" || name == "SOCKET" || name == "PLACE" || name == ".LINEAGE.partial" || name == ".PLACE.partial" ||
         name == kProbe || name == std::string{"."} + kProbe + ".partial";
}

// The numbers among the directories in `path`, ascending; other names go to `unknown`.
Result<std::vector<std::uint64_t>> numbered_children(FileSystem& files, const std::string& path, std::vector<std::string>& unknown) {
  TIDEMARK_ASSIGN(const std::vector<DirectoryEntry> entries, children(files, path));
  std::vector<std::uint64_t> numbers;
  for (const DirectoryEntry& entry : entries) {
    const std::optional<std::uint64_t> number = parse_numbered_name(entry.name);
    if (number && entry.kind == FileKind::kDirectory) {
      numbers.push_back(*number);
    } else {
      unknown.push_back(file_name(path) + "/" + entry.name);
    }
  }
  return numbers;
}

// The labels among the names in savepoints/, ascending; other names but our own go to `unknown`.
Result<std::vector<std::string>> labels(FileSystem& files, const std::string& directory, std::vector<std::string>& unknown) {
  const std::string path = savepoints_path(directory);
  TIDEMARK_ASSIGN(const std::vector<DirectoryEntry> entries, children(files, path));
  std::vector<std::string> found;
  for (const DirectoryEntry& entry : entries) {
    if (entry.kind == FileKind::kDirectory && check_name("savepoint", entry.name).ok()) {
      found.push_back(entry.name);
    } else if (entry.name != kUnfinishedSavepoint) {
      unknown.push_back(file_name(path) + "/" + entry.name);
    }
  }
  return found;
}

Result<FoundCheckpoint> examine(FileSystem& files, const std::string& directory, CheckpointId id) {
  FoundCheckpoint found;
  found.id = id;
  TIDEMARK_ASSIGN(const FileKind kind, files.kind(manifest_path(directory, id)));
  if (kind == FileKind::kAbsent) return found;
  Result<Manifest> manifest = load_manifest(files, directory, id);
  if (manifest.ok()) {
    found.manifest = std::make_shared<const Manifest>(*std::move(manifest));
  } else {
    found.damage = manifest.status();
  }
  return found;
}

// Writing, syncing, renaming and syncing the directory work here (fault F20). Leaves nothing behind.
Status probe(FileSystem& files, const std::string& directory) {
  const std::string path = join_path(directory, kProbe);
  TIDEMARK_TRY(publish_file(files, path, "probe"));
  return files.remove_file(path);
}

Error unusable(const std::string& directory, Error reason) {
  reason.message = "the state directory \"" + directory + "\" cannot be used: " + reason.message;
  return reason;
}

}  // namespace

Result<DirectoryFacts> read_state_directory(FileSystem& files, const std::string& directory) {
  DirectoryFacts facts;
  TIDEMARK_ASSIGN(const std::vector<DirectoryEntry> entries, children(files, directory));
  for (const DirectoryEntry& entry : entries) {
    const bool ours = entry.kind == FileKind::kDirectory
                          ? entry.name == "checkpoints" || entry.name == "live" || entry.name == "savepoints"
                          : is_our_file(entry.name);
    if (entry.name == "LINEAGE") {
      facts.ever_completed = true;   // whatever it holds: it would not be there otherwise
    } else if (!ours) {
      facts.unknown.push_back(entry.name);
    }
  }
  TIDEMARK_ASSIGN(const std::vector<std::uint64_t> ids, numbered_children(files, checkpoints_path(directory), facts.unknown));
  for (const CheckpointId id : ids) {
    TIDEMARK_ASSIGN(FoundCheckpoint found, examine(files, directory, id));
    facts.checkpoints.push_back(std::move(found));
  }
  TIDEMARK_ASSIGN(facts.savepoints, labels(files, directory, facts.unknown));
  TIDEMARK_ASSIGN(facts.live, numbered_children(files, all_live_path(directory), facts.unknown));
  return facts;
}

Result<Manifest> load_manifest(FileSystem& files, const std::string& directory, CheckpointId id) {
  const std::string path = manifest_path(directory, id);
  TIDEMARK_ASSIGN(const FileKind kind, files.kind(path));
  if (kind == FileKind::kAbsent) return damaged(path, "it is missing");
  TIDEMARK_ASSIGN(Manifest manifest, load_manifest_in(files, checkpoint_path(directory, id)));
  if (manifest.checkpoint != id) return damaged(path, "it is the manifest of checkpoint " + std::to_string(manifest.checkpoint));
  return manifest;
}

Result<std::string> find_savepoint(FileSystem& files, const std::string& directory, const std::string& label) {
  std::vector<std::string> ignored;
  TIDEMARK_ASSIGN(const std::vector<std::string> known, labels(files, directory, ignored));
  if (std::find(known.begin(), known.end(), label) != known.end()) return savepoint_path(directory, label);
  std::string list;
  for (const std::string& each : known) list += (list.empty() ? "" : ", ") + each;
  const std::string near = nearest(label, known);
  return Error{.code = ErrorCode::kRestoreRefused,
               .message = "there is no savepoint \"" + label + "\" in \"" + directory + "\"",
               .facts = {{"savepoints", list.empty() ? "none" : list}},
               .why = "",
               .fix = near.empty() ? "name one of those, or the path of one that lies elsewhere" : "did you mean " + near + "?"};
}

Result<Manifest> load_manifest_in(FileSystem& files, const std::string& checkpoint_directory) {
  const std::string path = manifest_in(checkpoint_directory);
  TIDEMARK_ASSIGN(const FileKind kind, files.kind(path));
  if (kind == FileKind::kAbsent) {
    return Error{.code = ErrorCode::kRestoreRefused,
                 .message = "there is no checkpoint in \"" + checkpoint_directory + "\"",
                 .facts = {{"missing", path}},
                 .why = "the directory of a savepoint or checkpoint holds a file manifest and a directory store",
                 .fix = "name such a directory; a whole state directory is given with --state"};
  }
  if (kind != FileKind::kFile) return damaged(path, "it is not a plain file");
  TIDEMARK_ASSIGN(const Bytes bytes, read_file(files, path, 2 * kMaxManifestBytes));
  return decode_manifest(bytes, path);
}

Status check_checkpoint_in(FileSystem& files, const std::string& checkpoint_directory, const Manifest& manifest) {
  return check_files(files, store_in(checkpoint_directory), manifest.files);
}

Status verify_checkpoint_in(FileSystem& files, const std::string& checkpoint_directory, const Manifest& manifest) {
  return verify_files(files, store_in(checkpoint_directory), manifest.files);
}

CheckpointStore::CheckpointStore(FileSystem& files, std::string directory, std::unique_ptr<DirectoryLock> lock)
    : files_(files), directory_(std::move(directory)), lock_(std::move(lock)) {}

CheckpointStore::~CheckpointStore() = default;

Result<std::unique_ptr<CheckpointStore>> CheckpointStore::open(FileSystem& files, std::string directory) {
  if (const Status made = make_directories(files, directory); !made.ok()) return unusable(directory, made.error());
  TIDEMARK_ASSIGN(std::unique_ptr<DirectoryLock> lock, files.lock(lock_path(directory)));
  if (const Status works = probe(files, directory); !works.ok()) return unusable(directory, works.error());
  TIDEMARK_ASSIGN(const FileKind marker, files.kind(lineage_path(directory)));
  std::unique_ptr<CheckpointStore> store{new CheckpointStore{files, std::move(directory), std::move(lock)}};
  store->lineage_marked_ = marker != FileKind::kAbsent;
  // Whatever else PLACE is, absent, damaged or not to be read: then it is not known where the checkpoints were taken.
  const Result<Bytes> place = read_file(files, place_path(store->directory_), kLargestPlace);
  store->in_place_ = place.ok() && *place == store->place();
  return store;
}

Bytes CheckpointStore::place() const { return "tidemark state directory 1\nLOCK " + lock_->identity() + "\n"; }

Result<DirectoryFacts> CheckpointStore::read() const {
  TIDEMARK_ASSIGN(DirectoryFacts facts, read_state_directory(files_, directory_));
  facts.copied = !in_place_;
  return facts;
}

Status CheckpointStore::mark_lineage(CheckpointId checkpoint, const std::string& job, const std::string& lineage) {
  if (lineage_marked_) return {};
  Bytes marker;
  checkpoint_internal::append_footer(marker, {kManifestFormatVersion, checkpoint, job, lineage}, checkpoint_internal::kLineageMagic);
  TIDEMARK_TRY(publish_file(files_, lineage_path(directory_), marker));
  lineage_marked_ = true;
  return {};
}

Status CheckpointStore::make_live(AttemptId attempt) {
  TIDEMARK_TRY(make_directories(files_, checkpoints_path(directory_)));
  TIDEMARK_TRY(make_directories(files_, all_live_path(directory_)));
  // What a crash has left of a savepoint would hold its files until the next one is asked for.
  (void)remove_tree(files_, join_path(savepoints_path(directory_), kUnfinishedSavepoint)).ok();
  TIDEMARK_TRY(files_.make_directory(live_path(directory_, attempt)));
  TIDEMARK_TRY(files_.make_directory(live_rows_path(directory_, attempt)));
  // An attempt's number is not given twice, not even after a power loss.
  return files_.sync_directory(all_live_path(directory_));
}

Result<std::string> CheckpointStore::begin(CheckpointId id) {
  std::string store = checkpoint_store_path(directory_, id);
  TIDEMARK_TRY(files_.make_directory(checkpoint_path(directory_, id)));
  TIDEMARK_TRY(files_.make_directory(store));
  TIDEMARK_TRY(files_.sync_directory(checkpoint_path(directory_, id)));
  if (planted(core_internal::Bug::kP03)) return store;   // the parent is not synced
  TIDEMARK_TRY(files_.sync_directory(checkpoints_path(directory_)));
  return store;
}

CheckpointStore::PublishOutcome CheckpointStore::publish(const Manifest& manifest) {
  const Result<Bytes> bytes = encode_manifest(manifest);
  if (!bytes.ok()) return {Published::kNo, bytes.status()};
  const std::string path = manifest_path(directory_, manifest.checkpoint);
  if (Status published = publish_file(files_, path, *bytes); !published.ok()) {
    // The rename may have happened, and only the sync after it failed.
    const Result<FileKind> kind = files_.kind(path);
    const bool absent = kind.ok() && *kind == FileKind::kAbsent;
    return {absent ? Published::kNo : Published::kUnknown, std::move(published)};
  }
  if (Status marked = mark_lineage(manifest.checkpoint, manifest.job, manifest.lineage); !marked.ok()) {
    return {Published::kUnknown, std::move(marked)};
  }
  if (!in_place_) {   // the newest checkpoint was taken here now, from nothing or from one of which every byte was read
    if (Status marked = publish_file(files_, place_path(directory_), place()); !marked.ok()) {
      return {Published::kUnknown, std::move(marked)};
    }
    in_place_ = true;
  }
  return {Published::kYes, {}};
}

Status CheckpointStore::check_label(const std::string& label) const {
  TIDEMARK_TRY(check_name("savepoint", label));
  const std::string path = savepoint_path(directory_, label);
  TIDEMARK_ASSIGN(const FileKind kind, files_.kind(path));
  if (kind == FileKind::kAbsent) return {};
  return Error{.code = ErrorCode::kBadName,
               .message = "there is a savepoint \"" + label + "\" already",
               .facts = {{"savepoint", path}},
               .why = "a savepoint is never replaced",
               .fix = "choose another label, or remove the old savepoint yourself"};
}

Status CheckpointStore::keep(CheckpointId id, const std::string& label) {
  TIDEMARK_TRY(check_label(label));
  const std::string all = savepoints_path(directory_);
  const std::string unfinished = join_path(all, kUnfinishedSavepoint);
  TIDEMARK_TRY(make_directories(files_, all));
  TIDEMARK_TRY(remove_tree(files_, unfinished));
  Status kept = link_checkpoint(id, unfinished);
  if (kept.ok()) kept = files_.rename(unfinished, savepoint_path(directory_, label));
  if (!kept.ok()) {
    (void)remove_tree(files_, unfinished);
    return kept;
  }
  return files_.sync_directory(all);
}

Status CheckpointStore::link_checkpoint(CheckpointId id, const std::string& to) {
  const std::string store = checkpoint_store_path(directory_, id);
  TIDEMARK_TRY(files_.make_directory(to));
  TIDEMARK_TRY(files_.make_directory(store_in(to)));
  TIDEMARK_ASSIGN(const std::vector<DirectoryEntry> entries, files_.list(store));
  for (const DirectoryEntry& entry : entries) {
    TIDEMARK_TRY(link_or_copy(files_, join_path(store, entry.name), join_path(store_in(to), entry.name)));
  }
  TIDEMARK_TRY(files_.sync_directory(store_in(to)));
  TIDEMARK_TRY(link_or_copy(files_, manifest_path(directory_, id), manifest_in(to)));
  return files_.sync_directory(to);
}

Status CheckpointStore::remove(CheckpointId id) {
  const std::string path = checkpoint_path(directory_, id);
  TIDEMARK_ASSIGN(const FileKind kind, files_.kind(path));
  if (kind == FileKind::kAbsent) return {};
  TIDEMARK_ASSIGN(const FileKind manifest, files_.kind(manifest_path(directory_, id)));
  if (manifest != FileKind::kAbsent) TIDEMARK_TRY(files_.remove_file(manifest_path(directory_, id)));
  // Also where it is gone already: whoever removed it may have failed here.
  TIDEMARK_TRY(files_.sync_directory(path));
  return remove_tree(files_, path);
}

Status CheckpointStore::discard(CheckpointId id) {
  TIDEMARK_ASSIGN(const FileKind manifest, files_.kind(manifest_path(directory_, id)));
  if (manifest != FileKind::kAbsent) {
    return Error{.code = ErrorCode::kCheckpointFailed,
                 .message = "checkpoint " + std::to_string(id) + " was given up, and yet it has a manifest",
                 .facts = {{"manifest", manifest_path(directory_, id)}},
                 .why = "it may be complete",
                 .fix = ""};
  }
  if (planted(core_internal::Bug::kP13)) (void)remove_tree(files_, checkpoint_store_path(directory_, id - 1)).ok();   // what both share
  return remove_tree(files_, checkpoint_path(directory_, id));
}

Status CheckpointStore::remove_live(AttemptId attempt) { return remove_tree(files_, live_path(directory_, attempt)); }

Status CheckpointStore::remove_all(const Deletions& deletions) {
  Status first;
  const auto note = [&](Status status) {
    if (first.ok()) first = std::move(status);
  };
  for (const CheckpointId id : deletions.checkpoints) note(remove(id));
  for (const AttemptId attempt : deletions.live) note(remove_live(attempt));
  return first;
}

}  // namespace v0
}  // namespace tidemark

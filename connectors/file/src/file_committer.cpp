#include <algorithm>
#include <optional>
#include <vector>

#include <tidemark/core/detail/planted.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/file/detail/staged_sink.hpp>

#include "src/content_hash.hpp"
#include "src/sink_directory.hpp"
#include "src/staged_names.hpp"

namespace tidemark {
inline namespace v0 {
namespace file_internal {

namespace {

constexpr std::uint64_t kLargestMarker = 4096;

class FileCommitter final : public SinkCommitter {
 public:
  FileCommitter(const IoContext& io, SinkIdentity identity, std::string directory, std::string extension)
      : files_(io.files), identity_(std::move(identity)), directory_(std::move(directory)), extension_(std::move(extension)) {}

  Result<CheckpointId> committed_epoch() override {
    TIDEMARK_ASSIGN(const Marker marker, read_marker());
    if (marker.epoch == 0 || (marker.lineage == identity_.lineage && is_name_of(identity_, marker.sink))) return found(marker);
    return Error{.code = ErrorCode::kSinkEpochMismatch,
                 .message = "the directory \"" + directory_ + "\" holds results of another run of this job, or of another job",
                 .facts = {{"results there",
                            "job " + marker.job + ", lineage " + marker.lineage + ", up to epoch " + std::to_string(marker.epoch)},
                           {"this job", "job " + identity_.job + ", lineage " + identity_.lineage}},
                 .why = "results of two lineages in one directory cannot be told apart",
                 .fix = "give this job an empty output directory, or go on with the state directory that wrote these results"};
  }

  // Results have their final names before the marker counts them.
  Result<CheckpointId> begun_epoch() override {
    TIDEMARK_ASSIGN(CheckpointId begun, committed_epoch());
    TIDEMARK_ASSIGN(const std::vector<DirectoryEntry> entries, files_.list(directory_));
    for (const DirectoryEntry& entry : entries) begun = std::max(begun, epoch_of(entry.name, identity_, extension_).value_or(0));
    return begun;
  }

  Status commit(CheckpointId epoch, CheckpointId previous, const std::vector<Committable>& committables) override {
    TIDEMARK_ASSIGN(const CheckpointId held, committed_epoch());
    if (held >= epoch && !planted(core_internal::Bug::kP06)) return keep_under_present_name(held);
    if (held != previous && !planted(core_internal::Bug::kP21)) {
      return Error{.code = ErrorCode::kSinkEpochMismatch,
                   .message = "the directory \"" + directory_ + "\" does not hold the epoch before the one to commit",
                   .facts = {{"to commit", std::to_string(epoch)},
                             {"must be there", std::to_string(previous)},
                             {"is there", std::to_string(held)}},
                   .why = held < previous ? "the results in between would be missing" : "the checkpoint is older than the results",
                   .fix = held < previous ? "give the directory that holds the results so far, as it was"
                                          : "restore a checkpoint that is as new as the results"};
    }
    std::vector<const Committable*> ordered;
    for (const Committable& committable : committables) ordered.push_back(&committable);
    std::sort(ordered.begin(), ordered.end(), [](const Committable* a, const Committable* b) {
      return a->epoch != b->epoch ? a->epoch < b->epoch : a->subtask < b->subtask;
    });
    for (const Committable* committable : ordered) {
      TIDEMARK_ASSIGN(const StagedRecord record, decode_staged_record(committable->bytes));
      TIDEMARK_TRY(publish(record, committable->epoch));
    }
    if (!ordered.empty()) TIDEMARK_TRY(files_.sync_directory(directory_));
    TIDEMARK_TRY(record(epoch));
    from_earlier_process_ = false;
    return {};
  }

  Status discard_unlisted() override {
    TIDEMARK_ASSIGN(const std::vector<DirectoryEntry> entries, files_.list(directory_));
    for (const DirectoryEntry& entry : entries) {
      if (entry.kind != FileKind::kFile || !is_staged_name(entry.name, identity_, extension_)) continue;
      TIDEMARK_TRY(files_.remove_file(path_of(entry.name)));
    }
    return {};
  }

 private:
  std::string path_of(const std::string& name) const { return join_path(directory_, name); }

  // Under the present name; then those under former ones go. An earlier release that came back would take them for the newest.
  Status record(CheckpointId epoch) {
    const Marker marker{
        .job = identity_.job, .lineage = identity_.lineage, .sink = identity_.sink, .epoch = epoch, .owner = identity_.owner};
    TIDEMARK_TRY(publish_file(files_, path_of(marker_name(identity_.sink)), encode(marker)));
    seen_ = marker;
    return remove_former_markers();
  }
  Status keep_under_present_name(CheckpointId held) {
    if (identity_.formerly.empty()) return {};
    TIDEMARK_ASSIGN(const Marker present, read_marker(identity_.sink));
    return present.epoch == 0 ? record(held) : remove_former_markers();
  }
  Status remove_former_markers() {
    for (const std::string& former : identity_.formerly) {
      const std::string path = path_of(marker_name(former));
      TIDEMARK_ASSIGN(const FileKind kind, files_.kind(path));
      if (kind != FileKind::kAbsent) TIDEMARK_TRY(files_.remove_file(path));
    }
    return {};
  }

  // Under the present name or, where that has none, under a former one. Epoch 0: there is none.
  Result<Marker> read_marker() const {
    TIDEMARK_ASSIGN(Marker marker, read_marker(identity_.sink));
    for (auto former = identity_.formerly.begin(); former != identity_.formerly.end() && marker.epoch == 0; ++former) {
      TIDEMARK_ASSIGN(marker, read_marker(*former));
    }
    return marker;
  }
  Result<Marker> read_marker(const std::string& sink) const {
    const std::string path = path_of(marker_name(sink));
    TIDEMARK_ASSIGN(const FileKind kind, files_.kind(path));
    if (kind == FileKind::kAbsent) return Marker{};
    TIDEMARK_ASSIGN(const Bytes bytes, read_file(files_, path, kLargestMarker));
    return decode_marker(bytes, path);
  }
  // The marker's epoch, unless somebody else has written it since it was first looked at. One of our own may be newer than what was seen,
  // if writing it was reported as failed.
  Result<CheckpointId> found(const Marker& marker) {
    if (!seen_) seen_ = marker;
    if (marker.epoch == 0 || marker == *seen_ || marker.owner == identity_.owner) return marker.epoch;
    return Error{.code = ErrorCode::kSinkEpochMismatch,
                 .message = "another process commits results of this job to the directory \"" + directory_ + "\"",
                 .facts = {{"seen before", "epoch " + std::to_string(seen_->epoch)}, {"is there", "epoch " + std::to_string(marker.epoch)}},
                 .why = "it goes on from a copy of this job's state directory; results of both would be doubled",
                 .fix = "let only one of them run; fork the other with --fork-lineage and an output directory of its own"};
  }

  // Gives a staged file its final name, or finds that this was done.
  Status publish(const StagedRecord& record, CheckpointId epoch) {
    const std::string staged = path_of(record.staged);
    const std::string final = path_of(record.final);
    TIDEMARK_ASSIGN(const FileKind staged_kind, files_.kind(staged));
    TIDEMARK_ASSIGN(const FileKind final_kind, files_.kind(final));
    if (staged_kind == FileKind::kAbsent && final_kind == FileKind::kAbsent) {
      return Error{.code = ErrorCode::kSinkFailed,
                   .message = "results of epoch " + std::to_string(epoch) + " are lost: \"" + final + "\" is neither staged nor committed",
                   .facts = {{"staged file", record.staged}, {"size", std::to_string(record.size)}},
                   .why = "the checkpoint says that these results were written, and they are not computed again",
                   .fix = "restore the file, or start afresh with another state directory; "
                          "whoever takes results away must wait for the marker " + marker_name(identity_.sink)};
    }
    if (final_kind != FileKind::kAbsent) {
      TIDEMARK_TRY(verify(final, record, true));
      // Both names, on a file system where renaming without replacing takes two steps.
      return staged_kind == FileKind::kAbsent ? Status{} : files_.remove_file(staged);
    }
    // What this process has just written needs no second reading.
    TIDEMARK_TRY(verify(staged, record, from_earlier_process_));
    return files_.rename_new(staged, final);
  }

  Status verify(const std::string& path, const StagedRecord& record, bool content) {
    TIDEMARK_ASSIGN(const std::unique_ptr<ReadableFile> file, files_.open(path));
    TIDEMARK_ASSIGN(const std::uint64_t size, file->size());
    std::uint64_t checksum = record.checksum;
    if (content && size == record.size) {
      TIDEMARK_ASSIGN(checksum, checksum_of(*file));
    }
    if (size == record.size && checksum == record.checksum) return {};
    return Error{.code = ErrorCode::kSinkFailed,
                 .message = "\"" + path + "\" is not what the checkpoint says",
                 .facts = {{"size in the checkpoint", std::to_string(record.size)}, {"size found", std::to_string(size)}},
                 .why = size == record.size ? "its checksum is another one" : "",
                 .fix = "restore the file, or start afresh with another state directory and an empty output directory"};
  }

  static Result<std::uint64_t> checksum_of(const ReadableFile& file) {
    ContentHash hash;
    Bytes block(std::size_t{256} << 10, '\0');
    for (std::uint64_t offset = 0;;) {
      TIDEMARK_ASSIGN(const std::size_t got, file.read_at(offset, block.data(), block.size()));
      if (got == 0) return hash.value();
      hash.add(ByteView(block).substr(0, got));
      offset += got;
    }
  }

  FileSystem& files_;
  SinkIdentity identity_;
  std::string directory_;
  std::string extension_;
  std::optional<Marker> seen_;         // at the first look, then what was written here
  bool from_earlier_process_ = true;   // until the first commit: what is committed at a start may have gone through a crash
};

}  // namespace

Result<std::unique_ptr<SinkCommitter>> open_file_committer(const IoContext& io, const SinkIdentity& identity, const std::string& directory,
                                                           const std::string& extension) {
  TIDEMARK_TRY(prepare_directory(io, identity, directory));
  return std::unique_ptr<SinkCommitter>(std::make_unique<FileCommitter>(io, identity, directory, extension));
}

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

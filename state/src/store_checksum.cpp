#include "src/store_checksum.hpp"

#include <tidemark/core/detail/planted.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

namespace {

Error corrupt(const std::string& path, std::string what, std::vector<std::pair<std::string, std::string>> facts) {
  return Error{.code = ErrorCode::kCheckpointCorrupt,
               .message = "\"" + path + "\" " + std::move(what),
               .facts = std::move(facts),
               .why = "a file of a checkpoint never changes after it was written",
               .fix = "restore the file from a copy, or start from another checkpoint"};
}

}  // namespace

Result<StoredFile> sum_file(FileSystem& files, const std::string& directory, const std::string& name) {
  TIDEMARK_ASSIGN(const std::unique_ptr<ReadableFile> file, files.open(join_path(directory, name)));
  FileChecksum checksum;
  Bytes chunk(std::size_t{256} * 1024, '\0');
  std::uint64_t offset = 0;
  for (;;) {
    TIDEMARK_ASSIGN(const std::size_t taken, file->read_at(offset, chunk.data(), chunk.size()));
    if (taken == 0) break;
    checksum.add(ByteView{chunk.data(), taken});
    offset += taken;
  }
  return StoredFile{name, offset, checksum.value()};
}

Status check_presence(FileSystem& files, const std::string& directory, const StoredFile& file) {
  const std::string path = join_path(directory, file.name);
  TIDEMARK_ASSIGN(const FileKind kind, files.kind(path));
  if (kind == FileKind::kAbsent) return corrupt(path, "is missing", {});
  if (kind != FileKind::kFile) return corrupt(path, kind == FileKind::kSymlink ? "is a symbolic link" : "is not a file", {});
  TIDEMARK_ASSIGN(const std::unique_ptr<ReadableFile> open, files.open(path));
  TIDEMARK_ASSIGN(const std::uint64_t size, open->size());
  if (size != file.size)
    return corrupt(path, "has the wrong size", {{"size", std::to_string(size)}, {"listed", std::to_string(file.size)}});
  return {};
}

Status verify_file(FileSystem& files, const std::string& directory, const StoredFile& file) {
  TIDEMARK_TRY(check_presence(files, directory, file));
  TIDEMARK_ASSIGN(const StoredFile found, sum_file(files, directory, file.name));
  if (planted(core_internal::Bug::kP15)) return {};   // not verified
  if (found != file) return corrupt(join_path(directory, file.name), "is damaged: its checksum is not the listed one", {});
  return {};
}

}  // namespace state_internal

Status check_files(FileSystem& files, const std::string& directory, const std::vector<StoredFile>& stored) {
  for (const StoredFile& file : stored) TIDEMARK_TRY(state_internal::check_presence(files, directory, file));
  return {};
}

Status verify_files(FileSystem& files, const std::string& directory, const std::vector<StoredFile>& stored) {
  for (const StoredFile& file : stored) TIDEMARK_TRY(state_internal::verify_file(files, directory, file));
  return {};
}

}  // namespace v0
}  // namespace tidemark

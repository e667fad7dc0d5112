#include <tidemark/core/file_system.hpp>

#include <algorithm>

#include <tidemark/core/detail/planted.hpp>

namespace tidemark {
inline namespace v0 {

namespace {

constexpr std::size_t kCopyChunk = 256 * 1024;

std::string_view without_trailing_slashes(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}

// Removes what an earlier failure or crash left; links as links.
Status remove_leftover(FileSystem& files, const std::string& path) {
  TIDEMARK_ASSIGN(const FileKind kind, files.kind(path));
  if (kind == FileKind::kAbsent) return {};
  return files.remove_file(path);
}

// `result`, after removing the file that it leaves incomplete. That the file cannot even be removed is not the failure to report.
Status give_up(FileSystem& files, const std::string& path, Status result) {
  (void)files.remove_file(path).ok();
  return result;
}

// A name by which a directory can be opened, also if it is a link: only the last component of a path must not be one.
Result<std::string> through_link(FileSystem& files, const std::string& directory) {
  TIDEMARK_ASSIGN(const FileKind kind, files.kind(directory));
  return kind == FileKind::kSymlink ? join_path(directory, ".") : directory;
}

Status write_whole(WritableFile& file, ByteView contents) {
  TIDEMARK_TRY(file.append(contents));
  if (planted(core_internal::Bug::kP01)) return file.close();   // not synced
  Status synced = file.sync();
  if (planted(core_internal::Bug::kP12) && !synced.ok()) synced = file.sync();   // tried again
  TIDEMARK_TRY(synced);
  return file.close();
}

Status copy_contents(const ReadableFile& source, WritableFile& target) {
  Bytes chunk(kCopyChunk, '\0');
  for (std::uint64_t offset = 0;;) {
    TIDEMARK_ASSIGN(const std::size_t size, source.read_at(offset, chunk.data(), chunk.size()));
    if (size == 0) break;
    TIDEMARK_TRY(target.append(ByteView{chunk.data(), size}));
    offset += size;
  }
  TIDEMARK_TRY(target.sync());
  return target.close();
}

}  // namespace

Result<Bytes> read_file(FileSystem& files, const std::string& path, std::uint64_t size_limit) {
  TIDEMARK_ASSIGN(const std::unique_ptr<ReadableFile> file, files.open(path));
  TIDEMARK_ASSIGN(const std::uint64_t size, file->size());
  if (size > size_limit) {
    return Error{.code = ErrorCode::kStorageFailed,
                 .message = "\"" + path + "\" is too large",
                 .facts = {{"size", std::to_string(size)}, {"limit", std::to_string(size_limit)}},
                 .why = "no file of this kind can be so large"};
  }
  Bytes contents(static_cast<std::size_t>(size), '\0');
  TIDEMARK_ASSIGN(const std::size_t taken, file->read_at(0, contents.data(), contents.size()));
  contents.resize(taken);
  return contents;
}

Status publish_file(FileSystem& files, const std::string& path, ByteView contents) {
  const std::string temporary = join_path(parent_path(path), "." + file_name(path) + ".partial");
  TIDEMARK_TRY(remove_leftover(files, temporary));
  TIDEMARK_ASSIGN(const std::unique_ptr<WritableFile> file, files.create(temporary));
  if (Status written = write_whole(*file, contents); !written.ok()) return give_up(files, temporary, std::move(written));
  if (Status renamed = files.rename(temporary, path); !renamed.ok()) return give_up(files, temporary, std::move(renamed));
  if (planted(core_internal::Bug::kP02)) return {};   // its directory is not synced
  return files.sync_directory(parent_path(path));
}

Status make_directories(FileSystem& files, const std::string& path) {
  const std::string directory{without_trailing_slashes(path)};
  TIDEMARK_ASSIGN(const FileKind kind, files.kind(directory));
  TIDEMARK_ASSIGN(const std::string parent, through_link(files, parent_path(directory)));
  if (kind == FileKind::kAbsent) {
    if (parent != directory) TIDEMARK_TRY(make_directories(files, parent));
    if (Status made = files.make_directory(directory); !made.ok()) {
      // Somebody else may have been faster.
      TIDEMARK_ASSIGN(const FileKind now, files.kind(directory));
      if (now != FileKind::kDirectory) return made;
    }
  } else if (kind != FileKind::kDirectory) {
    return Error{.code = ErrorCode::kStorageFailed,
                 .message = "\"" + directory + "\" is not a directory",
                 .why = kind == FileKind::kSymlink ? "symbolic links are not followed" : "",
                 .fix = "remove it, or choose another directory"};
  }
  // Also if it was there: a process that crashed after making it may not have synced it.
  return files.sync_directory(parent);
}

Status copy_file(FileSystem& files, const std::string& from, const std::string& to) {
  TIDEMARK_ASSIGN(const std::unique_ptr<ReadableFile> source, files.open(from));
  TIDEMARK_ASSIGN(const std::unique_ptr<WritableFile> target, files.create(to));
  if (Status copied = copy_contents(*source, *target); !copied.ok()) return give_up(files, to, std::move(copied));
  return {};
}

Status link_or_copy(FileSystem& files, const std::string& from, const std::string& to) {
  if (files.link(from, to).ok()) return {};
  return copy_file(files, from, to);
}

Status remove_tree(FileSystem& files, const std::string& path) {
  TIDEMARK_ASSIGN(const FileKind kind, files.kind(path));
  if (kind == FileKind::kAbsent) return {};
  if (kind != FileKind::kDirectory) return files.remove_file(path);
  TIDEMARK_ASSIGN(const std::vector<DirectoryEntry> entries, files.list(path));
  for (const DirectoryEntry& entry : entries) TIDEMARK_TRY(remove_tree(files, join_path(path, entry.name)));
  return files.remove_directory(path);
}

std::string join_path(std::string_view directory, std::string_view name) {
  std::string path{directory};
  if (!path.empty() && path.back() != '/') path += '/';
  return path += name;
}

std::string parent_path(std::string_view path) {
  path = without_trailing_slashes(path);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string{without_trailing_slashes(path.substr(0, std::max<std::size_t>(slash, 1)))};
}

std::string file_name(std::string_view path) {
  path = without_trailing_slashes(path);
  const std::size_t slash = path.rfind('/');
  return std::string{slash == std::string_view::npos ? path : path.substr(slash + 1)};
}

}  // namespace v0
}  // namespace tidemark

#include "src/file_set.hpp"

#include <algorithm>

#include <fnmatch.h>

#include <tidemark/core/log.hpp>

namespace tidemark {
inline namespace v0 {
namespace file_internal {

namespace {

constexpr const char* kWildcards = "*?[";

Status check_kind(const std::string& path, FileKind kind) {
  if (kind == FileKind::kFile) return {};
  const bool link = kind == FileKind::kSymlink;
  return Error{.code = ErrorCode::kSourceFailed,
               .message = "\"" + path + "\" is " +
                          (link ? "a symbolic link" : kind == FileKind::kDirectory ? "a directory" : "not a regular file"),
               .facts = {},
               .why = link ? "links are not followed, so that a position names the file it was taken in"
                           : "only a regular file can be read again after a restart",
               .fix = link ? "give the path of the file itself" : "give a file, or a directory or pattern that holds nothing else"};
}

Status check_file_name(const std::string& name) {
  if (escape_control(name) == name) return {};
  return Error{.code = ErrorCode::kSourceFailed,
               .message = "the file name \"" + name + "\" contains control characters",
               .facts = {},
               .why = "it could not be shown in messages",
               .fix = "rename the file"};
}

}  // namespace

Result<FileSet> FileSet::of(FileSystem& files, const std::string& path) {
  if (path.empty()) {
    return Error{.code = ErrorCode::kBadConfiguration, .message = "the path of a file source is empty", .facts = {}, .why = "",
                 .fix = "name a file, a directory or a pattern"};
  }
  TIDEMARK_ASSIGN(const FileKind kind, files.kind(path));
  if (kind == FileKind::kDirectory) return FileSet(Choice::kAll, path, "");
  const std::string name = file_name(path);
  const std::string directory = parent_path(path);
  if (kind == FileKind::kAbsent && directory.find_first_of(kWildcards) != std::string::npos) {
    TIDEMARK_ASSIGN(const FileKind directory_kind, files.kind(directory));
    if (directory_kind == FileKind::kAbsent) {
      return Error{.code = ErrorCode::kSourceFailed,
                   .message = "there is no directory \"" + directory + "\"",
                   .facts = {{"path", path}},
                   .why = "a pattern may stand in the last part of a path only",
                   .fix = "use a source for each directory, and unite them"};
    }
  }
  const bool pattern = kind == FileKind::kAbsent && name.find_first_of(kWildcards) != std::string::npos;
  return FileSet(pattern ? Choice::kMatching : Choice::kOneFile, directory, name);
}

FileSet FileSet::only(const std::string& name) const { return FileSet(Choice::kOneFile, directory_, name); }

bool FileSet::takes(const std::string& name) const {
  // Hidden files only for a pattern that begins with a dot.
  if (name.front() == '.' && (choice_ == Choice::kAll || pattern_.front() != '.')) return false;
  return choice_ == Choice::kAll || ::fnmatch(pattern_.c_str(), name.c_str(), 0) == 0;
}

Result<std::vector<std::string>> FileSet::list(FileSystem& files) const {
  std::vector<std::string> names;
  if (choice_ == Choice::kOneFile) {
    const std::string path = path_of(pattern_);
    TIDEMARK_ASSIGN(const FileKind kind, files.kind(path));
    if (kind == FileKind::kAbsent) return names;
    TIDEMARK_TRY(check_kind(path, kind));
    names.push_back(pattern_);
    return names;
  }
  TIDEMARK_ASSIGN(const std::vector<DirectoryEntry> entries, files.list(directory_));
  for (const DirectoryEntry& entry : entries) {
    if (entry.kind == FileKind::kDirectory || !takes(entry.name)) continue;
    TIDEMARK_TRY(check_kind(path_of(entry.name), entry.kind));
    TIDEMARK_TRY(check_file_name(entry.name));
    names.push_back(entry.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

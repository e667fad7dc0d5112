#pragma once
// The files that a path stands for.

#include <string>
#include <vector>

#include <tidemark/core/file_system.hpp>
#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {
namespace file_internal {

class FileSet {
 public:
  // An empty set, until assigned to.
  FileSet() = default;
  // Looks at what `path` is now: a file, a directory, else a pattern if its last component has *, ? or [, else a file that is not there
  // yet.
  static Result<FileSet> of(FileSystem& files, const std::string& path);
  // One file of the set.
  FileSet only(const std::string& name) const;

  // The names of the files that are there now, in order. A link, or anything else that is not a file, in the place of one is an error;
  // directories are passed over.
  Result<std::vector<std::string>> list(FileSystem& files) const;
  std::string path_of(const std::string& name) const { return join_path(directory_, name); }

 private:
  enum class Choice { kOneFile, kMatching, kAll };
  FileSet(Choice choice, std::string directory, std::string pattern)
      : choice_(choice), directory_(std::move(directory)), pattern_(std::move(pattern)) {}
  bool takes(const std::string& name) const;

  Choice choice_ = Choice::kOneFile;
  std::string directory_;
  std::string pattern_;   // kOneFile: the name
};

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

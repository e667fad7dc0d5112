#pragma once
// The file system seam: the only way of Tidemark's own code to the disk (RocksDB has its own, state/). Production uses posix_file_system();
// tests and simulation hand in one that forgets, tears, fails or runs full.
//
// Rules that every implementation keeps: short writes and EINTR are continued; a new file is made with O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC
// and mode 0600, a new directory with 0700; symbolic links are not followed in the last component; an error names the path, the operation
// and the reason.
// Thread rule: the file system may be used by several threads; one file or lock by one thread at a time.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {

// A file open for appending. Destruction without close() closes it and drops the result: only right for a file that nobody will read.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual Status append(ByteView bytes) = 0;
  // fsync. A failure is data loss: the file must be given up, never synced again (reliability R1).
  virtual Status sync() = 0;
  virtual Status close() = 0;
};

// A file open for reading at any offset.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  // Reads up to `size` bytes into `buffer`; fewer only at the end of the file, 0 at or after it.
  virtual Result<std::size_t> read_at(std::uint64_t offset, char* buffer, std::size_t size) const = 0;
  virtual Result<std::uint64_t> size() const = 0;
};

// Held as long as the object lives; the operating system drops it when the process dies.
class DirectoryLock {
 public:
  virtual ~DirectoryLock() = default;
  // A line that tells the lock's file from every copy of it: the same for as long as the file stays as it is, through restarts of the
  // process and the machine and when its directory is moved. Whoever changes its owner, mode or links makes it another one. A copy of the
  // whole file system, block by block, cannot be told from it.
  virtual std::string identity() const = 0;
};

enum class FileKind : std::uint8_t { kFile, kDirectory, kSymlink, kOther, kAbsent };

struct DirectoryEntry {
  std::string name;
  FileKind kind{};
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<WritableFile>> create(const std::string& path) = 0;               // fails if it exists
  virtual Result<std::unique_ptr<ReadableFile>> open(const std::string& path) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;                       // replaces `to`
  virtual Status rename_new(const std::string& from, const std::string& to) = 0;                   // fails if `to` exists
  virtual Status link(const std::string& from, const std::string& to) = 0;                         // hard link
  virtual Status remove_file(const std::string& path) = 0;
  virtual Status remove_directory(const std::string& path) = 0;                                    // must be empty
  virtual Status make_directory(const std::string& path) = 0;                                      // fails if it exists
  virtual Status sync_directory(const std::string& path) = 0;
  virtual Result<std::vector<DirectoryEntry>> list(const std::string& path) = 0;                   // sorted by name, without . and ..
  virtual Result<FileKind> kind(const std::string& path) = 0;                                      // kAbsent is not an error
  // An exclusive lock on the file `path`, made if absent. kDirectoryInUse if anyone holds it: another process, or this one.
  // kDirectoryUnsafe, with nothing made or changed, if the directory of `path` belongs to another user, root included, or if its group or
  // others may write to it (S10); that they may read is allowed.
  virtual Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) = 0;
};

// The machine's file system. One object for the whole process, without state but the table of its locks.
FileSystem& posix_file_system();

// The helpers below use the seam alone, so that each is one sequence of primitive steps in every world.

Result<Bytes> read_file(FileSystem& files, const std::string& path, std::uint64_t size_limit);
// Reliability R1: writes `contents` under a temporary name in the same directory, syncs, closes, renames to `path`, syncs the directory.
// After success the file is durable and complete; after failure `path` is what it was (or, if only the last step failed, possibly the new
// file). The temporary name is ".<name>.partial"; one that a crash left behind is replaced. One caller at a time for each path.
Status publish_file(FileSystem& files, const std::string& path, ByteView contents);
// Makes `path` and all absent parents, syncing the parent of each, and the parent of `path` in any case. A symbolic link among the parents
// is followed, one at `path` itself is refused.
Status make_directories(FileSystem& files, const std::string& path);
// Copies and syncs; `to` must not exist. Its directory is not synced.
Status copy_file(FileSystem& files, const std::string& from, const std::string& to);
// A hard link, or a synced copy where links are not possible (EXDEV, EPERM, EMLINK).
Status link_or_copy(FileSystem& files, const std::string& from, const std::string& to);
Status remove_tree(FileSystem& files, const std::string& path);                                    // absent: success; never follows links
std::string join_path(std::string_view directory, std::string_view name);
std::string parent_path(std::string_view path);
std::string file_name(std::string_view path);

}  // namespace v0
}  // namespace tidemark

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <set>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tidemark/core/check.hpp>
#include <tidemark/core/detail/planted.hpp>
#include <tidemark/core/file_system.hpp>

#include "src/whole_transfer.hpp"

namespace tidemark {
inline namespace v0 {

namespace {

using core_internal::read_whole;
using core_internal::uninterrupted;
using core_internal::write_whole;

std::string remedy(int reason) {
  if (reason == ENOSPC || reason == EDQUOT) return "free space on the file system that holds it, or move the directory to a larger one";
  if (reason == EACCES || reason == EPERM || reason == EROFS) {
    return "give the user of this process the permission (and the file system that of writing), or choose another directory";
  }
  if (reason == ENAMETOOLONG) return "choose a directory with a shorter name";
  return {};
}

// `what` is the operation and its path, such as `sync "a/b"`.
Error failure(const std::string& what, int reason) {
  const char* name = ::strerrorname_np(reason);
  const char* words = ::strerrordesc_np(reason);
  return Error{.code = ErrorCode::kStorageFailed,
               .message = "cannot " + what + ": " + (words != nullptr ? words : "unknown error") + " (" +
                          (name != nullptr ? std::string{name} : std::to_string(reason)) + ")",
               .fix = remedy(reason)};
}

std::string quoted(const std::string& path) { return "\"" + path + "\""; }

Status status_of(int result, const std::string& what) {
  if (result != 0) return failure(what, errno);
  return {};
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

Result<Descriptor> open_descriptor(const std::string& path, int flags, const char* verb) {
  const int number = uninterrupted([&] { return ::open(path.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0600); });
  if (number < 0) return failure(verb + (" " + quoted(path)), errno);
  return Descriptor{number};
}

class PosixWritableFile final : public WritableFile {
 public:
  PosixWritableFile(Descriptor descriptor, std::string path) : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  Status append(ByteView bytes) override {
    TIDEMARK_TRY(usable());
    const int reason = write_whole(bytes, [&](const char* data, std::size_t size) { return ::write(descriptor_.get(), data, size); });
    if (reason != 0) return fail("write", reason);
    return {};
  }

  Status sync() override {
    TIDEMARK_TRY(usable());
    // Once: after a failure the kernel may have dropped the pages, and a second fsync would report a success that is none.
    if (::fsync(descriptor_.get()) != 0) return fail("sync", errno);
    return {};
  }

  Status close() override {
    TIDEMARK_CHECK(descriptor_.get() >= 0, "file closed twice: " + path_);
    const Status before = usable();
    if (::close(descriptor_.release()) != 0 && before.ok()) return fail("close", errno);
    return before;
  }

 private:
  // The first failure is the answer to everything that follows.
  Status usable() const {
    TIDEMARK_CHECK(descriptor_.get() >= 0, "file used after it was closed: " + path_);
    return failed_;
  }
  Status fail(const char* verb, int reason) { return failed_ = failure(verb + (" " + quoted(path_)), reason); }

  Descriptor descriptor_;
  std::string path_;
  Status failed_;
};

class PosixReadableFile final : public ReadableFile {
 public:
  PosixReadableFile(Descriptor descriptor, std::string path) : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  Result<std::size_t> read_at(std::uint64_t offset, char* buffer, std::size_t size) const override {
    std::size_t done = 0;
    const int reason = read_whole(buffer, size, offset, done, [&](char* data, std::size_t wanted, off_t at) {
      return ::pread(descriptor_.get(), data, wanted, at);
    });
    if (reason != 0) return failure("read " + quoted(path_), reason);
    return done;
  }

  Result<std::uint64_t> size() const override {
    struct stat info {};
    if (::fstat(descriptor_.get(), &info) != 0) return failure("examine " + quoted(path_), errno);
    return static_cast<std::uint64_t>(info.st_size);
  }

 private:
  Descriptor descriptor_;
  std::string path_;
};

FileKind kind_of_mode(mode_t mode) {
  if (S_ISREG(mode)) return FileKind::kFile;
  if (S_ISDIR(mode)) return FileKind::kDirectory;
  if (S_ISLNK(mode)) return FileKind::kSymlink;
  return FileKind::kOther;
}

// The locks that this process holds, by the identity of the file. The lock of the operating system alone does not exclude a second runtime
// in the same process on every file system: where flock is emulated by record locks (NFS), these belong to the process.
class LockTable {
 public:
  using Identity = std::pair<dev_t, ino_t>;
  bool add(Identity file) {
    const std::lock_guard guard{mutex_};
    return held_.insert(file).second;
  }
  void remove(Identity file) {
    const std::lock_guard guard{mutex_};
    held_.erase(file);
  }

 private:
  std::mutex mutex_;
  std::set<Identity> held_;
};

// A place in the table, given back on destruction.
class TableEntry {
 public:
  TableEntry(LockTable& table, LockTable::Identity file) : table_(table), file_(file), added_(table.add(file)) {}
  TableEntry(const TableEntry&) = delete;
  TableEntry& operator=(const TableEntry&) = delete;
  ~TableEntry() {
    if (added_) table_.remove(file_);
  }
  bool added() const { return added_; }

 private:
  LockTable& table_;
  LockTable::Identity file_;
  bool added_;
};

// Nobody can set the time of the last change of an inode: copies have another one, whatever else they preserve. The number of the device is
// left out, since it may change when the machine restarts.
std::string identity_of(const struct stat& info) {
  return "inode " + std::to_string(info.st_ino) + " changed " + std::to_string(info.st_ctim.tv_sec) + " s " +
         std::to_string(info.st_ctim.tv_nsec) + " ns";
}

class PosixLock final : public DirectoryLock {
 public:
  PosixLock(Descriptor descriptor, std::unique_ptr<TableEntry> entry, std::string identity)
      : entry_(std::move(entry)), descriptor_(std::move(descriptor)), identity_(std::move(identity)) {}
  ~PosixLock() override {
    // Explicitly: a child process that was forked meanwhile shares the descriptor, and closing ours would leave the lock to it.
    ::flock(descriptor_.get(), LOCK_UN);
  }
  std::string identity() const override { return identity_; }

 private:
  std::unique_ptr<TableEntry> entry_;   // first, so that it is given up last
  Descriptor descriptor_;
  std::string identity_;
};

std::string octal(mode_t mode) {
  std::string digits;
  for (int shift = 9; shift >= 0; shift -= 3) digits += static_cast<char>('0' + (mode >> shift & 7));
  return digits;
}

// S10. Whoever may write to the directory may put other files in the place of ours, and its owner may give himself that right at any time.
// Root is no exception: what it made belongs to it, in a container too.
Status check_owned_alone(const std::string& directory) {
  struct stat info {};
  if (::lstat(directory.c_str(), &info) != 0) return failure("examine " + quoted(directory), errno);
  const uid_t self = ::geteuid();
  const bool foreign = info.st_uid != self;
  if (!foreign && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  std::string fix = foreign ? "chown -R " + std::to_string(self) + " " + quoted(directory) + ", or start as the user who owns it" : "";
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) fix = "chmod go-w " + quoted(directory) + (foreign ? " and " + fix : "");
  return Error{.code = ErrorCode::kDirectoryUnsafe,
               .message = "others could change the directory " + quoted(directory),
               .facts = {{"owner", "user " + std::to_string(info.st_uid) + ", mode " + octal(info.st_mode)},
                         {"process", "user " + std::to_string(self)}},
               .why = "whoever may write there decides what is restored and committed",
               .fix = std::move(fix)};
}

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    TIDEMARK_ASSIGN(Descriptor descriptor, open_descriptor(path, O_WRONLY | O_CREAT | O_EXCL, "create"));
    return std::unique_ptr<WritableFile>{std::make_unique<PosixWritableFile>(std::move(descriptor), path)};
  }

  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override {
    // O_NONBLOCK: opening a pipe in the place of a file must not hang.
    TIDEMARK_ASSIGN(Descriptor descriptor, open_descriptor(path, O_RDONLY | O_NONBLOCK, "open"));
    struct stat info {};
    if (::fstat(descriptor.get(), &info) != 0) return failure("examine " + quoted(path), errno);
    if (!S_ISREG(info.st_mode)) return failure("open " + quoted(path) + " as a file", S_ISDIR(info.st_mode) ? EISDIR : EINVAL);
    return std::unique_ptr<ReadableFile>{std::make_unique<PosixReadableFile>(std::move(descriptor), path)};
  }

  Status rename(const std::string& from, const std::string& to) override {
    return status_of(::rename(from.c_str(), to.c_str()), "rename " + quoted(from) + " to " + quoted(to));
  }

  Status rename_new(const std::string& from, const std::string& to) override {
    const std::string what = "rename " + quoted(from) + " to the new name " + quoted(to);
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
    if (errno != EINVAL && errno != ENOSYS) return failure(what, errno);
    // A file system without RENAME_NOREPLACE: a link fails if the name is taken. A crash between the two leaves both names of one file.
    if (::link(from.c_str(), to.c_str()) != 0 || ::unlink(from.c_str()) != 0) return failure(what, errno);
    return {};
  }

  Status link(const std::string& from, const std::string& to) override {
    return status_of(::link(from.c_str(), to.c_str()), "link " + quoted(from) + " as " + quoted(to));
  }

  Status remove_file(const std::string& path) override { return status_of(::unlink(path.c_str()), "remove " + quoted(path)); }

  Status remove_directory(const std::string& path) override {
    return status_of(::rmdir(path.c_str()), "remove the directory " + quoted(path));
  }

  Status make_directory(const std::string& path) override {
    return status_of(::mkdir(path.c_str(), 0700), "make the directory " + quoted(path));
  }

  Status sync_directory(const std::string& path) override {
    TIDEMARK_ASSIGN(const Descriptor directory, open_descriptor(path, O_RDONLY | O_DIRECTORY, "open the directory"));
    return status_of(::fsync(directory.get()), "sync the directory " + quoted(path));
  }

  Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
    TIDEMARK_ASSIGN(Descriptor descriptor, open_descriptor(path, O_RDONLY | O_DIRECTORY, "open the directory"));
    const std::string what = "list the directory " + quoted(path);
    const auto close_stream = [](DIR* open) { ::closedir(open); };
    const std::unique_ptr<DIR, decltype(close_stream)> stream{::fdopendir(descriptor.get()), close_stream};
    if (stream == nullptr) return failure(what, errno);
    descriptor.release();   // the stream closes it
    std::vector<DirectoryEntry> entries;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(stream.get());
      if (entry == nullptr) {
        if (errno != 0) return failure(what, errno);
        break;
      }
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      struct stat info {};
      if (::fstatat(::dirfd(stream.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) continue;   // removed meanwhile
        return failure(what, errno);
      }
      entries.push_back({name, kind_of_mode(info.st_mode)});
    }
    std::sort(entries.begin(), entries.end(), [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
    return entries;
  }

  Result<FileKind> kind(const std::string& path) override {
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0) return kind_of_mode(info.st_mode);
    if (errno == ENOENT || errno == ENOTDIR) return FileKind::kAbsent;
    return failure("examine " + quoted(path), errno);
  }

  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override {
    TIDEMARK_TRY(check_owned_alone(parent_path(path)));
    TIDEMARK_ASSIGN(Descriptor descriptor, open_descriptor(path, O_RDWR | O_CREAT, "open the lock"));
    struct stat info {};
    if (::fstat(descriptor.get(), &info) != 0) return failure("examine " + quoted(path), errno);
    auto entry = std::make_unique<TableEntry>(locks_, LockTable::Identity{info.st_dev, info.st_ino});
    if (!entry->added()) return in_use(path, "another runtime in this process");
    if (!planted(core_internal::Bug::kP16) && uninterrupted([&] { return ::flock(descriptor.get(), LOCK_EX | LOCK_NB); }) != 0) {
      if (errno == EWOULDBLOCK) return in_use(path, "another process");
      return failure("lock " + quoted(path), errno);
    }
    // Whoever removed the file between our open and our lock may hold a lock on a new file of this name.
    struct stat now {};
    if (::lstat(path.c_str(), &now) != 0 || now.st_dev != info.st_dev || now.st_ino != info.st_ino) {
      return in_use(path, "another process, which replaced the lock file");
    }
    return std::unique_ptr<DirectoryLock>{std::make_unique<PosixLock>(std::move(descriptor), std::move(entry), identity_of(info))};
  }

 private:
  static Error in_use(const std::string& path, const std::string& holder) {
    return Error{.code = ErrorCode::kDirectoryInUse,
                 .message = "the directory " + quoted(parent_path(path)) + " is in use",
                 .facts = {{"lock", path}, {"held by", holder}},
                 .why = "two owners would overwrite each other's state",
                 .fix = "stop the other job, or give this one a directory of its own"};
  }

  LockTable locks_;
};

}  // namespace

FileSystem& posix_file_system() {
  // Never destroyed: locks that live as long as the process are given back after static objects are gone.
  static FileSystem& files = *new PosixFileSystem;
  return files;
}

}  // namespace v0
}  // namespace tidemark

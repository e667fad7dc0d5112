#pragma once
// The real file system, below a root, and a log of all that was done to it. The operation and its line in the log are one step, so the log
// has the order in which the threads of a job met at the disk.

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/file_system.hpp>

#include "../support/forwarding_file_system.hpp"
#include "operation.hpp"

namespace tidemark::proof {

// Locks have one identity in all worlds, as on a disk that was not copied but lost power; that of a copy has another one.
class SameLocksFileSystem : public test_support::ForwardingFileSystem {
 public:
  explicit SameLocksFileSystem(FileSystem& under, std::string directory = "state")
      : ForwardingFileSystem(under), identity_("LOCK of the proof in " + std::move(directory)) {}
  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override {
    TIDEMARK_ASSIGN(auto held, under_.lock(path));
    return std::unique_ptr<DirectoryLock>{std::make_unique<Lock>(std::move(held), identity_)};
  }

 private:
  class Lock final : public DirectoryLock {
   public:
    Lock(std::unique_ptr<DirectoryLock> held, std::string identity) : held_(std::move(held)), identity_(std::move(identity)) {}
    std::string identity() const override { return identity_; }

   private:
    std::unique_ptr<DirectoryLock> held_;
    const std::string identity_;
  };

  const std::string identity_;
};

// Notes whether a file that was there before, of an attempt that a crash ended, is opened: the tree's identity counts on that it is not.
class WatchedFileSystem final : public test_support::ForwardingFileSystem {
 public:
  WatchedFileSystem(FileSystem& under, std::vector<std::string> earlier_attempts)
      : ForwardingFileSystem(under), earlier_attempts_(std::move(earlier_attempts)) {}
  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override {
    for (const std::string& attempt : earlier_attempts_) {
      if (path.starts_with(attempt + "/")) looked_back_ = true;
    }
    return under_.open(path);
  }
  bool looked_back() const { return looked_back_; }

 private:
  const std::vector<std::string> earlier_attempts_;
  std::atomic<bool> looked_back_ = false;
};

class LoggedFileSystem final : public SameLocksFileSystem {
 public:
  LoggedFileSystem(FileSystem& under, const std::string& root) : SameLocksFileSystem(under), root_(root + "/") {}

  // When nobody writes any more.
  Log take_log() { return std::move(log_); }

  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    const std::lock_guard guard{mutex_};
    TIDEMARK_ASSIGN(auto file, under_.create(path));
    log_.push_back({.kind = Operation::Kind::kCreate, .path = below(path), .file = files_});
    return std::unique_ptr<WritableFile>{std::make_unique<Writable>(*this, below(path), files_++, std::move(file))};
  }
  Status rename(const std::string& from, const std::string& to) override {
    return logged({.kind = Operation::Kind::kRename, .path = below(from), .to = below(to)}, [&] { return under_.rename(from, to); });
  }
  Status rename_new(const std::string& from, const std::string& to) override {
    return logged({.kind = Operation::Kind::kRename, .path = below(from), .to = below(to)}, [&] { return under_.rename_new(from, to); });
  }
  Status link(const std::string& from, const std::string& to) override {
    return logged({.kind = Operation::Kind::kLink, .path = below(from), .to = below(to)}, [&] { return under_.link(from, to); });
  }
  Status remove_file(const std::string& path) override {
    return logged({.kind = Operation::Kind::kRemoveFile, .path = below(path)}, [&] { return under_.remove_file(path); });
  }
  Status remove_directory(const std::string& path) override {
    return logged({.kind = Operation::Kind::kRemoveDirectory, .path = below(path)}, [&] { return under_.remove_directory(path); });
  }
  Status make_directory(const std::string& path) override {
    return logged({.kind = Operation::Kind::kMakeDirectory, .path = below(path)}, [&] { return under_.make_directory(path); });
  }
  Status sync_directory(const std::string& path) override {
    return logged({.kind = Operation::Kind::kSyncDirectory, .path = below(path)}, [] { return Status{}; });
  }
  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override {
    const std::lock_guard guard{mutex_};
    TIDEMARK_ASSIGN(const FileKind before, under_.kind(path));
    auto held = SameLocksFileSystem::lock(path);
    if (held.ok() && before == FileKind::kAbsent) {
      log_.push_back({.kind = Operation::Kind::kCreate, .path = below(path), .file = files_++});
    }
    return held;
  }

 private:
  class Writable final : public WritableFile {
   public:
    Writable(LoggedFileSystem& files, std::string path, std::uint64_t number, std::unique_ptr<WritableFile> under)
        : files_(files), path_(std::move(path)), number_(number), under_(std::move(under)) {}
    Status append(ByteView bytes) override {
      return files_.logged({.kind = Operation::Kind::kAppend, .path = path_, .file = number_, .data = Bytes{bytes}},
                           [&] { return under_->append(bytes); });
    }
    // The log decides what lasts; the real disk need not wait.
    Status sync() override {
      return files_.logged({.kind = Operation::Kind::kSync, .path = path_, .file = number_}, [] { return Status{}; });
    }
    Status close() override { return under_->close(); }

   private:
    LoggedFileSystem& files_;
    std::string path_;
    std::uint64_t number_;
    std::unique_ptr<WritableFile> under_;
  };

  // What lies outside the root, its parent that is synced, is nobody's matter: it lasts.
  std::string below(const std::string& path) const {
    return path.starts_with(root_) ? path.substr(root_.size()) : path + "/" == root_ ? "" : path;
  }
  template <class Do>
  Status logged(Operation operation, Do&& act) {
    const std::lock_guard guard{mutex_};
    TIDEMARK_TRY(act());
    if (!operation.path.starts_with("/")) log_.push_back(std::move(operation));
    return {};
  }

  const std::string root_;
  std::mutex mutex_;
  Log log_;
  std::uint64_t files_ = 0;
};

}  // namespace tidemark::proof

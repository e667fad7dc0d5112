#pragma once
// A disk that fails as disks do, over any other file system: a chosen kind of step on chosen paths fails from the i-th one on, once,
// several times or for ever. What fails has the worst permitted effect: half of an append has arrived; what a failed sync or close has not
// made safe can still be read for a while, and is gone when lose_unsynced() is called, as after a failure of the machine.
//
//   for (std::size_t i = 0;; ++i) {
//     FaultyFileSystem files{posix_file_system()};
//     files.inject({.steps = kWrites, .first = i});
//     ... run ...
//     if (files.injected() == 0) break;
//   }

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <tidemark/core/file_system.hpp>

#include "forwarding_file_system.hpp"

namespace tidemark::test_support {

enum class Step : std::uint16_t {
  kCreate = 1,
  kAppend = 2,
  kSync = 4,
  kClose = 8,
  kRename = 16,
  kLink = 32,
  kMakeDirectory = 64,
  kSyncDirectory = 128,
  kRemove = 256,
  kOpen = 512,
  kRead = 1024,
  kLook = 2048,   // list, kind, size
  kLock = 4096,
};
using Steps = std::uint16_t;
constexpr Steps operator|(Step a, Step b) { return static_cast<Steps>(static_cast<Steps>(a) | static_cast<Steps>(b)); }
constexpr Steps operator|(Steps a, Step b) { return static_cast<Steps>(a | static_cast<Steps>(b)); }

// What needs space on the disk.
inline constexpr Steps kWrites = Step::kCreate | Step::kAppend | Step::kRename | Step::kLink | Step::kMakeDirectory;
// What says that something is safe.
inline constexpr Steps kSyncs = Step::kSync | Step::kClose | Step::kSyncDirectory;
// All that changes a directory.
inline constexpr Steps kChanges = kWrites | Step::kRemove;
inline constexpr Steps kReads = Step::kOpen | Step::kRead | Step::kLook;

inline constexpr std::size_t kForEver = SIZE_MAX;

struct Fault {
  Steps steps = 0;
  std::size_t first = 0;            // how many such steps succeed before
  std::size_t times = 1;
  std::string reason = "No space left on device (ENOSPC)";
  std::string on_path_with{};       // only where the path has this in it
  std::string and_with{};           // and this
};

class FaultyFileSystem final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  ~FaultyFileSystem() override { lose_unsynced(); }

  // From now on; replaces the fault before and begins to count anew.
  void inject(Fault fault) {
    const std::lock_guard guard{mutex_};
    fault_ = std::move(fault);
    seen_ = 0;
    injected_.clear();
  }
  void heal() { inject({}); }
  std::size_t injected() const {
    const std::lock_guard guard{mutex_};
    return injected_.size();
  }
  // The paths of the steps that failed since inject(), in their order; of a rename or link the old name.
  std::vector<std::string> failed_paths() const {
    const std::lock_guard guard{mutex_};
    return injected_;
  }
  // What was done that must never be done: a file whose sync or close had failed was synced, written, renamed or linked (R1, fault F13).
  std::vector<std::string> offences() const {
    const std::lock_guard guard{mutex_};
    return offences_;
  }

  // When nobody writes any more: all names of a file whose sync or close had failed lead to what was synced before.
  void lose_unsynced() {
    const std::lock_guard guard{mutex_};
    for (const Unsafe& file : unsafe_) {
      (void)(::ftruncate(file.descriptor, static_cast<::off_t>(file.synced)) == 0);
      (void)::close(file.descriptor);
    }
    unsafe_.clear();
  }

  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    TIDEMARK_TRY(step(Step::kCreate, "create", path));
    TIDEMARK_ASSIGN(auto file, under_.create(path));
    return std::unique_ptr<WritableFile>{std::make_unique<Writable>(*this, path, std::move(file))};
  }
  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override {
    TIDEMARK_TRY(step(Step::kOpen, "open", path));
    TIDEMARK_ASSIGN(auto file, under_.open(path));
    return std::unique_ptr<ReadableFile>{std::make_unique<Readable>(*this, path, std::move(file))};
  }
  Status rename(const std::string& from, const std::string& to) override {
    TIDEMARK_TRY(move(Step::kRename, "rename", from));
    return under_.rename(from, to);
  }
  Status rename_new(const std::string& from, const std::string& to) override {
    TIDEMARK_TRY(move(Step::kRename, "rename", from));
    return under_.rename_new(from, to);
  }
  Status link(const std::string& from, const std::string& to) override {
    TIDEMARK_TRY(move(Step::kLink, "link", from));
    return under_.link(from, to);
  }
  Status remove_file(const std::string& path) override {
    TIDEMARK_TRY(step(Step::kRemove, "remove", path));
    const std::lock_guard guard{mutex_};
    lost_.erase(path);
    return under_.remove_file(path);
  }
  Status remove_directory(const std::string& path) override {
    TIDEMARK_TRY(step(Step::kRemove, "remove", path));
    return under_.remove_directory(path);
  }
  Status make_directory(const std::string& path) override {
    TIDEMARK_TRY(step(Step::kMakeDirectory, "make", path));
    return under_.make_directory(path);
  }
  Status sync_directory(const std::string& path) override {
    TIDEMARK_TRY(step(Step::kSyncDirectory, "sync", path));
    return under_.sync_directory(path);
  }
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
    TIDEMARK_TRY(step(Step::kLook, "list", path));
    return under_.list(path);
  }
  Result<FileKind> kind(const std::string& path) override {
    TIDEMARK_TRY(step(Step::kLook, "look at", path));
    return under_.kind(path);
  }
  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override {
    TIDEMARK_TRY(step(Step::kLock, "lock", path));
    return under_.lock(path);
  }

 private:
  class Writable final : public WritableFile {
   public:
    Writable(FaultyFileSystem& files, std::string path, std::unique_ptr<WritableFile> under)
        : files_(files), path_(std::move(path)), under_(std::move(under)) {}
    Status append(ByteView bytes) override {
      if (lost_) files_.offend("append", path_);
      if (Status failed = files_.step(Step::kAppend, "append to", path_); !failed.ok()) {
        (void)under_->append(bytes.substr(0, bytes.size() / 2)).ok();   // a short write
        size_ += bytes.size() / 2;
        return failed;
      }
      size_ += bytes.size();
      return under_->append(bytes);
    }
    Status sync() override {
      if (lost_) files_.offend("sync", path_);
      if (Status failed = files_.step(Step::kSync, "sync", path_); !failed.ok()) return lose(std::move(failed));
      synced_ = size_;
      return under_->sync();
    }
    Status close() override {
      Status failed = files_.step(Step::kClose, "close", path_);
      const Status closed = under_->close();
      if (!failed.ok()) return lose(std::move(failed));
      return closed;
    }

   private:
    Status lose(Status failed) {
      lost_ = true;
      files_.lose(path_, synced_);
      return failed;
    }

    FaultyFileSystem& files_;
    std::string path_;
    std::unique_ptr<WritableFile> under_;
    std::uint64_t size_ = 0;
    std::uint64_t synced_ = 0;
    bool lost_ = false;
  };

  class Readable final : public ReadableFile {
   public:
    Readable(FaultyFileSystem& files, std::string path, std::unique_ptr<ReadableFile> under)
        : files_(files), path_(std::move(path)), under_(std::move(under)) {}
    Result<std::size_t> read_at(std::uint64_t offset, char* buffer, std::size_t size) const override {
      TIDEMARK_TRY(files_.step(Step::kRead, "read", path_));
      return under_->read_at(offset, buffer, size);
    }
    Result<std::uint64_t> size() const override {
      TIDEMARK_TRY(files_.step(Step::kLook, "look at", path_));
      return under_->size();
    }

   private:
    FaultyFileSystem& files_;
    std::string path_;
    std::unique_ptr<ReadableFile> under_;
  };

  Status step(Step step, const char* verb, const std::string& path) {
    const std::lock_guard guard{mutex_};
    if ((fault_.steps & static_cast<Steps>(step)) == 0 || path.find(fault_.on_path_with) == std::string::npos ||
        path.find(fault_.and_with) == std::string::npos) {
      return {};
    }
    const std::size_t number = seen_++;
    if (number < fault_.first || number - fault_.first >= fault_.times) return {};
    injected_.push_back(path);
    return Error{.code = ErrorCode::kStorageFailed,
                 .message = std::string{"cannot "} + verb + " \"" + path + "\": " + fault_.reason,
                 .facts = {},
                 .why = "",
                 .fix = ""};
  }
  Status move(Step kind, const char* verb, const std::string& from) {
    {
      const std::lock_guard guard{mutex_};
      if (lost_.contains(from)) offences_.push_back(std::string{verb} + " " + from);
    }
    return step(kind, verb, from);
  }
  void offend(const char* verb, const std::string& path) {
    const std::lock_guard guard{mutex_};
    offences_.push_back(std::string{verb} + " " + path);
  }
  void lose(const std::string& path, std::uint64_t synced) {
    const std::lock_guard guard{mutex_};
    lost_.insert(path);
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor >= 0) unsafe_.push_back({descriptor, synced});
  }

  struct Unsafe {
    int descriptor = -1;
    std::uint64_t synced = 0;
  };

  mutable std::mutex mutex_;
  Fault fault_;
  std::size_t seen_ = 0;
  std::vector<std::string> injected_;
  std::vector<std::string> offences_;
  std::set<std::string> lost_;   // by the name under which it was synced
  std::vector<Unsafe> unsafe_;
};

}  // namespace tidemark::test_support

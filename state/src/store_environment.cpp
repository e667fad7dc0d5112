#include "src/store_environment.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <exception>
#include <utility>

#include <rocksdb/file_system.h>

#include <tidemark/core/detail/planted.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus io_status(const Status& status) {
  return status.ok() ? IOStatus::OK() : IOStatus::IOError(status.error().message);
}

// RocksDB is not safe against exceptions, and a file system may throw: BrokenInvariant, bad_alloc.
template <class Call>
IOStatus guarded(Call&& call) noexcept {
  try {
    return call();
  } catch (const std::exception& thrown) {
    return IOStatus::IOError(std::string{"the file system threw: "} + thrown.what());
  } catch (...) {
    return IOStatus::IOError("the file system threw");
  }
}

bool is_row_file(const std::string& path) { return path.size() > 4 && path.compare(path.size() - 4, 4, ".sst") == 0; }

// A file open for reading, whose failures are remembered.
class Source {
 public:
  Source(std::unique_ptr<ReadableFile> file, std::shared_ptr<ReadFailures> failures)
      : file_(std::move(file)), failures_(std::move(failures)) {}
  IOStatus read(std::uint64_t offset, std::size_t size, Slice* result, char* scratch) const {
    return guarded([&] {
      const Result<std::size_t> taken = file_->read_at(offset, scratch, size);
      if (!taken.ok()) {
        failures_->add(taken.status());
        return io_status(taken.status());
      }
      *result = Slice{scratch, *taken};
      return IOStatus::OK();
    });
  }

 private:
  std::unique_ptr<ReadableFile> file_;
  std::shared_ptr<ReadFailures> failures_;
};

class SequentialFile final : public rocksdb::FSSequentialFile {
 public:
  explicit SequentialFile(Source source) : source_(std::move(source)) {}
  IOStatus Read(std::size_t size, const IOOptions&, Slice* result, char* scratch, IODebugContext*) override {
    IOStatus status = source_.read(offset_, size, result, scratch);
    if (status.ok()) offset_ += result->size();
    return status;
  }
  IOStatus Skip(std::uint64_t size) override {
    offset_ += size;
    return IOStatus::OK();
  }

 private:
  Source source_;
  std::uint64_t offset_ = 0;
};

class RandomAccessFile final : public rocksdb::FSRandomAccessFile {
 public:
  explicit RandomAccessFile(Source source) : source_(std::move(source)) {}
  IOStatus Read(std::uint64_t offset, std::size_t size, const IOOptions&, Slice* result, char* scratch, IODebugContext*) const override {
    return source_.read(offset, size, result, scratch);
  }

 private:
  Source source_;
};

// A file that was read when it was opened.
class WholeFile final : public rocksdb::FSRandomAccessFile {
 public:
  explicit WholeFile(Bytes contents) : contents_(std::move(contents)) {}
  IOStatus Read(std::uint64_t offset, std::size_t size, const IOOptions&, Slice* result, char* scratch, IODebugContext*) const override {
    const std::size_t begin = std::min<std::uint64_t>(offset, contents_.size());
    const std::size_t taken = contents_.copy(scratch, std::min(size, contents_.size() - begin), begin);
    *result = Slice{scratch, taken};
    return IOStatus::OK();
  }

 private:
  Bytes contents_;
};

class AppendedFile final : public rocksdb::FSWritableFile {
 public:
  AppendedFile(std::unique_ptr<WritableFile> file, bool synced) : file_(std::move(file)), synced_(synced) {}
  using FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    return guarded([&] {
      IOStatus status = io_status(file_->append(ByteView{data.data(), data.size()}));
      if (status.ok()) size_ += data.size();
      return status;
    });
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    if (planted(core_internal::Bug::kP24)) return IOStatus::OK();   // acknowledged, and not durable
    return guarded([&] { return synced_ ? io_status(file_->sync()) : IOStatus::OK(); });
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override {
    if (std::exchange(closed_, true)) return IOStatus::OK();
    return guarded([&] { return io_status(file_->close()); });
  }
  std::uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return size_; }

 private:
  std::unique_ptr<WritableFile> file_;
  bool synced_;
  bool closed_ = false;
  std::uint64_t size_ = 0;
};

class Directory final : public rocksdb::FSDirectory {
 public:
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
};

class HeldLock final : public rocksdb::FileLock {
 public:
  explicit HeldLock(std::unique_ptr<DirectoryLock> lock) : lock_(std::move(lock)) {}

 private:
  std::unique_ptr<DirectoryLock> lock_;
};

class SeamFileSystem final : public rocksdb::FileSystem {
 public:
  SeamFileSystem(tidemark::FileSystem& files, std::shared_ptr<ReadFailures> failures, std::string store)
      : files_(files), failures_(std::move(failures)), store_(std::move(store)) {}
  const char* Name() const override { return "tidemark"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions&, std::unique_ptr<rocksdb::FSSequentialFile>* result,
                             IODebugContext*) override {
    return guarded([&] { return open<SequentialFile>(path, result); });
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions&, std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext*) override {
    if (store_.empty() || !is_row_file(path) || path.starts_with(store_)) {
      return guarded([&] { return open<RandomAccessFile>(path, result); });
    }
    return guarded([&] {
      auto contents = read_file(files_, path, kLargestRowFile);
      if (!contents.ok()) return io_status(contents.status());   // an open that fails is looked at
      *result = std::make_unique<WholeFile>(*std::move(contents));
      return IOStatus::OK();
    });
  }
  // Stricter than RocksDB asks: a live store's directory is new, so no file of it can be there already.
  IOStatus NewWritableFile(const std::string& path, const FileOptions&, std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext*) override {
    return guarded([&] {
      auto file = files_.create(path);
      if (!file.ok()) return io_status(file.status());
      *result = std::make_unique<AppendedFile>(*std::move(file), is_row_file(path));
      return IOStatus::OK();
    });
  }
  IOStatus NewDirectory(const std::string&, const IOOptions&, std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) override {
    *result = std::make_unique<Directory>();
    return IOStatus::OK();
  }
  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    // There is no archive of logs, since nothing is logged. Asking could fail, and 7.8.3 ends the process if this question does.
    if (file_name(path) == "archive") return IOStatus::NotFound(path);
    return guarded([&] {
      const Result<FileKind> kind = files_.kind(path);
      if (!kind.ok()) return io_status(kind.status());
      return *kind == FileKind::kAbsent ? IOStatus::NotFound(path) : IOStatus::OK();
    });
  }
  IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* result, IODebugContext*) override {
    return guarded([&] {
      const auto entries = files_.list(path);
      if (!entries.ok()) return io_status(entries.status());
      result->clear();
      for (const DirectoryEntry& entry : *entries) result->push_back(entry.name);
      return IOStatus::OK();
    });
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return guarded([&] { return io_status(files_.remove_file(path)); });
  }
  IOStatus CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return guarded([&] { return io_status(files_.make_directory(path)); });
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) override {
    return guarded([&] {
      const Result<FileKind> kind = files_.kind(path);
      if (!kind.ok()) return io_status(kind.status());
      return *kind == FileKind::kDirectory ? IOStatus::OK() : io_status(files_.make_directory(path));
    });
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return guarded([&] { return io_status(files_.remove_directory(path)); });
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, std::uint64_t* size, IODebugContext*) override {
    return guarded([&] {
      const auto file = files_.open(path);
      if (!file.ok()) return io_status(file.status());
      const Result<std::uint64_t> found = (*file)->size();
      if (!found.ok()) return io_status(found.status());
      *size = *found;
      return IOStatus::OK();
    });
  }
  // Nothing may depend on the wall clock's marks on files.
  IOStatus GetFileModificationTime(const std::string& path, const IOOptions&, std::uint64_t*, IODebugContext*) override {
    return IOStatus::NotSupported(path);
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&, IODebugContext*) override {
    return guarded([&] { return io_status(files_.rename(from, to)); });
  }
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions&, IODebugContext*) override {
    // A file system that cannot link here is told from one that failed by what RocksDB does next: it copies, and that must succeed.
    return guarded([&] { return files_.link(from, to).ok() ? IOStatus::OK() : IOStatus::NotSupported(from); });
  }
  IOStatus LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** lock, IODebugContext*) override {
    return guarded([&] {
      auto held = files_.lock(path);
      if (!held.ok()) return io_status(held.status());
      *lock = new HeldLock{*std::move(held)};
      return IOStatus::OK();
    });
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) override {
    delete lock;
    return IOStatus::OK();
  }
  IOStatus GetTestDirectory(const IOOptions&, std::string*, IODebugContext*) override { return IOStatus::NotSupported(); }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* result, IODebugContext*) override {
    *result = path;
    return IOStatus::OK();
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* is_directory, IODebugContext*) override {
    return guarded([&] {
      const Result<FileKind> kind = files_.kind(path);
      if (!kind.ok()) return io_status(kind.status());
      *is_directory = *kind == FileKind::kDirectory;
      return IOStatus::OK();
    });
  }

 private:
  static constexpr std::uint64_t kLargestRowFile = std::uint64_t{4} << 30;

  template <class File, class Base>
  IOStatus open(const std::string& path, std::unique_ptr<Base>* result) {
    auto file = files_.open(path);
    if (!file.ok()) return io_status(file.status());
    *result = std::make_unique<File>(Source{*std::move(file), failures_});
    return IOStatus::OK();
  }

  tidemark::FileSystem& files_;
  std::shared_ptr<ReadFailures> failures_;
  std::string store_;
};

// RocksDB's warnings speak of our own calls, such as holding its files twice during a checkpoint; they are no news to the user of a job.
class RocksLogger final : public rocksdb::Logger {
 public:
  explicit RocksLogger(tidemark::Logger logger) : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL), logger_(std::move(logger)) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override { write(LogLevel::kInfo, format, arguments); }
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < rocksdb::InfoLogLevel::WARN_LEVEL || level == rocksdb::InfoLogLevel::HEADER_LEVEL) return;
    write(level == rocksdb::InfoLogLevel::WARN_LEVEL ? LogLevel::kInfo : LogLevel::kError, format, arguments);
  }

 private:
  void write(LogLevel level, const char* format, va_list arguments) {
    char line[1024];
    std::vsnprintf(line, sizeof line, format, arguments);
    logger_.log(level, std::string{"state store: "} + line);
  }

  tidemark::Logger logger_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> make_environment(FileSystem& files, std::shared_ptr<ReadFailures> failures, const std::string& store) {
  return rocksdb::NewCompositeEnv(std::make_shared<SeamFileSystem>(files, std::move(failures), store.empty() ? store : store + "/"));
}

std::shared_ptr<rocksdb::Logger> make_rocksdb_logger(Logger logger) { return std::make_shared<RocksLogger>(std::move(logger)); }

Error error_of(const rocksdb::Status& status, const std::string& what) {
  return Error{.code = status.IsCorruption() ? ErrorCode::kCheckpointCorrupt : ErrorCode::kStorageFailed,
               .message = "cannot " + what + ": " + status.ToString(),
               .facts = {},
               .why = "",
               .fix = ""};
}

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

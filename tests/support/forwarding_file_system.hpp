#pragma once
// A file system that hands every call on, to derive from where a test changes one of them.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/file_system.hpp>

namespace tidemark::test_support {

class ForwardingFileSystem : public FileSystem {
 public:
  explicit ForwardingFileSystem(FileSystem& under) : under_(under) {}
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override { return under_.create(path); }
  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override { return under_.open(path); }
  Status rename(const std::string& from, const std::string& to) override { return under_.rename(from, to); }
  Status rename_new(const std::string& from, const std::string& to) override { return under_.rename_new(from, to); }
  Status link(const std::string& from, const std::string& to) override { return under_.link(from, to); }
  Status remove_file(const std::string& path) override { return under_.remove_file(path); }
  Status remove_directory(const std::string& path) override { return under_.remove_directory(path); }
  Status make_directory(const std::string& path) override { return under_.make_directory(path); }
  Status sync_directory(const std::string& path) override { return under_.sync_directory(path); }
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override { return under_.list(path); }
  Result<FileKind> kind(const std::string& path) override { return under_.kind(path); }
  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override { return under_.lock(path); }

 protected:
  FileSystem& under_;
};

// Syncs nothing: for tests of killed processes, whose files the kernel keeps, in many worlds.
class UnsyncedFileSystem final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    auto created = under_.create(path);
    if (!created.ok()) return created;
    return std::unique_ptr<WritableFile>{std::make_unique<Unsynced>(*std::move(created))};
  }
  Status sync_directory(const std::string&) override { return {}; }

 private:
  class Unsynced final : public WritableFile {
   public:
    explicit Unsynced(std::unique_ptr<WritableFile> under) : under_(std::move(under)) {}
    Status append(ByteView bytes) override { return under_->append(bytes); }
    Status sync() override { return {}; }
    Status close() override { return under_->close(); }

   private:
    std::unique_ptr<WritableFile> under_;
  };
};

}  // namespace tidemark::test_support

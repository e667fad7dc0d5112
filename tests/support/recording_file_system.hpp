#pragma once
// A file system that writes down every step and can make one of them fail, over any other file system. With it a test sees the order of
// steps (reliability R1) and tries every point of failure:
//
//   for (std::size_t i = 0;; ++i) {
//     RecordingFileSystem files{posix_file_system()};
//     files.fail_at(i, Failure::kNotDone);
//     const Status status = publish_file(files, path, "new");
//     ... what must hold after a failure ...
//     if (!files.fired()) break;
//   }

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/file_system.hpp>

namespace tidemark::test_support {

enum class Failure {
  kNotDone,       // the step is refused; later ones work
  kDoneAnyway,    // the step takes effect and yet reports an error; later ones work
  kCrash,         // this step and all later ones are refused: what is on the disk then is what a killed process leaves
};

class RecordingFileSystem final : public FileSystem {
 public:
  // Asked before each step, by whoever makes it; an error refuses the step.
  using Before = std::function<Status(const std::string& step)>;
  explicit RecordingFileSystem(FileSystem& under, Before before = {}) : under_(under), before_(std::move(before)) {}

  // Steps are counted from 0, from the construction on.
  void fail_at(std::size_t step, Failure failure) {
    const std::lock_guard guard{mutex_};
    fail_at_ = step;
    failure_ = failure;
  }
  // Whether the failure asked for has happened.
  bool fired() const {
    const std::lock_guard guard{mutex_};
    return fail_at_.has_value() && *fail_at_ < steps_.size();
  }
  // Such as `create a`, `append a 5`, `sync a`, `close a`, `rename a b`, `sync_directory .`; reads as well.
  std::vector<std::string> steps() const {
    const std::lock_guard guard{mutex_};
    return steps_;
  }
  // The steps that change something: all but open, read, size, list and kind.
  std::vector<std::string> changes() const {
    std::vector<std::string> changing;
    for (std::string& step : steps()) {
      const std::string verb = step.substr(0, step.find(' '));
      if (verb != "open" && verb != "read" && verb != "size" && verb != "list" && verb != "kind") changing.push_back(std::move(step));
    }
    return changing;
  }

  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    auto created = step("create " + path, [&] { return under_.create(path); });
    if (!created.ok()) return created;
    return std::unique_ptr<WritableFile>{std::make_unique<Writable>(*this, path, *std::move(created))};
  }
  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override {
    auto opened = step("open " + path, [&] { return under_.open(path); });
    if (!opened.ok()) return opened;
    return std::unique_ptr<ReadableFile>{std::make_unique<Readable>(*this, path, *std::move(opened))};
  }
  Status rename(const std::string& from, const std::string& to) override {
    return step("rename " + from + " " + to, [&] { return under_.rename(from, to); });
  }
  Status rename_new(const std::string& from, const std::string& to) override {
    return step("rename_new " + from + " " + to, [&] { return under_.rename_new(from, to); });
  }
  Status link(const std::string& from, const std::string& to) override {
    return step("link " + from + " " + to, [&] { return under_.link(from, to); });
  }
  Status remove_file(const std::string& path) override {
    return step("remove_file " + path, [&] { return under_.remove_file(path); });
  }
  Status remove_directory(const std::string& path) override {
    return step("remove_directory " + path, [&] { return under_.remove_directory(path); });
  }
  Status make_directory(const std::string& path) override {
    return step("make_directory " + path, [&] { return under_.make_directory(path); });
  }
  Status sync_directory(const std::string& path) override {
    return step("sync_directory " + path, [&] { return under_.sync_directory(path); });
  }
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
    return step("list " + path, [&] { return under_.list(path); });
  }
  Result<FileKind> kind(const std::string& path) override {
    return step("kind " + path, [&] { return under_.kind(path); });
  }
  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override {
    return step("lock " + path, [&] { return under_.lock(path); });
  }

 private:
  class Writable final : public WritableFile {
   public:
    Writable(RecordingFileSystem& files, std::string path, std::unique_ptr<WritableFile> under)
        : files_(files), path_(std::move(path)), under_(std::move(under)) {}
    Status append(ByteView bytes) override {
      return files_.step("append " + path_ + " " + std::to_string(bytes.size()), [&] { return under_->append(bytes); });
    }
    Status sync() override {
      return files_.step("sync " + path_, [&] { return under_->sync(); });
    }
    Status close() override {
      return files_.step("close " + path_, [&] { return under_->close(); });
    }

   private:
    RecordingFileSystem& files_;
    std::string path_;
    std::unique_ptr<WritableFile> under_;
  };

  class Readable final : public ReadableFile {
   public:
    Readable(RecordingFileSystem& files, std::string path, std::unique_ptr<ReadableFile> under)
        : files_(files), path_(std::move(path)), under_(std::move(under)) {}
    Result<std::size_t> read_at(std::uint64_t offset, char* buffer, std::size_t size) const override {
      return files_.step("read " + path_, [&] { return under_->read_at(offset, buffer, size); });
    }
    Result<std::uint64_t> size() const override {
      return files_.step("size " + path_, [&] { return under_->size(); });
    }

   private:
    RecordingFileSystem& files_;
    std::string path_;
    std::unique_ptr<ReadableFile> under_;
  };

  template <class Action>
  auto step(std::string text, Action action) -> decltype(action()) {
    bool refuse = false;
    bool report = false;
    if (before_) TIDEMARK_TRY(before_(text));
    const Error injected{.code = ErrorCode::kStorageFailed, .message = "injected failure of: " + text};
    {
      const std::lock_guard guard{mutex_};
      if (fail_at_) {
        report = failure_ == Failure::kCrash ? steps_.size() >= *fail_at_ : steps_.size() == *fail_at_;
        refuse = report && failure_ != Failure::kDoneAnyway;
      }
      steps_.push_back(std::move(text));
    }
    if (refuse) return injected;
    auto result = action();
    if (report) return injected;
    return result;
  }

  FileSystem& under_;
  const Before before_;
  mutable std::mutex mutex_;
  std::vector<std::string> steps_;
  std::optional<std::size_t> fail_at_;
  Failure failure_ = Failure::kNotDone;
};

}  // namespace tidemark::test_support

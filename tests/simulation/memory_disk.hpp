#pragma once
// A disk in memory, for one thread: every call takes effect at once, as a killed process leaves it. What is lost with the power is for
// somebody else to say, who lays out what is left (hold).

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/file_system.hpp>

#include "../proof/tree.hpp"

namespace tidemark::simulation {

class MemoryDisk final : public FileSystem {
 public:
  proof::Tree tree() const {
    proof::Tree tree;
    for (const auto& [path, node] : nodes_) {
      if (path == "/") continue;
      tree[path.substr(1)] = node.contents == nullptr ? nullptr : std::make_shared<const Bytes>(*node.contents);
    }
    return tree;
  }
  // This, and nothing else. Not while a file is open or locked.
  void hold(const proof::Tree& tree) {
    std::map<const Bytes*, std::shared_ptr<Bytes>> contents;   // hard links are one file
    nodes_ = {{"/", {.kind = FileKind::kDirectory}}};
    for (const auto& [path, bytes] : tree) {
      Node& node = nodes_["/" + path];
      node.kind = bytes == nullptr ? FileKind::kDirectory : FileKind::kFile;
      if (bytes == nullptr) continue;
      auto& shared = contents[bytes.get()];
      if (shared == nullptr) shared = std::make_shared<Bytes>(*bytes);
      node.contents = shared;
    }
  }

  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    TIDEMARK_TRY(new_name("create", path));
    auto contents = std::make_shared<Bytes>();
    nodes_[path] = {.kind = FileKind::kFile, .contents = contents};
    return std::unique_ptr<WritableFile>{std::make_unique<Writable>(std::move(contents))};
  }
  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override {
    TIDEMARK_TRY(existing("open", path, FileKind::kFile));
    return std::unique_ptr<ReadableFile>{std::make_unique<Readable>(nodes_.at(path).contents)};
  }
  Status rename(const std::string& from, const std::string& to) override {
    if (nodes_.contains(to)) TIDEMARK_TRY(existing("rename to", to, FileKind::kFile));
    return move(from, to);
  }
  Status rename_new(const std::string& from, const std::string& to) override {
    TIDEMARK_TRY(new_name("rename to", to));
    return move(from, to);
  }
  Status link(const std::string& from, const std::string& to) override {
    TIDEMARK_TRY(existing("link", from, FileKind::kFile));
    TIDEMARK_TRY(new_name("link to", to));
    nodes_[to] = nodes_.at(from);
    return {};
  }
  Status remove_file(const std::string& path) override {
    TIDEMARK_TRY(existing("remove", path, FileKind::kFile));
    nodes_.erase(path);
    return {};
  }
  Status remove_directory(const std::string& path) override {
    TIDEMARK_TRY(existing("remove", path, FileKind::kDirectory));
    if (const auto first = nodes_.lower_bound(below(path)); first != nodes_.end() && first->first.starts_with(below(path))) {
      return refused("remove", path, "Directory not empty (ENOTEMPTY)");
    }
    nodes_.erase(path);
    return {};
  }
  Status make_directory(const std::string& path) override {
    TIDEMARK_TRY(new_name("make", path));
    nodes_[path] = {.kind = FileKind::kDirectory};
    return {};
  }
  Status sync_directory(const std::string& path) override { return existing("sync", path, FileKind::kDirectory); }
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
    if (path.size() > 1 && path.ends_with('/')) return list(path.substr(0, path.size() - 1));   // as RocksDB writes it
    TIDEMARK_TRY(existing("list", path, FileKind::kDirectory));
    std::vector<DirectoryEntry> entries;
    const std::string prefix = below(path);
    for (auto at = nodes_.lower_bound(prefix); at != nodes_.end() && at->first.starts_with(prefix); ++at) {
      std::string name = at->first.substr(prefix.size());
      if (name.find('/') == std::string::npos) entries.push_back({std::move(name), at->second.kind});
    }
    return entries;
  }
  Result<FileKind> kind(const std::string& path) override {
    const auto found = nodes_.find(path);
    return found == nodes_.end() ? FileKind::kAbsent : found->second.kind;
  }
  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override {
    if (!nodes_.contains(path)) TIDEMARK_TRY(create(path).status());
    if (!locked_.insert(path).second) return Error{.code = ErrorCode::kDirectoryInUse, .message = "\"" + path + "\" is locked"};
    return std::unique_ptr<DirectoryLock>{std::make_unique<Lock>(locked_, path)};
  }

 private:
  struct Node {
    FileKind kind{};
    std::shared_ptr<Bytes> contents{};   // of a file; shared by all its names
  };

  class Writable final : public WritableFile {
   public:
    explicit Writable(std::shared_ptr<Bytes> contents) : contents_(std::move(contents)) {}
    Status append(ByteView bytes) override {
      contents_->append(bytes);
      return {};
    }
    Status sync() override { return {}; }
    Status close() override { return {}; }

   private:
    std::shared_ptr<Bytes> contents_;
  };
  class Readable final : public ReadableFile {
   public:
    explicit Readable(std::shared_ptr<const Bytes> contents) : contents_(std::move(contents)) {}
    Result<std::size_t> read_at(std::uint64_t offset, char* buffer, std::size_t size) const override {
      return offset >= contents_->size() ? 0 : contents_->copy(buffer, size, offset);
    }
    Result<std::uint64_t> size() const override { return contents_->size(); }

   private:
    std::shared_ptr<const Bytes> contents_;
  };
  class Lock final : public DirectoryLock {
   public:
    Lock(std::set<std::string>& locked, std::string path) : locked_(locked), path_(std::move(path)) {}
    ~Lock() override { locked_.erase(path_); }
    std::string identity() const override { return path_; }   // nobody copies a disk

   private:
    std::set<std::string>& locked_;
    std::string path_;
  };

  // What the paths of all that lies in a directory begin with.
  static std::string below(const std::string& directory) { return directory.ends_with('/') ? directory : directory + '/'; }
  static Error refused(const char* verb, const std::string& path, const char* reason) {
    return Error{.code = ErrorCode::kStorageFailed, .message = std::string{"cannot "} + verb + " \"" + path + "\": " + reason};
  }
  Status existing(const char* verb, const std::string& path, FileKind kind) const {
    const auto found = nodes_.find(path);
    if (found == nodes_.end()) return refused(verb, path, "No such file or directory (ENOENT)");
    if (found->second.kind != kind) return refused(verb, path, "it is of another kind");
    return {};
  }
  Status new_name(const char* verb, const std::string& path) const {
    if (nodes_.contains(path)) return refused(verb, path, "File exists (EEXIST)");
    return existing(verb, parent_path(path), FileKind::kDirectory);
  }
  // With all that is below, if it is a directory.
  Status move(const std::string& from, const std::string& to) {
    if (!nodes_.contains(from)) return refused("rename", from, "No such file or directory (ENOENT)");
    TIDEMARK_TRY(existing("rename to", parent_path(to), FileKind::kDirectory));
    std::map<std::string, Node> moved;
    std::erase_if(nodes_, [&](auto& entry) {
      if (entry.first != from && !entry.first.starts_with(below(from))) return false;
      moved[to + entry.first.substr(from.size())] = std::move(entry.second);
      return true;
    });
    for (auto& [path, node] : moved) nodes_[path] = std::move(node);
    return {};
  }

  std::map<std::string, Node> nodes_{{"/", {.kind = FileKind::kDirectory}}};
  std::set<std::string> locked_;
};

}  // namespace tidemark::simulation

#include "tree.hpp"

#include <string_view>

#include <tidemark/core/file_system.hpp>
#include <tidemark/core/hash.hpp>

namespace tidemark::proof {

namespace {

std::uint64_t hash_on(std::uint64_t hash, std::string_view path, const Bytes* contents) {
  hash = hash_bytes(path, hash);
  return contents == nullptr ? hash_bytes("directory", hash) : hash_bytes(*contents, hash + 1);
}

}  // namespace

std::uint64_t hash_of(const Tree& tree) {
  std::uint64_t hash = 0;
  for (const auto& [path, contents] : tree) hash = hash_on(hash, path, contents.get());
  return hash;
}

std::uint64_t hash_of_what_counts(const Tree& tree) {
  const Bytes nothing;
  std::uint64_t hash = 0;
  for (const auto& [path, contents] : tree) {
    const bool by_name = contents != nullptr && path.starts_with("state/live/");
    hash = hash_on(hash, path, by_name ? &nothing : contents.get());
  }
  return hash;
}

Status write_tree(const Tree& tree, const std::string& root) {
  FileSystem& files = posix_file_system();
  for (const auto& [path, contents] : tree) {
    const std::string target = join_path(root, path);
    if (contents == nullptr) {
      TIDEMARK_TRY(files.make_directory(target));
      continue;
    }
    TIDEMARK_ASSIGN(const auto file, files.create(target));
    TIDEMARK_TRY(file->append(*contents));
    TIDEMARK_TRY(file->close());
  }
  return {};
}

namespace {

Status read_below(const std::string& root, const std::string& directory, Tree& tree) {
  FileSystem& files = posix_file_system();
  TIDEMARK_ASSIGN(const std::vector<DirectoryEntry> entries, files.list(join_path(root, directory)));
  for (const DirectoryEntry& entry : entries) {
    const std::string path = directory.empty() ? entry.name : join_path(directory, entry.name);
    if (entry.kind == FileKind::kDirectory) {
      tree[path] = nullptr;
      TIDEMARK_TRY(read_below(root, path, tree));
    } else if (entry.kind == FileKind::kFile) {
      TIDEMARK_ASSIGN(Bytes contents, read_file(files, join_path(root, path), std::uint64_t{1} << 30));
      tree[path] = std::make_shared<const Bytes>(std::move(contents));
    }
  }
  return {};
}

}  // namespace

Result<Tree> read_tree(const std::string& root) {
  Tree tree;
  TIDEMARK_TRY(read_below(root, "", tree));
  return tree;
}

}  // namespace tidemark::proof

#pragma once
// A directory tree as a value: what a crash leaves, and what the next start finds.

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/status.hpp>

namespace tidemark::proof {

// By path below the root; a directory has no content. Parents sort before what is in them.
using Tree = std::map<std::string, std::shared_ptr<const Bytes>>;

std::uint64_t hash_of(const Tree& tree);
// Of what a start can tell apart. It never reads a file of an earlier attempt's live directory (World sees to that), so that these files
// count by name alone.
std::uint64_t hash_of_what_counts(const Tree& tree);
// Makes the tree in the empty directory `root` of the real file system.
Status write_tree(const Tree& tree, const std::string& root);
Result<Tree> read_tree(const std::string& root);

}  // namespace tidemark::proof

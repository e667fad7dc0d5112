#pragma once
// A disk as far as POSIX lets one count on it: it follows a log of operations, and says what a crash after any of them may leave.
//
// What is taken to be guaranteed:
//   - fsync of a file makes its content and size last, and no name of it;
//   - fsync of a directory makes the names in it last: of files, of hard links, of directories. What is in those directories is their own
//     matter: the names in a new directory last when it is synced itself, and are found if all names above it last;
//   - a rename within a directory is atomic: both names change or neither. Between two directories it is a new name in one and a name
//     less in the other, each as lasting as its directory;
//   - nothing else. What was not synced may be there or not, in any combination: names of one directory without others, sizes without
//     content, some sectors of a file.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "operation.hpp"
#include "tree.hpp"

namespace tidemark::proof {

// Reliability, section 4. The letters tell kinds of one variant apart; where a kind depends on the seed, every seed is another crash.
enum class Variant : std::uint8_t {
  kV1,    // all is kept, as after kill -9
  kV2,    // only what fsync guarantees
  kV3,    // metadata ahead of data: names and sizes as they were, zeros where content was not synced
  kV3a,   // the same, and what was not synced is absent
  kV4,    // the last unsynced write is torn at any byte (seed)
  kV4s,   // torn between two sectors of 512 bytes (seed)
  kV4p,   // torn between two pages of 4 KiB (seed), zeros behind
  kV5,    // any of the unsynced changes of directories, any of the unsynced sectors (seed)
  kV5l,   // of the unsynced changes of a directory the last one alone, as if it had overtaken the others
  kV5g,   // all names; unsynced sectors are garbage (seed)
  kV6,    // content is kept; names are as of the last fsync of their directory
};
inline constexpr Variant kVariants[] = {Variant::kV1,  Variant::kV2,  Variant::kV3, Variant::kV3a, Variant::kV4,
                                        Variant::kV4s, Variant::kV4p, Variant::kV5, Variant::kV5l, Variant::kV5g, Variant::kV6};
std::string to_string(Variant variant);

class Disk {
 public:
  // All of `before` lasts.
  explicit Disk(const Tree& before);
  // Whether a crash may now leave something that it could not leave before.
  bool apply(const Operation& operation);
  Tree crash(Variant variant, std::uint64_t seed) const;

 private:
  using Number = std::size_t;                               // of a node; 0 is the root
  static constexpr Number kNone = SIZE_MAX;
  using Names = std::map<std::string, Number>;
  using Change = std::vector<std::pair<std::string, Number>>;   // these names come to mean these nodes, or nothing, at one instant
  struct Node {
    bool directory = false;
    // A file.
    std::shared_ptr<const Bytes> bytes = std::make_shared<const Bytes>();   // shared with the trees that hold it whole
    std::size_t synced = 0;
    std::size_t last_append = 0;   // where the last append began
    std::uint64_t appended = 0;    // when it came: the number of the operation
    // A directory.
    Names names{};
    Names lasting{};
    std::vector<Change> unsynced{};
  };

  Number find(const std::string& path) const;
  Number make(bool directory);
  void change(const std::string& directory, Change change);
  bool set(const std::string& path, Number node);
  bool rename(const std::string& from, const std::string& to);

  std::vector<Node> nodes_;
  std::map<std::uint64_t, Number> files_;
  std::uint64_t operations_ = 0;
};

// The pure function behind it: what is left of `before` after the first `operations` of the log and a crash.
Tree crash_tree(const Tree& before, const Log& log, std::size_t operations, Variant variant, std::uint64_t seed);

}  // namespace tidemark::proof

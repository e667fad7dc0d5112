#pragma once
// A position in the files of a split, as the checkpoint keeps it.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {
namespace file_internal {

inline constexpr std::size_t kHeadBytes = 4096;

struct FilePosition {
  std::string file;                  // its name; empty: no file was opened yet
  std::uint64_t offset = 0;          // of the next record
  std::uint64_t size_seen = 0;       // the file had at least this size
  std::uint64_t head_size = 0;       // how many of its first bytes the hash covers, kHeadBytes at most
  std::uint64_t head_hash = 0;
  bool skipping = false;             // in the middle of a record that is too large
  bool unended = false;              // the record before the position has no line end
  bool only_file = false;            // the split is this file
  std::vector<std::uint64_t> earlier;   // hashes of the names of the files before it, in the order of their names

  // Of a position in the form of before, version 1, which says less: how many earlier files there were, and a hash of their names one after
  // the other. Then only_file and earlier say nothing. Never written.
  struct EarlierInOne {
    std::uint64_t files = 0;
    std::uint64_t hash = 0;
  };
  std::optional<EarlierInOne> earlier_in_one{};
};

Bytes encode(const FilePosition& position);
// An error: these bytes are no position, or one of another version.
Result<FilePosition> decode_file_position(const Bytes& bytes);

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

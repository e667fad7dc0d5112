#pragma once
// What a file source reads, in whatever format.

#include <cstddef>
#include <cstdint>
#include <string>

namespace tidemark {
inline namespace v0 {

// How the files of an input become splits. Each split has a watermark of its own, so the choice decides which records are late; it never
// depends on the parallelism.
enum class FileSplits : std::uint8_t {
  kOne,       // one split: the files in the order of their names, byte by byte
  kPerFile,   // each file that is there at the first start is a split
};
inline constexpr FileSplits per_file = FileSplits::kPerFile;

struct FileInput {
  // A file; a directory (its files, without those that begin with a dot and without subdirectories); or a pattern: *, ? and [...] in the
  // last component. Links are not followed: one that would be read is an error.
  std::string path;
  FileSplits splits = FileSplits::kOne;
  // Goes on waiting at the end: for the last file to grow by whole records, and for files whose names sort after it. As soon as such a file
  // is there the one before it is taken as finished. Only with one split. The source is then not bounded.
  bool follow = false;
  // A longer record is refused as too large and skipped; it takes no more memory than this.
  std::size_t max_record_bytes = std::size_t{1} << 20;
};

}  // namespace v0
}  // namespace tidemark

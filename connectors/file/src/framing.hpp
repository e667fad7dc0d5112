#pragma once
// Where records end: a pure function of bytes.

#include <cstddef>

#include <tidemark/core/bytes.hpp>
#include <tidemark/file/detail/record_reader.hpp>

namespace tidemark {
inline namespace v0 {
namespace file_internal {

enum class CutKind {
  kRecord,
  kTooLarge,        // more than the limit
  kUnclosedQuote,   // no closing quote within the limit or the file: the first line alone is given up, and no record behind it
  kMore,            // cannot be told from these bytes
};

struct Cut {
  CutKind kind = CutKind::kMore;
  std::size_t size = 0;      // of the record, without its line end (CR LF or LF)
  std::size_t next = 0;      // where the next record begins
  bool line_ended = false;   // false: the file ends without a line end or, if kTooLarge, everything up to the next one is to be skipped
};

// Looks at the front of `bytes`, which must not be empty; `final`: nothing follows them in the file. What is found depends on the bytes of
// the file alone, never on how much of them is in view: only whether it is found.
Cut cut_record(const Framing& framing, ByteView bytes, std::size_t max_record_bytes, bool final);

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

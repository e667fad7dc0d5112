#include "src/framing.hpp"

namespace tidemark {
inline namespace v0 {
namespace file_internal {

namespace {

constexpr std::size_t kNone = ByteView::npos;

std::size_t without_carriage_return(ByteView bytes, std::size_t size) { return size > 0 && bytes[size - 1] == '\r' ? size - 1 : size; }

struct QuotedEnd {
  std::size_t line_end = kNone;
  bool open = false;   // no line end was found, and a quote is open
};

// The line end of a record that contains quotes. A quote opens a field only at its beginning. Behind text that follows a closing quote the record ends at the
// next line end whatever comes: such a record is refused anyway, and a file full of them is read in linear time.
QuotedEnd find_quoted_end(ByteView bytes, char delimiter) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (bytes[at] != '"') {
      while (at < bytes.size() && bytes[at] != delimiter && bytes[at] != '\n') ++at;
      if (at == bytes.size()) return {};
      if (bytes[at] == '\n') return {.line_end = at};
      ++at;
      continue;
    }
    std::size_t close = bytes.find('"', at + 1);
    while (close != kNone && close + 1 < bytes.size() && bytes[close + 1] == '"') close = bytes.find('"', close + 2);
    if (close == kNone) return {.open = true};
    at = close + 1;
    if (at == bytes.size()) return {};
    if (bytes[at] != delimiter) return {.line_end = bytes.find('\n', at)};
    ++at;
  }
  return {};
}

}  // namespace

Cut cut_record(const Framing& framing, ByteView bytes, std::size_t max_record_bytes, bool final) {
  // A record of the greatest size ends within this window, with its line end; so what is beyond it never decides.
  const ByteView window = bytes.substr(0, max_record_bytes + 2);
  const bool window_full = window.size() == max_record_bytes + 2;
  const std::size_t first_line_end = window.find('\n');
  QuotedEnd end{.line_end = first_line_end};
  if (framing.quoted && window.substr(0, first_line_end).find('"') != kNone) end = find_quoted_end(window, framing.delimiter);

  if (end.line_end == kNone) {
    if (!window_full && !final) return {};
    if (end.open && first_line_end != kNone) {
      return {.kind = CutKind::kUnclosedQuote,
              .size = without_carriage_return(window, first_line_end),
              .next = first_line_end + 1,
              .line_ended = true};
    }
    const std::size_t size = without_carriage_return(window, window.size());
    CutKind kind = CutKind::kRecord;
    if (window_full || size > max_record_bytes) kind = CutKind::kTooLarge;
    else if (end.open) kind = CutKind::kUnclosedQuote;
    return {.kind = kind, .size = size, .next = window.size(), .line_ended = false};
  }
  const std::size_t size = without_carriage_return(window, end.line_end);
  const CutKind kind = size > max_record_bytes ? CutKind::kTooLarge : CutKind::kRecord;
  return {.kind = kind, .size = size, .next = end.line_end + 1, .line_ended = true};
}

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

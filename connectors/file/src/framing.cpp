#include "src/framing.hpp"

#include <algorithm>

#include "src/byte_scan.hpp"

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

// The line end of a record that contains quotes. A quote opens a field only at its beginning. Behind text that follows a closing quote the
// record ends at the next line end whatever comes: such a record is refused anyway, and a file full of them is read in linear time.
QuotedEnd find_quoted_end(ByteView bytes, char delimiter) {
  QuotedEnd end;
  std::size_t field = 0;                       // where the field begins
  std::size_t second_of_doubled = kNone;
  scan_for(bytes, delimiter, '"', '\n', [&](std::size_t at) {
    const char found = bytes[at];
    if (!end.open) {
      if (found == '\n') {
        end.line_end = at;
        return false;
      }
      if (found == delimiter) field = at + 1;
      else end.open = at == field;
      return true;
    }
    if (found != '"' || at == second_of_doubled) return true;
    const std::size_t next = at + 1;
    if (next < bytes.size() && bytes[next] == '"') {
      second_of_doubled = next;
      return true;
    }
    end.open = false;
    if (next == bytes.size() || bytes[next] == delimiter) return true;
    end.line_end = bytes.find('\n', next);
    return false;
  });
  return end;
}

}  // namespace

Cut cut_record(const Framing& framing, ByteView bytes, std::size_t max_record_bytes, bool final) {
  // A record of the greatest size ends within this window, with its line end; so what is beyond it never decides.
  const std::size_t most = std::min(max_record_bytes, ByteView::npos - 2) + 2;
  const ByteView window = bytes.substr(0, most);
  const bool window_full = window.size() == most;
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

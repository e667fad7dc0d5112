#pragma once
// Which bytes are text, and how those that are not are shown.

#include <cstddef>
#include <string>

#include <tidemark/core/bytes.hpp>

namespace tidemark {
inline namespace v0 {
namespace file_internal {

// The length of the UTF-8 sequence at the front of `bytes`; 0 if there is none (over-long forms, surrogates and what lies above U+10FFFF
// are none).
std::size_t utf8_length(ByteView bytes);
// UTF-8 without NUL.
bool is_text(ByteView bytes);
// Every byte that is not part of printable UTF-8 as \xNN, and a backslash as two. Tabs and line ends stay as they are.
std::string escape_bytes(ByteView bytes);
// A header in a message: in quotes, on one line, cut when it is long.
std::string shown(ByteView header);
// A value of a record in a message. Its bytes are nobody's business who reads logs (S15): they are at the position that the message names,
// and with the record in quarantine.
std::string described(ByteView value);

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

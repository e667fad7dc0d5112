#pragma once
// The segment table at the front of a Cap'n Proto message, looked at before Cap'n Proto's reader sees it, which has no limit of its own
// (S08).

#include <tidemark/core/bytes.hpp>

namespace tidemark {
inline namespace v0 {

// `framed` is a table of at most 64 segments, whose sizes together fill the rest of it to its end.
bool segment_table_is_sound(ByteView framed);

}  // namespace v0
}  // namespace tidemark

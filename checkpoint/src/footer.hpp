#pragma once
// The end of every file of our own format (reliability R1): what makes damage and mix-ups visible before anything is parsed.
//
// payload | job (64, padded with zeros) | lineage (32) | checkpoint u64 | payload length u64 | format version u32 | footer size u32 |
// checksum u64 | magic (8)
//
// Integers are little-endian. The checksum is XXH3, 64 bit, of all bytes before it. The last 24 bytes stay as they are in every version.

#include <cstdint>
#include <string>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {
namespace checkpoint_internal {

struct Footer {
  std::uint32_t format_version = 0;
  std::uint64_t checkpoint = 0;
  std::string job;       // at most 64 bytes
  std::string lineage;   // 32 bytes
};

inline constexpr ByteView kManifestMagic{"TIDEMKMF", 8};
inline constexpr ByteView kLineageMagic{"TIDEMKLN", 8};

void append_footer(Bytes& payload, const Footer& footer, ByteView magic);

struct Framed {
  Footer footer;
  ByteView payload;   // of the bytes given
};
// kCheckpointCorrupt, naming `origin`, if any byte is not as written; kRestoreRefused for a version above `newest_version`.
Result<Framed> take_footer(ByteView bytes, ByteView magic, std::uint32_t newest_version, const std::string& origin);

// "... is damaged: `what`".
Error damaged(const std::string& origin, const std::string& what);

}  // namespace checkpoint_internal
}  // namespace v0
}  // namespace tidemark

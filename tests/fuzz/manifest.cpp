// Z1: a manifest of any bytes is refused or sound (S08, R2). Its checksum and length are set right first, or nothing would come past them.

#include <tidemark/checkpoint/manifest.hpp>
#include <tidemark/core/hash.hpp>

#include "fuzz.hpp"

namespace tidemark::fuzz {
namespace {

constexpr std::size_t kFooterBytes = 136;   // docs/formats/manifest.md
constexpr std::size_t kLengthFromEnd = 32;
constexpr std::size_t kChecksumFromEnd = 16;

Bytes resealed(ByteView input) {
  Bytes bytes{input};
  if (bytes.size() < kFooterBytes) return bytes;
  Bytes length;
  append_u64(length, bytes.size() - kFooterBytes);
  bytes.replace(bytes.size() - kLengthFromEnd, 8, length);
  Bytes checksum;
  append_u64(checksum, hash_bytes(ByteView{bytes}.substr(0, bytes.size() - kChecksumFromEnd), 0));
  return bytes.replace(bytes.size() - kChecksumFromEnd, 8, checksum);
}

}  // namespace

void run(ByteView input) {
  const Result<Manifest> decoded = decode_manifest(resealed(input), "m");
  if (!decoded.ok()) {
    const ErrorCode code = decoded.error().code;
    require(code == ErrorCode::kCheckpointCorrupt || code == ErrorCode::kRestoreRefused, "a manifest is refused as what it is",
            decoded.error().describe());
    return;
  }
  require(check_manifest(*decoded).ok(), "a manifest that is taken keeps its own rules");
  const Result<Bytes> again = encode_manifest(*decoded);
  require(again.ok(), "a manifest that is taken can be written");
  const Result<Manifest> same = decode_manifest(*again, "m");
  require(same.ok() && *same == *decoded, "a manifest that was written is read as it was");
}

}  // namespace tidemark::fuzz

#include "src/footer.hpp"

#include <tidemark/core/check.hpp>
#include <tidemark/core/detail/planted.hpp>
#include <tidemark/core/hash.hpp>

namespace tidemark {
inline namespace v0 {
namespace checkpoint_internal {

namespace {
constexpr std::size_t kJobBytes = 64;
constexpr std::size_t kLineageBytes = 32;
constexpr std::size_t kMagicBytes = 8;
constexpr std::size_t kTailBytes = 4 + 4 + 8 + kMagicBytes;   // version, footer size, checksum, magic
constexpr std::size_t kFooterBytes = kJobBytes + kLineageBytes + 8 + 8 + kTailBytes;
}  // namespace

void append_footer(Bytes& payload, const Footer& footer, ByteView magic) {
  TIDEMARK_CHECK(footer.job.size() <= kJobBytes && footer.lineage.size() == kLineageBytes && magic.size() == kMagicBytes);
  const std::uint64_t length = payload.size();
  payload += footer.job;
  payload.append(kJobBytes - footer.job.size(), '\0');
  payload += footer.lineage;
  append_u64(payload, footer.checkpoint);
  append_u64(payload, length);
  append_u32(payload, footer.format_version);
  append_u32(payload, kFooterBytes);
  append_u64(payload, hash_bytes(payload, 0));
  payload += magic;
}

Result<Framed> take_footer(ByteView bytes, ByteView magic, std::uint32_t newest_version, const std::string& origin) {
  if (bytes.size() < kTailBytes) return damaged(origin, "it is too short (" + std::to_string(bytes.size()) + " bytes)");
  if (bytes.substr(bytes.size() - kMagicBytes) != magic) {
    return damaged(origin, "its last bytes are not those of such a file; it may be cut off");
  }
  ByteView tail = bytes.substr(bytes.size() - kTailBytes);
  std::uint32_t version = 0;
  std::uint32_t footer_size = 0;
  std::uint64_t checksum = 0;
  TIDEMARK_CHECK(take_u32(tail, version) && take_u32(tail, footer_size) && take_u64(tail, checksum));
  if (!planted(core_internal::Bug::kP15) && hash_bytes(bytes.substr(0, bytes.size() - kMagicBytes - sizeof checksum), 0) != checksum) {
    return damaged(origin, "its checksum does not match");
  }
  if (version > newest_version) {
    return Error{.code = ErrorCode::kRestoreRefused,
                 .message = "\"" + origin + "\" was written by a newer release",
                 .facts = {{"format version", std::to_string(version)}, {"this release reads up to", std::to_string(newest_version)}},
                 .why = "an older release would misread it",
                 .fix = "run the release that wrote it, or a newer one"};
  }
  if (version == 0 || footer_size != kFooterBytes || bytes.size() < kFooterBytes) return damaged(origin, "its footer is malformed");
  ByteView footer = bytes.substr(bytes.size() - kFooterBytes);
  Framed framed;
  framed.payload = bytes.substr(0, bytes.size() - kFooterBytes);
  framed.footer.format_version = version;
  const ByteView job = footer.substr(0, kJobBytes);
  framed.footer.job = job.substr(0, job.find('\0'));
  framed.footer.lineage = footer.substr(kJobBytes, kLineageBytes);
  footer.remove_prefix(kJobBytes + kLineageBytes);
  std::uint64_t length = 0;
  TIDEMARK_CHECK(take_u64(footer, framed.footer.checkpoint) && take_u64(footer, length));
  if (length != framed.payload.size()) return damaged(origin, "its length is not the recorded one");
  return framed;
}

Error damaged(const std::string& origin, const std::string& what) {
  return Error{.code = ErrorCode::kCheckpointCorrupt,
               .message = "\"" + origin + "\" is damaged: " + what,
               .facts = {},
               .why = "a checkpoint is used only if every byte of its manifest is as it was written",
               .fix = "restore the file from a copy, or start from another checkpoint with --from ID"};
}

}  // namespace checkpoint_internal
}  // namespace v0
}  // namespace tidemark

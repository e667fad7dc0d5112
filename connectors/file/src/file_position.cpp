#include "src/file_position.hpp"

namespace tidemark {
inline namespace v0 {
namespace file_internal {

namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kVersionBefore = 1;
constexpr std::uint8_t kSkipping = 1;
constexpr std::uint8_t kUnended = 2;
constexpr std::uint8_t kOnlyFile = 4;

}  // namespace

Bytes encode(const FilePosition& position) {
  Bytes bytes;
  append_u8(bytes, kVersion);
  append_u8(bytes, static_cast<std::uint8_t>((position.skipping ? kSkipping : 0) | (position.unended ? kUnended : 0) |
                                             (position.only_file ? kOnlyFile : 0)));
  append_sized(bytes, position.file);
  append_u64(bytes, position.offset);
  append_u64(bytes, position.size_seen);
  append_u64(bytes, position.head_size);
  append_u64(bytes, position.head_hash);
  for (const std::uint64_t hash : position.earlier) append_u64(bytes, hash);
  return bytes;
}

Result<FilePosition> decode_file_position(const Bytes& bytes) {
  FilePosition position;
  ByteView in = bytes;
  std::uint8_t version = 0;
  std::uint8_t flags = 0;
  ByteView file;
  const bool known = take_u8(in, version) && (version == kVersion || version == kVersionBefore);
  const bool before = version == kVersionBefore;
  const int known_flags = kSkipping | kUnended | (before ? 0 : kOnlyFile);
  FilePosition::EarlierInOne in_one;
  if (!known || !take_u8(in, flags) || !take_sized(in, file) || !take_u64(in, position.offset) || !take_u64(in, position.size_seen) ||
      !take_u64(in, position.head_size) || !take_u64(in, position.head_hash) ||
      (before && (!take_u64(in, in_one.files) || !take_u64(in, in_one.hash) || !in.empty())) || in.size() % sizeof(std::uint64_t) != 0 ||
      position.head_size > kHeadBytes || flags > known_flags || file.find('/') != ByteView::npos) {
    return Error{.code = ErrorCode::kSourceFailed,
                 .message = "the recorded position is none of a file source of this version",
                 .facts = {{"format version", std::to_string(version)}},
                 .why = "",
                 .fix = "restore with the release that wrote the checkpoint, and with the same source under this name"};
  }
  position.file = std::string(file);
  position.skipping = (flags & kSkipping) != 0;
  position.unended = (flags & kUnended) != 0;
  position.only_file = (flags & kOnlyFile) != 0;
  if (before) position.earlier_in_one = in_one;
  for (std::uint64_t hash = 0; take_u64(in, hash);) position.earlier.push_back(hash);
  return position;
}

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

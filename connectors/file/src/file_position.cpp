#include "src/file_position.hpp"

namespace tidemark {
inline namespace v0 {
namespace file_internal {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kSkipping = 1;
constexpr std::uint8_t kUnended = 2;

}  // namespace

Bytes encode(const FilePosition& position) {
  Bytes bytes;
  append_u8(bytes, kVersion);
  append_u8(bytes, static_cast<std::uint8_t>((position.skipping ? kSkipping : 0) | (position.unended ? kUnended : 0)));
  append_sized(bytes, position.file);
  append_u64(bytes, position.offset);
  append_u64(bytes, position.size_seen);
  append_u64(bytes, position.head_size);
  append_u64(bytes, position.head_hash);
  append_u64(bytes, position.earlier_files);
  append_u64(bytes, position.earlier_hash);
  return bytes;
}

Result<FilePosition> decode_file_position(const Bytes& bytes) {
  FilePosition position;
  ByteView in = bytes;
  std::uint8_t version = 0;
  std::uint8_t flags = 0;
  ByteView file;
  const bool known = take_u8(in, version) && version == kVersion;
  if (!known || !take_u8(in, flags) || !take_sized(in, file) || !take_u64(in, position.offset) || !take_u64(in, position.size_seen) ||
      !take_u64(in, position.head_size) || !take_u64(in, position.head_hash) || !take_u64(in, position.earlier_files) ||
      !take_u64(in, position.earlier_hash) || !in.empty() || position.head_size > kHeadBytes || flags > (kSkipping | kUnended) ||
      file.find('/') != ByteView::npos) {
    return Error{.code = ErrorCode::kSourceFailed,
                 .message = "the recorded position is none of a file source of this version",
                 .facts = {{"format version", std::to_string(version)}},
                 .why = "",
                 .fix = "restore with the release that wrote the checkpoint, and with the same source under this name"};
  }
  position.file = std::string(file);
  position.skipping = (flags & kSkipping) != 0;
  position.unended = (flags & kUnended) != 0;
  return position;
}

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

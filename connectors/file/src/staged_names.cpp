#include "src/staged_names.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <vector>

#include <tidemark/core/detail/xxh3.hpp>

namespace tidemark {
inline namespace v0 {
namespace file_internal {

namespace {

constexpr std::uint8_t kRecordVersion = 1;
constexpr ByteView kMarkerTitle = "tidemark file sink commit 1\n";

std::string staged_prefix(const SinkIdentity& identity) { return ".tidemark-staged-" + identity.lineage + "-"; }

// Removes "<digits>-" from the front.
bool take_number(std::string_view& text) {
  const std::size_t digits = text.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string_view::npos || text[digits] != '-') return false;
  text.remove_prefix(digits + 1);
  return true;
}

bool is_plain_name(ByteView name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == ByteView::npos && name.find('\0') == ByteView::npos;
}

std::string checksum_line(ByteView lines) {
  char text[32];
  std::snprintf(text, sizeof text, "checksum %016" PRIx64 "\n", detail::xxh3(lines.data(), lines.size(), 0));
  return text;
}

// Removes "<label> <value>\n" from the front.
bool take_line(ByteView& in, ByteView label, std::string& value) {
  const std::size_t end = in.find('\n');
  if (end == ByteView::npos || !in.starts_with(label) || end <= label.size() || in[label.size()] != ' ') return false;
  value = std::string(in.substr(label.size() + 1, end - label.size() - 1));
  in.remove_prefix(end + 1);
  return true;
}

}  // namespace

std::string staged_name(const SinkIdentity& identity, CheckpointId after, const std::string& extension) {
  const std::string numbers = std::to_string(identity.attempt) + "-" + std::to_string(after) + "-" + std::to_string(identity.subtask);
  return staged_prefix(identity) + numbers + "-" + identity.sink + extension;
}

bool is_name_of(const SinkIdentity& identity, std::string_view name) {
  return name == identity.sink || std::find(identity.formerly.begin(), identity.formerly.end(), name) != identity.formerly.end();
}

bool is_staged_name(std::string_view name, const SinkIdentity& identity, const std::string& extension) {
  const std::string prefix = staged_prefix(identity);
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  if (!take_number(name) || !take_number(name) || !take_number(name) || !name.ends_with(extension)) return false;
  return is_name_of(identity, name.substr(0, name.size() - extension.size()));
}

std::string final_name(const SinkIdentity& identity, CheckpointId epoch, const std::string& extension) {
  char numbers[48];
  std::snprintf(numbers, sizeof numbers, "-%010" PRIu64 "-%03" PRIu32, epoch, identity.subtask);
  return identity.sink + numbers + extension;
}

std::optional<CheckpointId> epoch_of(std::string_view final_name, const SinkIdentity& identity, const std::string& extension) {
  if (!final_name.ends_with(extension)) return std::nullopt;
  final_name.remove_suffix(extension.size());
  std::array<std::uint64_t, 2> numbers{};   // from the end: the subtask, the epoch
  for (std::uint64_t& number : numbers) {
    const std::size_t dash = final_name.rfind('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const char* const end = final_name.data() + final_name.size();
    const auto parsed = std::from_chars(final_name.data() + dash + 1, end, number);
    if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
    final_name = final_name.substr(0, dash);
  }
  if (!is_name_of(identity, final_name)) return std::nullopt;
  return numbers.back();
}

std::string marker_name(const std::string& sink) { return ".tidemark-commit-" + sink; }

Bytes encode(const StagedRecord& record) {
  Bytes bytes;
  append_u8(bytes, kRecordVersion);
  append_sized(bytes, record.staged);
  append_sized(bytes, record.final);
  append_u64(bytes, record.size);
  append_u64(bytes, record.checksum);
  return bytes;
}

Result<StagedRecord> decode_staged_record(const Bytes& bytes) {
  StagedRecord record;
  ByteView in = bytes;
  std::uint8_t version = 0;
  ByteView staged;
  ByteView final;
  if (!take_u8(in, version) || version != kRecordVersion || !take_sized(in, staged) || !take_sized(in, final) ||
      !take_u64(in, record.size) || !take_u64(in, record.checksum) || !in.empty() || !is_plain_name(staged) || !is_plain_name(final)) {
    return Error{.code = ErrorCode::kSinkFailed,
                 .message = "a committable is none of a file sink of this version",
                 .facts = {{"format version", std::to_string(version)}},
                 .why = "",
                 .fix = "restore with the release that wrote the checkpoint, and with the same sink under this name"};
  }
  record.staged = std::string(staged);
  record.final = std::string(final);
  return record;
}

Bytes encode(const Marker& marker) {
  Bytes lines(kMarkerTitle);
  lines += "job " + marker.job + "\nlineage " + marker.lineage + "\nsink " + marker.sink + "\nepoch " + std::to_string(marker.epoch) + "\n";
  if (marker.owner != 0) lines += "owner " + std::to_string(marker.owner) + "\n";
  return lines + checksum_line(lines);
}

Result<Marker> decode_marker(const Bytes& bytes, const std::string& path) {
  Marker marker;
  std::string epoch;
  std::string owner;
  ByteView in = bytes;
  if (in.starts_with(kMarkerTitle)) {
    in.remove_prefix(kMarkerTitle.size());
    if (take_line(in, "job", marker.job) && take_line(in, "lineage", marker.lineage) && take_line(in, "sink", marker.sink) &&
        take_line(in, "epoch", epoch)) {
      std::from_chars(epoch.data(), epoch.data() + epoch.size(), marker.epoch);
      if (take_line(in, "owner", owner)) std::from_chars(owner.data(), owner.data() + owner.size(), marker.owner);
      if (encode(marker) == bytes) return marker;
    }
  }
  return Error{.code = ErrorCode::kSinkFailed,
               .message = "the marker \"" + path + "\" is damaged or of another version",
               .facts = {},
               .why = "without it nobody knows which results are committed",
               .fix = "restore the file, or start afresh with empty output directories"};
}

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// Names of the files of a sink, and what a committable says of one.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/status.hpp>
#include <tidemark/operators/sink.hpp>

namespace tidemark {
inline namespace v0 {
namespace file_internal {

// ".tidemark-staged-<lineage>-<attempt>-<epoch>-<subtask>-<sink><extension>". `after`: the epoch sealed before; a file is begun before its
// own epoch's number is known.
std::string staged_name(const SinkIdentity& identity, CheckpointId after, const std::string& extension);
// Whether the sink has this name or had it formerly.
bool is_name_of(const SinkIdentity& identity, std::string_view name);
// Whether this is a staged file of the sink in this lineage, under any of its names, of any attempt, epoch and subtask.
bool is_staged_name(std::string_view name, const SinkIdentity& identity, const std::string& extension);
// "<sink>-<epoch, 10 digits>-<subtask, 3 digits><extension>": in the order of names within a sink, files are in the order of epochs.
std::string final_name(const SinkIdentity& identity, CheckpointId epoch, const std::string& extension);
// The epoch of a final name of the sink, under any of its names; nothing: it is none.
std::optional<CheckpointId> epoch_of(std::string_view final_name, const SinkIdentity& identity, const std::string& extension);
std::string marker_name(const std::string& sink);

struct StagedRecord {
  std::string staged;           // names in the sink's directory
  std::string final;
  std::uint64_t size = 0;
  std::uint64_t checksum = 0;   // XXH3, 64 bit, of the whole file
};
Bytes encode(const StagedRecord& record);
Result<StagedRecord> decode_staged_record(const Bytes& bytes);

// What the target holds: written beside the results when an epoch is committed.
struct Marker {
  std::string job;
  std::string lineage;
  std::string sink;
  CheckpointId epoch = 0;
  std::uint64_t owner = 0;   // 0: written by a release that did not say

  bool operator==(const Marker&) const = default;
};
Bytes encode(const Marker& marker);
// An error if a byte is not as encode() wrote it; `path` is for its message.
Result<Marker> decode_marker(const Bytes& bytes, const std::string& path);

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

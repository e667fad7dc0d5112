#pragma once
// The manifest: the one file that makes a checkpoint. It holds all of one consistent cut that is small (R2, C1) and lists every file that
// holds the rest. Plain data; its bytes on disk are described in docs/formats/manifest.md.

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/status.hpp>
#include <tidemark/core/time.hpp>
#include <tidemark/state/store.hpp>

namespace tidemark {
inline namespace v0 {

struct StateSchema;

using CheckpointId = std::uint64_t;   // 1, 2, ...; 0 stands for "none". The number of a failed checkpoint is not used again (C5).
using AttemptId = std::uint64_t;      // 1, 2, ...; every start of a process on the state directory is a new one

inline constexpr std::uint32_t kManifestFormatVersion = 1;
inline constexpr std::uint64_t kMaxManifestBytes = std::uint64_t{256} << 20;
inline constexpr const char* kKeyHashName = "xxh3-64";

// One named state of an operator.
struct StateEntry {
  StateId id = 0;                       // first field of its rows' keys; unique in the lineage, never used again
  std::string name;
  std::string kind;                     // "value", "list", "map", "slices", "timers", "buffer", "due", "operator_list"
  std::string key;                      // schema texts (StateSchema)
  std::string entry{};
  std::string value;
  std::string parameters;
  bool timed = false;
  bool stamped = false;
  std::uint64_t fingerprint = 0;        // of the schema; equal fingerprints are the same schema (K9)
  EventTime dropped_through = kMinusInfinity;   // rows of buckets at or below, and stamped ones written at or below, are dead
  std::vector<EventTime> live_buckets;  // ascending, over all tasks
  friend bool operator==(const StateEntry&, const StateEntry&) = default;
};

// What the state says of itself, and an entry for that, without number and time.
StateSchema schema_of(const StateEntry& entry);
StateEntry entry_of(const StateSchema& schema);

// A source, a sink or a named operator.
struct OperatorEntry {
  std::string name;
  std::string kind;                     // "source", "sink", "keyed", or "list" with state that has no key
  std::uint32_t parallelism = 1;
  std::vector<StateEntry> states;
  friend bool operator==(const OperatorEntry&, const OperatorEntry&) = default;
};

struct SplitEntry {
  std::string name;
  Bytes position;                       // the source's own
  bool finished = false;
  Bytes progress;                       // the runtime's own: watermark generator, record count, guard and idle state (C1)
  friend bool operator==(const SplitEntry&, const SplitEntry&) = default;
};

// What is saved by split names it by its number: its place among all splits in the order of the manifest.
struct SourceEntry {
  std::string operator_name;            // empty: the job has dropped the source; its splits, nameless, keep their numbers
  std::vector<SplitEntry> splits;
  friend bool operator==(const SourceEntry&, const SourceEntry&) = default;
};

// One input channel of a task.
struct InputEntry {
  std::string channel;                  // unique in its task
  EventTime watermark = kMinusInfinity;
  bool idle = false;
  bool finished = false;
  friend bool operator==(const InputEntry&, const InputEntry&) = default;
};

// What one operator of a chain remembers besides keyed state.
struct OperatorMeta {
  std::string operator_name;            // unique in its task; for operators without a user's name the runtime's own
  Bytes state;                          // Operator::save
  EventTime watermark = kMinusInfinity;
  friend bool operator==(const OperatorMeta&, const OperatorMeta&) = default;
};

struct TaskEntry {
  std::string task;                     // the name of its stage: that of the chain's head
  std::uint32_t subtask = 0;
  std::vector<InputEntry> inputs;
  std::vector<OperatorMeta> operators;
  friend bool operator==(const TaskEntry&, const TaskEntry&) = default;
};

// Output that was prepared and is not known to be committed.
struct CommittableEntry {
  std::string sink;
  std::uint32_t subtask = 0;
  CheckpointId epoch = 0;               // of the barrier that sealed it; may be older than the checkpoint
  Bytes bytes;
  friend bool operator==(const CommittableEntry&, const CommittableEntry&) = default;
};

struct Manifest {
  std::uint32_t format_version = kManifestFormatVersion;
  std::string job;
  std::string lineage;                  // 128 bits as 32 hex digits, lower case
  AttemptId attempt = 0;
  CheckpointId checkpoint = 0;
  CheckpointId previous = 0;            // the completed checkpoint before this one; 0: none
  bool finished = false;                // the job reached the end of its input (C8)
  bool drained = false;                 // +infinity was sent though the input had not ended (C9)
  std::uint32_t key_groups = 0;
  std::string hash = kKeyHashName;
  std::uint64_t seed = 0;
  std::chrono::sys_time<std::chrono::milliseconds> created{};   // for people only
  std::string tidemark_version;
  std::vector<OperatorEntry> operators;
  StateId next_state_id = 1;            // greater than every id ever used in this lineage
  std::vector<StateId> discarded_states;   // ids whose rows are all dead: their operator was dropped (K10)
  std::vector<SourceEntry> sources;
  std::vector<TaskEntry> tasks;
  std::vector<std::string> sinks;
  std::vector<CommittableEntry> committables;   // all that are not known to be committed, oldest epoch first
  std::vector<StoredFile> files;        // of the state store, names within the checkpoint's store directory
  friend bool operator==(const Manifest&, const Manifest&) = default;
};

// The bytes of the file. Equal manifests give equal bytes. An error (kCheckpointFailed) if a limit or a rule of check_manifest is broken.
Result<Bytes> encode_manifest(const Manifest& manifest);

// kCheckpointCorrupt, naming `origin` (a path, for the message), unless every byte is as it was written. A format version that this release
// does not know: kRestoreRefused with both versions. Safe for hostile bytes: time and memory are bounded by their size (S08).
Result<Manifest> decode_manifest(ByteView bytes, const std::string& origin);

// What must hold in every manifest: names are names, ids are unique and below next_state_id, lineage is 32 hex digits, lists are
// consistent.
Status check_manifest(const Manifest& manifest);

// Finds by name; nullptr if there is none.
const OperatorEntry* find_operator(const std::vector<OperatorEntry>& operators, std::string_view name);
const StateEntry* find_state(const OperatorEntry& entry, std::string_view name);

// For StateStore::set_dropped: timed and stamped states, and discarded ones as kPlusInfinity.
std::map<StateId, Dropped> dropped_rows(const Manifest& manifest);

}  // namespace v0
}  // namespace tidemark

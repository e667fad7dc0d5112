#include <algorithm>
#include <cstring>

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <tidemark/checkpoint/manifest.hpp>
#include <tidemark/core/segment_table.hpp>

#include "src/footer.hpp"
#include "src/manifest.capnp.h"

namespace tidemark {
inline namespace v0 {

namespace {

using checkpoint_internal::damaged;
using checkpoint_internal::Footer;
using checkpoint_internal::kManifestMagic;

constexpr int kDeepest = 32;
constexpr std::size_t kWord = sizeof(capnp::word);

capnp::Text::Reader text(const std::string& value) { return {value.c_str(), value.size()}; }
capnp::Data::Reader data(const Bytes& value) { return {reinterpret_cast<const capnp::byte*>(value.data()), value.size()}; }
std::string string_of(capnp::Text::Reader value) { return {value.cStr(), value.size()}; }
Bytes bytes_of(capnp::Data::Reader value) { return {reinterpret_cast<const char*>(value.begin()), value.size()}; }

// write(builder of an element, element) for each.
template <class Builders, class Values, class Write>
void write_each(Builders builders, const Values& values, Write write) {
  for (std::size_t i = 0; i < values.size(); ++i) write(builders[static_cast<unsigned>(i)], values[i]);
}

template <class Readers, class Value, class Read>
void read_each(Readers readers, std::vector<Value>& values, Read read) {
  values.reserve(readers.size());
  for (const auto reader : readers) values.push_back(read(reader));
}

unsigned count(std::size_t size) { return static_cast<unsigned>(size); }

void write_state(wire::State::Builder to, const StateEntry& state) {
  to.setId(state.id);
  to.setName(text(state.name));
  to.setKind(text(state.kind));
  to.setKey(text(state.key));
  if (!state.entry.empty()) to.setEntry(text(state.entry));
  to.setValue(text(state.value));
  to.setParameters(text(state.parameters));
  to.setTimed(state.timed);
  to.setStamped(state.stamped);
  to.setFingerprint(state.fingerprint);
  to.setDroppedThrough(micros(state.dropped_through));
  auto buckets = to.initLiveBuckets(count(state.live_buckets.size()));
  for (std::size_t i = 0; i < state.live_buckets.size(); ++i) buckets.set(count(i), micros(state.live_buckets[i]));
}

StateEntry read_state(wire::State::Reader from) {
  StateEntry state;
  state.id = from.getId();
  state.name = string_of(from.getName());
  state.kind = string_of(from.getKind());
  state.key = string_of(from.getKey());
  state.entry = string_of(from.getEntry());
  state.value = string_of(from.getValue());
  state.parameters = string_of(from.getParameters());
  state.timed = from.getTimed();
  state.stamped = from.getStamped();
  state.fingerprint = from.getFingerprint();
  state.dropped_through = event_time(from.getDroppedThrough());
  read_each(from.getLiveBuckets(), state.live_buckets, event_time);
  return state;
}

void write_operator(wire::Operator::Builder to, const OperatorEntry& entry) {
  to.setName(text(entry.name));
  to.setKind(text(entry.kind));
  to.setParallelism(entry.parallelism);
  write_each(to.initStates(count(entry.states.size())), entry.states, write_state);
}

OperatorEntry read_operator(wire::Operator::Reader from) {
  OperatorEntry entry;
  entry.name = string_of(from.getName());
  entry.kind = string_of(from.getKind());
  entry.parallelism = from.getParallelism();
  read_each(from.getStates(), entry.states, read_state);
  return entry;
}

void write_source(wire::Source::Builder to, const SourceEntry& source) {
  to.setOperator(text(source.operator_name));
  write_each(to.initSplits(count(source.splits.size())), source.splits, [](wire::Split::Builder split, const SplitEntry& entry) {
    split.setName(text(entry.name));
    split.setPosition(data(entry.position));
    split.setFinished(entry.finished);
    split.setProgress(data(entry.progress));
  });
}

SourceEntry read_source(wire::Source::Reader from) {
  SourceEntry source;
  source.operator_name = string_of(from.getOperator());
  read_each(from.getSplits(), source.splits, [](wire::Split::Reader split) {
    return SplitEntry{string_of(split.getName()), bytes_of(split.getPosition()), split.getFinished(), bytes_of(split.getProgress())};
  });
  return source;
}

void write_task(wire::Task::Builder to, const TaskEntry& task) {
  to.setName(text(task.task));
  to.setSubtask(task.subtask);
  write_each(to.initInputs(count(task.inputs.size())), task.inputs, [](wire::Input::Builder input, const InputEntry& entry) {
    input.setChannel(text(entry.channel));
    input.setWatermark(micros(entry.watermark));
    input.setIdle(entry.idle);
    input.setFinished(entry.finished);
  });
  write_each(to.initOperators(count(task.operators.size())), task.operators,
             [](wire::OperatorMeta::Builder meta, const OperatorMeta& entry) {
               meta.setName(text(entry.operator_name));
               meta.setState(data(entry.state));
               meta.setWatermark(micros(entry.watermark));
             });
}

TaskEntry read_task(wire::Task::Reader from) {
  TaskEntry task;
  task.task = string_of(from.getName());
  task.subtask = from.getSubtask();
  read_each(from.getInputs(), task.inputs, [](wire::Input::Reader input) {
    return InputEntry{string_of(input.getChannel()), event_time(input.getWatermark()), input.getIdle(), input.getFinished()};
  });
  read_each(from.getOperators(), task.operators, [](wire::OperatorMeta::Reader meta) {
    return OperatorMeta{string_of(meta.getName()), bytes_of(meta.getState()), event_time(meta.getWatermark())};
  });
  return task;
}

void write_manifest(wire::Manifest::Builder to, const Manifest& manifest) {
  to.setJob(text(manifest.job));
  to.setLineage(text(manifest.lineage));
  to.setAttempt(manifest.attempt);
  to.setCheckpoint(manifest.checkpoint);
  to.setPrevious(manifest.previous);
  to.setFinished(manifest.finished);
  to.setDrained(manifest.drained);
  to.setKeyGroups(manifest.key_groups);
  to.setHash(text(manifest.hash));
  to.setSeed(manifest.seed);
  to.setCreatedMs(manifest.created.time_since_epoch().count());
  to.setVersion(text(manifest.tidemark_version));
  write_each(to.initOperators(count(manifest.operators.size())), manifest.operators, write_operator);
  to.setNextStateId(manifest.next_state_id);
  auto discarded = to.initDiscardedStates(count(manifest.discarded_states.size()));
  for (std::size_t i = 0; i < manifest.discarded_states.size(); ++i) discarded.set(count(i), manifest.discarded_states[i]);
  write_each(to.initSources(count(manifest.sources.size())), manifest.sources, write_source);
  write_each(to.initTasks(count(manifest.tasks.size())), manifest.tasks, write_task);
  auto sinks = to.initSinks(count(manifest.sinks.size()));
  for (std::size_t i = 0; i < manifest.sinks.size(); ++i) sinks.set(count(i), text(manifest.sinks[i]));
  write_each(to.initCommittables(count(manifest.committables.size())), manifest.committables,
             [](wire::Committable::Builder committable, const CommittableEntry& entry) {
               committable.setSink(text(entry.sink));
               committable.setSubtask(entry.subtask);
               committable.setEpoch(entry.epoch);
               committable.setBytes(data(entry.bytes));
             });
  write_each(to.initFiles(count(manifest.files.size())), manifest.files, [](wire::File::Builder file, const StoredFile& entry) {
    file.setName(text(entry.name));
    file.setSize(entry.size);
    file.setChecksum(entry.checksum);
  });
}

Manifest read_manifest(wire::Manifest::Reader from) {
  Manifest manifest;
  manifest.job = string_of(from.getJob());
  manifest.lineage = string_of(from.getLineage());
  manifest.attempt = from.getAttempt();
  manifest.checkpoint = from.getCheckpoint();
  manifest.previous = from.getPrevious();
  manifest.finished = from.getFinished();
  manifest.drained = from.getDrained();
  manifest.key_groups = from.getKeyGroups();
  manifest.hash = string_of(from.getHash());
  manifest.seed = from.getSeed();
  manifest.created = std::chrono::sys_time<std::chrono::milliseconds>{std::chrono::milliseconds{from.getCreatedMs()}};
  manifest.tidemark_version = string_of(from.getVersion());
  read_each(from.getOperators(), manifest.operators, read_operator);
  manifest.next_state_id = from.getNextStateId();
  read_each(from.getDiscardedStates(), manifest.discarded_states, [](StateId id) { return id; });
  read_each(from.getSources(), manifest.sources, read_source);
  read_each(from.getTasks(), manifest.tasks, read_task);
  read_each(from.getSinks(), manifest.sinks, string_of);
  read_each(from.getCommittables(), manifest.committables, [](wire::Committable::Reader entry) {
    return CommittableEntry{string_of(entry.getSink()), entry.getSubtask(), entry.getEpoch(), bytes_of(entry.getBytes())};
  });
  read_each(from.getFiles(), manifest.files, [](wire::File::Reader file) {
    return StoredFile{string_of(file.getName()), file.getSize(), file.getChecksum()};
  });
  return manifest;
}

Manifest parse(ByteView payload) {
  // Aligned, which bytes of a file need not be.
  kj::Array<capnp::word> words = kj::heapArray<capnp::word>(payload.size() / kWord);
  std::memcpy(words.asBytes().begin(), payload.data(), payload.size());
  capnp::ReaderOptions limits;
  limits.traversalLimitInWords = std::min<std::uint64_t>(4 * words.size() + 1024, 4 * kMaxManifestBytes / kWord);
  limits.nestingLimit = kDeepest;
  capnp::FlatArrayMessageReader reader{words, limits};
  return read_manifest(reader.getRoot<wire::Manifest>());
}

}  // namespace

Result<Bytes> encode_manifest(const Manifest& manifest) {
  TIDEMARK_TRY(check_manifest(manifest));
  capnp::MallocMessageBuilder message;
  write_manifest(message.initRoot<wire::Manifest>(), manifest);
  const auto segments = message.getSegmentsForOutput();
  // One segment: equal manifests give equal bytes, and the reader's table is the shortest.
  capnp::MallocMessageBuilder whole{count(capnp::computeSerializedSizeInWords(segments))};
  whole.setRoot(message.getRoot<wire::Manifest>().asReader());
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(whole);
  const auto chars = words.asChars();
  if (chars.size() > kMaxManifestBytes) {
    return Error{.code = ErrorCode::kCheckpointFailed,
                 .message = "the manifest is too large",
                 .facts = {{"size", std::to_string(chars.size())}, {"limit", std::to_string(kMaxManifestBytes)}},
                 .why = "it holds what sinks have prepared and what operators remember outside keyed state; both should be small",
                 .fix = ""};
  }
  Bytes bytes{chars.begin(), chars.size()};
  append_footer(bytes, Footer{kManifestFormatVersion, manifest.checkpoint, manifest.job, manifest.lineage}, kManifestMagic);
  return bytes;
}

Result<Manifest> decode_manifest(ByteView bytes, const std::string& origin) {
  if (bytes.size() > kMaxManifestBytes + 4096) return damaged(origin, "it is too large");
  TIDEMARK_ASSIGN(const checkpoint_internal::Framed framed,
                  checkpoint_internal::take_footer(bytes, kManifestMagic, kManifestFormatVersion, origin));
  if (!segment_table_is_sound(framed.payload)) return damaged(origin, "its segment table is malformed");
  Manifest manifest;
  try {
    manifest = parse(framed.payload);
  } catch (const kj::Exception& thrown) {
    return damaged(origin, std::string{"it cannot be parsed: "} + thrown.getDescription().cStr());
  }
  manifest.format_version = framed.footer.format_version;
  const Status sound = check_manifest(manifest);
  if (!sound.ok()) return damaged(origin, sound.error().message);
  const Footer& footer = framed.footer;
  if (footer.checkpoint != manifest.checkpoint || footer.job != manifest.job || footer.lineage != manifest.lineage) {
    return damaged(origin, "its footer names another checkpoint than its content");
  }
  return manifest;
}

}  // namespace v0
}  // namespace tidemark

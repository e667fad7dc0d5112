#include <tidemark/checkpoint/manifest.hpp>

#include <algorithm>
#include <set>
#include <utility>

#include <tidemark/core/names.hpp>
#include <tidemark/state/component.hpp>

namespace tidemark {
inline namespace v0 {

namespace {

Error broken(std::string what) {
  return Error{.code = ErrorCode::kCheckpointFailed,
               .message = "the manifest contradicts itself: " + std::move(what),
               .facts = {},
               .why = "",
               .fix = ""};
}

bool is_lineage(const std::string& text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Status check_operators(const Manifest& manifest) {
  std::set<std::string_view> names;
  std::set<StateId> ids;
  for (const OperatorEntry& entry : manifest.operators) {
    TIDEMARK_TRY(check_name("operator", entry.name));
    if (!names.insert(entry.name).second) return broken("two operators are called " + entry.name);
    if (entry.parallelism == 0 || entry.parallelism > manifest.key_groups) {
      return broken("operator " + entry.name + " has parallelism " + std::to_string(entry.parallelism));
    }
    std::set<std::string_view> states;
    for (const StateEntry& state : entry.states) {
      TIDEMARK_TRY(check_name("state", state.name));
      if (!states.insert(state.name).second) return broken("operator " + entry.name + " has two states called " + state.name);
      if (!ids.insert(state.id).second) return broken("two states have the number " + std::to_string(state.id));
      if (state.id == 0 || state.id >= manifest.next_state_id) {
        return broken("state number " + std::to_string(state.id) + " was never given");
      }
      if (!std::is_sorted(state.live_buckets.begin(), state.live_buckets.end())) return broken("live buckets are not in order");
    }
  }
  for (const StateId id : manifest.discarded_states) {
    if (id == 0 || id >= manifest.next_state_id || !ids.insert(id).second) {
      return broken("discarded state number " + std::to_string(id) + " is in use or was never given");
    }
  }
  return {};
}

}  // namespace

Status check_manifest(const Manifest& manifest) {
  TIDEMARK_TRY(check_name("job", manifest.job));
  if (!is_lineage(manifest.lineage)) return broken("the lineage is not 32 hex digits");
  if (manifest.attempt == 0) return broken("there is no attempt 0");
  if (manifest.checkpoint == 0 || manifest.previous >= manifest.checkpoint) {
    return broken("checkpoint " + std::to_string(manifest.checkpoint) + " cannot follow " + std::to_string(manifest.previous));
  }
  if (manifest.key_groups == 0) return broken("there are no key groups");
  TIDEMARK_TRY(check_operators(manifest));
  for (const SourceEntry& source : manifest.sources) {
    if (source.operator_name.empty()) continue;   // dropped
    if (find_operator(manifest.operators, source.operator_name) == nullptr) {
      return broken("source " + source.operator_name + " is no operator");
    }
  }
  std::set<std::string_view> sinks;
  for (const std::string& sink : manifest.sinks) {
    TIDEMARK_TRY(check_name("sink", sink));
    if (!sinks.insert(sink).second) return broken("two sinks are called " + sink);
  }
  CheckpointId epoch = 0;
  for (const CommittableEntry& entry : manifest.committables) {
    if (sinks.count(entry.sink) == 0) return broken("output is pending for " + entry.sink + ", which is no sink");
    if (entry.epoch == 0 || entry.epoch > manifest.checkpoint || entry.epoch < epoch) return broken("pending epochs are not in order");
    epoch = entry.epoch;
  }
  std::set<std::string_view> files;
  for (const StoredFile& file : manifest.files) {
    TIDEMARK_TRY(check_name("file", file.name));   // a plain name: it cannot lead out of its directory
    if (!files.insert(file.name).second) return broken("file " + file.name + " is listed twice");
  }
  return {};
}

StateSchema schema_of(const StateEntry& entry) {
  return {.name = entry.name,
          .kind = entry.kind,
          .key = entry.key,
          .entry = entry.entry,
          .value = entry.value,
          .parameters = entry.parameters,
          .timed = entry.timed,
          .stamped = entry.stamped};
}

StateEntry entry_of(const StateSchema& schema) {
  return {.name = schema.name,
          .kind = schema.kind,
          .key = schema.key,
          .entry = schema.entry,
          .value = schema.value,
          .parameters = schema.parameters,
          .timed = schema.timed,
          .stamped = schema.stamped,
          .fingerprint = schema.fingerprint(),
          .live_buckets = {}};
}

const OperatorEntry* find_operator(const std::vector<OperatorEntry>& operators, std::string_view name) {
  const auto found = std::find_if(operators.begin(), operators.end(), [&](const OperatorEntry& entry) { return entry.name == name; });
  return found == operators.end() ? nullptr : &*found;
}

const StateEntry* find_state(const OperatorEntry& entry, std::string_view name) {
  const auto found = std::find_if(entry.states.begin(), entry.states.end(), [&](const StateEntry& state) { return state.name == name; });
  return found == entry.states.end() ? nullptr : &*found;
}

std::map<StateId, Dropped> dropped_rows(const Manifest& manifest) {
  std::map<StateId, Dropped> dropped;
  for (const OperatorEntry& entry : manifest.operators) {
    for (const StateEntry& state : entry.states) {
      if (state.timed || state.stamped) dropped[state.id] = {state.dropped_through, state.stamped};
    }
  }
  for (const StateId id : manifest.discarded_states) dropped[id] = {kPlusInfinity, false};
  return dropped;
}

}  // namespace v0
}  // namespace tidemark

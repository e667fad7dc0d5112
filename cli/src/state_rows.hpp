#pragma once
// The rows of one state, as JSON.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <tidemark/checkpoint/manifest.hpp>
#include <tidemark/core/schema.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

// What a row's key holds besides the state's number. The views lie in it.
struct RowKey {
  EventTime time{};        // of timed states: the end of a slice, the time of a timer or of a record
  std::uint64_t hash = 0;
  ByteView key;            // encoded
  ByteView entry;          // of maps: the encoded key within the key; empty if nobody can tell where the key ends
  // Of timers the tag, of buffered records and of list items their number, of a part of a value in a slice its generation.
  std::uint64_t rest = 0;
};

// Reads rows by what the manifest says of their state. Believes nothing of them.
class RowReader {
 public:
  // `state` outlives the reader.
  explicit RowReader(const StateEntry& state);

  const StateEntry& state() const { return state_; }
  const Schema& key_schema() const { return key_; }
  // The encoded key whose rows are looked for. Where a codec of the user's does not tell the end of a key, this one's is known.
  void look_for(Bytes key) { wanted_ = std::move(key); }
  // What all row keys of the state begin with; for a key of an untimed state, what its row keys begin with.
  Bytes prefix() const;
  Bytes prefix(std::uint64_t hash, ByteView key) const;
  // Nothing: no row of this state has such a key.
  std::optional<RowKey> split(ByteView row_key) const;

  // Bytes that their schema does not write are {"malformed":"hex"}, and counted.
  std::string key_json(ByteView key);
  std::string value_json(ByteView value);
  // When the row of a stamped state was written; nothing if its value does not say so, or is of another state.
  std::optional<EventTime> written(ByteView value) const;
  std::string entry_json(ByteView entry);
  // {"time":...,"key":...,"entry":...,"tag":...,"number":...,"generation":...,"written":...,"value":...} with what the kind of the state
  // has of these. A value of a slice may be in parts, a row each; only the first has no generation.
  std::string row_json(ByteView row_key, ByteView value);
  std::uint64_t malformed() const { return malformed_; }

  bool has_tag() const { return state_.kind == "timers"; }
  bool has_number() const { return state_.kind == "buffer" || state_.kind == "list"; }
  bool has_entry() const { return state_.kind == "map"; }
  // A key may have several rows.
  bool has_many_rows() const { return state_.timed || has_entry() || has_number(); }
  bool has_generation() const { return state_.kind == "slices"; }
  bool has_value() const { return !state_.value.empty(); }

 private:
  std::string shown(const Schema& schema, ByteView bytes);

  const StateEntry& state_;
  Schema key_;
  Schema entry_;
  Schema value_;
  Bytes wanted_;   // empty: any
  std::uint64_t malformed_ = 0;
};

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

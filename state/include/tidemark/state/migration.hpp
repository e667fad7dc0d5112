#pragma once
// Values that an earlier release of a job has stored, made values of this release (K9).
//
// A migrated state is rewritten as a whole when it is restored, before anybody reads it: its old rows are decoded, changed and put over
// themselves in the store of the new attempt. So all rows of a state have the one schema that the manifest records, in every checkpoint and
// in every store; whoever reads rows, now or later, knows nothing of migrations (docs/decisions/001-state-migration.md).

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/status.hpp>
#include <tidemark/state/rows.hpp>

namespace tidemark {
inline namespace v0 {

class FileSystem;
class StateStore;
class StoredRows;

// One step, from values of a type Old to values of a type New.
struct Migration {
  std::string from;   // Codec<Old>::schema()
  std::string to;     // Codec<New>::schema()
  // Removes the encoding of an Old from the front of `old` and appends that of the New. false: no Old is there. What the user's function
  // throws passes through.
  std::function<bool(ByteView& old, Bytes& out)> convert;
};

// Where a stored value holds what migrations are for, if it is more than that: accumulators within what a window stage stores. Its encoding
// is `head` bytes and then the parts; if `repeated`, a varint and that many times the same.
struct ValueParts {
  struct Part {
    std::string schema;
    bool (*skip)(ByteView& in) = nullptr;   // removes one from the front; false: none is there
  };
  std::vector<Part> parts;          // empty: the value as a whole is what migrations are for
  std::vector<std::string> text;    // of the value's schema, what is before the parts, between them and behind them
  std::size_t head = 0;
  bool repeated = false;
};

// The least number of steps from one schema to another; nothing if they do not lead there. Precondition: from != to.
std::optional<std::vector<Migration>> migration_path(std::span<const Migration> steps, std::string_view from, std::string_view to);

// The same for a value whose parts change: one step, made of a path for each part that was of another schema. Precondition: it has parts.
std::optional<Migration> migration_of_parts(std::span<const Migration> steps, std::string_view from, const ValueParts& value);

// kBadGraph for a step that leads from a schema to itself, that is there twice, or that leads to none of `schemas`.
Status check_migrations(std::span<const Migration> steps, std::span<const std::string> schemas);

// Puts every live row of the state over itself in `store`, its value taken through `steps`; the keys stay, and in a `stamped` state the
// time in front of the value. `rows`: where the old rows are
// read, of the checkpoint that `store` was restored from. Needs memory for one row file, whatever the size of the state. Row files are made
// in `directory`, which holds no files of this name, and are moved into the store. Errors: kCheckpointCorrupt if a row has not the schema
// that the first step is for, kUserFunction if a step throws, kStorageFailed. After an error the store holds some rows of either schema and
// is of no use. `state` names it in messages.
Status migrate_rows(FileSystem& files, StoredRows& rows, StateStore& store, StateId id, bool stamped, const std::string& state,
                    std::span<const Migration> steps, const std::string& directory);

}  // namespace v0
}  // namespace tidemark

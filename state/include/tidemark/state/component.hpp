#pragma once
// One named state of one operator in one task, as the runtime sees it: what its checkpoints ask for, whatever it holds.
//
// Life of an entry: *dirty* (written since the last freeze), *frozen* (to be written to the checkpoint under way), *in flight* (its row was
// handed over, the checkpoint is not complete), *clean* (the store has its last value). An entry that is written or erased while frozen is
// encoded first, so a checkpoint holds the state as of freeze(). An erased key stays as a marker with the same life until its tombstone is
// in the store. Nothing here is thread-safe: a component belongs to its task.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tidemark/core/status.hpp>
#include <tidemark/core/time.hpp>
#include <tidemark/state/cold_rows.hpp>
#include <tidemark/state/detail/row_context.hpp>
#include <tidemark/state/memory_budget.hpp>
#include <tidemark/state/migration.hpp>
#include <tidemark/state/rows.hpp>

namespace tidemark {
inline namespace v0 {

// What a state holds. Recorded in every manifest and compared at a restore (K9, K11).
struct StateSchema {
  std::string name;          // of the state, unique within its operator
  std::string kind;          // "value", "list", "map", "slices", "timers", "buffer", "due", "operator_list"
  std::string key;           // Codec<Key>::schema(); empty for state without a key
  std::string entry{};       // of a map, that of the keys within a key
  std::string value;         // Codec<Value>::schema(); empty for timers
  std::string parameters;    // what gives stored rows their meaning, e.g. "tumbling(60s,0s)"
  bool timed = false;        // its row keys have a bucket
  bool stamped = false;      // its row values begin with the time at which they were written
  bool (*reads)(std::string_view value) = nullptr;   // Codec<Value>::reads(), if it has that
  ValueParts parts{};        // of the value: what migrations are for

  // All but the name, for a person: "slices of i64 to struct{i64,f64}, tumbling(60s,0s)".
  std::string text() const;
  // Of text(). A renamed state keeps its fingerprint.
  std::uint64_t fingerprint() const;
};

// The kind of a list without a key, whose items are in the manifest and not in rows (operator_list.hpp).
inline constexpr const char* kOperatorList = "operator_list";

namespace state_internal {

// For StateSchema::reads.
template <class Value>
constexpr auto schema_reader() -> bool (*)(std::string_view) {
  if constexpr (requires(std::string_view schema) { { Codec<Value>::reads(schema) } -> std::same_as<bool>; }) return &Codec<Value>::reads;
  return nullptr;
}

// For StateSchema::parts: specialised for what operators make of the user's types before they store it.
template <class Value>
struct PartsOf {
  static ValueParts get() { return {}; }
};

}  // namespace state_internal

class StateComponent {
 public:
  virtual ~StateComponent();
  StateComponent(const StateComponent&) = delete;
  StateComponent& operator=(const StateComponent&) = delete;

  const StateSchema& schema() const { return schema_; }
  StateId id() const { return context_.id; }
  // Not between freeze() and settle().
  void set_id(StateId id);
  // false: no checkpoint will be taken; nothing is marked and freeze() is refused. Only while the component is empty. Default true.
  void set_tracking(bool on);

  // The number of the checkpoint that the next freeze() is for, or, before restores_lazily(), of the one that is restored. A state may tell
  // its rows of different times apart by it. Numbers ascend from then on; 0: there was none yet.
  void note_checkpoint(std::uint64_t number);

  // At the barrier: what is dirty becomes frozen, in time that depends on the number of sub-tables and not of entries. `rows` is used until
  // settle(). Read dropped_through() and live_buckets() for the manifest before the task goes on. Precondition: settled.
  virtual void freeze(RowSink& rows) = 0;
  // Encodes up to `max_rows` frozen entries, or fewer until the sink is full; all that a key has of lists and maps counts as one. true:
  // none is left.
  virtual bool encode_some(std::size_t max_rows) = 0;
  // The end of the checkpoint. true: every row given out since freeze() is in the store; precondition: encode_some() returned true.
  // false: the checkpoint failed; all that was frozen or in flight is dirty again.
  virtual void settle(bool completed) = 0;

  // Before the first row: the memory held is charged to `budget`, and a state that need not be in memory as a whole reads `cold`, the store
  // that gets its rows. Both outlive the component; null: no bound, and everything stays in memory. By default a state stays in memory.
  virtual void attach(ColdRows* cold, MemoryBudget* budget);
  // At a restore, before restores_lazily() of any state of the operator and before Operator::load(): the checkpoint does not know this one.
  virtual void begin_new() {}
  // At a restore: true if the state reads its rows from the store when they are needed, and restore_row() is not to be called.
  // `live_buckets`: as the checkpoint has them, of all tasks.
  virtual bool restores_lazily(std::span<const EventTime> live_buckets) {
    (void)live_buckets;
    return false;
  }

  // Gives up clean entries until the job holds no more memory than it may, or less; to_the_least: about half of the memory in any case. By
  // default nothing can be given up.
  virtual void shrink(bool to_the_least) { (void)to_the_least; }

  // Now and then between two checkpoints, since what keys and values own on the heap grows without the tables: charges what it is now,
  // reckoned from some of them. may_shrink: and gives up clean entries where the job holds more than it may. By default nothing grows so.
  virtual void follow_growth(bool may_shrink) { (void)may_shrink; }

  // Takes a row from a checkpoint: the key as it was put, without the state id. The entry is clean. Rows that are dead by
  // dropped_through() are skipped. Errors: kCheckpointCorrupt.
  virtual Status restore_row(ByteView key_after_state_id, ByteView value) = 0;

  // Rows of buckets at or below this time, of a stamped state rows written at or below it, are dead and have no tombstones; kMinusInfinity
  // if there are none such.
  virtual EventTime dropped_through() const { return kMinusInfinity; }
  // At a restore, before the first row.
  virtual void set_dropped_through(EventTime) {}
  // Ascending. Empty for states whose buckets are as many as their entries (timers, buffers).
  virtual std::vector<EventTime> live_buckets() const { return {}; }

  // In memory.
  virtual std::size_t entries() const = 0;
  // Memory held, without the heap memory that keys and values own themselves.
  virtual std::size_t bytes() const = 0;

 protected:
  explicit StateComponent(StateSchema schema) : schema_(std::move(schema)) {}

  // Charges the memory of the tables. By default none is counted.
  virtual void charge_to(MemoryBudget*) {}

  // The common part of freeze() and settle().
  void begin_freeze(RowSink& rows);
  void end_settle();
  bool frozen() const { return context_.rows != nullptr; }
  Status malformed_row() const;
  Status foreign_row(std::uint64_t hash) const;

  state_internal::RowContext context_;

 private:
  StateSchema schema_;
};

}  // namespace v0
}  // namespace tidemark

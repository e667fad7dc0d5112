#pragma once
// State by slice of time, then key: windows keep theirs so. A slice is one hot map under its end time; it is walked when it fires and
// dropped as a whole, without a tombstone and without a timer for each key. What of it is in the store alone is read there; whatever does
// so may throw JobFailure.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/detail/planted.hpp>
#include <tidemark/core/job_failure.hpp>
#include <tidemark/state/detail/cold_fetch.hpp>
#include <tidemark/state/detail/sliced_component.hpp>
#include <tidemark/state/hot_map.hpp>

namespace tidemark {
inline namespace v0 {

// What of a slice must be in memory, where there is a store to read the rest from.
enum class SliceResidency : std::uint8_t {
  kWhatIsTouched,     // what is looked up or changed: what is not here is read first
  // What was changed last. Nothing is read to be changed: a value begins anew, and what the store has of it is another part of the same
  // value, which the parts make together by merging. Whoever uses the slice only adds, by upsert(), and visits.
  kParts,
};

// How far a call has brought the visit of a slice.
enum class Visited : std::uint8_t {
  kSome,   // as many were put as were asked for, or fewer
  kRead,   // nothing was put: up to a few thousand rows were read from the store
  kAll,    // the visit is done
};

// Both bounds included.
struct HashRange {
  std::uint64_t first = 0;
  std::uint64_t last = ~std::uint64_t{0};
};

// See HotMap for what the accesses to a slice mean and how long references into it are good.
template <class Key, class Value>
class SliceTable final : public state_internal::SlicedComponent<HotMap<Key, Value>> {
  using Base = state_internal::SlicedComponent<HotMap<Key, Value>>;
  using typename Base::Live;
  using Base::blocks_;
  using Base::context_;
  using Base::dropped_through_;
  using Base::end_group_;
  using Base::first_group_;
  using Base::last_;
  using Base::slices_;
  using Base::space_;

 public:
  using typename Base::Slice;
  using Base::find_slice;
  using Base::id;
  using Base::schema;
  using Base::slice;

  // Made by StateBackend::slice_table().
  SliceTable(std::string name, std::string parameters, SliceResidency residency, const KeySpace& space, std::uint32_t first_group,
             std::uint32_t end_group)
      : Base({.name = std::move(name),
              .kind = "slices",
              .key = Codec<Key>::schema(),
              .value = Codec<Value>::schema(),
              .parameters = std::move(parameters),
              .timed = true,
              .reads = state_internal::schema_reader<Value>(),
              .parts = state_internal::PartsOf<Value>::get()},
             space, first_group, end_group),
        residency_(residency) {
    core_internal::require_key<Key>();
    core_internal::require_storable<Value>();
  }

  // The hashes of the keys that this table is for.
  HashRange hashes() const { return {space_.first_hash_of(first_group_), last_hash_of(end_group_ - 1)}; }

  // Calls put(hash, key, const value) for up to `max` keys of a slice with a hash in `range`, each once, wherever its value is, and changes
  // nothing. merge(into, from) makes one value of two parts; `into` is the older one. Until all were visited the next call, for the same
  // slice and range, goes on; until then nothing is added to the slice and no checkpoint begins. What was put is good until the next call.
  // Precondition: there is such a slice.
  template <class Merge, class Put>
  Visited visit_some(EventTime end, HashRange range, std::size_t max, Merge merge, Put put) {
    const Live& live = live_at(end);
    if (!visit_.begun) begin_visit(end, range);
    if (!visit_.in_stretch && begin_stretch(live, merge)) return Visited::kRead;
    for (; visit_.at < visit_.rows.size(); ++visit_.at, --max) {
      if (max == 0) return Visited::kSome;
      const Row& row = visit_.rows[visit_.at];
      put(row.hash, row.key, row.value);
    }
    const HashRange stretch = visit_.stretch;
    const bool any_read = !visit_.rows.empty();
    const bool all = live.map->visit_some(
        visit_.memory, group_at(stretch.last) + 1, max, [&](std::uint64_t hash, const Key& key, const Value& value) {
          if (hash - stretch.first > stretch.last - stretch.first || (any_read && was_read(hash, key))) return;
          put(hash, key, value);
        });
    if (!all) return Visited::kSome;
    // The next stretch begins with the next call: until then what was put stays where it is.
    visit_.in_stretch = false;
    visit_.begun = stretch.last != visit_.last;
    visit_.stretch.first = stretch.last + 1;
    return visit_.begun ? Visited::kSome : Visited::kAll;
  }

  // How many keys the last call that answered kRead has read.
  std::size_t keys_read() const { return visit_.rows.size(); }
  // The visit under way ends where it is.
  void leave_visit() { visit_.begun = false; }

  // Drops the least slice; dropped_through() becomes its end. Precondition: there is one.
  void drop_first() {
    TIDEMARK_CHECK(!slices_.empty());
    drop_through(slices_.front().end);
  }
  // As in the base; a visit of what is dropped ends.
  void drop_through(EventTime end) {
    if (visit_.end <= end) visit_.begun = false;
    Base::drop_through(end);
  }

  void attach(ColdRows* cold, MemoryBudget* budget) override {
    if (cold != nullptr) {
      auto& fetch = residency_ == SliceResidency::kWhatIsTouched ? context_.cold : cold_;
      fetch = std::make_unique<state_internal::ColdFetch>(*cold, schema().name);
    }
    this->charge_to(budget);
  }
  bool restores_lazily(std::span<const EventTime> live_buckets) override {
    if (cold() == nullptr) return false;
    TIDEMARK_CHECK(context_.checkpoint > 0 || residency_ != SliceResidency::kParts, "state " + schema().name);
    this->make_stored_slices(live_buckets, [this](Live& live) { leave_in_store(live); });
    return true;
  }
  void shrink(bool to_the_least) override {
    if (cold() == nullptr) return;
    // Parts go by whole key groups, and as many as can: nobody looks for them again before the slice is visited, and each checkpoint that
    // makes them clean should be worth it, for every task, also if another one has made room already.
    const auto enough = [&] {
      if (to_the_least) return false;
      return residency_ == SliceResidency::kParts ? blocks_.roomy() : !blocks_.spent();
    };
    this->shrink_slices(enough, [&](Live& live, const auto& enough_now) {
      if (visit_.begun && live.end == visit_.end) return;
      if (residency_ == SliceResidency::kParts) {
        drop_clean(live);
      } else {
        live.map->shrink(enough_now);
      }
    });
  }

  void freeze(RowSink& rows) override {
    TIDEMARK_CHECK(!visit_.begun, "a checkpoint of state " + schema().name + " began while a slice is visited");
    Base::freeze(rows);
  }
  Status restore_row(ByteView key_after_state_id, ByteView value) override {
    EventTime end{};
    if (!take_time_big_endian(key_after_state_id, end)) return this->malformed_row();
    if (end <= dropped_through_) return {};
    Row row;
    if (!state_internal::take_row_key(key_after_state_id, row.hash, row.key) || !key_after_state_id.empty() ||
        !decode_whole(value, row.value)) {
      return this->malformed_row();
    }
    Slice& target = slice(end);
    if (!target.owns(row.hash)) return this->foreign_row(row.hash);
    target.restore(row.hash, row.key, std::move(row.value));
    return {};
  }

 private:
  using Generations = state_internal::Generations;
  using ColdFetch = state_internal::ColdFetch;

  struct Row {
    std::uint64_t hash = 0;
    Key key{};
    Value value{};
  };
  // Where the visit of a slice stands. It goes from stretch to stretch: what the store has of one is read, and goes out before what of the
  // stretch is in memory alone.
  struct Visit {
    bool begun = false;
    bool in_stretch = false;
    EventTime end{};                // of the slice
    std::uint64_t last = 0;         // hash of the visit
    HashRange stretch;
    std::vector<Row> rows;          // of the stretch: what was read, by hash; each the whole value of a key
    std::size_t at = 0;             // those before it were put
    typename Slice::Cursor memory;
  };
  static constexpr std::size_t kRowsPerRead = 8192;   // a seek in all files costs as much as two thousand rows

  // Null: everything is in memory.
  ColdFetch* cold() const { return residency_ == SliceResidency::kWhatIsTouched ? context_.cold.get() : cold_.get(); }

  Generations& generations_of(Live& live, std::uint64_t generation) {
    if (live.generations == nullptr) {
      live.generations = std::make_unique<Generations>(space_, first_group_, end_group_, generation);
      live.map->set_rows({live.end, live.generations.get()});
    }
    return *live.generations;
  }
  void drop_clean(Live& live) {
    live.map->drop_clean([&](std::uint32_t group) {
      Generations& generations = generations_of(live, 0);
      // Above that of every row that was encoded so far, since those are of checkpoints up to this one.
      const std::uint64_t generation = context_.checkpoint + 1;
      TIDEMARK_CHECK(generation > generations.of_group(group), "state " + schema().name + " was not told of its checkpoints");
      generations.set(group, generation);
    });
  }

  // Groups count from the first one here.
  std::uint32_t group_at(std::uint64_t hash) const { return space_.group_of(hash) - first_group_; }
  std::uint64_t last_hash_of(std::uint32_t group) const {
    return group + 1 < space_.groups ? space_.first_hash_of(group + 1) - 1 : ~std::uint64_t{0};
  }
  // The store may have of this group what is not in memory.
  bool is_incomplete(const Live& live, std::uint32_t group) const {
    return live.generations != nullptr ? live.generations->of_group(group) > 0 : live.map->is_incomplete(group);
  }
  void begin_visit(EventTime end, HashRange range) {
    const HashRange own = hashes();
    visit_.begun = true;
    visit_.in_stretch = false;
    visit_.end = end;
    visit_.stretch.first = std::max(range.first, own.first);
    visit_.last = std::min(range.last, own.last);
    TIDEMARK_CHECK(visit_.stretch.first <= visit_.last, "a visit of keys of another task");
  }
  // The stretch that begins at visit_.stretch.first: key groups that are wholly in memory, or such as are not, up to as many rows as are
  // read at once. true: it was read.
  template <class Merge>
  bool begin_stretch(const Live& live, Merge& merge) {
    const std::uint32_t first = group_at(visit_.stretch.first);
    const std::uint32_t last = group_at(visit_.last);
    const bool incomplete = is_incomplete(live, first);
    std::uint32_t end = first;
    if (live.generations == nullptr && !live.map->is_incomplete()) end = last;
    while (end < last && is_incomplete(live, end + 1) == incomplete) ++end;
    visit_.stretch.last = std::min(visit_.last, last_hash_of(first_group_ + end));
    visit_.rows.clear();
    visit_.at = 0;
    visit_.memory = {first, 0};
    visit_.in_stretch = true;
    if (incomplete) read_stretch(live, merge);
    return incomplete;
  }
  // Where rows are too many, the stretch becomes shorter.
  template <class Merge>
  void read_stretch(const Live& live, Merge& merge) {
    using Next = ColdFetch::Next;
    std::vector<Row>& rows = visit_.rows;
    HashRange& stretch = visit_.stretch;
    Bytes from;
    append_time_big_endian(from, live.end);
    append_u64_big_endian(from, stretch.first);
    state_internal::ReadQuota quota{kRowsPerRead};
    std::uint64_t last_hash = stretch.first;
    Row row;
    cold()->read_range(id(), from, row_key_behind(live.end, stretch.last), [&](ByteView key, ByteView value) {
      ByteView rest = key.substr(sizeof(std::uint64_t));
      std::uint64_t generation = 0;
      if (!state_internal::take_row_key(rest, row.hash, row.key) || !Generations::take(rest, generation)) return Next::kMalformed;
      if (quota.spent() && row.hash != last_hash) {
        stretch.last = row.hash - 1;
        return Next::kStop;
      }
      last_hash = row.hash;
      const bool in_memory = is_in_memory(live, row, generation);
      quota.count(in_memory ? 0 : key.size() + value.size());
      if (in_memory) return Next::kGoOn;
      if (!decode_whole(value, row.value)) return Next::kMalformed;
      if (!rows.empty() && rows.back().hash == row.hash && state_internal::same_key(rows.back().key, row.key)) {
        merge(rows.back().value, std::as_const(row.value));
      } else {
        rows.push_back(std::move(row));
      }
      return Next::kGoOn;
    });
    if (live.generations == nullptr) return;
    for (Row& read : rows) {
      if (const Value* last_part = live.map->find(read.hash, read.key)) merge(read.value, *last_part);
    }
  }
  // As new as the row, or newer.
  bool is_in_memory(const Live& live, const Row& row, std::uint64_t generation) const {
    if (live.generations != nullptr) {
      return generation == live.generations->of_group(group_at(row.hash)) && !planted(core_internal::Bug::kP23);
    }
    if (generation != 0) fail_for_parts();
    return live.map->holds(row.hash, row.key);
  }
  // The beginning of the row key behind all with this hash or a lesser one.
  static Bytes row_key_behind(EventTime end, std::uint64_t hash) {
    Bytes behind;
    if (hash != ~std::uint64_t{0}) {
      append_time_big_endian(behind, end);
      append_u64_big_endian(behind, hash + 1);
    } else if (end != kPlusInfinity) {
      append_time_big_endian(behind, end + Duration{1});
    }
    return behind;
  }
  // What is in memory too was put as a part of a row of the stretch.
  bool was_read(std::uint64_t hash, const Key& key) const {
    const auto by_hash = [](const Row& row, std::uint64_t sought) { return row.hash < sought; };
    for (auto row = std::lower_bound(visit_.rows.begin(), visit_.rows.end(), hash, by_hash); row != visit_.rows.end() && row->hash == hash;
         ++row) {
      if (state_internal::same_key(row->key, key)) return true;
    }
    return false;
  }

  // A value that is read to be changed has no parts, unless the aggregate was another one when they were stored.
  [[noreturn]] void fail_for_parts() const {
    throw JobFailure(Error{
        .code = ErrorCode::kStateMismatch,
        .message = "state \"" + schema().name + "\" holds values in several parts, which the present aggregate cannot put together",
        .facts = {},
        .why = "they were stored by an aggregate that gives the same however its records are parted, such as count() or a sum() of "
               "integers; it was replaced by one that does not say so",
        .fix = "bring the former aggregate back until its windows have fired, or give the operator another name"});
  }

  Live& live_at(EventTime end) {
    const bool found = find_slice(end) != nullptr;
    TIDEMARK_CHECK(found, "a visit of no slice of " + schema().name);
    return slices_[last_];
  }
  void leave_in_store(Live& live) {
    if (residency_ == SliceResidency::kParts) {
      generations_of(live, context_.checkpoint + 1);
    } else {
      live.map->leave_in_store();
    }
  }
  std::unique_ptr<Slice> make(EventTime end) override { return this->make_with(state_internal::KeyedRows<Key, Value>{end}); }

  SliceResidency residency_;
  Visit visit_;
  std::unique_ptr<ColdFetch> cold_;              // unless the maps themselves read
};

}  // namespace v0
}  // namespace tidemark

#pragma once
// State by slice of time, then key: windows keep theirs so. A slice is one hot map under its end time; it is walked when it fires and
// dropped as a whole, without a tombstone and without a timer for each key. What of it is in the store alone is read there; whatever does
// so may throw JobFailure.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/job_failure.hpp>
#include <tidemark/state/component.hpp>
#include <tidemark/state/detail/generations.hpp>
#include <tidemark/state/hot_map.hpp>

namespace tidemark {
inline namespace v0 {

// What of a slice must be in memory.
enum class SliceResidency : std::uint8_t {
  kAll,               // everything, from when the slice is first touched
  kWhatIsTouched,     // what is looked up or changed: what is not here is read first
  // What was changed last. Nothing is read to be changed: a value begins anew, and what the store has of it is another part of the same
  // value, which the parts make together by merging. Whoever uses the slice only adds, by upsert(), and visits.
  kParts,
};

// See HotMap for what the accesses to a slice mean and how long references into it are good.
template <class Key, class Value>
class SliceTable final : public StateComponent {
 public:
  using Slice = HotMap<Key, Value>;
  using Cursor = typename Slice::Cursor;

  // Made by StateBackend::slice_table().
  SliceTable(std::string name, std::string parameters, SliceResidency residency, const KeySpace& space, std::uint32_t first_group,
             std::uint32_t end_group)
      : StateComponent({.name = std::move(name),
                        .kind = "slices",
                        .key = Codec<Key>::schema(),
                        .value = Codec<Value>::schema(),
                        .parameters = std::move(parameters),
                        .timed = true,
                        .reads = state_internal::schema_reader<Value>(),
                        .parts = state_internal::PartsOf<Value>::get()}),
        residency_(residency),
        space_(space),
        first_group_(first_group),
        end_group_(end_group) {
    core_internal::require_key<Key>();
    core_internal::require_storable<Value>();
  }

  // Found or made. The reference is good until the slice is dropped. A slice at or below dropped_through() cannot come back: its rows would
  // be dead, so asking for one breaks an invariant.
  Slice& slice(EventTime end) {
    if (last_ < slices_.size() && slices_[last_].end == end) [[likely]] return *slices_[last_].map;
    return slice_elsewhere(end);
  }
  // nullptr if there is none.
  Slice* find_slice(EventTime end) {
    if (last_ < slices_.size() && slices_[last_].end == end) return slices_[last_].map.get();
    const auto found = at_or_after(end);
    if (found == slices_.end() || found->end != end) return nullptr;
    return &touch(found);
  }

  // Least end of a live slice. kPlusInfinity is also the answer if there is none: first_slice() tells.
  EventTime first_end() const { return slices_.empty() ? kPlusInfinity : slices_.front().end; }
  // nullptr if there is none.
  Slice* first_slice() { return slices_.empty() ? nullptr : &touch(slices_.begin()); }
  // Ascending.
  std::vector<EventTime> ends() const {
    std::vector<EventTime> ends;
    for (const Live& live : slices_) ends.push_back(live.end);
    return ends;
  }

  // Calls put(key, const value) for up to `max` keys of the least slice, each once, wherever its value is: what is in the store alone comes
  // first, in order of the keys' hashes. merge(into, from) makes one value of two parts; `into` is the older one, and `from` may be moved
  // from. true: all were visited; false: the next call goes on, until then nothing is added to the slice and no checkpoint begins. A call
  // reads a few thousand rows at most. Precondition: there is a slice.
  template <class Merge, class Put>
  bool visit_first(std::size_t max, Merge merge, Put put) {
    Slice& map = *first_slice();
    Live& live = slices_.front();
    if (!visit_.begun) begin_visit(live);
    if (!visit_.next.empty() && visit_.at == visit_.rows.size()) read_rows(live, merge);
    for (; visit_.at < visit_.rows.size(); ++visit_.at, --max) {
      if (max == 0) return false;
      const Row& row = visit_.rows[visit_.at];
      put(row.key, row.value);
    }
    if (!visit_.next.empty()) return false;
    return map.visit_some(visit_.memory, max, [&put](std::uint64_t, const Key& key, const Value& value) { put(key, value); });
  }

  // Drops the least slice; dropped_through() becomes its end. Precondition: there is one.
  void drop_first() {
    TIDEMARK_CHECK(!slices_.empty());
    drop_through(slices_.front().end);
  }
  // Drops all slices with an end at or before `end`; dropped_through() becomes the greater of itself and `end`.
  void drop_through(EventTime end) {
    const auto kept = std::find_if(slices_.begin(), slices_.end(), [end](const Live& live) { return live.end > end; });
    for (auto dropped = slices_.begin(); dropped != kept; ++dropped) {
      // The checkpoint under way holds this slice, since it was live at the barrier.
      if (dropped->map->may_have_frozen()) {
        doomed_.push_back(std::move(*dropped));
      } else {
        recycle(std::move(dropped->map));
      }
    }
    if (kept != slices_.begin()) visit_.begun = false;
    slices_.erase(slices_.begin(), kept);
    last_ = kNone;
    dropped_through_ = std::max(dropped_through_, end);
  }

  void attach(ColdRows* cold, MemoryBudget* budget) override {
    if (cold != nullptr) {
      auto& fetch = residency_ == SliceResidency::kWhatIsTouched ? context_.cold : cold_;
      fetch = std::make_unique<state_internal::ColdFetch>(*cold, schema().name);
    }
    charge_to(budget);
  }
  bool restores_lazily() override {
    if (cold() == nullptr) return false;
    TIDEMARK_CHECK(context_.checkpoint > 0 || residency_ != SliceResidency::kParts, "state " + schema().name);
    find_stored_slices();
    return true;
  }
  void shrink(bool to_the_least) override {
    if (residency_ == SliceResidency::kAll || cold() == nullptr) return;
    // Parts go by whole key groups, and as many as can: nobody looks for them again before the slice is visited, and each checkpoint that
    // makes them clean should be worth it, for every task, also if another one has made room already.
    const auto enough = [&] {
      charge_heap();
      if (to_the_least) return false;
      return residency_ == SliceResidency::kParts ? blocks_.roomy() : !blocks_.spent();
    };
    // The oldest first: it is least likely to get more records.
    for (Live& live : slices_) {
      if (enough()) return;
      if (&live == &slices_.front() && visit_.begun) continue;
      if (residency_ == SliceResidency::kParts) {
        drop_clean(live);
      } else {
        live.map->shrink(enough);
      }
    }
    blocks_.trim();
  }

  void freeze(RowSink& rows) override {
    TIDEMARK_CHECK(!visit_.begun, "a checkpoint of state " + schema().name + " began while a slice is visited");
    begin_freeze(rows);
    for (Live& live : slices_) live.map->freeze();
  }
  bool encode_some(std::size_t max_rows) override {
    while (!doomed_.empty()) {
      if (!doomed_.front().map->encode_some(max_rows)) return false;
      recycle(std::move(doomed_.front().map));
      doomed_.erase(doomed_.begin());
    }
    return std::all_of(slices_.begin(), slices_.end(), [&](Live& live) { return live.map->encode_some(max_rows); });
  }
  void settle(bool completed) override {
    TIDEMARK_CHECK(!completed || doomed_.empty(), "a checkpoint completed before all its rows were taken");
    for (Live& live : slices_) live.map->settle(completed);
    for (Live& doomed : doomed_) recycle(std::move(doomed.map));
    doomed_.clear();
    if (residency_ != SliceResidency::kAll) charge_heap();
    end_settle();
  }
  Status restore_row(ByteView key_after_state_id, ByteView value) override {
    EventTime end{};
    if (!take_time_big_endian(key_after_state_id, end)) return malformed_row();
    if (end <= dropped_through_) return {};
    Row row;
    if (!take_row(key_after_state_id, value, row)) return malformed_row();
    Slice& target = slice(end);
    if (!target.owns(row.hash)) return foreign_row(row.hash);
    target.restore(row.hash, row.key, std::move(row.value));
    return {};
  }

  EventTime dropped_through() const override { return dropped_through_; }
  void set_dropped_through(EventTime time) override { dropped_through_ = time; }
  std::vector<EventTime> live_buckets() const override { return ends(); }
  std::size_t entries() const override {
    std::size_t entries = 0;
    for (const Live& live : slices_) entries += live.map->size();
    return entries;
  }
  std::size_t bytes() const override {
    std::size_t bytes = blocks_.bytes();
    for (const Live& live : slices_) bytes += live.map->overhead_bytes();
    for (const auto& spare : spare_) bytes += spare->overhead_bytes();
    return bytes;
  }

 private:
  void charge_to(MemoryBudget* budget) override { blocks_.charge_to(budget); }

  using Generations = state_internal::Generations;
  using ColdFetch = state_internal::ColdFetch;

  struct Live {
    EventTime end;
    std::unique_ptr<Generations> generations{};   // kParts: once it has given up memory, or was restored
    std::unique_ptr<Slice> map;
    bool in_store = false;                        // kAll: its rows were not read yet; the map is empty
  };
  struct Row {
    std::uint64_t hash = 0;
    Key key{};
    Value value{};
  };
  // Where the visit of the least slice stands.
  struct Visit {
    bool begun = false;
    Bytes next;              // where reading goes on, without the state id; empty: all was read
    std::vector<Row> rows;   // read; each the whole value of a key that is not in memory
    std::size_t at = 0;      // those before it were put
    Cursor memory;
  };
  static constexpr std::size_t kNone = ~std::size_t{0};
  static constexpr std::size_t kRowsPerRead = 8192;   // a seek in all files costs as much as two thousand rows

  static bool take_row(ByteView key_after_bucket, ByteView value, Row& row) {
    return state_internal::take_row_key(key_after_bucket, row.hash, row.key) && key_after_bucket.empty() && decode_whole(value, row.value);
  }

  // Null: everything is in memory.
  ColdFetch* cold() const { return residency_ == SliceResidency::kWhatIsTouched ? context_.cold.get() : cold_.get(); }
  void charge_heap() {
    std::size_t bytes = 0;
    for (const Live& live : slices_) bytes += live.map->heap_bytes();
    blocks_.charge_heap(bytes);
  }

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

  // Of the rows of a slice, from a key group on. The end of the slice for the group behind the last one.
  Bytes group_start(EventTime end, std::uint32_t group) const {
    Bytes start;
    if (group < space_.groups) {
      append_time_big_endian(start, end);
      append_u64_big_endian(start, space_.first_hash_of(group));
    } else if (end != kPlusInfinity) {
      append_time_big_endian(start, end + Duration{1});
    }
    return start;
  }
  // The store may have of this group, counted from the first one, what is not in memory.
  bool is_incomplete(const Live& live, std::uint32_t group) const {
    return live.generations != nullptr ? live.generations->of_group(group) > 0 : live.map->is_incomplete(group);
  }
  // Where the rows of the next incomplete group begin, from this one on, counted from the first one; empty if there is none.
  Bytes next_to_read(const Live& live, std::uint32_t group) const {
    for (; group < end_group_ - first_group_; ++group) {
      if (is_incomplete(live, group)) return group_start(live.end, first_group_ + group);
    }
    return {};
  }
  void begin_visit(const Live& live) {
    visit_.begun = true;
    visit_.next = next_to_read(live, 0);
    visit_.rows.clear();
    visit_.at = 0;
    visit_.memory = {};
  }
  // Reads on, up to a few thousand rows and to the end of a key. What is in memory as well is put from there.
  template <class Merge>
  void read_rows(Live& live, Merge& merge) {
    using Next = ColdFetch::Next;
    std::vector<Row>& rows = visit_.rows;
    rows.clear();
    visit_.at = 0;
    const Bytes from = std::exchange(visit_.next, {});
    std::size_t left = kRowsPerRead;
    Row row;
    cold()->read_range(id(), from, group_start(live.end, end_group_), [&](ByteView key, ByteView value) {
      ByteView rest = key.substr(sizeof(std::uint64_t));
      std::uint64_t generation = 0;
      if (!state_internal::take_row_key(rest, row.hash, row.key) || !Generations::take(rest, generation)) return Next::kMalformed;
      const std::uint32_t group = space_.group_of(row.hash) - first_group_;
      if (!is_incomplete(live, group)) {
        visit_.next = next_to_read(live, group);
        return Next::kStop;
      }
      const bool same_key = !rows.empty() && rows.back().hash == row.hash && state_internal::same_key(rows.back().key, row.key);
      if (left == 0 && !same_key) {
        visit_.next = key;
        return Next::kStop;
      }
      left -= left > 0 ? 1 : 0;
      if (live.generations != nullptr) {
        if (generation == live.generations->of_group(group)) return Next::kGoOn;   // in memory, and newer there
      } else if (generation != 0) {
        fail_for_parts();
      }
      if (!decode_whole(value, row.value)) return Next::kMalformed;
      if (same_key) {
        merge(rows.back().value, row.value);
      } else {
        rows.push_back(std::move(row));
      }
      return Next::kGoOn;
    });
    std::erase_if(rows, [&](Row& read) {
      if (live.generations == nullptr) return live.map->holds(read.hash, read.key);
      Value* last_part = live.map->find_to_change(read.hash, read.key);
      if (last_part == nullptr) return false;
      merge(read.value, *last_part);
      *last_part = std::move(read.value);
      return true;
    });
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

  auto at_or_after(EventTime end) {
    return std::lower_bound(slices_.begin(), slices_.end(), end, [](const Live& live, EventTime time) { return live.end < time; });
  }
  [[gnu::noinline]] Slice& slice_elsewhere(EventTime end) {
    auto found = at_or_after(end);
    if (found == slices_.end() || found->end != end) {
      TIDEMARK_CHECK(end > dropped_through_, "slice " + to_string(end) + " of " + schema().name + " was dropped");
      found = slices_.insert(found, Live{.end = end, .map = make(end)});
    }
    return touch(found);
  }
  Slice& touch(typename std::vector<Live>::iterator live) {
    if (std::exchange(live->in_store, false)) read_slice(*live);
    last_ = static_cast<std::size_t>(live - slices_.begin());
    return *live->map;
  }
  [[gnu::noinline]] void read_slice(Live& live) {
    using Next = ColdFetch::Next;
    cold_->read_range(id(), group_start(live.end, first_group_), group_start(live.end, end_group_), [&](ByteView key, ByteView value) {
      key.remove_prefix(sizeof(std::uint64_t));
      Row row;
      if (!take_row(key, value, row)) return Next::kMalformed;
      live.map->restore(row.hash, row.key, std::move(row.value));
      return Next::kGoOn;
    });
  }
  // One look for each slice, not for each row.
  void find_stored_slices() {
    using Next = ColdFetch::Next;
    Bytes first;
    EventTime before = dropped_through_;   // slices up to here were found, or are dead
    for (bool found = true; found && before != kPlusInfinity;) {
      found = false;
      first.clear();
      if (before != kMinusInfinity) append_time_big_endian(first, before + Duration{1});
      cold()->read_range(id(), first, {}, [&](ByteView key, ByteView) {
        EventTime end{};
        if (!take_time_big_endian(key, end)) return Next::kMalformed;
        leave_in_store(slices_.emplace_back(Live{.end = end, .map = make(end)}));
        before = end;
        found = true;
        return Next::kStop;
      });
    }
  }
  void leave_in_store(Live& live) {
    switch (residency_) {
      case SliceResidency::kAll: live.in_store = true; break;
      case SliceResidency::kWhatIsTouched: live.map->leave_in_store(); break;
      case SliceResidency::kParts: generations_of(live, context_.checkpoint + 1); break;
    }
  }
  std::unique_ptr<Slice> make(EventTime end) {
    if (spare_.empty()) {
      return std::make_unique<Slice>(context_, blocks_, space_, first_group_, end_group_, state_internal::KeyedRows<Key, Value>{end});
    }
    std::unique_ptr<Slice> map = std::move(spare_.back());
    spare_.pop_back();
    map->set_rows({end});
    return map;
  }
  void recycle(std::unique_ptr<Slice> map) {
    map->recycle({});
    spare_.push_back(std::move(map));
  }

  SliceResidency residency_;
  KeySpace space_;
  std::uint32_t first_group_;
  std::uint32_t end_group_;
  state_internal::BlockPool blocks_;
  std::vector<Live> slices_;                     // ascending by end
  std::vector<Live> doomed_;                     // dropped, but frozen and not yet encoded
  std::vector<std::unique_ptr<Slice>> spare_;    // empty, for the next slices
  std::size_t last_ = kNone;                     // the slice found last, which was read: most records go where the one before went
  Visit visit_;
  std::unique_ptr<ColdFetch> cold_;              // unless the maps themselves read
  EventTime dropped_through_ = kMinusInfinity;
};

}  // namespace v0
}  // namespace tidemark

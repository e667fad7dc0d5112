#pragma once
// State by slice of time, then key: windows keep theirs so. A slice is one hot map under its end time; it is walked when it fires and
// dropped as a whole, without a tombstone and without a timer for each key. After a restore a slice is read from the store when it is first
// touched or due; asking for one may then throw JobFailure.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/state/component.hpp>
#include <tidemark/state/hot_map.hpp>

namespace tidemark {
inline namespace v0 {

// See HotMap for what the accesses to a slice mean and how long references into it are good.
template <class Key, class Value>
class SliceTable final : public StateComponent {
 public:
  using Slice = HotMap<Key, Value>;
  using Cursor = typename Slice::Cursor;

  // Made by StateBackend::slice_table().
  SliceTable(std::string name, std::string parameters, const KeySpace& space, std::uint32_t first_group, std::uint32_t end_group)
      : StateComponent({.name = std::move(name),
                        .kind = "slices",
                        .key = Codec<Key>::schema(),
                        .value = Codec<Value>::schema(),
                        .parameters = std::move(parameters),
                        .timed = true,
                        .reads = state_internal::schema_reader<Value>()}),
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
    slices_.erase(slices_.begin(), kept);
    last_ = kNone;
    dropped_through_ = std::max(dropped_through_, end);
  }

  void attach(ColdRows* cold, MemoryBudget* budget) override {
    if (cold != nullptr) cold_ = std::make_unique<state_internal::ColdFetch>(*cold, schema().name);
    charge_to(budget);
  }
  bool restores_lazily() override {
    if (cold_ == nullptr) return false;
    find_stored_slices();
    return true;
  }

  void freeze(RowSink& rows) override {
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

  struct Live {
    EventTime end;
    std::unique_ptr<Slice> map;
    bool in_store = false;   // its rows were not read yet; the map is empty
  };
  struct Row {
    std::uint64_t hash = 0;
    Key key{};
    Value value{};
  };
  static constexpr std::size_t kNone = ~std::size_t{0};

  static bool take_row(ByteView key_after_bucket, ByteView value, Row& row) {
    return state_internal::take_row_key(key_after_bucket, row.hash, row.key) && key_after_bucket.empty() && decode_whole(value, row.value);
  }

  auto at_or_after(EventTime end) {
    return std::lower_bound(slices_.begin(), slices_.end(), end, [](const Live& live, EventTime time) { return live.end < time; });
  }
  [[gnu::noinline]] Slice& slice_elsewhere(EventTime end) {
    auto found = at_or_after(end);
    if (found == slices_.end() || found->end != end) {
      TIDEMARK_CHECK(end > dropped_through_, "slice " + to_string(end) + " of " + schema().name + " was dropped");
      found = slices_.insert(found, Live{end, make(end)});
    }
    return touch(found);
  }
  Slice& touch(typename std::vector<Live>::iterator live) {
    if (std::exchange(live->in_store, false)) read_slice(*live);
    last_ = static_cast<std::size_t>(live - slices_.begin());
    return *live->map;
  }
  [[gnu::noinline]] void read_slice(Live& live) {
    using Next = state_internal::ColdFetch::Next;
    Bytes first;
    append_time_big_endian(first, live.end);
    append_u64_big_endian(first, space_.first_hash_of(first_group_));
    Bytes end;
    if (live.end != kPlusInfinity) append_time_big_endian(end, live.end + Duration{1});
    cold_->read_range(id(), first, end, [&](ByteView key, ByteView value) {
      key.remove_prefix(sizeof(std::uint64_t));
      Row row;
      if (!take_row(key, value, row)) return Next::kMalformed;
      if (!live.map->owns(row.hash)) return Next::kStop;   // the key groups of the next task
      live.map->restore(row.hash, row.key, std::move(row.value));
      return Next::kGoOn;
    });
  }
  // One look for each slice, not for each row.
  void find_stored_slices() {
    using Next = state_internal::ColdFetch::Next;
    Bytes first;
    EventTime before = dropped_through_;   // slices up to here were found, or are dead
    for (bool found = true; found && before != kPlusInfinity;) {
      found = false;
      first.clear();
      if (before != kMinusInfinity) append_time_big_endian(first, before + Duration{1});
      cold_->read_range(id(), first, {}, [&](ByteView key, ByteView) {
        EventTime end{};
        if (!take_time_big_endian(key, end)) return Next::kMalformed;
        slices_.push_back({end, make(end), true});
        before = end;
        found = true;
        return Next::kStop;
      });
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

  KeySpace space_;
  std::uint32_t first_group_;
  std::uint32_t end_group_;
  state_internal::BlockPool blocks_;
  std::vector<Live> slices_;                     // ascending by end
  std::vector<Live> doomed_;                     // dropped, but frozen and not yet encoded
  std::vector<std::unique_ptr<Slice>> spare_;    // empty, for the next slices
  std::size_t last_ = kNone;                     // the slice found last, which was read: most records go where the one before went
  std::unique_ptr<state_internal::ColdFetch> cold_;
  EventTime dropped_through_ = kMinusInfinity;
};

}  // namespace v0
}  // namespace tidemark

#pragma once
// What all states are that keep their keys by slice of time: one hot map under each slice's end time, found or made when it is asked for,
// dropped as a whole and without a tombstone.

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <tidemark/core/check.hpp>
#include <tidemark/state/component.hpp>
#include <tidemark/state/detail/block_pool.hpp>
#include <tidemark/state/detail/generations.hpp>
#include <tidemark/state/detail/heap_sample.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

template <class Map>
class SlicedComponent : public StateComponent {
 public:
  using Slice = Map;

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
    return &remember(found);
  }

  bool empty() const { return slices_.empty(); }
  // Least end of a live slice. kPlusInfinity is also the answer if there is none.
  EventTime first_end() const { return slices_.empty() ? kPlusInfinity : slices_.front().end; }
  // Ascending.
  std::vector<EventTime> ends() const {
    std::vector<EventTime> ends;
    for (const Live& live : slices_) ends.push_back(live.end);
    return ends;
  }

  // Drops all slices with an end at or before `end`; dropped_through() becomes the greater of itself and `end`.
  void drop_through(EventTime end) {
    const auto kept = std::find_if(slices_.begin(), slices_.end(), [end](const Live& live) { return live.end > end; });
    for (auto dropped = slices_.begin(); dropped != kept; ++dropped) {
      // The checkpoint under way holds this slice, since it was live at the barrier.
      if (dropped->map->may_have_frozen()) {
        doomed_.push_back(std::move(*dropped));
      } else {
        recycle(*dropped);
      }
    }
    slices_.erase(slices_.begin(), kept);
    last_ = kNone;
    dropped_through_ = std::max(dropped_through_, end);
  }

  void freeze(RowSink& rows) override {
    begin_freeze(rows);
    for (Live& live : slices_) live.map->freeze();
  }
  bool encode_some(std::size_t max_rows) override {
    while (!doomed_.empty()) {
      if (!doomed_.front().map->encode_some(max_rows)) return false;
      recycle(doomed_.front());
      doomed_.erase(doomed_.begin());
    }
    return std::all_of(slices_.begin(), slices_.end(), [&](Live& live) { return live.map->encode_some(max_rows); });
  }
  void settle(bool completed) override {
    TIDEMARK_CHECK(!completed || doomed_.empty(), "a checkpoint completed before all its rows were taken");
    for (Live& live : slices_) live.map->settle(completed);
    for (Live& doomed : doomed_) recycle(doomed);
    doomed_.clear();
    for (Live& live : slices_) look_at(live, kSampledAtSettle / slices_.size() + 1);
    end_settle();
  }
  // The slice that was used last, and a few others in turn.
  void follow_growth(bool) override {
    if (!Slice::kOwnsHeap || slices_.empty()) return;
    if (last_ < slices_.size()) look_at(slices_[last_], kSampledOften / 2);
    for (std::size_t i = std::min(slices_.size(), kLookedAtInTurn); i > 0; --i) {
      if (++turn_ >= slices_.size()) turn_ = 0;
      look_at(slices_[turn_], kSampledOften / 2 / kLookedAtInTurn);
    }
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

 protected:
  struct Live {
    EventTime end;
    std::unique_ptr<Generations> generations{};   // of values in parts: once the slice has given up memory, or was restored
    std::unique_ptr<Slice> map;
    std::size_t charged = 0;   // of it that does not lie in blocks
  };

  SlicedComponent(StateSchema schema, const KeySpace& space, std::uint32_t first_group, std::uint32_t end_group)
      : StateComponent(std::move(schema)), space_(space), first_group_(first_group), end_group_(end_group) {}

  // Calls give_up(slice, enough_now) until enough() answers true; enough_now() charges what is left of the slice and asks enough(). The
  // oldest first: it is least likely to get more records.
  template <class Enough, class GiveUp>
  void shrink_slices(const Enough& enough, GiveUp give_up) {
    for (Live& live : slices_) {
      const auto enough_now = [&] {
        charge(live);
        return enough();
      };
      if (enough_now()) return;
      give_up(live, enough_now);
      charge(live);
    }
    blocks_.trim();
  }

  // At a restore: leave_in_store(slice) for each slice that any task had, since a key group may come from each of them. To ask the
  // store instead would be a search of every file for every slice and task.
  template <class LeaveInStore>
  void make_stored_slices(std::span<const EventTime> ends, LeaveInStore leave_in_store) {
    for (const EventTime end : ends) {
      if (end <= dropped_through_) continue;
      Live& live = slices_.emplace_back(Live{.end = end, .map = make(end)});
      leave_in_store(live);
      charge(live);
    }
  }

  // A map for a slice that begins, in the memory of one that was dropped where there is such.
  virtual std::unique_ptr<Slice> make(EventTime end) = 0;
  template <class Rows>
  std::unique_ptr<Slice> make_with(Rows rows) {
    if (spare_.empty()) return std::make_unique<Slice>(context_, blocks_, space_, first_group_, end_group_, std::move(rows));
    std::unique_ptr<Slice> map = std::move(spare_.back());
    spare_.pop_back();
    map->set_rows(std::move(rows));
    return map;
  }

  void charge_to(MemoryBudget* budget) override { blocks_.charge_to(budget); }

  static constexpr std::size_t kNone = ~std::size_t{0};

  KeySpace space_;
  std::uint32_t first_group_;
  std::uint32_t end_group_;
  BlockPool blocks_;
  std::vector<Live> slices_;       // ascending by end
  std::size_t last_ = kNone;       // the slice found last: most records go where the one before went
  EventTime dropped_through_ = kMinusInfinity;

 private:
  auto at_or_after(EventTime end) {
    return std::lower_bound(slices_.begin(), slices_.end(), end, [](const Live& live, EventTime time) { return live.end < time; });
  }
  [[gnu::noinline]] Slice& slice_elsewhere(EventTime end) {
    auto found = at_or_after(end);
    if (found == slices_.end() || found->end != end) {
      TIDEMARK_CHECK(end > dropped_through_, "slice " + to_string(end) + " of " + schema().name + " was dropped");
      found = slices_.insert(found, Live{.end = end, .map = make(end)});
      charge(*found);
    }
    return remember(found);
  }
  Slice& remember(typename std::vector<Live>::iterator live) {
    last_ = static_cast<std::size_t>(live - slices_.begin());
    return *live->map;
  }
  void charge(Live& live) {
    std::size_t now = live.map->heap_bytes() + live.map->overhead_bytes();
    if (live.generations != nullptr) now += live.generations->bytes();
    charge(live, now);
  }
  void charge(Live& live, std::size_t now) {
    beside_blocks_ += now - std::exchange(live.charged, now);   // what falls is added modulo 2^64
    blocks_.charge_heap(beside_blocks_);
  }
  void look_at(Live& live, std::size_t entries) {
    live.map->sample_heap(entries);
    charge(live);
  }
  void recycle(Live& live) {
    charge(live, 0);
    live.map->recycle({});
    if (spare_.size() < kMostSpare) spare_.push_back(std::move(live.map));
  }

  static constexpr std::size_t kLookedAtInTurn = 4;
  static constexpr std::size_t kMostSpare = 16;   // windows in steady state end as they begin: a few at a time

  std::vector<Live> doomed_;                     // dropped, but frozen and not yet encoded
  std::vector<std::unique_ptr<Slice>> spare_;    // empty, for the next slices
  std::size_t beside_blocks_ = 0;                // of all slices, as charged
  std::size_t turn_ = 0;                         // of the slice that was looked at last
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

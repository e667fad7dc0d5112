#pragma once
// State of a kind for each key and window: a value, a list or a map that is dropped with its window, as a whole and without a tombstone.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/state/detail/sliced_component.hpp>
#include <tidemark/state/entries_table.hpp>

namespace tidemark {
inline namespace v0 {

// Content: as for EntriesTable. The window of a call is that of its time; the call's `decision` says whether it is gone (L1). A window that
// is gone is empty when a call begins, and what a call writes there is gone with the call, which is told by StateCall::missed.
//
// Windows says which there are and how long they live. It is a copyable type with
//
//   EventTime end_of(EventTime time) const;               // of the window that contains the time
//   EventTime gone_through(EventTime watermark) const;    // windows with an end at or before this are gone; ascends with the watermark
//   std::string parameters() const;                       // for the schema (K11)
template <class Key, class Content, class Windows>
class WindowEntriesTable final
    : public ContentTable<Content>,
      public state_internal::SlicedComponent<HotMap<Key, Content, state_internal::EntryRows<Key, Content>>> {
  using Rows = state_internal::EntryRows<Key, Content>;
  using Base = state_internal::SlicedComponent<HotMap<Key, Content, Rows>>;
  using typename Base::Live;
  using typename Base::Slice;
  using Base::blocks_;
  using Base::context_;
  using Base::dropped_through_;
  using Base::last_;
  using Base::slices_;
  using ContentTable<Content>::expiry_;
  using ContentTable<Content>::life_;
  using Value = typename Content::Value;

 public:
  // Made by StateBackend::window_entries_table().
  WindowEntriesTable(std::string name, Windows windows, const KeySpace& space, std::uint32_t first_group, std::uint32_t end_group)
      : ContentTable<Content>(Expiry{}),
        Base({.name = std::move(name),
              .kind = Content::kKind,
              .key = Codec<Key>::schema(),
              .entry = Content::entry_schema(),
              .value = Codec<Value>::schema(),
              .parameters = windows.parameters(),
              .timed = true,
              .reads = state_internal::schema_reader<Value>()},
             space, first_group, end_group),
        windows_(std::move(windows)) {
    core_internal::require_key<Key>();
    Content::require();
  }

  const Content* find(const StateCall& call) override {
    if (is_gone(call)) return missed_in_ == call.number ? &missed_ : nullptr;
    const Slice* slice = this->find_slice(windows_.end_of(call.time));
    return slice == nullptr ? nullptr : slice->find(call.hash, key_of(call));
  }
  Content& change(const StateCall& call) override {
    if (!is_gone(call)) return this->slice(windows_.end_of(call.time)).upsert(call.hash, key_of(call));
    if (missed_in_ != call.number) missed_ = Content{};
    missed_in_ = call.number;
    call.missed = true;
    return missed_;
  }
  void erase(const StateCall& call) override {
    if (is_gone(call)) {
      missed_in_ = 0;
    } else if (Slice* slice = this->find_slice(windows_.end_of(call.time))) {
      slice->erase(call.hash, key_of(call));
    }
  }
  // In every window that is not gone.
  void forget(const StateCall& call) {
    for (Live& live : slices_) live.map->erase(call.hash, key_of(call));
  }
  bool is_gone(const StateCall& call) const override {
    if (call.time == kMinusInfinity) state_internal::fail_without_event_time(this->schema().name, "belongs to windows");
    return windows_.end_of(call.time) <= std::max(dropped_through_, windows_.gone_through(call.decision));
  }

  // Of the window that was used last.
  void prefetch(std::uint64_t hash) const {
    if (last_ < slices_.size()) slices_[last_].map->prefetch(hash);
  }
  // As HotMap::fetch(), window by window: time_of(i) is that of the call for hashes[i].
  template <class KeyOf, class TimeOf>
  void fetch(const std::uint64_t* hashes, std::size_t n, KeyOf&& key_of, TimeOf&& time_of) {
    if (std::none_of(slices_.begin(), slices_.end(), [](const Live& live) { return live.map->is_incomplete(); })) return;
    wanted_.clear();
    for (std::size_t i = 0; i < n; ++i) {
      const EventTime time = time_of(i);
      if (time != kMinusInfinity) wanted_.push_back({windows_.end_of(time), i});
    }
    std::sort(wanted_.begin(), wanted_.end());
    for (std::size_t first = 0, end = 0; first < wanted_.size(); first = end) {
      hashes_.clear();
      for (end = first; end < wanted_.size() && wanted_[end].first == wanted_[first].first; ++end) {
        hashes_.push_back(hashes[wanted_[end].second]);
      }
      Slice* slice = this->find_slice(wanted_[first].first);
      if (slice == nullptr) continue;
      slice->fetch(hashes_.data(), hashes_.size(), [&](std::size_t i) -> decltype(auto) { return key_of(wanted_[first + i].second); });
    }
  }

  // The operator's watermark stands here, and all calls that it lets happen were made: windows that it has passed are dropped.
  void set_watermark(EventTime watermark) {
    const EventTime gone = windows_.gone_through(watermark);
    if (gone > dropped_through_) this->drop_through(gone);
  }
  // As EntriesTable: nothing is left to look for.
  bool sweep(std::size_t) { return true; }

  void attach(ColdRows* cold, MemoryBudget* budget) override {
    if (cold != nullptr) context_.cold = std::make_unique<state_internal::ColdFetch>(*cold, this->schema().name);
    this->charge_to(budget);
  }
  bool restores_lazily(std::span<const EventTime> live_buckets) override {
    if (context_.cold == nullptr) return false;
    this->make_stored_slices(live_buckets, [](Live& live) { live.map->leave_in_store(); });
    return true;
  }
  void shrink(bool to_the_least) override {
    const auto enough = [&] { return !to_the_least && !blocks_.spent(); };
    this->shrink_slices(enough, [&](Live& live, const auto& enough_now) { live.map->shrink(enough_now); });
  }
  void follow_growth(bool may_shrink) override {
    Base::follow_growth(may_shrink);
    if (Base::Slice::kOwnsHeap && may_shrink && blocks_.spent()) shrink(false);
  }
  void freeze(RowSink& rows) override {
    Base::freeze(rows);
    life_.freeze();
  }
  void settle(bool completed) override {
    Base::settle(completed);
    life_.settle(completed);
  }
  Status restore_row(ByteView key_after_state_id, ByteView value) override {
    EventTime end{};
    if (!take_time_big_endian(key_after_state_id, end)) return this->malformed_row();
    if (end <= dropped_through_) return {};
    std::uint64_t hash = 0;
    Key key{};
    if (!state_internal::take_row_key(key_after_state_id, hash, key)) return this->malformed_row();
    Slice& slice = this->slice(end);
    if (!slice.owns(hash)) return this->foreign_row(hash);
    return rows_of(end).take(key_after_state_id, value, slice.restore(hash, key)) ? Status{} : this->malformed_row();
  }

 private:
  static const Key& key_of(const StateCall& call) { return *static_cast<const Key*>(call.key); }

  Rows rows_of(EventTime end) const { return {&expiry_, &life_, end}; }
  std::unique_ptr<Slice> make(EventTime end) override { return this->make_with(rows_of(end)); }

  Windows windows_;
  Content missed_;                     // what the call with this number wrote into a window that is gone
  std::uint64_t missed_in_ = 0;        // 0: none
  std::vector<std::pair<EventTime, std::size_t>> wanted_;   // by fetch(): windows, and the places of calls for them
  std::vector<std::uint64_t> hashes_;
};

}  // namespace v0
}  // namespace tidemark

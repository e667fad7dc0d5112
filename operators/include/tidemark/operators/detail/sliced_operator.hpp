#pragma once
// What window operators share whose state is a table for each slice of time: most records go into the slice of the record before.

#include <cstddef>
#include <cstdint>

#include <tidemark/operators/detail/window_operator.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

template <class Key, class T, class KeyOf, class Aggregate>
class SlicedOperator : public WindowOperator<Key, T, KeyOf, Aggregate> {
 protected:
  using Base = WindowOperator<Key, T, KeyOf, Aggregate>;
  using Table = SliceTable<Key, typename Base::Accumulator>;
  using Slice = typename Table::Slice;
  using Base::Base;

  // An exact aggregate begins anew where what was not changed lately has left memory; any other is read back first, so that no result
  // depends on where memory ran out (D1).
  static constexpr SliceResidency kResidency = Aggregate::kExact ? SliceResidency::kParts : SliceResidency::kWhatIsTouched;

  // Bounds of the slice that a record of this time goes into if it is not behind; empty if the record is late or in no window.
  virtual Window open_slice(EventTime t) const = 0;
  // A record that may be late, or in no window.
  virtual void take_one(Batch<T>& in, std::size_t index, EventTime as_of) = 0;

  Table& slices() { return *slices_; }
  // For visits of slices: makes one accumulator of two parts.
  auto merging() {
    return [this](typename Base::Accumulator& into, const typename Base::Accumulator& from) { this->aggregate().merge(into, from); };
  }
  // What a visit that has read from the store takes of a step's work, in entries of memory: a look at the store, and each row.
  template <class AnyTable>
  static void charge_read(std::size_t& work, const AnyTable& table) {
    work -= std::min(work, std::size_t{512} + 2 * table.keys_read());
  }
  void set_slices(Table& slices) { slices_ = &slices; }
  void forget_current() { current_ = {}; }

  void begin_firing(EventTime) override { forget_current(); }

 private:
  // A slice that is open at the operator's watermark takes every record that is not behind (L3): no decision and no division for each one.
  void take(Batch<T>& in, std::size_t& at) override {
    const EventTime* times = in.times.data();
    const std::uint64_t* hashes = in.hashes.data();
    this->split_at_behind(
        in, at,
        [&](std::size_t begin, std::size_t limit) {
          if (!in_current(times[begin])) {
            const Window bounds = open_slice(times[begin]);
            if (bounds.start == bounds.end) {
              take_one(in, begin, kMinusInfinity);
              return begin + 1;
            }
            table_ = &slices_->slice(bounds.end);
            current_ = bounds;
          }
          std::size_t end = begin + 1;
          while (end < limit && in_current(times[end])) ++end;
          add_run(in, hashes, begin, end, at);
          return end;
        },
        [&](std::size_t index, EventTime as_of) { take_one(in, index, as_of); });
  }
  bool in_current(EventTime t) const { return t >= current_.start && t < current_.end; }

  void add_run(Batch<T>& in, const std::uint64_t* hashes, std::size_t begin, std::size_t end, std::size_t& at) {
    Slice& table = *table_;
    table.fetch(hashes + begin, end - begin, [&](std::size_t i) -> decltype(auto) { return this->key_of(in.values[begin + i]); });
    for (std::size_t k = begin; k < std::min(end, begin + kPrefetchAhead); ++k) table.prefetch(hashes[k]);
    for (std::size_t i = begin; i < end; ++i) {
      if (i + kPrefetchAhead < end) table.prefetch(hashes[i + kPrefetchAhead]);
      at = i;
      const Key& key = this->key_of(in.values[i]);   // a value lives as long as the reference
      this->aggregate().add(table.upsert(hashes[i], key), in.values[i]);
    }
  }

  Table* slices_ = nullptr;   // by unclipped end
  // The slice that got the last record, and its bounds; none if they are empty.
  Slice* table_ = nullptr;
  Window current_{};
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

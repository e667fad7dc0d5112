#pragma once
// Windows that do not overlap: tumbling ones, and sliding ones with slide >= size. The state is a table for each window; a window fires by
// walking its table, which is then dropped as a whole. What was not changed lately may have left memory: an exact aggregate begins anew
// where it did and is merged when the window fires, any other is read back first, so that no result depends on where memory ran out (D1).

#include <cstddef>
#include <string>
#include <utility>

#include <tidemark/operators/detail/sliced_operator.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

template <class Key, class T, class KeyOf, class Aggregate>
class TumblingOperator final : public SlicedOperator<Key, T, KeyOf, Aggregate> {
  using Base = SlicedOperator<Key, T, KeyOf, Aggregate>;
  using typename Base::Accumulator;
  using typename Base::Fired;
  using typename Base::Table;

 public:
  using Base::Base;

 private:
  void open_state(StateBackend& state) override {
    this->set_slices(state.slice_table<Key, Accumulator>("windows", this->spec().parameters(), Base::kResidency));
  }

  Window open_slice(EventTime t) const override {
    const Window window = unclipped_window(t);
    return clipped(t) >= window.end || is_reached(window.end, this->watermark()) ? Window{} : window;
  }

  // With slide > size the window may end before t.
  Window unclipped_window(EventTime t) const {
    const EventTime start = period_start(clipped(t), this->spec().slide, this->spec().offset);
    return {start, start + this->spec().size};
  }

  // A record that may be late or in no window.
  void take_one(Batch<T>& in, std::size_t index, EventTime as_of) override {
    const EventTime t = in.times[index];
    const EventTime end = unclipped_window(t).end;
    if (clipped(t) >= end) {
      ++this->count().in_no_window;
      return;
    }
    const EventTime decision = this->decision_watermark(as_of);
    if (is_reached(end, decision)) return this->set_aside(in, index, decision);
    const Key& key = this->key_of(in.values[index]);
    this->aggregate().add(this->slices().slice(end).upsert(in.hashes[index], key), in.values[index]);
  }

  Fired fire_some() override {
    Table& windows = this->slices();
    std::size_t work = kEntriesPerStep;   // for reading
    while (!windows.empty()) {
      const EventTime end = windows.first_end();
      if (!is_reached(end, this->watermark())) break;
      const EventTime start = end - this->spec().size;
      const Visited visited = windows.visit_some(
          end, {}, this->room(), this->merging(),
          [&](std::uint64_t, const Key& key, const Accumulator& accumulator) { this->put_result(key, start, end, accumulator); });
      if (visited == Visited::kRead) {
        this->charge_read(work, windows);
        if (work == 0) return Fired::kPaused;
        continue;
      }
      if (visited != Visited::kAll) {
        if (!this->has_room()) return Fired::kSome;
        return Fired::kPaused;
      }
      windows.drop_first();
      if (this->end_firing() || !this->has_room()) return Fired::kSome;
    }
    // Also where there was nothing to drop: dropped_through says the same in every task, since the manifest keeps the least.
    windows.drop_through(saturating_add(this->watermark(), Duration{1}));
    return Fired::kAll;
  }
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// What all states are that keep one hot map.

#include <cstdint>
#include <memory>
#include <utility>

#include <tidemark/state/component.hpp>
#include <tidemark/state/hot_map.hpp>

namespace tidemark {
inline namespace v0 {

// Whether all entries of a keyed state must be in memory: those that are found by something else than their key must.
enum class Residency : std::uint8_t { kWhatIsTouched, kAll };

namespace state_internal {

template <class Map>
class MapComponent : public StateComponent {
 public:
  void attach(ColdRows* cold, MemoryBudget* budget) override {
    if (cold != nullptr && residency_ == Residency::kWhatIsTouched) context_.cold = std::make_unique<ColdFetch>(*cold, schema().name);
    charge_to(budget);
  }
  bool restores_lazily(std::span<const EventTime>) override {
    if (context_.cold == nullptr) return false;
    map_.leave_in_store();
    return true;
  }

  void freeze(RowSink& rows) override {
    begin_freeze(rows);
    map_.freeze();
  }
  bool encode_some(std::size_t max_rows) override { return map_.encode_some(max_rows); }
  void settle(bool completed) override {
    map_.settle(completed);
    map_.sample_heap(kSampledAtSettle);
    blocks_.charge_heap(map_.heap_bytes());
    end_settle();
  }
  void shrink(bool to_the_least) override {
    map_.shrink([&] {
      blocks_.charge_heap(map_.heap_bytes());
      return !to_the_least && !blocks_.spent();
    });
  }

  void follow_growth(bool may_shrink) override {
    if constexpr (Map::kOwnsHeap) {
      map_.sample_heap(kSampledOften);
      blocks_.charge_heap(map_.heap_bytes());
      if (may_shrink && blocks_.spent()) shrink(false);
    }
  }

  std::size_t entries() const override { return map_.size(); }
  std::size_t bytes() const override { return blocks_.bytes() + map_.overhead_bytes(); }

 protected:
  // `form`: what else the map's constructor takes.
  template <class... Form>
  MapComponent(StateSchema schema, Residency residency, const KeySpace& space, std::uint32_t first_group, std::uint32_t end_group,
               Form&&... form)
      : StateComponent(std::move(schema)),
        residency_(residency),
        map_(context_, blocks_, space, first_group, end_group, std::forward<Form>(form)...) {}

  void charge_to(MemoryBudget* budget) override { blocks_.charge_to(budget); }

 private:
  Residency residency_;
  BlockPool blocks_;

 protected:
  Map map_;
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

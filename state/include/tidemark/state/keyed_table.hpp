#pragma once
// Keyed state without a time: one value for each key.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <tidemark/state/component.hpp>
#include <tidemark/state/hot_map.hpp>

namespace tidemark {
inline namespace v0 {

// Whether all entries of a keyed state must be in memory: those that are found by something else than their key must.
enum class Residency : std::uint8_t { kWhatIsTouched, kAll };

// See HotMap for what the accesses mean and how long references are good.
template <class Key, class Value>
class KeyedTable final : public StateComponent {
 public:
  using Map = HotMap<Key, Value>;
  using Cursor = typename Map::Cursor;

  // Made by StateBackend::keyed_table().
  KeyedTable(std::string name, std::string parameters, Residency residency, const KeySpace& space, std::uint32_t first_group,
             std::uint32_t end_group)
      : StateComponent({.name = std::move(name),
                        .kind = "value",
                        .key = Codec<Key>::schema(),
                        .value = Codec<Value>::schema(),
                        .parameters = std::move(parameters),
                        .reads = state_internal::schema_reader<Value>()}),
        residency_(residency),
        map_(context_, blocks_, space, first_group, end_group) {
    core_internal::require_key<Key>();
    core_internal::require_storable<Value>();
  }

  Map& map() { return map_; }
  const Value* find(std::uint64_t hash, const Key& key) const { return map_.find(hash, key); }
  Value& upsert(std::uint64_t hash, const Key& key) { return map_.upsert(hash, key); }
  Value* find_to_change(std::uint64_t hash, const Key& key) { return map_.find_to_change(hash, key); }
  bool erase(std::uint64_t hash, const Key& key) { return map_.erase(hash, key); }
  void prefetch(std::uint64_t hash) const { map_.prefetch(hash); }
  template <class KeyOf>
  void fetch(const std::uint64_t* hashes, std::size_t n, KeyOf&& key_of) {
    map_.fetch(hashes, n, key_of);
  }
  std::size_t size() const { return map_.size(); }
  template <class F>
  bool visit_some(Cursor& cursor, std::size_t max, F&& f) {
    return map_.visit_some(cursor, max, std::forward<F>(f));
  }

  void attach(ColdRows* cold, MemoryBudget* budget) override {
    if (cold != nullptr && residency_ == Residency::kWhatIsTouched) {
      context_.cold = std::make_unique<state_internal::ColdFetch>(*cold, schema().name);
    }
    charge_to(budget);
  }
  bool restores_lazily() override {
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
    blocks_.charge_heap(map_.heap_bytes());
    end_settle();
  }
  void shrink(bool to_the_least) override {
    map_.shrink([&] {
      blocks_.charge_heap(map_.heap_bytes());
      return !to_the_least && !blocks_.spent();
    });
  }
  Status restore_row(ByteView key_after_state_id, ByteView value) override {
    std::uint64_t hash = 0;
    Key key{};
    Value decoded{};
    if (!state_internal::take_row_key(key_after_state_id, hash, key) || !key_after_state_id.empty() || !decode_whole(value, decoded)) {
      return malformed_row();
    }
    if (!map_.owns(hash)) return foreign_row(hash);
    map_.restore(hash, key, std::move(decoded));
    return {};
  }

  std::size_t entries() const override { return map_.size(); }
  std::size_t bytes() const override { return blocks_.bytes() + map_.overhead_bytes(); }

 private:
  void charge_to(MemoryBudget* budget) override { blocks_.charge_to(budget); }

  Residency residency_;
  state_internal::BlockPool blocks_;
  Map map_;
};

}  // namespace v0
}  // namespace tidemark

#pragma once
// Keyed state without a time: one value for each key.

#include <cstdint>
#include <string>
#include <utility>

#include <tidemark/state/detail/map_component.hpp>

namespace tidemark {
inline namespace v0 {

// See HotMap for what the accesses mean and how long references are good.
template <class Key, class Value, class Rows = state_internal::KeyedRows<Key, Value>>
class KeyedTable : public state_internal::MapComponent<HotMap<Key, Value, Rows>> {
  using Base = state_internal::MapComponent<HotMap<Key, Value, Rows>>;

 protected:
  using Base::map_;

 public:
  using Map = HotMap<Key, Value, Rows>;
  using Cursor = typename Map::Cursor;

  // Made by StateBackend::keyed_table().
  KeyedTable(std::string name, std::string parameters, Residency residency, const KeySpace& space, std::uint32_t first_group,
             std::uint32_t end_group, Rows rows = {})
      : Base({.name = std::move(name),
              .kind = "value",
              .key = Codec<Key>::schema(),
              .value = Codec<Value>::schema(),
              .parameters = std::move(parameters),
              .reads = state_internal::schema_reader<Value>(),
              .parts = state_internal::PartsOf<Value>::get()},
             residency, space, first_group, end_group, std::move(rows)) {
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

  Status restore_row(ByteView key_after_state_id, ByteView value) override {
    std::uint64_t hash = 0;
    Key key{};
    Value decoded{};
    if (!state_internal::take_row_key(key_after_state_id, hash, key) || !key_after_state_id.empty() || !decode_whole(value, decoded)) {
      return this->malformed_row();
    }
    if (!map_.owns(hash)) return this->foreign_row(hash);
    take_restored(hash, key, std::move(decoded));
    return {};
  }

 private:
  virtual void take_restored(std::uint64_t hash, const Key& key, Value&& value) { map_.restore(hash, key, std::move(value)); }
};

}  // namespace v0
}  // namespace tidemark

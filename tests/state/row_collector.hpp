#pragma once
// What plays the store in the tests of tables: it applies the rows of completed checkpoints in order.

#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/state/backend.hpp>

namespace tidemark::state_test {

class RowCollector final : public RowSink {
 public:
  struct Row {
    Bytes key;
    Bytes value;
    bool tombstone = false;
  };
  void put(ByteView key, ByteView value) override { rows.push_back({Bytes{key}, Bytes{value}, false}); }
  void erase(ByteView key) override { rows.push_back({Bytes{key}, {}, true}); }

  std::vector<Row> rows;   // since the last freeze
};

// What a manifest says of a state.
struct Buckets {
  EventTime dropped_through = kMinusInfinity;
  std::vector<EventTime> live{};
};

class PlayedStore final : public ColdRows {
 public:
  void take(const RowCollector& collector) {
    for (const RowCollector::Row& row : collector.rows) {
      if (row.tombstone) {
        rows_.erase(row.key);
      } else {
        rows_.insert_or_assign(row.key, row.value);
      }
    }
  }
  void ingest(RowCollector& collector) {
    take(collector);
    collector.rows.clear();
  }
  // Gives every row to the backend, after the values of dropped_through. `buckets`: of each state.
  void restore(StateBackend& backend, const std::vector<Buckets>& buckets) const {
    for (std::size_t i = 0; i < buckets.size(); ++i) backend.components()[i]->set_dropped_through(buckets[i].dropped_through);
    for (const auto& [key, value] : rows_) {
      ByteView rest = key;
      StateId id = 0;
      ASSERT_TRUE(take_u16_big_endian(rest, id));
      const Status status = backend.restore_row(id, rest, value);
      ASSERT_TRUE(status.ok()) << status.error().message;
    }
  }
  // As the runtime does it: `backend` is attached to `cold`, and rows of states that read them when they need them are left where they are.
  void restore_lazily(StateBackend& backend, const std::vector<Buckets>& buckets) const {
    std::vector<bool> lazy;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      backend.components()[i]->set_dropped_through(buckets[i].dropped_through);
      lazy.push_back(backend.components()[i]->restores_lazily(buckets[i].live));
    }
    for (const auto& [key, value] : rows_) {
      ByteView rest = key;
      StateId id = 0;
      ASSERT_TRUE(take_u16_big_endian(rest, id));
      if (lazy[id]) continue;
      const Status status = backend.restore_row(id, rest, value);
      ASSERT_TRUE(status.ok()) << status.error().message;
    }
  }
  const std::map<Bytes, Bytes>& rows() const { return rows_; }
  // Of key and value.
  template <class Dead>
  void remove_if(Dead dead) {
    std::erase_if(rows_, [&](const auto& row) { return dead(ByteView{row.first}, ByteView{row.second}); });
  }

  Status get(std::span<const ByteView> keys, const std::function<void(std::size_t index, ByteView value)>& found) override {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto row = rows_.find(Bytes{keys[i]});
      if (row != rows_.end()) found(i, row->second);
    }
    looked_up += keys.size();
    return {};
  }
  Status read_prefixes(std::span<const ByteView> prefixes,
                       const std::function<bool(std::size_t index, ByteView key, ByteView value)>& visit) override {
    ranges_read += prefixes.size();
    for (std::size_t i = 0; i < prefixes.size(); ++i) {
      for (auto row = rows_.lower_bound(Bytes{prefixes[i]}); row != rows_.end() && row->first.starts_with(prefixes[i]); ++row) {
        if (!visit(i, row->first, row->second)) return {};
      }
    }
    return {};
  }
  Status read_range(ByteView first, ByteView end, const std::function<bool(ByteView key, ByteView value)>& visit) override {
    ++ranges_read;
    for (auto row = rows_.lower_bound(Bytes{first}); row != rows_.end() && row->first < end && visit(row->first, row->second);) ++row;
    return {};
  }

  std::size_t looked_up = 0;     // keys
  std::size_t ranges_read = 0;   // a range, or one prefix

 private:
  std::map<Bytes, Bytes> rows_;
};

inline std::vector<Buckets> buckets_of(const StateBackend& backend) {
  std::vector<Buckets> buckets;
  for (const auto& component : backend.components()) buckets.push_back({component->dropped_through(), component->live_buckets()});
  return buckets;
}

inline std::uint64_t hash_of(std::uint64_t key) {
  Bytes scratch;
  return hash_key(key, 0, scratch);
}

}  // namespace tidemark::state_test

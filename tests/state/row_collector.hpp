#pragma once
// What plays the store in the tests of tables: it applies the rows of completed checkpoints in order.

#include <map>
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

class PlayedStore {
 public:
  void ingest(RowCollector& collector) {
    for (RowCollector::Row& row : collector.rows) {
      if (row.tombstone) {
        rows_.erase(row.key);
      } else {
        rows_.insert_or_assign(std::move(row.key), std::move(row.value));
      }
    }
    collector.rows.clear();
  }
  // Gives every row to the backend, after the values of dropped_through.
  void restore(StateBackend& backend, const std::vector<EventTime>& dropped_through) const {
    for (std::size_t i = 0; i < dropped_through.size(); ++i) backend.components()[i]->set_dropped_through(dropped_through[i]);
    for (const auto& [key, value] : rows_) {
      ByteView rest = key;
      StateId id = 0;
      ASSERT_TRUE(take_u16_big_endian(rest, id));
      const Status status = backend.restore_row(id, rest, value);
      ASSERT_TRUE(status.ok()) << status.error().message;
    }
  }
  const std::map<Bytes, Bytes>& rows() const { return rows_; }

 private:
  std::map<Bytes, Bytes> rows_;
};

inline std::vector<EventTime> dropped_through_of(const StateBackend& backend) {
  std::vector<EventTime> times;
  for (const auto& component : backend.components()) times.push_back(component->dropped_through());
  return times;
}

inline std::uint64_t hash_of(std::uint64_t key) {
  Bytes scratch;
  return hash_key(key, 0, scratch);
}

}  // namespace tidemark::state_test

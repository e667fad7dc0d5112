#include <algorithm>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "row_collector.hpp"

namespace tidemark::state_test {
namespace {

using Key = std::uint64_t;

struct Reading {
  std::int32_t rank = 0;
  std::string text;
};
struct ByRank {
  bool operator()(const Reading& a, const Reading& b) const { return a.rank < b.rank; }
};
using Buffer = TimeBuffer<Key, Reading, ByRank>;

std::vector<std::string> release(Buffer& buffer, EventTime through) {
  std::vector<std::string> texts;
  while (Buffer::Entry* entry = buffer.front(through)) {
    texts.push_back(std::move(entry->value.text));
    buffer.pop_front();
  }
  return texts;
}

TEST(TimeBuffer, ReleasesRecordsInOrderOfTimeThroughTheWatermark) {   // P3
  StateBackend backend({}, 0, 128);
  auto& buffer = backend.time_buffer<Key, Reading>("records", ByRank{});
  for (const int time : {12, -8, 10, -10}) buffer.add(event_time(time), hash_of(1), 1, {0, std::to_string(time)});
  EXPECT_EQ(release(buffer, event_time(-9)), (std::vector<std::string>{"-10"}));
  EXPECT_EQ(release(buffer, event_time(12)), (std::vector<std::string>{"-8", "10", "12"}));
  EXPECT_EQ(buffer.size(), 0u);
}

TEST(TimeBuffer, BreaksTiesByTheUsersOrderAndThenByBytes) {   // P3
  StateBackend backend({}, 0, 128);
  auto& buffer = backend.time_buffer<Key, Reading>("records", ByRank{});
  for (const auto& [rank, text] : {std::pair{2, "a"}, {1, "c"}, {1, "b"}, {2, "a"}, {0, "z"}}) {
    buffer.add(event_time(1), hash_of(1), 1, {rank, text});
  }
  EXPECT_EQ(release(buffer, event_time(1)), (std::vector<std::string>{"z", "b", "c", "a", "a"}));
}

TEST(TimeBuffer, KeepsRecordsOfKeysWithEqualHashTogether) {   // fault F42
  StateBackend backend({}, 0, 128);
  auto& buffer = backend.time_buffer<std::string, std::int32_t>("records");
  for (const auto& [key, value] : {std::pair{"b", 1}, {"a", 2}, {"b", 0}, {"a", 1}})
    buffer.add(event_time(1), 77, key, std::int32_t{value});
  std::vector<std::pair<std::string, int>> order;
  while (auto* entry = buffer.front(event_time(1))) {
    order.emplace_back(entry->key, entry->value);
    buffer.pop_front();
  }
  EXPECT_EQ(order, (std::vector<std::pair<std::string, int>>{{"a", 1}, {"a", 2}, {"b", 0}, {"b", 1}}));
}

TEST(TimeBuffer, RefusesRecordsAtOrBeforeWhatItReleased) {
  StateBackend backend({}, 0, 128);
  auto& buffer = backend.time_buffer<Key, Reading>("records", ByRank{});
  EXPECT_EQ(buffer.front(event_time(10)), nullptr);
  EXPECT_THROW(buffer.add(event_time(10), hash_of(1), 1, {}), BrokenInvariant);
  buffer.add(event_time(11), hash_of(1), 1, {0, "x"});
  EXPECT_EQ(release(buffer, event_time(11)), std::vector<std::string>{"x"});
}

// a add, p pop, b pop and ask for the next (none is due then), f freeze, x encode all, c completed, ! failed. Two records of one time: the
// time is not over while the second waits.
TEST(TimeBuffer, WritesRowsAsTheLifeOfARecordSays) {
  struct Life {
    const char* script;
    const char* rows;
    int restored;
  };
  const Life lives[] = {
      {"a f x c f x c", "+ ; ;", 1},
      {"a p f x c", ";", 0},
      {"a f p x c", "+ ;", 1},
      {"a f x c a p f x c", "+ ; + - ;", 1},   // one of two equal records went: it may be either
      {"a f x c b f x c", "+ ; ;", 0},           // its time is over: no tombstone
      {"a a f x c p f x c", "+ + ; - ;", 1},
      {"a a f p x c f x c", "+ + ; - ;", 1},
      {"a a f x p c f x c", "+ + ; - ;", 1},
      {"a a f x c p f x ! f x c", "+ + ; - ! - ;", 1},
      {"a a f x c p f x ! b f x c", "+ + ; - ! ;", 0},
      {"a f x ! f x c", "+ ! + ;", 1},
      {"a f ! f x c", "! + ;", 1},
      {"a f b x c f x c", "+ ; ;", 0},
      {"a f b ! f x c", "+ ! ;", 0},
  };
  for (const Life& life : lives) {
    SCOPED_TRACE(life.script);
    StateBackend backend({}, 0, 128);
    auto& buffer = backend.time_buffer<Key, Reading>("records", ByRank{});
    RowCollector collector;
    PlayedStore store;
    std::vector<EventTime> dropped_through;
    std::vector<EventTime> durable;
    std::string trace;
    const auto trace_rows = [&] {
      std::string puts;
      std::string tombstones;
      for (const RowCollector::Row& row : collector.rows) (row.tombstone ? tombstones : puts) += row.tombstone ? "- " : "+ ";
      trace += puts + tombstones;
    };
    std::istringstream steps(life.script);
    std::string step;
    while (steps >> step) {
      switch (step[0]) {
        case 'a': buffer.add(event_time(-3), hash_of(1), 1, {1, "same"}); break;
        case 'p':
          ASSERT_NE(buffer.front(event_time(-3)), nullptr);
          buffer.pop_front();
          break;
        case 'b': release(buffer, event_time(-3)); break;
        case 'f':
          backend.freeze(collector);
          dropped_through = dropped_through_of(backend);
          break;
        case 'x':
          while (!backend.encode_some(1)) {
          }
          break;
        case 'c':
          trace_rows();
          store.ingest(collector);
          backend.settle(true);
          durable = dropped_through;
          trace += "; ";
          break;
        case '!':
          trace_rows();
          collector.rows.clear();
          backend.settle(false);
          trace += "! ";
          break;
      }
    }
    trace.pop_back();
    EXPECT_EQ(trace, life.rows);
    StateBackend restored({}, 0, 128);
    auto& same = restored.time_buffer<Key, Reading>("records", ByRank{});
    store.restore(restored, durable);
    EXPECT_EQ(same.size(), static_cast<std::size_t>(life.restored));
  }
}

TEST(TimeBuffer, GivesRestoredRecordsAndNewOnesDifferentRows) {
  StateBackend backend({}, 0, 128);
  auto& buffer = backend.time_buffer<Key, Reading>("records", ByRank{});
  RowCollector collector;
  PlayedStore store;
  const auto checkpoint = [&](StateBackend& of) {
    of.freeze(collector);
    while (!of.encode_some(1)) {
    }
    store.ingest(collector);
    of.settle(true);
  };
  buffer.add(event_time(5), hash_of(1), 1, {1, "old"});
  checkpoint(backend);
  StateBackend restored({}, 0, 128);
  auto& same = restored.time_buffer<Key, Reading>("records", ByRank{});
  store.restore(restored, {});
  same.add(event_time(5), hash_of(1), 1, {1, "new"});
  checkpoint(restored);
  EXPECT_EQ(store.rows().size(), 2u);
}

TEST(TimeBuffer, ReleasesInOrderForAnyShapeOfTimes) {
  struct Shape {
    const char* name;
    std::int64_t step;       // between records
    std::int64_t disorder;   // how far back a record may lie
    std::int64_t lag;        // of the watermark
  };
  const Shape shapes[] = {{"in order", 1, 0, 1},           {"ten at one time", 0, 0, 1},
                          {"disorder", 100, 5000, 5001},   {"wide disorder", 1000, 60'000'000, 60'000'001},
                          {"sparse", 3'600'000'000, 0, 1}, {"dense", 1, 1'000'000, 1'000'001}};
  for (const Shape& shape : shapes) {
    SCOPED_TRACE(shape.name);
    StateBackend backend({}, 0, 128);
    auto& buffer = backend.time_buffer<Key, Reading>("records", ByRank{});
    std::mt19937_64 random(11);
    // Encoded, a text begins with its length: of equal ranks the shorter one comes first.
    using Row = std::tuple<EventTime, std::uint64_t, std::int32_t, std::size_t, std::string>;
    std::multiset<Row> model;
    std::int64_t now = -1'000'000;
    for (int i = 0; i < 30000; ++i) {
      now += shape.step != 0 ? shape.step : i % 10 == 0;
      const Key key = random() % 50;
      const std::int64_t back = shape.disorder == 0 ? 0 : static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(shape.disorder));
      const EventTime time = event_time(now - back);
      const Reading reading{static_cast<std::int32_t>(random() % 3), std::string(random() % 3, static_cast<char>('a' + random() % 3))};
      model.emplace(time, hash_of(key), reading.rank, reading.text.size(), reading.text);
      buffer.add(time, hash_of(key), key, Reading{reading});
      if (i % 1000 != 999 && i != 29999) continue;
      const EventTime watermark = i == 29999 ? kPlusInfinity : event_time(now - shape.lag);
      while (Buffer::Entry* entry = buffer.front(watermark)) {
        ASSERT_EQ(Row(entry->time, entry->hash, entry->value.rank, entry->value.text.size(), entry->value.text), *model.begin());
        model.erase(model.begin());
        buffer.pop_front();
      }
      ASSERT_TRUE(model.empty() || std::get<0>(*model.begin()) > watermark);
    }
    EXPECT_TRUE(model.empty());
  }
}

}  // namespace
}  // namespace tidemark::state_test

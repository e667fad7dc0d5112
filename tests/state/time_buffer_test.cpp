#include <algorithm>
#include <memory>
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

TEST(TimeBuffer, F42KeepsRecordsOfKeysWithEqualHashTogether) {
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
    std::vector<Buckets> buckets;
    std::vector<Buckets> durable;
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
          buckets = buckets_of(backend);
          break;
        case 'x':
          while (!backend.encode_some(1)) {
          }
          break;
        case 'c':
          trace_rows();
          store.ingest(collector);
          backend.settle(true);
          durable = buckets;
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

// A buffer, its store, and checkpoints that complete or fail.
class Checkpointed {
 public:
  explicit Checkpointed(MemoryBudget* budget = nullptr) : budget_(budget) { start(); }

  Buffer& buffer() { return *buffer_; }
  StateBackend& backend() { return *backend_; }
  void begin() {
    backend_->note_checkpoint(++checkpoint_);
    backend_->freeze(collector_);
    buckets_ = buckets_of(*backend_);
    while (!backend_->encode_some(1'000'000)) {
    }
  }
  void complete() {
    live_.take(collector_);
    durable_.ingest(collector_);
    durable_buckets_ = buckets_;
    durable_checkpoint_ = checkpoint_;
    backend_->settle(true);
  }
  // After its rows were in the store.
  void fail() {
    live_.ingest(collector_);
    backend_->settle(false);
  }
  void checkpoint() {
    begin();
    complete();
  }
  // From the last completed checkpoint.
  void restart() {
    live_ = durable_;
    start();
    backend_->note_checkpoint(durable_checkpoint_);
    live_.restore_lazily(*backend_, durable_buckets_);
  }

 private:
  void start() {
    backend_ = std::make_unique<StateBackend>(KeySpace{}, 0, 128);
    buffer_ = &backend_->time_buffer<Key, Reading>("records", ByRank{});
    backend_->attach(&live_, budget_);
  }

  MemoryBudget* budget_;
  PlayedStore live_;
  PlayedStore durable_;
  std::unique_ptr<StateBackend> backend_;
  Buffer* buffer_ = nullptr;
  RowCollector collector_;
  std::vector<Buckets> buckets_;
  std::vector<Buckets> durable_buckets_;
  std::uint64_t checkpoint_ = 0;
  std::uint64_t durable_checkpoint_ = 0;
};

// a add an equal record, p pop one; c a checkpoint, f one that fails when its rows are in the store; b begin one, e complete it; l leave
// memory as far as it is clean, r restart from the last completed checkpoint.
TEST(TimeBuffer, GivesEachRecordOnceWhereverItWas) {
  struct Life {
    const char* script;
    std::size_t given;
  };
  const Life lives[] = {
      {"a c l", 1},       {"a l", 1},           {"a f l", 1},   {"a f c l", 1},   {"a b l", 1},     {"a b l e", 1},
      {"a b l e l", 1},   {"a c l a", 2},       {"a c l a f", 2}, {"a c l a c", 2}, {"a c l a c l", 2}, {"a c l a f l r", 1},
      {"a c r", 1},       {"a c r a", 2},       {"a c r a f l", 2}, {"a c r a c l r a", 3}, {"a f r", 0}, {"a c a f a c l r a l", 4},
  };
  for (const Life& life : lives) {
    SCOPED_TRACE(life.script);
    Checkpointed subject;
    // What is due first stays: behind two others the rest leaves.
    for (const int time : {1, 2}) subject.buffer().add(event_time(time), hash_of(2), 2, {0, "first"});
    subject.checkpoint();
    std::istringstream steps(life.script);
    std::string step;
    while (steps >> step) {
      switch (step[0]) {
        case 'a': subject.buffer().add(event_time(5), hash_of(1), 1, {1, "same"}); break;
        case 'c': subject.checkpoint(); break;
        case 'f':
          subject.begin();
          subject.fail();
          break;
        case 'b': subject.begin(); break;
        case 'e': subject.complete(); break;
        case 'l': subject.backend().shrink(true); break;
        case 'r': subject.restart(); break;
      }
    }
    EXPECT_EQ(release(subject.buffer(), event_time(2)), (std::vector<std::string>{"first", "first"}));
    EXPECT_EQ(release(subject.buffer(), event_time(5)), std::vector<std::string>(life.given, "same"));
  }
}

TEST(TimeBuffer, DoesNotReadAgainWhatItReleasedOfATimeThatIsNotOver) {
  Checkpointed subject;
  for (Key key = 0; key < 100; ++key) subject.buffer().add(event_time(5), hash_of(key), key, {0, "five"});
  subject.checkpoint();
  for (int i = 0; i < 60; ++i) {
    ASSERT_NE(subject.buffer().front(event_time(5)), nullptr);
    subject.buffer().pop_front();
  }
  for (Key key = 0; key < 100; ++key) subject.buffer().add(event_time(5), hash_of(key), key, {0, "five"});
  for (int i = 0; i < 4; ++i) subject.backend().shrink(true);
  EXPECT_EQ(release(subject.buffer(), event_time(5)).size(), 140u);
}

TEST(TimeBuffer, HoldsNoMoreThanTheBudgetAllowsAndReleasesAllInOrder) {   // P3
  struct Shape {
    const char* name;
    std::uint64_t times;
  };
  for (const Shape& shape : {Shape{"all at one time", 1}, {"a few times", 7}, {"many times", 1'000'000}}) {
    SCOPED_TRACE(shape.name);
    constexpr std::uint64_t kRecords = 40'000;
    MemoryBudget budget(std::size_t{1} << 20, 1);
    Checkpointed subject{&budget};
    std::multiset<std::tuple<EventTime, std::uint64_t>> model;
    for (std::uint64_t i = 0; i < kRecords; ++i) {
      const EventTime time = event_time(static_cast<std::int64_t>(i * 7919 % shape.times));
      const Key key = i % 5000;
      subject.buffer().add(time, hash_of(key), key, {0, std::string(40, 'x')});
      model.emplace(time, hash_of(key));
      if (i % 2000 != 1999) continue;
      subject.checkpoint();
      subject.backend().shrink();
      ASSERT_FALSE(budget.spent());
    }
    EXPECT_LT(subject.buffer().size(), kRecords / 4);
    for (const auto& [time, hash] : model) {
      const Buffer::Entry* entry = subject.buffer().front(kPlusInfinity);
      ASSERT_NE(entry, nullptr);
      ASSERT_EQ(std::tuple(entry->time, entry->hash), std::tuple(time, hash));
      subject.buffer().pop_front();
    }
    EXPECT_EQ(subject.buffer().front(kPlusInfinity), nullptr);
  }
}

TEST(TimeBuffer, ReadsOnlyWhatIsDueAfterARestore) {
  Checkpointed subject;
  for (Key key = 0; key < 50'000; ++key) {
    subject.buffer().add(event_time(5 + static_cast<std::int64_t>(key / 25'000)), hash_of(key), key, {});
  }
  subject.checkpoint();
  subject.restart();
  EXPECT_EQ(subject.buffer().size(), 0u);
  EXPECT_EQ(subject.buffer().front(event_time(4)), nullptr);
  EXPECT_LE(subject.buffer().size(), 4096u);
  EXPECT_EQ(release(subject.buffer(), event_time(5)).size(), 25'000u);
  EXPECT_LE(subject.buffer().size(), 4096u);
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

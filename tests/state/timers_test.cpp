#include <optional>
#include <random>
#include <set>
#include <span>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "row_collector.hpp"

namespace tidemark::state_test {
namespace {

using Key = std::uint64_t;

std::vector<std::int64_t> take_all(TimerTable<Key>& timers) {
  std::vector<std::int64_t> times;
  while (timers.next() != nullptr) times.push_back(micros(timers.take_next().time));
  return times;
}

TEST(TimerTable, PutsNegativeTimesBeforePositiveOnes) {   // T2, restate#394
  StateBackend backend({}, 0, 128);
  auto& timers = backend.timers<Key>();
  for (const int time : {-5, 3, -1}) timers.set(hash_of(1), 1, event_time(time));
  EXPECT_EQ(take_all(timers), (std::vector<std::int64_t>{-5, -1, 3}));
}

TEST(TimerTable, KeepsNegativeTimesBeforePositiveOnesAcrossARestore) {   // T7, restate#394
  StateBackend backend({}, 0, 128);
  auto& timers = backend.timers<Key>();
  for (const int time : {-5, 3, -1}) timers.set(hash_of(1), 1, event_time(time), 9);
  RowCollector collector;
  backend.freeze(collector);
  while (!backend.encode_some(1)) {
  }
  PlayedStore store;
  store.ingest(collector);
  backend.settle(true);
  StateBackend restored({}, 0, 128);
  auto& same = restored.timers<Key>();
  store.restore(restored, {});
  EXPECT_EQ(same.next()->tag, 9u);
  EXPECT_EQ(same.next()->hash, hash_of(1));
  EXPECT_EQ(take_all(same), (std::vector<std::int64_t>{-5, -1, 3}));
}

TEST(TimerTable, SetsATimerOnceAndErasesNothingTwice) {   // T1
  StateBackend backend({}, 0, 128);
  auto& timers = backend.timers<Key>();
  EXPECT_TRUE(timers.set(hash_of(1), 1, event_time(10)));
  EXPECT_FALSE(timers.set(hash_of(1), 1, event_time(10)));
  EXPECT_TRUE(timers.set(hash_of(1), 1, event_time(10), 1)) << "another tag";
  EXPECT_TRUE(timers.set(hash_of(2), 2, event_time(10))) << "another key";
  EXPECT_EQ(timers.size(), 3u);
  timers.erase(hash_of(1), 1, event_time(10));
  EXPECT_EQ(timers.size(), 2u);
  timers.erase(hash_of(1), 1, event_time(10));
  timers.erase(hash_of(1), 1, event_time(11));
  EXPECT_EQ(timers.size(), 2u);
}

TEST(TimerTable, FiresATimerThatWasErasedAndSetAgainOnce) {
  StateBackend backend({}, 0, 128);
  auto& timers = backend.timers<Key>();
  timers.set(hash_of(1), 1, event_time(10));
  timers.erase(hash_of(1), 1, event_time(10));
  timers.set(hash_of(1), 1, event_time(10));
  EXPECT_EQ(take_all(timers), std::vector<std::int64_t>{10});
  EXPECT_EQ(timers.next(), nullptr);
  timers.set(hash_of(1), 1, event_time(10));
  EXPECT_EQ(take_all(timers), std::vector<std::int64_t>{10});
}

TEST(TimerTable, GivesATimerSetAtAPassedTimeNext) {   // T3
  StateBackend backend({}, 0, 128);
  auto& timers = backend.timers<Key>();
  for (int time = 100; time < 200; ++time) timers.set(hash_of(1), 1, event_time(time));
  for (int i = 0; i < 50; ++i) timers.take_next();
  timers.set(hash_of(2), 2, event_time(7));
  EXPECT_EQ(timers.take_next().time, event_time(7));
  EXPECT_EQ(timers.take_next().time, event_time(150));
}

TEST(TimerTable, F42KeepsTimersOfKeysWithEqualHashApart) {
  StateBackend backend({}, 0, 128);
  auto& timers = backend.timers<std::string>();
  timers.set(5, "a", event_time(1));
  timers.set(5, "b", event_time(1));
  timers.set(5, "c", event_time(1));
  EXPECT_FALSE(timers.set(5, "b", event_time(1)));
  timers.erase(5, "a", event_time(1));
  std::set<std::string> fired;
  while (timers.next() != nullptr) fired.insert(timers.take_next().key);
  EXPECT_EQ(fired, (std::set<std::string>{"b", "c"}));
}

// As in entry_life_test.cpp: s set, e erase, t take, f freeze, x encode all, c completed, ! failed; l leave memory as far as it is clean.
struct Life {
  const char* script;
  const char* rows;
  const char* restored;   // does a restore from the completed checkpoints have the timer
};

void expect_lives(std::span<const Life> lives) {
  for (const Life& life : lives) {
    SCOPED_TRACE(life.script);
    StateBackend backend({}, 0, 128);
    auto& timers = backend.timers<Key>();
    RowCollector collector;
    PlayedStore store;
    backend.attach(&store, nullptr);
    std::string trace;
    // Of the one timer.
    const auto trace_rows = [&] {
      for (const RowCollector::Row& row : collector.rows) {
        ByteView rest = ByteView{row.key}.substr(sizeof(StateId));
        EventTime time;
        ASSERT_TRUE(take_time_big_endian(rest, time));
        if (time == event_time(-3)) trace += row.tombstone ? "- " : "+ ";
      }
    };
    // What is due first stays: behind two others it is the one that leaves.
    for (const int time : {-9, -8}) timers.set(hash_of(2), 2, event_time(time));
    std::istringstream steps(life.script);
    std::string step;
    while (steps >> step) {
      switch (step[0]) {
        case 's': timers.set(hash_of(1), 1, event_time(-3), 2); break;
        case 'e': timers.erase(hash_of(1), 1, event_time(-3), 2); break;
        case 't':
          while (timers.take_next().time != event_time(-3)) {
          }
          break;
        case 'l': backend.shrink(true); break;
        case 'f': backend.freeze(collector); break;
        case 'x': EXPECT_TRUE(backend.encode_some(100)); break;
        case 'c':
          trace_rows();
          store.ingest(collector);
          backend.settle(true);
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
    auto& same = restored.timers<Key>();
    store.restore(restored, {});
    EXPECT_EQ(same.is_set(hash_of(1), 1, event_time(-3), 2) ? "yes" : "no", std::string{life.restored});
  }
}

TEST(TimerTable, WritesRowsAsTheLifeOfATimerSays) {
  const Life lives[] = {
      {"s f x c f x c", "+ ; ;", "yes"},
      {"s t f x c", ";", "no"},
      {"s f t x c", "+ ;", "yes"},
      {"s f t x c f x c", "+ ; - ;", "no"},
      {"s f x t c f x c", "+ ; - ;", "no"},
      {"s f x c t f x c f x c", "+ ; - ; ;", "no"},
      {"s f x c e s f x c", "+ ; + ;", "yes"},
      {"s f x c s f x c", "+ ; ;", "yes"},
      {"s f x c e f s x c f x c", "+ ; - ; + ;", "yes"},
      {"s f x ! t f x c", "+ ! - ;", "no"},
      {"s f ! f x c", "! + ;", "yes"},
      {"s f x c t f x ! f x c", "+ ; - ! - ;", "no"},
  };
  expect_lives(lives);
}

TEST(TimerTable, LeavesMemoryWhenItIsCleanAndForgetsNothing) {
  const Life lives[] = {
      {"s f x c l f x c", "+ ; ;", "yes"},
      {"s l f x c", "+ ;", "yes"},               // dirty, frozen and in flight stay
      {"s f l x c", "+ ;", "yes"},
      {"s f x l ! f x c", "+ ! + ;", "yes"},
      {"s f x c l e f x c", "+ ; - ;", "no"},
      {"s f x c l t f x c", "+ ; - ;", "no"},
      {"s f x c l s f x c", "+ ; + ;", "yes"},   // it cannot know
      {"s f x c l s e f x c", "+ ; - ;", "no"},
      {"s f x c l e l f x c", "+ ; - ;", "no"},  // the marker stays, and it does not come back
      {"s f x c l e f x ! l f x c", "+ ; - ! - ;", "no"},
      {"s f x c e l s f x c", "+ ; + ;", "yes"},
  };
  expect_lives(lives);
}

TEST(TimerTable, HoldsNoMoreThanTheBudgetAllowsAndFiresAllInOrder) {   // T7
  struct Shape {
    const char* name;
    std::uint64_t times;
  };
  for (const Shape& shape : {Shape{"all at one time", 1}, {"a few times", 7}, {"many times", 1'000'000}}) {
    SCOPED_TRACE(shape.name);
    constexpr std::uint64_t kTimers = 40'000;
    MemoryBudget budget(std::size_t{1} << 20, 1);
    StateBackend backend({}, 0, 128);
    auto& timers = backend.timers<Key>();
    RowCollector collector;
    PlayedStore store;
    backend.attach(&store, &budget);
    std::set<std::tuple<EventTime, std::uint64_t>> model;
    for (Key key = 0; key < kTimers; ++key) {
      const EventTime time = event_time(static_cast<std::int64_t>(key * 7919 % shape.times));
      timers.set(hash_of(key), key, time);
      model.emplace(time, hash_of(key));
      if (key % 2000 != 1999) continue;
      backend.freeze(collector);
      while (!backend.encode_some(1'000'000)) {
      }
      store.ingest(collector);
      backend.settle(true);
      backend.shrink();
      ASSERT_FALSE(budget.spent());
    }
    EXPECT_LT(timers.size(), kTimers / 4);
    for (const auto& [time, hash] : model) {
      const auto taken = timers.take_next();
      ASSERT_EQ(std::tuple(taken.time, taken.hash), std::tuple(time, hash));
    }
    EXPECT_EQ(timers.next(), nullptr);
  }
}

TEST(TimerTable, ReadsOnlyWhatIsDueAfterARestore) {
  StateBackend backend({}, 0, 128);
  auto& timers = backend.timers<Key>();
  for (Key key = 0; key < 50'000; ++key) timers.set(hash_of(key), key, event_time(5 + static_cast<std::int64_t>(key / 25'000)));
  RowCollector collector;
  PlayedStore store;
  backend.freeze(collector);
  while (!backend.encode_some(1'000'000)) {
  }
  store.ingest(collector);
  backend.settle(true);
  StateBackend restored({}, 0, 128);
  auto& same = restored.timers<Key>();
  restored.attach(&store, nullptr);
  store.restore_lazily(restored, {Buckets{}});
  EXPECT_EQ(same.next(event_time(4)), nullptr);
  EXPECT_LE(same.size(), 4096u);
  for (int i = 0; i < 25'000; ++i) ASSERT_EQ(same.take_next().time, event_time(5));
  EXPECT_EQ(same.next(event_time(5)), nullptr);
  EXPECT_LE(same.size(), 4096u);
}

// The shapes that the ladder treats in their own way: dense and sparse times, all at one time, the whole range, sets in the past.
TEST(TimerTable, FiresInOrderForAnyShapeOfTimes) {
  struct Shape {
    const char* name;
    std::int64_t low;
    std::int64_t high;
    int count;
  };
  const Shape shapes[] = {{"one time", 5, 5, 20000},
                          {"dense", -1000, 1000, 30000},
                          {"one second", 0, 999999, 30000},
                          {"a month", -1'000'000'000'000, 1'600'000'000'000, 40000},
                          {"everything", std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(), 40000}};
  for (const Shape& shape : shapes) {
    SCOPED_TRACE(shape.name);
    StateBackend backend({}, 0, 128);
    auto& timers = backend.timers<Key>();
    std::mt19937_64 random(7);
    std::uniform_int_distribution<std::int64_t> times(shape.low, shape.high);
    std::set<std::tuple<EventTime, std::uint64_t, TimerTag, Key>> model;
    const auto set = [&] {
      const Key key = random() % 5000;
      const EventTime time = event_time(times(random));
      const auto tag = static_cast<TimerTag>(random() % 3);
      ASSERT_EQ(timers.set(hash_of(key), key, time, tag), model.emplace(time, hash_of(key), tag, key).second);
    };
    for (int i = 0; i < shape.count; ++i) set();
    while (!model.empty()) {
      const TimerTable<Key>::Timer taken = timers.take_next();
      ASSERT_EQ(std::tuple(taken.time, taken.hash, taken.tag, taken.key), *model.begin());
      model.erase(model.begin());
      if (random() % 3 == 0) set();   // also before what was taken
      if (random() % 3 == 0 && !model.empty()) {
        auto victim = model.lower_bound({event_time(times(random)), 0, 0, 0});
        if (victim == model.end()) victim = std::prev(model.end());
        const auto [time, hash, tag, key] = *victim;
        timers.erase(hash, key, time, tag);
        model.erase(victim);
      }
      ASSERT_EQ(timers.size(), model.size());
    }
    EXPECT_EQ(timers.next(), nullptr);
  }
}

// A million timers at one instant must not make one step of them all.
TEST(TimeLadder, SortsItemsOfOneTimePieceByPiece) {
  struct Item {
    EventTime time;
    std::uint64_t hash;
  };
  static std::size_t compared = 0;
  struct Less {
    bool operator()(const Item& a, const Item& b) const {
      ++compared;
      return a.time != b.time ? a.time < b.time : a.hash < b.hash;
    }
  };
  constexpr std::size_t kItems = 1'000'000;
  state_internal::TimeLadder<Item, Less> ladder{Less{}};
  for (std::size_t i = 0; i < kItems; ++i) ladder.push({event_time(5), hash_of(i)});
  std::size_t most = 0;
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < kItems; ++i) {
    const std::size_t before = compared;
    const Item* item = ladder.front(event_time(5));
    most = std::max(most, compared - before);
    ASSERT_NE(item, nullptr);
    ASSERT_LE(last, item->hash);
    last = item->hash;
    ladder.pop();
  }
  EXPECT_EQ(ladder.front(kPlusInfinity), nullptr);
  EXPECT_LT(most, kItems / 10);
}

TEST(TimerTable, DoesNotGrowWhenTimersArePushedBackForEver) {
  StateBackend backend({}, 0, 128);
  auto& timers = backend.timers<Key>();
  // Idle timers: each record moves its key's timer a little further, and none is ever due.
  std::vector<std::int64_t> due(1000, 0);
  for (std::int64_t now = 1; now < 500000; ++now) {
    const Key key = static_cast<Key>(now) % due.size();
    timers.erase(hash_of(key), key, event_time(due[key]));
    due[key] = 1'000'000'000 + now / 100;
    timers.set(hash_of(key), key, event_time(due[key]));
  }
  EXPECT_EQ(timers.size(), due.size());
  EXPECT_LT(backend.components()[0]->bytes(), 1u << 20);
  // The same in the part that is sorted already.
  ASSERT_NE(timers.next(), nullptr);
  for (std::int64_t round = 0; round < 500000; ++round) {
    const Key key = static_cast<Key>(round) % due.size();
    timers.erase(hash_of(key), key, event_time(due[key]));
    due[key] = 1'000'005'000 + round % 97;
    timers.set(hash_of(key), key, event_time(due[key]));
  }
  EXPECT_LT(backend.components()[0]->bytes(), 2u << 20);
  EXPECT_EQ(take_all(timers).size(), due.size());
}

}  // namespace
}  // namespace tidemark::state_test

// Values, lists and maps by window (L1, K4): what a window leaves behind, and random calls against plain containers, a set of them for each
// key and window. After every completed checkpoint a restore equals the model as of the freeze; with a cold tier keys leave memory and come
// back.

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/state/handles.hpp>

#include "row_collector.hpp"

namespace tidemark::state_test {
namespace {

using Key = std::uint64_t;

// [0, 10), [10, 20) and so on, which go when the watermark has reached their last microsecond.
struct Tens {
  EventTime end_of(EventTime time) const { return time - floor_mod(time.time_since_epoch(), Duration{10}) + Duration{10}; }
  EventTime gone_through(EventTime watermark) const { return saturating_add(watermark, Duration{1}); }
  std::string parameters() const { return "tens"; }
};

template <class Content>
using Table = WindowEntriesTable<Key, Content, Tens>;
using Values = Table<state_internal::EntryValue<std::string>>;
using Lists = Table<state_internal::EntryList<std::string>>;
using Maps = Table<state_internal::EntryMap<std::string, std::string>>;

struct Subject {
  Subject() {
    value.bind(values, call);
    list.bind(lists, call);
    map.bind(maps, call);
  }
  void move_watermark(EventTime watermark) {
    values.set_watermark(watermark);
    lists.set_watermark(watermark);
    maps.set_watermark(watermark);
  }
  void at(const Key& key, EventTime time, EventTime decision = kMinusInfinity) {
    call = {hash_of(key), &key, time, decision, call.number + 1, decision};
  }
  void forget() {
    ++call.number;
    values.forget(call);
    lists.forget(call);
    maps.forget(call);
  }

  StateCall call;
  ValueState<std::string> value{"value"};
  ListState<std::string> list{"list"};
  MapState<std::string, std::string> map{"map"};
  StateBackend backend{KeySpace{.groups = 4, .seed = 0}, 0, 4};
  Values& values = backend.window_entries_table<Key, state_internal::EntryValue<std::string>>("value", Tens{});
  Lists& lists = backend.window_entries_table<Key, state_internal::EntryList<std::string>>("list", Tens{});
  Maps& maps = backend.window_entries_table<Key, state_internal::EntryMap<std::string, std::string>>("map", Tens{});
};

void checkpoint(Subject& subject, RowCollector& rows) {
  rows.rows.clear();
  subject.backend.freeze(rows);
  while (!subject.backend.encode_some(1000)) {
  }
  subject.backend.settle(true);
}

constexpr Key kSeven = 7;

TEST(WindowEntries, ShowACallTheWindowOfItsTimeAlone) {
  Subject subject;
  for (const std::int64_t time : {-1, 3, 12}) {
    subject.at(kSeven, event_time(time));
    EXPECT_EQ(subject.value.find(), nullptr);
    subject.value.set(std::to_string(time));
    subject.list.append(std::to_string(time));
  }
  subject.at(kSeven, event_time(9));
  EXPECT_EQ(*subject.value.find(), "3");
  subject.list.append("9");
  EXPECT_EQ(subject.list.size(), 2u);
  subject.at(kSeven, event_time(10));
  EXPECT_EQ(*subject.value.find(), "12");
  EXPECT_EQ(subject.list.size(), 1u);
}

TEST(WindowEntries, AreARowForEachUnderTheEndOfTheirWindow) {
  Subject subject;
  subject.at(kSeven, event_time(12));
  subject.map.put("a", "1");
  subject.map.put("b", "2");
  RowCollector rows;
  checkpoint(subject, rows);
  ASSERT_EQ(rows.rows.size(), 2u);
  Bytes expected;
  append_u16_big_endian(expected, subject.maps.id());
  append_time_big_endian(expected, event_time(20));
  append_u64_big_endian(expected, hash_of(kSeven));
  Codec<Key>::encode(kSeven, expected);
  Codec<std::string>::encode("a", expected);
  EXPECT_EQ(rows.rows[0].key, expected);

  subject.at(kSeven, event_time(12));
  subject.map.put("b", "3");
  checkpoint(subject, rows);
  ASSERT_EQ(rows.rows.size(), 1u) << "the entry that changed";
}

TEST(WindowEntries, GoWithTheirWindowAndTakeNoTombstones) {
  Subject subject;
  RowCollector rows;
  subject.at(kSeven, event_time(3));
  subject.list.append("a");
  subject.map.put("a", "1");
  checkpoint(subject, rows);
  subject.move_watermark(event_time(8));
  EXPECT_EQ(subject.lists.live_buckets(), std::vector{event_time(10)}) << "its last microsecond has not passed";
  subject.move_watermark(event_time(9));
  EXPECT_EQ(subject.lists.entries() + subject.maps.entries(), 0u);
  EXPECT_EQ(subject.lists.dropped_through(), event_time(10));
  checkpoint(subject, rows);
  EXPECT_TRUE(rows.rows.empty());
}

TEST(WindowEntries, AreInTheCheckpointThatWasUnderWayWhenTheirWindowWent) {
  Subject subject;
  RowCollector rows;
  subject.at(kSeven, event_time(3));
  subject.list.append("a");
  subject.list.append("b");
  subject.backend.freeze(rows);
  subject.move_watermark(event_time(9));
  while (!subject.backend.encode_some(1)) {
  }
  subject.backend.settle(true);
  EXPECT_EQ(rows.rows.size(), 2u);
}

TEST(WindowEntries, OfAWindowThatIsGoneLastForTheCallThatWritesThem) {
  Subject subject;
  RowCollector rows;
  subject.at(kSeven, event_time(3));
  subject.map.put("a", "1");
  // Another split's records may still find the window; this one, whose own split has passed it, may not (L2).
  subject.at(kSeven, event_time(4), event_time(9));
  EXPECT_TRUE(subject.maps.is_gone(subject.call));
  EXPECT_TRUE(subject.map.empty());
  EXPECT_FALSE(subject.call.missed) << "it only looked";
  subject.map.put("b", "2");
  subject.value.set("2");
  EXPECT_TRUE(subject.call.missed);
  EXPECT_EQ(subject.map.size(), 1u);
  subject.value.erase();
  EXPECT_EQ(subject.value.find(), nullptr);
  subject.at(kSeven, event_time(4), event_time(9));
  EXPECT_TRUE(subject.map.empty());
  subject.at(kSeven, event_time(4), event_time(8));
  EXPECT_EQ(*subject.map.find("a"), "1");
  EXPECT_EQ(subject.map.size(), 1u);
}

// One look for each window, for the misses of a whole batch; who is neither here nor there is not looked for again.
TEST(WindowEntries, OfABatchAreLookedUpBeforeItsFirstCall) {
  PlayedStore store;
  Subject subject;
  subject.backend.attach(&store, nullptr);
  const std::vector<std::pair<Key, std::int64_t>> uses{{1, 3}, {2, 12}, {3, 4}, {2, 5}, {9, 6}, {9, 25}};
  for (const auto& [key, time] : uses) {
    if (key == 9) continue;
    subject.at(key, event_time(time));
    subject.list.append(std::to_string(time));
  }
  RowCollector rows;
  checkpoint(subject, rows);
  store.ingest(rows);

  Subject restored;
  restored.backend.attach(&store, nullptr);
  store.restore_lazily(restored.backend, buckets_of(subject.backend));
  std::vector<std::uint64_t> hashes;
  for (const auto& [key, time] : uses) hashes.push_back(hash_of(key));
  restored.lists.fetch(
      hashes.data(), hashes.size(), [&](std::size_t i) { return uses[i].first; },
      [&](std::size_t i) { return event_time(uses[i].second); });
  EXPECT_EQ(store.ranges_read, 5u) << "no look for a window that the store does not have";
  for (const auto& [key, time] : uses) {
    restored.at(key, event_time(time));
    EXPECT_EQ(restored.list.size(), key == 9 ? 0u : 1u) << key << " at " << time;
  }
  EXPECT_EQ(store.ranges_read, 5u) << "the calls found what had been looked up";
}

// A shorter allowed lateness in the release before may have dropped it.
TEST(WindowEntries, OfAWindowThatWasDroppedOnceDoNotComeBack) {
  Subject subject;
  subject.lists.set_dropped_through(event_time(10));
  subject.at(kSeven, event_time(3));
  EXPECT_TRUE(subject.lists.is_gone(subject.call));
  subject.list.append("a");
  EXPECT_EQ(subject.lists.entries(), 0u);
}

struct Model {
  struct OfWindow {
    std::optional<std::string> value;
    std::vector<std::string> list;
    std::map<std::string, std::string> map;
  };
  std::map<std::pair<EventTime, Key>, OfWindow> windows;
  EventTime watermark = event_time(0);
};

class Run {
 public:
  Run(std::uint64_t seed, bool cold, Key keys) : random_(seed), cold_(cold), keys_(keys), subject_(std::make_unique<Subject>()) {
    if (cold_) subject_->backend.attach(&live_, nullptr);
  }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) step();
    if (testing::Test::HasFatalFailure()) return;
    ASSERT_NO_FATAL_FAILURE(expect_equal(*subject_, model_));
    subject_->move_watermark(kPlusInfinity);
    for (const auto& component : subject_->backend.components()) {
      EXPECT_EQ(component->dropped_through(), kPlusInfinity);
      EXPECT_EQ(component->entries(), 0u);
    }
  }
  int completed() const { return completed_; }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  Duration some(std::uint64_t most) { return Duration{static_cast<std::int64_t>(below(most))}; }
  std::string word() { return std::string(below(3) * 20, 'x') + std::to_string(below(1000)); }

  void step() {
    switch (below(16)) {
      default: return call();
      case 10: case 11: return advance();
      case 12: case 13: return begin_or_encode();
      case 14: return frozen_ && below(2) == 0 ? end_checkpoint() : void();
      case 15:
        if (cold_ && below(4) == 0) subject_->backend.shrink(true);
        if (below(60) == 0) restart();
    }
  }

  void call() {
    const Key key = below(keys_);
    const EventTime time = model_.watermark + some(25) - some(12);
    const EventTime end = Tens{}.end_of(time);
    if (below(4) == 0) fetch(key, time);
    subject_->at(key, time, model_.watermark);
    if (end <= model_.watermark + Duration{1}) {
      ASSERT_NO_FATAL_FAILURE(expect_window(*subject_, {}));
      Model::OfWindow gone;
      access(gone);
      ASSERT_NO_FATAL_FAILURE(expect_window(*subject_, gone));
      return;
    }
    Model::OfWindow& window = model_.windows[{end, key}];
    for (std::uint64_t n = 1 + below(4); n > 0; --n) access(window);
    ASSERT_NO_FATAL_FAILURE(expect_window(*subject_, window));
    if (below(30) != 0) return;
    subject_->forget();
    std::erase_if(model_.windows, [key](const auto& each) { return each.first.second == key; });
  }
  void access(Model::OfWindow& window) {
    const std::string id(1, static_cast<char>('a' + below(5)));
    const std::string text = word();
    switch (below(8)) {
      case 0: subject_->value.set(text); window.value = text; break;
      case 1: subject_->value.erase(); window.value.reset(); break;
      case 2: case 3: subject_->list.append(text); window.list.push_back(text); break;
      case 4: if (below(3) == 0) { subject_->list.clear(); window.list.clear(); } break;
      case 5: case 6: subject_->map.put(id, text); window.map[id] = text; break;
      case 7: EXPECT_EQ(subject_->map.erase(id), window.map.erase(id) == 1); break;
    }
  }
  // What a batch asks for before its first call.
  void fetch(Key key, EventTime time) {
    const std::vector<Key> keys{below(keys_), key, below(keys_)};
    const std::vector<EventTime> times{time + Duration{10}, time, kMinusInfinity};
    std::vector<std::uint64_t> hashes;
    for (const Key each : keys) hashes.push_back(hash_of(each));
    const auto key_of = [&](std::size_t i) { return keys[i]; };
    const auto time_of = [&](std::size_t i) { return times[i]; };
    subject_->values.fetch(hashes.data(), hashes.size(), key_of, time_of);
    subject_->lists.fetch(hashes.data(), hashes.size(), key_of, time_of);
    subject_->maps.fetch(hashes.data(), hashes.size(), key_of, time_of);
  }

  void advance() {
    model_.watermark += some(6);
    subject_->move_watermark(model_.watermark);
    std::erase_if(model_.windows, [&](const auto& each) { return each.first.first <= model_.watermark + Duration{1}; });
  }
  void begin_or_encode() {
    if (frozen_) {
      subject_->backend.encode_some(below(20));
      return;
    }
    subject_->backend.freeze(collector_);
    as_of_freeze_ = model_;
    buckets_ = buckets_of(subject_->backend);
    frozen_ = true;
  }
  void end_checkpoint() {
    frozen_ = false;
    if (below(3) == 0) {
      if (below(2) == 0) live_.take(collector_);   // it failed after its rows were in the store
      subject_->backend.settle(false);
      collector_.rows.clear();
      return;
    }
    while (!subject_->backend.encode_some(1 + below(100))) {
    }
    live_.take(collector_);
    store_.ingest(collector_);
    subject_->backend.settle(true);
    durable_ = as_of_freeze_;
    durable_buckets_ = buckets_;
    compact(live_);
    compact(store_);
    ++completed_;
    const auto restored = restore(store_);
    expect_equal(*restored, durable_);
  }
  // Some of the dead rows go, by the values of the last durable manifest.
  void compact(PlayedStore& store) {
    store.remove_if([&](ByteView key, ByteView) {
      StateId id = 0;
      EventTime end{};
      EXPECT_TRUE(take_u16_big_endian(key, id) && take_time_big_endian(key, end));
      return end <= durable_buckets_[id].dropped_through && below(2) == 0;
    });
  }
  std::unique_ptr<Subject> restore(PlayedStore& store) {
    auto restored = std::make_unique<Subject>();
    restored->move_watermark(durable_.watermark);
    if (cold_) {
      restored->backend.attach(&store, nullptr);
      store.restore_lazily(restored->backend, durable_buckets_);
      for (const auto& component : restored->backend.components()) EXPECT_EQ(component->entries(), 0u) << "nothing was brought in";
    } else {
      store.restore(restored->backend, durable_buckets_);
    }
    return restored;
  }
  // A crash: the job goes on from the last completed checkpoint.
  void restart() {
    if (completed_ == 0) return;
    live_ = store_;
    subject_ = restore(live_);
    model_ = durable_;
    collector_.rows.clear();
    frozen_ = false;
  }

  void expect_equal(Subject& subject, const Model& model) {
    for (Key key = 0; key < keys_; ++key) {
      for (EventTime time = model.watermark - Duration{15}; time < model.watermark + Duration{40}; time += Duration{10}) {
        const auto window = model.windows.find({Tens{}.end_of(time), key});
        subject.at(key, time, model.watermark);
        ASSERT_NO_FATAL_FAILURE(expect_window(subject, window == model.windows.end() ? Model::OfWindow{} : window->second));
      }
    }
  }
  void expect_window(const Subject& subject, const Model::OfWindow& model) {
    const std::string* value = subject.value.find();
    ASSERT_EQ(value == nullptr ? std::optional<std::string>{} : *value, model.value);
    ASSERT_EQ(std::vector<std::string>(subject.list.begin(), subject.list.end()), model.list);
    std::map<std::string, std::string> entries;
    for (const auto& [id, text] : subject.map) entries.emplace(id, text);
    ASSERT_EQ(entries, model.map);
    ASSERT_EQ(subject.map.size(), model.map.size());
  }

  std::mt19937_64 random_;
  bool cold_;
  Key keys_;
  PlayedStore live_;    // the cold tier of the running job
  std::unique_ptr<Subject> subject_;
  Model model_;
  Model as_of_freeze_;
  Model durable_;
  std::vector<Buckets> buckets_;
  std::vector<Buckets> durable_buckets_;
  RowCollector collector_;
  PlayedStore store_;   // the last completed checkpoint
  bool frozen_ = false;
  int completed_ = 0;
};

void run_seeds(std::uint64_t first, std::uint64_t end, bool cold) {
  int completed = 0;
  for (std::uint64_t seed = first; seed < end && !testing::Test::HasFatalFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Run run(seed, cold, seed % 3 == 0 ? 100 : 5);
    run.run(2500);
    completed += run.completed();
  }
  EXPECT_GT(completed, static_cast<int>(end - first) * 10) << "too few checkpoints completed to say anything";
}

TEST(WindowEntries, AreThoseOfANaiveModel) { run_seeds(0, 30, false); }
TEST(WindowEntries, AreThoseOfANaiveModelWithAColdTier) { run_seeds(100, 130, true); }

}  // namespace
}  // namespace tidemark::state_test

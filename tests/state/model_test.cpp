// Random operations on all kinds of state at once, against plain containers, with checkpoints that complete and fail at random points.
// After every completed checkpoint a restore from the rows collected so far equals the model as of the freeze (K1-K4, T1, T2, T7, P3, D5).
// The same with a cold tier: entries leave memory and come back, restores are lazy, and failed checkpoints may have left their rows in the
// running store.

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "../support/instrumented.hpp"
#include "row_collector.hpp"

namespace tidemark::state_test {
namespace {

struct Sum {
  std::int64_t total = 0;
  std::uint64_t count = 0;
  friend bool operator==(const Sum&, const Sum&) = default;
};

template <class T>
T made_from(std::uint64_t number);
template <>
std::uint64_t made_from(std::uint64_t number) { return number; }
template <>
Sum made_from(std::uint64_t number) { return {static_cast<std::int64_t>(number), number}; }
template <>
std::string made_from(std::uint64_t number) {
  // Short and long ones, with a NUL.
  return std::string(number % 40, 'x') + '\0' + std::to_string(number);
}

template <class Key, class Value>
struct Model {
  using TimerId = std::tuple<EventTime, std::uint64_t, TimerTag, Key>;
  using Buffered = std::tuple<EventTime, std::uint64_t, Bytes, Bytes>;   // time, hash, encoded key and value
  std::map<Key, Value> values;
  std::map<EventTime, std::map<Key, Value>> slices;
  std::set<TimerId> timers;
  std::multiset<Buffered> buffered;
  EventTime watermark = event_time(-1'000'000);

  friend bool operator==(const Model&, const Model&) = default;
};

template <class Key, class Value>
struct Subject {
  StateBackend backend{KeySpace{.groups = 16, .seed = 0}, 0, 16};
  KeyedTable<Key, Value>& values = backend.keyed_table<Key, Value>("values");
  SliceTable<Key, Value>& slices = backend.slice_table<Key, Value>("slices");
  TimerTable<Key>& timers = backend.timers<Key>();
  TimeBuffer<Key, Value>& buffer = backend.time_buffer<Key, Value>("buffer");
};

struct Plan {
  std::uint64_t keys;          // how many different ones
  std::uint64_t hashes;        // how many different ones, so that some are equal (F42)
  std::int64_t time_step;
};

template <class Key, class Value>
class Run {
  using State = Model<Key, Value>;

 public:
  Run(std::uint64_t seed, Plan plan, bool cold) : random_(seed), plan_(plan), cold_(cold) {
    if (cold_) subject_->backend.attach(&live_, nullptr);
  }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) step();
    if (!testing::Test::HasFatalFailure()) release(kPlusInfinity);
  }
  int completed() const { return completed_; }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  std::uint64_t hash_of_number(std::uint64_t number) { return hash_of(number % plan_.hashes); }

  void step() {
    const std::uint64_t number = below(plan_.keys);
    const Key key = made_from<Key>(number);
    const std::uint64_t hash = hash_of_number(number);
    switch (below(24)) {
      case 0: case 1: case 2: case 3: {
        const Value value = made_from<Value>(random_() % 1000);
        subject_->values.upsert(hash, key) = value;
        model_.values.insert_or_assign(key, value);
        break;
      }
      case 4: case 5: case 6:
        ASSERT_EQ(subject_->values.erase(hash, key), model_.values.erase(key) == 1);
        break;
      case 7: {
        Value* found = subject_->values.find_to_change(hash, key);
        ASSERT_EQ(found != nullptr, model_.values.contains(key));
        if (found != nullptr) *found = model_.values[key] = made_from<Value>(below(1000));
        break;
      }
      case 8: {
        const Value* found = subject_->values.find(hash, key);
        ASSERT_EQ(found != nullptr, model_.values.contains(key));
        if (found == nullptr) break;
        ASSERT_EQ(*found, model_.values[key]);
        break;
      }
      case 9: case 10: case 11: {
        const EventTime end = model_.watermark + Duration{1 + static_cast<std::int64_t>(below(5)) * plan_.time_step};
        const Value value = made_from<Value>(below(1000));
        subject_->slices.slice(end).upsert(hash, key) = value;
        model_.slices[end].insert_or_assign(key, value);
        break;
      }
      case 12: {
        if (model_.slices.empty()) break;
        const EventTime end = std::next(model_.slices.begin(), static_cast<std::ptrdiff_t>(below(model_.slices.size())))->first;
        ASSERT_EQ(subject_->slices.slice(end).erase(hash, key), model_.slices[end].erase(key) == 1);
        break;
      }
      case 13: case 14: {
        // Also before the watermark (T3).
        const EventTime time = model_.watermark + Duration{static_cast<std::int64_t>(below(20)) * plan_.time_step - 3};
        const auto tag = static_cast<TimerTag>(below(2));
        ASSERT_EQ(subject_->timers.is_set(hash, key, time, tag), model_.timers.contains({time, hash, tag, key}));
        const bool added = model_.timers.emplace(time, hash, tag, key).second;
        ASSERT_TRUE(subject_->timers.set(hash, key, time, tag) == added || (cold_ && !added));
        break;
      }
      case 15: {
        if (model_.timers.empty()) break;
        const auto victim =
            std::next(model_.timers.begin(), static_cast<std::ptrdiff_t>(below(std::min<std::uint64_t>(model_.timers.size(), 20))));
        const auto [time, its_hash, tag, its_key] = *victim;
        subject_->timers.erase(its_hash, its_key, time, tag);
        subject_->timers.erase(its_hash, its_key, time, tag);
        model_.timers.erase(victim);
        break;
      }
      case 16: case 17: {
        const EventTime time = model_.watermark + Duration{1 + static_cast<std::int64_t>(below(10)) * plan_.time_step};
        const Value value = made_from<Value>(below(4));
        model_.buffered.emplace(time, hash, encoded(key), encoded(value));
        subject_->buffer.add(time, hash, key, Value{value});
        break;
      }
      case 18: advance(); break;
      case 19: case 20: begin_or_encode(); break;
      case 21: if (frozen_) end_checkpoint(); break;
      case 22:
        if (below(8) == 0) walk();
        if (cold_ && below(12) == 0) subject_->backend.shrink(true);
        if (cold_ && below(4) == 0) fetch_some();
        break;
      case 23: if (below(40) == 0 && completed_ > 0) restart(); break;
    }
  }

  // The watermark goes on; what is due comes out, or a part of it.
  void advance() {
    model_.watermark += Duration{static_cast<std::int64_t>(below(3)) * plan_.time_step};
    release(model_.watermark);
    std::uint64_t most = below(6);
    while (const auto* timer = subject_->timers.next()) {
      ASSERT_FALSE(model_.timers.empty());
      const auto& [time, hash, tag, key] = *model_.timers.begin();
      ASSERT_EQ(std::tuple(timer->time, timer->hash, timer->tag), std::tuple(time, hash, tag));
      if (timer->time > model_.watermark || most-- == 0) break;
      const auto taken = subject_->timers.take_next();
      ASSERT_EQ(model_.timers.erase({taken.time, taken.hash, taken.tag, taken.key}), 1u);
    }
    ASSERT_TRUE(cold_ || subject_->timers.size() == model_.timers.size());
    if (below(3) == 0) {
      subject_->slices.drop_through(model_.watermark);
      std::erase_if(model_.slices, [&](const auto& slice) { return slice.first <= model_.watermark; });
    }
  }
  void release(EventTime through) {
    std::uint64_t most = through == kPlusInfinity ? ~std::uint64_t{0} : below(12);
    while (auto* entry = subject_->buffer.front(through)) {
      if (most-- == 0) return;
      ASSERT_FALSE(model_.buffered.empty());
      ASSERT_EQ(std::tuple(entry->time, entry->hash, encoded(entry->key), encoded(entry->value)), *model_.buffered.begin());
      model_.buffered.erase(model_.buffered.begin());
      subject_->buffer.pop_front();
    }
    ASSERT_TRUE(model_.buffered.empty() || std::get<0>(*model_.buffered.begin()) > through);
  }

  void begin_or_encode() {
    if (!frozen_) {
      subject_->backend.note_checkpoint(++checkpoint_);
      subject_->backend.freeze(collector_);
      as_of_freeze_ = model_;
      buckets_ = buckets_of(subject_->backend);
      frozen_ = true;
    } else {
      const std::size_t before = collector_.rows.size();
      const std::uint64_t most = below(50);
      subject_->backend.encode_some(most);
      ASSERT_LE(collector_.rows.size() - before, most);
    }
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
    durable_checkpoint_ = checkpoint_;
    durable_buckets_ = buckets_;
    ++completed_;
    auto restored = restore(store_);
    expect_equal(*restored, durable_);
  }
  std::unique_ptr<Subject<Key, Value>> restore(PlayedStore& store) {
    auto restored = std::make_unique<Subject<Key, Value>>();
    restored->backend.note_checkpoint(durable_checkpoint_);
    if (!cold_) {
      store.restore(restored->backend, durable_buckets_);
    } else {
      restored->backend.attach(&store, nullptr);
      store.restore_lazily(restored->backend, durable_buckets_);
    }
    return restored;
  }
  // A crash: the job goes on from the last completed checkpoint.
  void restart() {
    live_ = store_;
    subject_ = restore(live_);
    model_ = durable_;
    collector_.rows.clear();
    frozen_ = false;
  }

  void walk() {
    ASSERT_NO_FATAL_FAILURE(expect_values(subject_->values, model_.values));
    for (const auto& [end, content] : model_.slices) {
      if (content.empty()) continue;   // a restore does not bring an empty slice back
      ASSERT_NE(subject_->slices.find_slice(end), nullptr);
      ASSERT_NO_FATAL_FAILURE(expect_slice(subject_->slices, end, content));
    }
  }
  // Keys that are here, in the store, or nowhere.
  void fetch_some() {
    std::vector<Key> keys;
    std::vector<std::uint64_t> hashes;
    for (std::uint64_t n = below(40); n > 0; --n) {
      const std::uint64_t number = below(plan_.keys);
      keys.push_back(made_from<Key>(number));
      hashes.push_back(hash_of_number(number));
    }
    subject_->values.fetch(hashes.data(), hashes.size(), [&](std::size_t i) { return keys[i]; });
    const std::size_t looked_up = live_.looked_up;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const Value* found = subject_->values.find(hashes[i], keys[i]);
      ASSERT_EQ(found != nullptr, model_.values.contains(keys[i]));
      if (found == nullptr) continue;
      ASSERT_EQ(*found, model_.values[keys[i]]);
    }
    ASSERT_EQ(live_.looked_up, looked_up) << "what was fetched is looked up again";
  }
  void expect_values(KeyedTable<Key, Value>& table, const std::map<Key, Value>& model) {
    if (!cold_) return expect_map(table.map(), model);
    for (std::uint64_t number = 0; number < plan_.keys; ++number) {
      const Key key = made_from<Key>(number);
      const Value* found = table.find(hash_of_number(number), key);
      ASSERT_EQ(found != nullptr, model.contains(key));
      if (found == nullptr) continue;
      ASSERT_EQ(*found, model.at(key));
    }
    ASSERT_EQ(table.size(), model.size());
  }
  void expect_slice(SliceTable<Key, Value>& slices, EventTime end, const std::map<Key, Value>& model) {
    std::map<Key, Value> content;
    const auto no_parts = [](Value&, const Value&) { FAIL() << "a value in two parts"; };
    while (slices.visit_some(end, {}, 1 + below(100), no_parts, [&](std::uint64_t, const Key& key, const Value& value) {
      ASSERT_TRUE(content.emplace(key, value).second);
    }) != Visited::kAll) {
    }
    ASSERT_TRUE(content == model);
  }
  void expect_map(HotMap<Key, Value>& map, const std::map<Key, Value>& model) {
    ASSERT_EQ(map.size(), model.size());
    std::map<Key, Value> content;
    typename HotMap<Key, Value>::Cursor cursor;
    while (
        !map.visit_some(cursor, 1 + below(100), [&](std::uint64_t, const Key& key, const Value& value) { content.emplace(key, value); })) {
    }
    ASSERT_TRUE(content == model);
  }
  // Empties `restored`.
  void expect_equal(Subject<Key, Value>& restored, const State& model) {
    ASSERT_NO_FATAL_FAILURE(expect_values(restored.values, model.values));
    for (const EventTime end : restored.slices.ends()) {
      ASSERT_TRUE(model.slices.contains(end));
      ASSERT_NO_FATAL_FAILURE(expect_slice(restored.slices, end, model.slices.at(end)));
    }
    for (const auto& [end, content] : model.slices) ASSERT_TRUE(content.empty() || restored.slices.find_slice(end) != nullptr);
    std::set<typename State::TimerId> timers;
    while (restored.timers.next() != nullptr) {
      const auto taken = restored.timers.take_next();
      ASSERT_TRUE(timers.emplace(taken.time, taken.hash, taken.tag, taken.key).second);
    }
    ASSERT_TRUE(timers == model.timers);
    std::multiset<typename State::Buffered> buffered;
    while (auto* entry = restored.buffer.front(kPlusInfinity)) {
      buffered.emplace(entry->time, entry->hash, encoded(entry->key), encoded(entry->value));
      restored.buffer.pop_front();
    }
    ASSERT_TRUE(buffered == model.buffered);
  }

  std::mt19937_64 random_;
  Plan plan_;
  bool cold_;
  PlayedStore live_;    // the cold tier of the running job
  std::unique_ptr<Subject<Key, Value>> subject_ = std::make_unique<Subject<Key, Value>>();
  State model_;
  State as_of_freeze_;
  State durable_;
  std::vector<Buckets> buckets_;
  std::vector<Buckets> durable_buckets_;
  RowCollector collector_;
  PlayedStore store_;   // the last completed checkpoint
  std::uint64_t checkpoint_ = 0;   // the last one that was begun
  std::uint64_t durable_checkpoint_ = 0;
  bool frozen_ = false;
  int completed_ = 0;
};

template <class Key, class Value>
void run_seeds(std::uint64_t first, std::uint64_t end, bool cold) {
  const Plan plans[] = {{3, 2, 1}, {60, 30, 7}, {60, 60, 1'000'003}, {3000, 1500, 40'000}};
  if (test_support::kInstrumented) end = first + std::max<std::uint64_t>(std::size(plans), (end - first) / 4);
  int completed = 0;
  for (std::uint64_t seed = first; seed < end && !testing::Test::HasFatalFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Run<Key, Value> run(seed, plans[seed % std::size(plans)], cold);
    run.run(seed % std::size(plans) == 3 ? 12000 : 4000);
    completed += run.completed();
  }
  EXPECT_GT(completed, static_cast<int>(end - first) * 20) << "too few checkpoints completed to say anything";
}

TEST(StateModel, HoldsForNumbers) { run_seeds<std::uint64_t, Sum>(0, 32, false); }
TEST(StateModel, HoldsForStrings) { run_seeds<std::string, std::string>(100, 124, false); }
TEST(StateModel, HoldsForNumbersWithAColdTier) { run_seeds<std::uint64_t, Sum>(200, 212, true); }
TEST(StateModel, HoldsForStringsWithAColdTier) { run_seeds<std::string, std::string>(300, 308, true); }

}  // namespace
}  // namespace tidemark::state_test

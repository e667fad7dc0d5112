// Values, lists and maps whose entries may expire, by random calls, against plain containers that never forget anything (K4, K8). What is
// seen never depends on when entries are let go: by an access, by a sweep, or by compaction of the store. After every completed checkpoint
// a restore equals the model as of the freeze; with a cold tier keys leave memory and come back, and failed checkpoints may have left their
// rows in the running store.

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/state/handles.hpp>

#include "row_collector.hpp"

namespace tidemark::state_test {
namespace {

using Key = std::uint64_t;

struct Plan {
  Expiry expiry;
  bool cold;
  Key keys;
  std::int64_t time_step;
};

struct Entry {
  std::string value;
  EventTime written = kMinusInfinity;
  friend bool operator==(const Entry&, const Entry&) = default;
};

struct Model {
  struct OfKey {
    std::optional<Entry> value;
    std::vector<Entry> list;
    std::map<std::string, Entry> map;
  };
  std::map<Key, OfKey> keys;
  EventTime watermark = event_time(0);
};

struct Subject {
  explicit Subject(const Expiry& expiry)
      : value{"value", expiry}, list{"list", {expiry.ttl, expiry.renew_on_read}}, map{"map", {expiry.ttl, expiry.renew_on_read}} {
    value.bind(values, call);
    list.bind(lists, call);
    map.bind(maps, call);
  }
  void move_watermark(EventTime watermark) {
    values.set_watermark(watermark);
    lists.set_watermark(watermark);
    maps.set_watermark(watermark);
  }
  bool sweep(std::size_t max) {
    const bool done[] = {values.sweep(max), lists.sweep(max), maps.sweep(max)};
    return std::all_of(std::begin(done), std::end(done), [](bool each) { return each; });
  }
  void at(const Key& key, EventTime time, EventTime watermark) { call = {hash_of(key), &key, time, watermark, call.number + 1}; }

  StateCall call;
  ValueState<std::string> value;
  ListState<std::string> list;
  MapState<std::string, std::string> map;
  StateBackend backend{KeySpace{.groups = 4, .seed = 0}, 0, 4};
  EntriesTable<Key, state_internal::EntryValue<std::string>>& values =
      backend.entries_table<Key, state_internal::EntryValue<std::string>>("value", value.expiry());
  EntriesTable<Key, state_internal::EntryList<std::string>>& lists =
      backend.entries_table<Key, state_internal::EntryList<std::string>>("list", value.expiry());
  EntriesTable<Key, state_internal::EntryMap<std::string, std::string>>& maps =
      backend.entries_table<Key, state_internal::EntryMap<std::string, std::string>>("map", value.expiry());
};

class Run {
 public:
  Run(std::uint64_t seed, const Plan& plan) : random_(seed), plan_(plan), subject_(std::make_unique<Subject>(plan.expiry)) {
    if (plan_.cold) subject_->backend.attach(&live_, nullptr);
  }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) step();
    if (testing::Test::HasFatalFailure()) return;
    ASSERT_NO_FATAL_FAILURE(expect_equal(*subject_, model_));
    if (!plan_.expiry.ttl) return;
    subject_->move_watermark(kPlusInfinity);
    while (!subject_->sweep(7)) {
    }
    for (const auto& component : subject_->backend.components()) {
      EXPECT_EQ(component->dropped_through(), kPlusInfinity);
      EXPECT_EQ(component->entries(), 0u) << "after +infinity nothing is left of " << component->schema().name;
    }
  }
  int completed() const { return completed_; }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  Duration some(std::uint64_t most) { return Duration{static_cast<std::int64_t>(below(most)) * plan_.time_step}; }
  std::string word() { return std::string(below(3) * 20, 'x') + std::to_string(below(1000)); }

  bool sees(const Entry& entry, EventTime time, EventTime watermark) const {
    if (!plan_.expiry.ttl) return true;
    const EventTime end = entry.written + *plan_.expiry.ttl;
    return time < end && watermark < end - Duration{1};
  }
  void read(Entry& entry, EventTime time) const {
    if (plan_.expiry.renew_on_read) entry.written = std::max(entry.written, time);
  }

  void step() {
    switch (below(16)) {
      default: call(); break;
      case 10: case 11: advance(); break;
      case 12: case 13: begin_or_encode(); break;
      case 14: if (frozen_ && below(2) == 0) end_checkpoint(); break;
      case 15:
        if (plan_.cold && below(4) == 0) subject_->backend.shrink(true);
        if (below(60) == 0) restart();
        break;
    }
  }

  // One call of a function: some accesses for one key at one time, which may lie behind the watermark.
  void call() {
    const Key key = below(plan_.keys);
    const EventTime time = model_.watermark + some(6) - some(3);
    subject_->at(key, time, model_.watermark);
    for (std::uint64_t n = 1 + below(4); n > 0; --n) ASSERT_NO_FATAL_FAILURE(access(model_.keys[key], time));
    ASSERT_NO_FATAL_FAILURE(expect_key(*subject_, model_.keys[key], time, model_.watermark));
  }
  void access(Model::OfKey& model, EventTime time) {
    const EventTime watermark = model_.watermark;
    const std::string id(1, static_cast<char>('a' + below(5)));
    switch (below(12)) {
      case 0: case 1: {
        const std::string value = word();
        subject_->value.set(value);
        model.value = Entry{value, std::max(time, model.value ? model.value->written : time)};
        break;
      }
      case 2: {
        const std::string* found = subject_->value.find();
        const bool seen = model.value && sees(*model.value, time, watermark);
        ASSERT_EQ(found == nullptr ? "" : *found, seen ? model.value->value : "");
        if (seen) read(*model.value, time);
        break;
      }
      case 3:
        subject_->value.erase();
        model.value.reset();
        break;
      case 4: case 5: {
        const std::string value = word();
        subject_->list.append(value);
        model.list.push_back({value, time});
        break;
      }
      case 6: {
        auto expected = model.list.begin();
        for (const std::string& item : subject_->list) {
          while (expected != model.list.end() && !sees(*expected, time, watermark)) ++expected;
          ASSERT_NE(expected, model.list.end());
          ASSERT_EQ(item, expected++->value);
        }
        for (Entry& each : model.list) {
          if (sees(each, time, watermark)) read(each, time);
        }
        break;
      }
      case 7:
        if (below(3) != 0) break;
        if (below(2) == 0) {
          subject_->list.clear();
          model.list.clear();
        } else {
          subject_->map.clear();
          model.map.clear();
        }
        break;
      case 8: case 9: {
        const std::string value = word();
        subject_->map.put(id, value);
        Entry& entry = model.map[id];
        entry = {value, std::max(entry.written, time)};
        break;
      }
      case 10: {
        const std::string* found = subject_->map.find(id);
        const auto entry = model.map.find(id);
        const bool seen = entry != model.map.end() && sees(entry->second, time, watermark);
        ASSERT_EQ(found == nullptr ? "" : *found, seen ? entry->second.value : "");
        if (seen) read(entry->second, time);
        break;
      }
      case 11: {
        const auto entry = model.map.find(id);
        ASSERT_EQ(subject_->map.erase(id), entry != model.map.end() && sees(entry->second, time, watermark));
        model.map.erase(id);
        break;
      }
    }
  }

  void advance() {
    model_.watermark += some(3);
    subject_->move_watermark(model_.watermark);
    subject_->sweep(below(20));
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
    if (!plan_.expiry.ttl) return;
    store.remove_if([&](ByteView key, ByteView value) {
      StateId id = 0;
      EventTime written{};
      EXPECT_TRUE(take_u16_big_endian(key, id) && take_time(value, written));
      return written <= durable_buckets_[id].dropped_through && below(2) == 0;
    });
  }
  std::unique_ptr<Subject> restore(PlayedStore& store) {
    auto restored = std::make_unique<Subject>(plan_.expiry);
    if (!plan_.cold) {
      store.restore(restored->backend, durable_buckets_);
    } else {
      restored->backend.attach(&store, nullptr);
      store.restore_lazily(restored->backend, durable_buckets_);
    }
    restored->move_watermark(durable_.watermark);
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
    for (Key key = 0; key < plan_.keys; ++key) {
      const auto of_key = model.keys.find(key);
      const EventTime time = model.watermark + some(4);
      subject.at(key, time, model.watermark);
      ASSERT_NO_FATAL_FAILURE(
          expect_key(subject, of_key == model.keys.end() ? Model::OfKey{} : of_key->second, time, model.watermark));
    }
  }
  // By accesses that renew nothing.
  void expect_key(const Subject& subject, const Model::OfKey& model, EventTime time, EventTime watermark) {
    const std::string* value = subject.value.find();
    ASSERT_EQ(value != nullptr, model.value && sees(*model.value, time, watermark));
    if (value != nullptr) {
      ASSERT_EQ(*value, model.value->value);
    }
    std::vector<std::string> items;
    for (const Entry& each : model.list) {
      if (sees(each, time, watermark)) items.push_back(each.value);
    }
    ASSERT_EQ(std::vector<std::string>(subject.list.begin(), subject.list.end()), items);
    ASSERT_EQ(subject.list.size(), items.size());
    ASSERT_EQ(subject.list.empty(), items.empty());
    std::map<std::string, std::string> entries;
    for (const auto& [id, each] : model.map) {
      if (sees(each, time, watermark)) entries.emplace(id, each.value);
    }
    std::vector<std::pair<std::string, std::string>> found;
    for (const auto& [id, each] : subject.map) found.emplace_back(id, each);
    ASSERT_TRUE(std::equal(found.begin(), found.end(), entries.begin(), entries.end(),
                           [](const auto& a, const auto& b) { return a.first == b.first && a.second == b.second; }));
    ASSERT_EQ(subject.map.size(), entries.size());
    ASSERT_EQ(subject.map.empty(), entries.empty());
    for (const auto& [id, each] : entries) {
      ASSERT_NE(subject.map.find(id), nullptr);
      ASSERT_EQ(*subject.map.find(id), each);
    }
  }

  std::mt19937_64 random_;
  Plan plan_;
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

void run_seeds(std::uint64_t first, std::uint64_t end, const Expiry& expiry, bool cold) {
  const std::pair<Key, std::int64_t> sizes[] = {{2, 1}, {12, 3}, {200, 1'000'003}};
  int completed = 0;
  for (std::uint64_t seed = first; seed < end && !testing::Test::HasFatalFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto [keys, time_step] = sizes[seed % std::size(sizes)];
    Plan plan{expiry, cold, keys, time_step};
    if (plan.expiry.ttl) plan.expiry.ttl = *expiry.ttl * time_step;
    Run run(seed, plan);
    run.run(keys > 100 ? 6000 : 2500);
    completed += run.completed();
  }
  EXPECT_GT(completed, static_cast<int>(end - first) * 10) << "too few checkpoints completed to say anything";
}

TEST(KindsModel, HoldsForEntriesThatStay) { run_seeds(0, 30, {}, false); }
TEST(KindsModel, HoldsForEntriesThatStayWithAColdTier) { run_seeds(100, 120, {}, true); }
TEST(KindsModel, HoldsForEntriesThatExpire) { run_seeds(200, 220, {.ttl = Duration{7}}, false); }
TEST(KindsModel, HoldsForEntriesThatExpireWithAColdTier) { run_seeds(300, 320, {.ttl = Duration{7}}, true); }
TEST(KindsModel, HoldsForEntriesThatLiveForOneMoment) { run_seeds(400, 420, {.ttl = Duration{1}}, true); }
TEST(KindsModel, HoldsForEntriesThatReadingRenews) { run_seeds(500, 520, {.ttl = Duration{5}, .renew_on_read = true}, false); }
TEST(KindsModel, HoldsForEntriesThatReadingRenewsWithAColdTier) { run_seeds(600, 620, {.ttl = Duration{5}, .renew_on_read = true}, true); }

}  // namespace
}  // namespace tidemark::state_test

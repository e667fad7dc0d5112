// The life of one entry as a table: what each sequence of writes, erasures and checkpoints hands out for it.

#include <functional>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include <tidemark/state/handles.hpp>

#include "row_collector.hpp"

namespace tidemark::state_test {
namespace {

// Script: w<n> write value n, e erase, r read, g add so many other keys that the table grows; f freeze, x encode all, c completed, !
// failed. Rows: what the entry's key got: +<n> a row with value n, - a tombstone; ; ends a completed checkpoint, ! a failed one.
struct Life {
  const char* sentence;
  const char* script;
  const char* rows;
  const char* in_the_end;   // value in memory, and what a restore from the completed checkpoints gives
};

const Life kLives[] = {
    {"a dirty entry is written once", "w1 f x c f x c", "+1 ; ;", "1 1"},
    {"a clean entry that was only read is not written", "w1 f x c r f x c", "+1 ; ;", "1 1"},
    {"a clean entry that changes is written again", "w1 f x c w2 f x c", "+1 ; +2 ;", "2 2"},
    {"an entry written while frozen is encoded first", "w1 f w2 x c", "+1 ;", "2 1"},
    {"what was written while frozen goes to the next checkpoint", "w1 f w2 x c f x c", "+1 ; +2 ;", "2 2"},
    {"an entry written twice while frozen is encoded once", "w1 f w2 w3 x c f x c", "+1 ; +3 ;", "3 3"},
    {"what was written in flight goes to the next checkpoint", "w1 f x w2 c f x c", "+1 ; +2 ;", "2 2"},
    {"a new entry made after the freeze is not in the checkpoint", "f w1 x c f x c", "; +1 ;", "1 1"},
    {"an entry erased before it was ever written leaves nothing", "w1 e f x c", ";", "none none"},
    {"an entry erased after it was stored leaves a tombstone", "w1 f x c e f x c", "+1 ; - ;", "none none"},
    {"a tombstone is written once", "w1 f x c e f x c f x c", "+1 ; - ; ;", "none none"},
    {"an entry erased while frozen is encoded first", "w1 f e x c", "+1 ;", "none 1"},
    {"an entry erased while frozen leaves a tombstone for the next checkpoint", "w1 f e x c f x c", "+1 ; - ;", "none none"},
    {"an entry erased in flight leaves a tombstone", "w1 f x e c f x c", "+1 ; - ;", "none none"},
    {"an entry made and erased during a checkpoint leaves nothing", "f w1 x e c f x c", "; ;", "none none"},
    {"an erased entry that is made again needs no tombstone", "w1 f x c e w3 f x c", "+1 ; +3 ;", "3 3"},
    {"an entry made again while its tombstone is frozen", "w1 f x c e f w3 x c f x c", "+1 ; - ; +3 ;", "3 3"},
    {"an entry made again while its tombstone is in flight", "w1 f x c e f x w3 c f x c", "+1 ; - ; +3 ;", "3 3"},
    {"an entry made again and erased again while its tombstone is in flight", "w1 f x c e f x w3 e c f x c", "+1 ; - ; - ;", "none none"},
    {"after its tombstone is stored a key is as new", "w1 f x c e f x c w3 e f x c", "+1 ; - ; ;", "none none"},
    {"erased, made again and erased again in flight", "w1 f x e w2 e c f x c", "+1 ; - ;", "none none"},
    {"a failed checkpoint makes frozen entries dirty again", "w1 f ! f x c", "! +1 ;", "1 1"},
    {"a failed checkpoint makes entries in flight dirty again", "w1 f x ! f x c", "+1 ! +1 ;", "1 1"},
    {"an entry written while frozen, then a failure: only the last value counts", "w1 f w2 ! f x c", "+1 ! +2 ;", "2 2"},
    {"two failures in a row lose nothing", "w1 f x ! f ! f x c", "+1 ! ! +1 ;", "1 1"},
    {"a row given out may be in the store whatever became of its checkpoint", "w1 f x ! e f x c", "+1 ! - ;", "none none"},
    {"a failed tombstone is due again", "w1 f x c e f x ! f x c", "+1 ; - ! - ;", "none none"},
    {"a frozen tombstone of a failed checkpoint is due again", "w1 f x c e f ! f x c", "+1 ; ! - ;", "none none"},
    {"made again after a failed tombstone", "w1 f x c e f x ! w3 f x c", "+1 ; - ! +3 ;", "3 3"},
    {"made again while the tombstone was in flight, then a failure", "w1 f x c e f x w3 ! f x c", "+1 ; - ! +3 ;", "3 3"},
    {"erased while frozen, then a failure", "w1 f e ! f x c", "+1 ! - ;", "none none"},
    {"a restart of the next checkpoint takes what is dirty then", "w1 f x ! w2 f x c w3 f x c", "+1 ! +2 ; +3 ;", "3 3"},
};

using Key = std::uint64_t;
constexpr Key kKey = 7;
const EventTime kSliceEnd = event_time(-10);

// Where the entry is. In a map it is alone, or another entry of its key was there before it.
enum class Place : std::uint8_t { kTable, kSlice, kValue, kMap, kMapBesideAnother };
// What else happens at every step.
enum class Trouble : std::uint8_t { kNone, kGrowth, kEviction };

class Subject {
 public:
  Subject(Place place, Trouble trouble) : trouble_(trouble), backend_({.groups = groups(trouble)}, 0, groups(trouble)) {
    row_end_ = encoded(kKey);
    if (place == Place::kTable) {
      use(backend_.keyed_table<Key, std::string>("state").map());
    } else if (place == Place::kSlice) {
      use(backend_.slice_table<Key, std::string>("state").slice(kSliceEnd));
    } else if (place == Place::kValue) {
      use(backend_.entries_table<Key, state_internal::EntryValue<std::string>>("state", {}));
    } else {
      use(backend_.entries_table<Key, state_internal::EntryMap<std::string, std::string>>("state", {}), place == Place::kMapBesideAnother);
    }
    if (trouble == Trouble::kEviction) backend_.attach(&store_, nullptr);
  }

  bool was_read_back() const { return store_.looked_up + store_.ranges_read > 0; }

  // Returns the rows handed out for the entry, in the notation above.
  std::string run(const std::string& script) {
    std::istringstream steps(script);
    std::string step;
    while (steps >> step) {
      if (trouble_ == Trouble::kGrowth) grow();
      if (trouble_ == Trouble::kEviction) evict();
      run_step(step);
    }
    return trace_.empty() ? trace_ : trace_.substr(1);
  }
  std::string in_the_end(Place place) {
    Subject restored(place, Trouble::kNone);
    store_.restore(restored.backend_, buckets_of(backend_));
    return value() + " " + restored.value();
  }

 private:
  static std::uint32_t groups(Trouble trouble) { return trouble == Trouble::kEviction ? 1 : 128; }

  void use(HotMap<Key, std::string>& map) {
    write_ = [&map](Key key, const std::string& value) { map.upsert(hash_of(key), key) = value; };
    erase_ = [&map] { EXPECT_TRUE(map.erase(hash_of(kKey), kKey)); };
    find_ = [&map] { return map.find(hash_of(kKey), kKey); };
  }
  void use(ContentTable<state_internal::EntryValue<std::string>>& table) {
    value_.bind(table, call_);
    write_ = [this](Key key, const std::string& value) { at(key), value_.set(value); };
    erase_ = [this] { at(kKey), value_.erase(); };
    find_ = [this] { return at(kKey), value_.find(); };
  }
  void use(ContentTable<state_internal::EntryMap<std::string, std::string>>& table, bool beside_another) {
    Codec<std::string>::encode("b", row_end_);
    map_.bind(table, call_);
    write_ = [this, beside_another](Key key, const std::string& value) {
      at(key);
      if (beside_another) map_.put("a", "another");
      map_.put("b", value);
    };
    erase_ = [this] {
      at(kKey);
      EXPECT_TRUE(map_.erase("b"));
    };
    find_ = [this] { return at(kKey), map_.find("b"); };
  }
  void at(Key key) {
    key_ = key;
    call_ = {hash_of(key), &key_, event_time(0), kMinusInfinity, call_.number + 1};
  }

  void run_step(const std::string& step) {
    switch (step[0]) {
      case 'w': write_(kKey, step.substr(1)); break;
      case 'e': erase_(); break;
      case 'r': EXPECT_NE(find_(), nullptr); break;
      case 'f': backend_.freeze(collector_); break;
      case 'x':
        while (!backend_.encode_some(1)) {
        }
        break;
      case 'c':
        trace_rows();
        store_.ingest(collector_);
        backend_.settle(true);
        trace_ += " ;";
        break;
      case '!':
        trace_rows();
        collector_.rows.clear();
        backend_.settle(false);
        trace_ += " !";
        break;
    }
  }
  void grow() {
    for (int i = 0; i < 3000; ++i, ++others_) write_(others_, "other");
  }
  // All that is clean: the hand of the clock goes round twice. Others that are dirty make the table large enough to shrink.
  void evict() {
    for (Key other = 900; other < 910; ++other) write_(other, "other");
    backend_.shrink(true);
    backend_.shrink(true);
  }
  void trace_rows() {
    for (const RowCollector::Row& row : collector_.rows) {
      if (!row.key.ends_with(row_end_)) continue;
      std::string text;
      if (row.tombstone) {
        text = "-";
      } else {
        EXPECT_TRUE(decode_whole(row.value, text));
        text.insert(0, "+");
      }
      trace_ += " " + text;
    }
  }
  std::string value() {
    const std::string* found = find_();
    return found == nullptr ? "none" : *found;
  }

  Trouble trouble_;
  StateBackend backend_;
  StateCall call_;
  Key key_ = 0;
  ValueState<std::string> value_{"state"};
  MapState<std::string, std::string> map_{"state"};
  std::function<void(Key, const std::string&)> write_;
  std::function<void()> erase_;
  std::function<const std::string*()> find_;
  Bytes row_end_;   // of the entry's row keys
  RowCollector collector_;
  PlayedStore store_;
  Key others_ = 1000;
  std::string trace_;
};

void run_all(Place place, Trouble trouble) {
  bool read_back = false;
  for (const Life& life : kLives) {
    SCOPED_TRACE(std::string{life.sentence} + ": " + life.script);
    Subject subject(place, trouble);
    EXPECT_EQ(subject.run(life.script), life.rows);
    EXPECT_EQ(subject.in_the_end(place), life.in_the_end);
    read_back = read_back || subject.was_read_back();
  }
  EXPECT_EQ(read_back, trouble == Trouble::kEviction);
}

TEST(EntryLife, OfAKeyedTableFollowsTheTable) { run_all(Place::kTable, Trouble::kNone); }
TEST(EntryLife, OfASliceFollowsTheTable) { run_all(Place::kSlice, Trouble::kNone); }
TEST(EntryLife, OfAValueHandleFollowsTheTable) { run_all(Place::kValue, Trouble::kNone); }
TEST(EntryLife, OfAMapEntryFollowsTheTable) { run_all(Place::kMap, Trouble::kNone); }
TEST(EntryLife, OfAMapEntryBesideAnotherFollowsTheTable) { run_all(Place::kMapBesideAnother, Trouble::kNone); }
TEST(EntryLife, IsNotDisturbedByGrowth) { run_all(Place::kTable, Trouble::kGrowth); }
TEST(EntryLife, InASliceIsNotDisturbedByGrowth) { run_all(Place::kSlice, Trouble::kGrowth); }
TEST(EntryLife, InAMapIsNotDisturbedByGrowth) { run_all(Place::kMapBesideAnother, Trouble::kGrowth); }
TEST(EntryLife, IsNotDisturbedByLeavingMemory) { run_all(Place::kTable, Trouble::kEviction); }
TEST(EntryLife, OfAValueHandleIsNotDisturbedByLeavingMemory) { run_all(Place::kValue, Trouble::kEviction); }
TEST(EntryLife, InAMapIsNotDisturbedByLeavingMemory) {
  run_all(Place::kMap, Trouble::kEviction);
  run_all(Place::kMapBesideAnother, Trouble::kEviction);
}

TEST(EntryLife, BreaksAnInvariantWhenACheckpointCompletesBeforeItsRowsWereTaken) {
  StateBackend backend({}, 0, 128);
  auto& table = backend.keyed_table<Key, std::string>("state");
  table.upsert(hash_of(1), 1) = "x";
  RowCollector collector;
  backend.freeze(collector);
  EXPECT_THROW(backend.settle(true), BrokenInvariant);
}

TEST(EntryLife, BreaksAnInvariantWhenASecondCheckpointBeginsBeforeTheFirstEnds) {
  StateBackend backend({}, 0, 128);
  backend.keyed_table<Key, std::string>("state");
  RowCollector collector;
  backend.freeze(collector);
  EXPECT_THROW(backend.freeze(collector), BrokenInvariant);
}

TEST(EntryLife, IsNotTrackedWithoutCheckpoints) {
  StateBackend backend({}, 0, 128);
  backend.set_tracking(false);
  auto& table = backend.keyed_table<Key, std::string>("state");
  for (Key key = 0; key < 5000; ++key) table.upsert(hash_of(key), key) = std::to_string(key);
  for (Key key = 0; key < 5000; key += 2) EXPECT_TRUE(table.erase(hash_of(key), key));
  EXPECT_EQ(table.size(), 2500u);
  for (Key key = 0; key < 5000; ++key) {
    const std::string* value = table.find(hash_of(key), key);
    ASSERT_EQ(value != nullptr, key % 2 == 1);
    if (value == nullptr) continue;
    EXPECT_EQ(*value, std::to_string(key));
  }
  RowCollector collector;
  EXPECT_THROW(backend.freeze(collector), BrokenInvariant);
}

}  // namespace
}  // namespace tidemark::state_test

// Keyed tables and slice tables without the life of entries: content, order, recycling, restoring.

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "row_collector.hpp"

namespace tidemark::state_test {
namespace {

using Key = std::uint64_t;

void checkpoint(StateBackend& backend, PlayedStore& store) {
  RowCollector collector;
  backend.freeze(collector);
  while (!backend.encode_some(100)) {
  }
  store.ingest(collector);
  backend.settle(true);
}

TEST(KeyedTable, F42KeepsKeysOfEqualHashApart) {
  StateBackend backend({}, 0, 128);
  auto& table = backend.keyed_table<std::string, int>("state");
  const std::uint64_t hash = 0xABCDEF0123456789;
  const std::string keys[] = {
      "", "a", std::string("a\0", 2), std::string("a\0b", 3), "ab", std::string(100, 'a'), std::string(100, 'a') + "b"};
  int value = 0;
  for (const std::string& key : keys) table.upsert(hash, key) = ++value;
  EXPECT_EQ(table.size(), std::size(keys));
  EXPECT_TRUE(table.erase(hash, "a"));
  EXPECT_EQ(table.find(hash, "a"), nullptr);
  EXPECT_EQ(*table.find(hash, ""), 1);
  EXPECT_EQ(*table.find(hash, std::string("a\0b", 3)), 4);
  EXPECT_EQ(*table.find(hash, std::string(100, 'a') + "b"), 7);
  EXPECT_EQ(table.find(hash, "b"), nullptr);
  EXPECT_EQ(table.find(hash + 1, "ab"), nullptr);
}

TEST(KeyedTable, TakesTheSmallestAndGreatestHashes) {
  StateBackend backend({}, 0, 128);
  auto& table = backend.keyed_table<Key, Key>("state");
  const std::uint64_t hashes[] = {0, 1, 2, 3, ~std::uint64_t{0}, ~std::uint64_t{0} - 1};
  for (const std::uint64_t hash : hashes) table.upsert(hash, hash) = hash;
  for (const std::uint64_t hash : hashes) {
    ASSERT_NE(table.find(hash, hash), nullptr);
    EXPECT_EQ(*table.find(hash, hash), hash);
  }
  PlayedStore store;
  checkpoint(backend, store);
  StateBackend restored({}, 0, 128);
  auto& same = restored.keyed_table<Key, Key>("state");
  store.restore(restored, {});
  for (const std::uint64_t hash : hashes) EXPECT_EQ(*same.find(hash, hash), hash);
}

TEST(KeyedTable, ComparesKeysWithoutAnEqualityOperatorFieldByField) {
  struct Place {
    std::string street;
    std::uint32_t number = 0;
  };
  StateBackend backend({}, 0, 128);
  auto& table = backend.keyed_table<Place, int>("state");
  table.upsert(9, {"a", 1}) = 1;
  table.upsert(9, {"a", 2}) = 2;
  table.upsert(9, {"b", 1}) = 3;
  EXPECT_EQ(*table.find(9, {"a", 2}), 2);
  EXPECT_EQ(*table.find(9, {"b", 1}), 3);
  EXPECT_EQ(table.find(9, {"b", 2}), nullptr);
}

TEST(KeyedTable, GivesRowsThatAreNearlySortedByHash) {
  StateBackend backend({}, 0, 128);
  auto& table = backend.keyed_table<Key, Key>("state");
  for (Key key = 0; key < 100000; ++key) table.upsert(hash_of(key), key) = key;
  RowCollector collector;
  backend.freeze(collector);
  while (!backend.encode_some(1000)) {
  }
  ASSERT_EQ(collector.rows.size(), 100000u);
  // How far a row lies from its place in the sorted order; without an order the mean would be a third of all.
  std::vector<std::pair<Bytes, std::size_t>> sorted;
  for (std::size_t i = 0; i < collector.rows.size(); ++i) sorted.emplace_back(collector.rows[i].key, i);
  std::sort(sorted.begin(), sorted.end());
  std::size_t distance = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) distance += std::max(i, sorted[i].second) - std::min(i, sorted[i].second);
  EXPECT_LT(distance / sorted.size(), 20u);
}

TEST(KeyedTable, EncodesInBoundedSteps) {
  StateBackend backend({}, 0, 128);
  auto& table = backend.keyed_table<Key, Key>("state");
  for (Key key = 0; key < 1000; ++key) table.upsert(hash_of(key), key) = key;
  RowCollector collector;
  backend.freeze(collector);
  std::size_t steps = 0;
  bool done = false;
  while (!done) {
    const std::size_t before = collector.rows.size();
    done = backend.encode_some(7);
    EXPECT_LE(collector.rows.size() - before, 7u);
    ++steps;
  }
  EXPECT_EQ(collector.rows.size(), 1000u);
  EXPECT_GE(steps, 1000u / 7);
}

TEST(KeyedTable, VisitsEveryEntryOnceInBoundedSteps) {
  StateBackend backend({}, 0, 128);
  auto& table = backend.keyed_table<Key, Key>("state");
  for (Key key = 0; key < 1000; ++key) table.upsert(hash_of(key), key) = key + 1;
  std::set<Key> seen;
  KeyedTable<Key, Key>::Cursor cursor;
  bool done = false;
  while (!done) {
    std::size_t visited = 0;
    done = table.visit_some(cursor, 10, [&](std::uint64_t hash, const Key& key, const Key& value) {
      EXPECT_EQ(hash, hash_of(key));
      EXPECT_EQ(value, key + 1);
      EXPECT_TRUE(seen.insert(key).second);
      if (key % 3 == 0) table.erase(hash, key);   // allowed during a walk
      ++visited;
    });
    EXPECT_LE(visited, 10u);
  }
  EXPECT_EQ(seen.size(), 1000u);
  EXPECT_EQ(table.size(), 666u);
}

TEST(KeyedTable, KeepsItsSizeWhenKeysComeAndGo) {
  StateBackend backend({}, 0, 128);
  auto& table = backend.keyed_table<Key, Key>("state");
  for (Key key = 0; key < 1000; ++key) table.upsert(hash_of(key), key);
  const std::size_t bytes = backend.components()[0]->bytes();
  for (Key key = 1000; key < 200000; ++key) {
    table.upsert(hash_of(key), key);
    table.erase(hash_of(key - 1000), key - 1000);
  }
  EXPECT_EQ(table.size(), 1000u);
  EXPECT_LE(backend.components()[0]->bytes(), 4 * bytes);
}

TEST(KeyedTable, RestoresAtAnotherParallelism) {   // K5
  const KeySpace space{.groups = 16, .seed = 0};
  PlayedStore store;
  StateBackend whole(space, 0, 16);
  auto& table = whole.keyed_table<Key, Key>("state");
  for (Key key = 0; key < 1000; ++key) table.upsert(hash_of(key), key) = key;
  checkpoint(whole, store);

  StateBackend left(space, 0, 5);
  StateBackend right(space, 5, 16);
  auto& left_table = left.keyed_table<Key, Key>("state");
  auto& right_table = right.keyed_table<Key, Key>("state");
  for (const auto& [key, value] : store.rows()) {
    ByteView rest = ByteView{key}.substr(2);
    ByteView copy = rest;
    std::uint64_t hash = 0;
    ASSERT_TRUE(take_u64_big_endian(copy, hash));
    StateBackend& owner = space.group_of(hash) < 5 ? left : right;
    StateBackend& other = space.group_of(hash) < 5 ? right : left;
    EXPECT_TRUE(owner.restore_row(0, rest, value).ok());
    EXPECT_EQ(other.restore_row(0, rest, value).error().code, ErrorCode::kCheckpointCorrupt);
  }
  EXPECT_EQ(left_table.size() + right_table.size(), 1000u);
  EXPECT_GT(left_table.size(), 200u);
}

TEST(KeyedTable, RefusesRowsThatItCannotHaveWritten) {
  StateBackend backend({}, 0, 128);
  backend.keyed_table<Key, Key>("state");
  Bytes key;
  append_u64_big_endian(key, 5);
  append_u64(key, 1);
  EXPECT_TRUE(backend.restore_row(0, key, encoded<Key>(1)).ok());
  EXPECT_EQ(backend.restore_row(0, key + "x", encoded<Key>(1)).error().code, ErrorCode::kCheckpointCorrupt);
  EXPECT_EQ(backend.restore_row(0, key.substr(1), encoded<Key>(1)).error().code, ErrorCode::kCheckpointCorrupt);
  EXPECT_EQ(backend.restore_row(0, key, "").error().code, ErrorCode::kCheckpointCorrupt);
  EXPECT_EQ(backend.restore_row(1, key, encoded<Key>(1)).error().code, ErrorCode::kStateMismatch);
}

TEST(KeyedTable, RefusesKeysOfAnotherTask) {
  StateBackend backend({}, 0, 64);
  auto& table = backend.keyed_table<Key, Key>("state");
  EXPECT_THROW(table.upsert(~std::uint64_t{0}, 1), BrokenInvariant);
}

// The layout of rows.hpp, byte by byte: of keys and values that are their own bytes, which are written at once, and of others.
TEST(RowsOfATable, HaveTheBytesThatTheirLayoutSays) {
  struct Sum {
    std::int64_t count = 0;
    std::int64_t total = 0;
  };
  StateBackend backend({}, 0, 128);
  const std::uint64_t hash = 0x0102030405060708;
  backend.keyed_table<std::uint32_t, Sum>("sums").upsert(hash, 9) = {.count = 1, .total = -2};
  backend.keyed_table<std::string, std::uint16_t>("named").upsert(hash, "ab") = 3;
  backend.slice_table<std::uint32_t, Sum>("windows").slice(event_time(-1)).upsert(hash, 9) = {.count = 1, .total = -2};
  backend.slice_table<std::string, std::uint16_t>("named windows").slice(event_time(-1)).upsert(hash, "ab") = 3;

  RowCollector collector;
  backend.freeze(collector);
  while (!backend.encode_some(100)) {
  }
  using namespace std::string_literals;
  const Bytes of_hash = "\1\2\3\4\5\6\7\x8"s;
  const Bytes of_time = "\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s;
  const Bytes sum = "\1\0\0\0\0\0\0\0"s + "\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s;
  ASSERT_EQ(collector.rows.size(), 4U);
  EXPECT_EQ(collector.rows[0].key, "\0\0"s + of_hash + "\x9\0\0\0"s);
  EXPECT_EQ(collector.rows[0].value, sum);
  EXPECT_EQ(collector.rows[1].key, "\0\1"s + of_hash + "\2"s + "ab"s);
  EXPECT_EQ(collector.rows[1].value, "\3\0"s);
  EXPECT_EQ(collector.rows[2].key, "\0\2"s + of_time + of_hash + "\x9\0\0\0"s);
  EXPECT_EQ(collector.rows[2].value, sum);
  EXPECT_EQ(collector.rows[3].key, "\0\3"s + of_time + of_hash + "\2"s + "ab"s);
  EXPECT_EQ(collector.rows[3].value, "\3\0"s);
}

TEST(SliceTable, KeepsSlicesApartAndInOrderOfTime) {
  StateBackend backend({}, 0, 128);
  auto& table = backend.slice_table<Key, int>("windows", "tumbling(10us,0s)");
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.first_end(), kPlusInfinity);
  for (const int end : {20, -10, 10, 0}) table.slice(event_time(end)).upsert(hash_of(1), 1) = end;
  EXPECT_EQ(table.ends(), (std::vector{event_time(-10), event_time(0), event_time(10), event_time(20)}));
  EXPECT_EQ(table.first_end(), event_time(-10));
  EXPECT_EQ(*table.find_slice(event_time(10))->find(hash_of(1), 1), 10);
  EXPECT_EQ(table.find_slice(event_time(30)), nullptr);
  EXPECT_EQ(backend.components()[0]->live_buckets(), table.ends());
}

TEST(SliceTable, PutsNegativeTimesBeforePositiveOnesInRows) {   // restate#394
  StateBackend backend({}, 0, 128);
  auto& table = backend.slice_table<Key, int>("windows");
  const std::int64_t ends[] = {std::numeric_limits<std::int64_t>::min() + 1, -11, -1, 0, 1, 300, std::numeric_limits<std::int64_t>::max()};
  for (const std::int64_t end : ends) table.slice(event_time(end)).upsert(hash_of(1), 1) = 0;
  PlayedStore store;
  checkpoint(backend, store);
  std::vector<std::int64_t> in_order;
  for (const auto& [key, value] : store.rows()) {
    ByteView rest = ByteView{key}.substr(2);
    EventTime end{};
    ASSERT_TRUE(take_time_big_endian(rest, end));
    in_order.push_back(micros(end));
  }
  EXPECT_EQ(in_order, std::vector<std::int64_t>(std::begin(ends), std::end(ends)));
}

TEST(SliceTable, NeverGivesOutASliceThatOpensAndClosesBetweenTwoBarriers) {
  StateBackend backend({}, 0, 128);
  auto& table = backend.slice_table<Key, int>("windows");
  table.slice(event_time(10)).upsert(hash_of(1), 1) = 1;
  table.drop_first();
  PlayedStore store;
  checkpoint(backend, store);
  EXPECT_TRUE(store.rows().empty());
  EXPECT_EQ(backend.components()[0]->dropped_through(), event_time(10));
}

TEST(SliceTable, KeepsASliceThatIsDroppedWhileFrozenUntilItIsEncoded) {
  StateBackend backend({}, 0, 128);
  auto& table = backend.slice_table<Key, std::string>("windows");
  for (Key key = 0; key < 100; ++key) table.slice(event_time(10)).upsert(hash_of(key), key) = "ten";
  for (Key key = 0; key < 100; ++key) table.slice(event_time(20)).upsert(hash_of(key), key) = "twenty";
  RowCollector collector;
  backend.freeze(collector);
  const std::vector<Buckets> buckets = buckets_of(backend);
  EXPECT_FALSE(backend.encode_some(5));
  table.drop_through(event_time(25));
  EXPECT_TRUE(table.empty());
  // The memory of what was dropped is not given to a new slice too early.
  for (Key key = 0; key < 100; ++key) table.slice(event_time(30)).upsert(hash_of(key), key) = "thirty";
  while (!backend.encode_some(5)) {
  }
  PlayedStore store;
  store.ingest(collector);
  backend.settle(true);
  EXPECT_EQ(store.rows().size(), 200u);
  StateBackend restored({}, 0, 128);
  auto& same = restored.slice_table<Key, std::string>("windows");
  store.restore(restored, buckets);
  EXPECT_EQ(same.ends(), (std::vector{event_time(10), event_time(20)}));
  EXPECT_EQ(*same.slice(event_time(20)).find(hash_of(3), 3), "twenty");
}

TEST(SliceTable, ForgetsASliceThatIsDroppedWhileFrozenWhenTheCheckpointFails) {
  StateBackend backend({}, 0, 128);
  auto& table = backend.slice_table<Key, std::string>("windows");
  table.slice(event_time(10)).upsert(hash_of(1), 1) = "ten";
  RowCollector collector;
  backend.freeze(collector);
  table.drop_first();
  backend.settle(false);
  collector.rows.clear();
  PlayedStore store;
  checkpoint(backend, store);
  EXPECT_TRUE(store.rows().empty());
}

TEST(SliceTable, SkipsDeadRowsWhenItRestores) {
  PlayedStore store;
  StateBackend backend({}, 0, 128);
  auto& table = backend.slice_table<Key, int>("windows");
  for (const int end : {-10, 0, 10}) table.slice(event_time(end)).upsert(hash_of(1), 1) = end;
  checkpoint(backend, store);
  table.drop_through(event_time(0));
  checkpoint(backend, store);
  EXPECT_EQ(store.rows().size(), 3u) << "dropping a slice writes no tombstones";
  StateBackend restored({}, 0, 128);
  auto& same = restored.slice_table<Key, int>("windows");
  store.restore(restored, buckets_of(backend));
  EXPECT_EQ(same.ends(), std::vector{event_time(10)});
}

TEST(SliceTable, RefusesToBringBackADroppedSlice) {
  StateBackend backend({}, 0, 128);
  auto& table = backend.slice_table<Key, int>("windows");
  table.drop_through(event_time(10));
  EXPECT_THROW(table.slice(event_time(10)), BrokenInvariant);
  EXPECT_NO_THROW(table.slice(event_time(11)));
}

TEST(SliceTable, RecyclesTheMemoryOfDroppedSlices) {
  StateBackend backend({}, 0, 128);
  auto& table = backend.slice_table<Key, Key>("windows");
  std::size_t bytes = 0;
  for (int window = 1; window < 40; ++window) {
    for (Key key = 0; key < 5000; ++key) table.slice(event_time(window)).upsert(hash_of(key), key) = key;
    table.drop_first();
    if (window == 3) bytes = backend.components()[0]->bytes();
  }
  EXPECT_LE(backend.components()[0]->bytes(), bytes);
  EXPECT_GT(backend.components()[0]->bytes(), 0u);
}

TEST(StateSchema, ChangesItsFingerprintWithItsTypesAndParametersButNotItsName) {   // K9, K10, K11
  StateBackend backend({}, 0, 128);
  backend.slice_table<Key, int>("a", "tumbling(10us,0s)");
  backend.slice_table<Key, int>("b", "tumbling(10us,0s)");
  backend.slice_table<Key, int>("c", "tumbling(20us,0s)");
  backend.slice_table<Key, std::string>("d", "tumbling(10us,0s)");
  backend.keyed_table<Key, int>("e", "tumbling(10us,0s)");
  const auto fingerprint = [&](int i) { return backend.components()[static_cast<std::size_t>(i)]->schema().fingerprint(); };
  EXPECT_EQ(fingerprint(0), fingerprint(1));
  for (int i = 2; i < 5; ++i) EXPECT_NE(fingerprint(0), fingerprint(i)) << i;
  EXPECT_EQ(backend.components()[0]->schema().text(), "slices of u64 to i32, tumbling(10us,0s)");
}

TEST(StateBackend, RefusesTwoStatesOfOneName) {
  StateBackend backend({}, 0, 128);
  backend.keyed_table<Key, int>("a");
  EXPECT_THROW((backend.keyed_table<Key, int>("a")), BrokenInvariant);
}

}  // namespace
}  // namespace tidemark::state_test

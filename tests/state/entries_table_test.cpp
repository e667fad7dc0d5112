// Tables of values, lists and maps: the rows that they give out (docs/formats/state.md), how much is done at once, what is refused.

#include <string>

#include <gtest/gtest.h>

#include <tidemark/core/job_failure.hpp>
#include <tidemark/state/handles.hpp>

#include "row_collector.hpp"

namespace tidemark::state_test {
namespace {

using Key = std::uint64_t;
using Values = state_internal::EntryValue<std::uint8_t>;
using List = state_internal::EntryList<std::uint8_t>;
using Map = state_internal::EntryMap<std::string, std::uint8_t>;

constexpr Key kKey = 42;

// A table and the handle that uses it.
template <class Content, class Handle>
struct Subject {
  explicit Subject(const Expiry& expiry = {})
      : handle{"state", {expiry.ttl, expiry.renew_on_read}}, table(backend.entries_table<Key, Content>("state", expiry)) {
    handle.bind(table, call);
  }
  Handle& at(const Key& key, std::int64_t time = 0) {
    of_call = key;
    call = {hash_of(key), &of_call, event_time(time), watermark, call.number + 1};
    return handle;
  }
  void move_watermark(std::int64_t time) {
    watermark = event_time(time);
    table.set_watermark(watermark);
  }
  // The rows of one checkpoint, completed or not.
  std::vector<RowCollector::Row> checkpoint(bool completed = true) {
    RowCollector collector;
    backend.freeze(collector);
    while (!backend.encode_some(1000)) {
    }
    if (completed) store.take(collector);
    backend.settle(completed);
    return collector.rows;
  }

  PlayedStore store;
  StateBackend backend{{.groups = 4, .seed = 0}, 0, 4};
  StateCall call;
  Key of_call = 0;
  EventTime watermark = kMinusInfinity;
  Handle handle;
  EntriesTable<Key, Content>& table;
};
using OfValue = Subject<Values, ValueState<std::uint8_t>>;
using OfList = Subject<List, ListState<std::uint8_t>>;
using OfMap = Subject<Map, MapState<std::string, std::uint8_t>>;

Bytes row_key(const Bytes& rest = {}) {
  Bytes key(2, '\0');
  append_u64_big_endian(key, hash_of(kKey));
  append_u64(key, kKey);
  return key + rest;
}

TEST(EntriesTable, GivesOutRowsAsTheFormatSays) {
  OfValue value;
  value.at(kKey).set(5);
  OfList list;
  list.at(kKey).append(5);
  list.at(kKey).append(6);
  OfMap map;
  map.at(kKey).put("a", 5);
  const auto rows = value.checkpoint();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].key, row_key());
  EXPECT_EQ(rows[0].value, "\x05");
  const auto items = list.checkpoint();
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].key, row_key(Bytes("\0\0\0\0\0\0\0\0", 8)));
  EXPECT_EQ(items[1].key, row_key(Bytes("\0\0\0\0\0\0\0\1", 8)));
  EXPECT_EQ(items[1].value, "\x06");
  const auto entries = map.checkpoint();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].key, row_key("\1a"));
  EXPECT_EQ(entries[0].value, "\x05");
}

TEST(EntriesTable, OfEntriesThatExpireSaysInEachRowWhenItWasWritten) {
  const Bytes stamped("\x00\x87\x93\x03\x00\x00\x00\x00\x05", 9);
  const Expiry expiry{.ttl = Duration{1}};
  OfValue value(expiry);
  value.at(kKey, 60'000'000).set(5);
  OfList list(expiry);
  list.at(kKey, 60'000'000).append(5);
  OfMap map(expiry);
  map.at(kKey, 60'000'000).put("a", 5);
  for (const auto& rows : {value.checkpoint(), list.checkpoint(), map.checkpoint()}) {
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].value, stamped);
  }
}

TEST(EntriesTable, NamesKindKeysAndWhetherItsRowsAreStamped) {   // K9
  EXPECT_EQ(OfValue().table.schema().text(), "value of u64 to u8");
  EXPECT_EQ(OfList().table.schema().text(), "list of u64 to u8");
  EXPECT_EQ(OfMap().table.schema().text(), "map of u64 by string to u8");
  const StateSchema expiring = OfMap({.ttl = Duration{1}}).table.schema();
  EXPECT_EQ(expiring.text(), "map of u64 by string to u8, expiring");
  EXPECT_TRUE(expiring.stamped);
  EXPECT_EQ(expiring.fingerprint(), OfMap({.ttl = Duration{2}, .renew_on_read = true}).table.schema().fingerprint())
      << "how long entries live may change between releases";
}

TEST(EntriesTable, WritesWhatChangedAndNotAllThatAKeyHas) {
  OfMap map;
  for (int i = 0; i < 1000; ++i) map.at(kKey).put(std::to_string(i), 1);
  EXPECT_EQ(map.checkpoint().size(), 1000u);
  map.at(kKey).put("500", 2);
  map.at(kKey).erase("7");
  EXPECT_EQ(map.checkpoint().size(), 2u);
  map.at(kKey).find("500");
  EXPECT_EQ(map.checkpoint().size(), 0u);
}

TEST(EntriesTable, LetsExpiredEntriesGoWithoutATombstoneForEach) {
  OfMap map({.ttl = Duration{10}});
  for (int i = 0; i < 100; ++i) map.at(kKey, i % 2 == 0 ? 0 : 50).put(std::to_string(i), 1);
  EXPECT_EQ(map.checkpoint().size(), 100u);
  map.move_watermark(20);
  EXPECT_EQ(map.at(kKey, 21).size(), 50u);
  EXPECT_EQ(map.checkpoint().size(), 0u);
  EXPECT_EQ(map.table.dropped_through(), event_time(11));
  map.move_watermark(100);
  EXPECT_TRUE(map.at(kKey, 101).empty());
  EXPECT_EQ(map.table.entries(), 0u) << "K4";
  EXPECT_EQ(map.checkpoint().size(), 0u);
}

TEST(EntriesTable, LooksThroughSoManySlotsAndNoMoreInOnePieceOfASweep) {
  OfValue value({.ttl = Duration{10}});
  constexpr std::size_t kKeys = 10'000;
  for (Key key = 0; key < kKeys; ++key) value.at(key).set(1);
  value.move_watermark(9);
  std::size_t pieces = 0;
  for (std::size_t before = kKeys; !value.table.sweep(100); before = value.table.entries()) {
    ASSERT_LE(before - value.table.entries(), 100u);
    ++pieces;
  }
  EXPECT_GE(pieces, kKeys / 100 - 1);
  EXPECT_EQ(value.table.entries(), 0u);
}

TEST(EntriesTable, BeginsASweepOnlyWhenTheWatermarkWentOnByAnEighthOfTheTimeToLive) {
  OfValue value({.ttl = Duration{80}});
  value.move_watermark(100);
  EXPECT_TRUE(value.table.sweep(1000));
  value.at(1, 25).set(1);   // behind, and dead when the watermark is at 104
  value.move_watermark(109);
  EXPECT_TRUE(value.table.sweep(1000));
  EXPECT_EQ(value.table.entries(), 1u);
  value.move_watermark(110);
  EXPECT_TRUE(value.table.sweep(1000));
  EXPECT_EQ(value.table.entries(), 0u);
}

TEST(EntriesTable, ChargesWhatEntriesOwnOnTheHeap) {
  MemoryBudget budget(1 << 30, 1);
  OfMap map;
  map.backend.attach(nullptr, &budget);
  for (int i = 0; i < 1000; ++i) map.at(kKey).put(std::string(1000, 'x') + std::to_string(i), 1);
  map.checkpoint();
  EXPECT_GT(budget.used(), 1'000'000u);
}

TEST(EntriesTable, ReadsAKeyBackByOneRange) {
  OfList list;
  list.backend.attach(&list.store, nullptr);
  for (std::uint8_t i = 0; i < 100; ++i) list.at(kKey).append(i);
  for (Key other = 0; other < 20; ++other) list.at(other + 1000).append(1);
  list.checkpoint();
  list.backend.shrink(true);
  list.backend.shrink(true);
  ASSERT_EQ(list.table.entries(), 0u);
  EXPECT_EQ(list.at(kKey).size(), 100u);
  EXPECT_EQ(list.store.ranges_read, 1u);
  const std::uint64_t hashes[] = {hash_of(kKey), hash_of(1001), hash_of(5000)};
  const Key keys[] = {kKey, 1001, 5000};
  list.table.fetch(hashes, 3, [&](std::size_t i) { return keys[i]; });
  EXPECT_EQ(list.store.ranges_read, 3u) << "one for each key that is not here";
  EXPECT_EQ(list.at(1001).size(), 1u);
  EXPECT_TRUE(list.at(5000).empty());
  EXPECT_EQ(list.store.ranges_read, 3u) << "what was fetched is looked up again";
}

TEST(EntriesTable, RefusesRowsThatItDoesNotWrite) {
  OfMap map({.ttl = Duration{10}});
  OfList list;
  const auto after_id = [](const Bytes& key) { return key.substr(2); };
  const Bytes stamped("\x00\x87\x93\x03\x00\x00\x00\x00\x05", 9);
  EXPECT_TRUE(map.table.restore_row(after_id(row_key("\1a")), stamped).ok());
  EXPECT_FALSE(map.table.restore_row(after_id(row_key("\1a")), stamped).ok()) << "there twice";
  EXPECT_FALSE(map.table.restore_row(after_id(row_key("\1b")), "\x05").ok()) << "not stamped";
  EXPECT_FALSE(map.table.restore_row(after_id(row_key("\2b")), stamped).ok()) << "the entry's key is cut off";
  EXPECT_FALSE(map.table.restore_row("short", stamped).ok());
  EXPECT_FALSE(list.table.restore_row(after_id(row_key("1234567")), "\x05").ok()) << "no number";
  EXPECT_FALSE(list.table.restore_row(after_id(row_key("12345678")), "").ok());
  EXPECT_TRUE(list.table.restore_row(after_id(row_key("12345678")), "\x05").ok());

  OfList cold;
  cold.backend.attach(&cold.store, nullptr);
  RowCollector collector;
  collector.put(row_key("1234567"), "\x05");
  cold.store.take(collector);
  ASSERT_TRUE(cold.table.restores_lazily({}));
  EXPECT_THROW((void)cold.at(kKey).size(), JobFailure);
}

TEST(EntriesTable, BreaksAnInvariantWhenAHandleIsUsedOutsideOfACall) {
  ListState<int> list{"list"};
  EXPECT_THROW((void)list.size(), BrokenInvariant);
}

}  // namespace
}  // namespace tidemark::state_test

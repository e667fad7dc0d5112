// What keys and values own on the heap is charged to the memory budget as it grows, not only at the next checkpoint (promise 9, F41).

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

#include <tidemark/state/backend.hpp>
#include <tidemark/state/store.hpp>

#include "row_collector.hpp"
#include "../support/temporary_directory.hpp"

namespace tidemark::state_test {

// Tells whether somebody holds it, and says that it owns much.
struct Watched {
  std::shared_ptr<int> token{};
};

}  // namespace tidemark::state_test

namespace tidemark {
inline namespace v0 {

template <>
struct Codec<state_test::Watched> {
  static void encode(const state_test::Watched&, Bytes&) {}
  [[nodiscard]] static bool decode(ByteView&, state_test::Watched&) { return true; }
  static std::string schema() { return "watched"; }
  static std::size_t footprint(const state_test::Watched&) { return 100'000; }
};

}  // namespace v0
}  // namespace tidemark

namespace tidemark::state_test {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kBudget = 4 * kMiB;
constexpr std::uint64_t kKeys = 1000;

std::uint64_t hash_of(std::uint64_t key) { return (key + 1) * 0x9E3779B97F4A7C15u; }

void take_checkpoint(StateBackend& backend, PlayedStore& store, std::uint64_t number) {
  RowCollector rows;
  backend.note_checkpoint(number);
  backend.freeze(rows);
  while (!backend.encode_some(1000)) {}
  store.ingest(rows);
  backend.settle(true);
}

// Lists of texts by key, in a job that may hold 4 MiB.
class HeapGrowth : public testing::Test {
 protected:
  HeapGrowth() { backend_.attach(&store_, &budget_); }

  StateCall call(const std::uint64_t& key) { return {hash_of(key), &key, event_time(1), kMinusInfinity, ++calls_}; }
  void append(std::uint64_t key, std::size_t bytes) {
    lists_.change(call(key)).append(std::string(bytes, 'x'), event_time(1), lists_.life());
  }
  std::size_t read(std::uint64_t key) {
    const auto* list = lists_.find(call(key));
    return list == nullptr ? 0 : list->live();
  }
  // As a task does it between two checkpoints.
  void follow(bool may_shrink, int times = 1) {
    for (int i = 0; i < times; ++i) backend_.follow_growth(may_shrink);
  }
  void checkpoint() { take_checkpoint(backend_, store_, ++checkpoint_); }

  PlayedStore store_;
  MemoryBudget budget_{kBudget, 1};
  StateBackend backend_{KeySpace{.groups = 8, .seed = 0}, 0, 8};
  EntriesTable<std::uint64_t, state_internal::EntryList<std::string>>& lists_ =
      backend_.entries_table<std::uint64_t, state_internal::EntryList<std::string>>("lists", {});
  std::uint64_t calls_ = 0;
  std::uint64_t checkpoint_ = 0;
};

TEST_F(HeapGrowth, IsSeenThoughNoTableGrowsAndNoCheckpointComes) {
  for (std::uint64_t key = 0; key < kKeys; ++key) append(key, 100);
  follow(false);
  EXPECT_FALSE(budget_.holds_back());
  std::size_t held = 0;
  for (int round = 1; round <= 20; ++round) {
    for (std::uint64_t key = 0; key < kKeys; ++key) append(key, 1000);
    follow(false, 4);
    held = kKeys * (100 + 1000 * static_cast<std::size_t>(round));
    EXPECT_GT(budget_.used(), held / 2) << round;
    EXPECT_LT(budget_.used(), 2 * held + kMiB) << round;
  }
  EXPECT_GT(held, 4 * kBudget);
  EXPECT_TRUE(budget_.holds_back());
}

TEST_F(HeapGrowth, OfOneKeyAmongManyIsSeenAsWell) {
  for (std::uint64_t key = 0; key < kKeys; ++key) append(key, 100);
  for (int i = 0; i < 100; ++i) {
    append(7, 100'000);
    follow(false, 4);
  }
  EXPECT_GT(budget_.used(), kBudget) << "10 MB in one list";
}

TEST_F(HeapGrowth, OfKeysThatAreReadDrivesOthersOut) {
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    for (int i = 0; i < 20; ++i) append(key, 1000);
  }
  checkpoint();
  follow(true, 20);
  EXPECT_LE(budget_.used(), kBudget);
  for (int round = 0; round < 2; ++round) {
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      EXPECT_EQ(read(key), 20u);
      if (key % 10 == 0) follow(true);
      EXPECT_LT(lists_.entries(), kKeys / 2) << "20 KB each";
    }
  }
}

// However few they are.
TEST_F(HeapGrowth, OfFewLargeKeysLeavesMemoryToo) {
  for (std::uint64_t key = 0; key < 10; ++key) append(key, kMiB);
  checkpoint();
  follow(true, 20);
  EXPECT_LE(budget_.used(), kBudget);
  EXPECT_LE(lists_.entries(), 4u);
  for (std::uint64_t key = 0; key < 10; ++key) EXPECT_EQ(read(key), 1u);
}

// The buffer of event-time order holds a record until the watermark comes.
TEST(WaitingRecords, AreChargedWithWhatTheyOwnBeforeTheirFirstCheckpoint) {
  PlayedStore store;
  MemoryBudget budget{kBudget, 1};
  StateBackend backend{KeySpace{.groups = 8, .seed = 0}, 0, 8};
  auto& buffer = backend.time_buffer<std::uint64_t, std::string>("waiting");
  backend.attach(&store, &budget);
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    buffer.add(event_time(static_cast<std::int64_t>(i)), hash_of(i), i, std::string(1000, 'x'));
  }
  EXPECT_GT(budget.used(), kBudget) << "ten million bytes";
}

TEST(WaitingRecords, AreChargedAtTheNextLookHoweverFewTheyAre) {
  MemoryBudget budget{kBudget, 1};
  StateBackend backend{KeySpace{.groups = 8, .seed = 0}, 0, 8};
  auto& buffer = backend.time_buffer<std::uint64_t, std::string>("waiting");
  backend.attach(nullptr, &budget);
  for (std::uint64_t i = 0; i < 100; ++i) {
    buffer.add(event_time(static_cast<std::int64_t>(i)), hash_of(i), i, std::string(100'000, 'x'));
  }
  backend.follow_growth(false);
  EXPECT_GT(budget.used(), kBudget) << "ten million bytes";
}

TEST(WaitingRecords, OwnNothingOnceTheyWereReleasedAndAreNotChargedAnyMore) {
  PlayedStore store;
  for (const bool tracking : {true, false}) {
    MemoryBudget budget{kBudget, 1};
    StateBackend backend{KeySpace{.groups = 8, .seed = 0}, 0, 8};
    auto& buffer = backend.time_buffer<std::uint64_t, Watched>("waiting");
    backend.set_tracking(tracking);
    backend.attach(&store, &budget);
    const auto token = std::make_shared<int>();
    for (std::int64_t i = 1; i <= 100; ++i) buffer.add(event_time(i), 7, 7, Watched{token});
    backend.follow_growth(false);
    EXPECT_GT(budget.used(), kBudget);
    EXPECT_GT(token.use_count(), 100);
    while (buffer.front(kPlusInfinity) != nullptr) buffer.pop_front();
    backend.follow_growth(false);
    EXPECT_LT(budget.used(), kMiB);
    EXPECT_EQ(token.use_count(), 1);
  }
}

// Of a job with several tasks each reads past what is of the others.
TEST(WaitingRecords, OfOtherTasksDoNotCountWhereAFewAreReadTogether) {
  constexpr std::int64_t kRecords = 1000;
  PlayedStore store;
  StateBackend all{KeySpace{.groups = 2, .seed = 0}, 0, 2};
  auto& buffer = all.time_buffer<std::uint64_t, std::string>("waiting");
  all.attach(&store, nullptr);
  constexpr std::uint64_t kOther = 7;            // a hash of the first group
  constexpr std::uint64_t kOwn = ~std::uint64_t{0};   // and one of the second
  for (std::int64_t i = 1; i <= kRecords; ++i) {
    buffer.add(event_time(i), i % 100 == 0 ? kOwn : kOther, 7, std::string(20'000, 'x'));
  }
  take_checkpoint(all, store, 1);
  StateBackend second{KeySpace{.groups = 2, .seed = 0}, 1, 2};
  auto& own = second.time_buffer<std::uint64_t, std::string>("waiting");
  second.attach(&store, nullptr);
  second.note_checkpoint(1);
  store.restore_lazily(second, {{}});
  std::int64_t released = 0;
  for (; own.front(event_time(kRecords)) != nullptr; own.pop_front()) ++released;
  EXPECT_EQ(released, kRecords / 100);
  EXPECT_LE(store.ranges_read, 2u);
}

TEST(TimersOfLargeKeys, AreChargedAtTheNextLookHoweverFewTheyAre) {
  MemoryBudget budget{kBudget, 1};
  StateBackend backend{KeySpace{.groups = 8, .seed = 0}, 0, 8};
  auto& timers = backend.timers<std::string>();
  backend.attach(nullptr, &budget);
  for (std::uint64_t i = 0; i < 100; ++i) (void)timers.set(hash_of(i), std::string(100'000, 'x'), event_time(static_cast<std::int64_t>(i)));
  for (int looks = 0; looks < 4; ++looks) backend.follow_growth(false);
  EXPECT_GT(budget.used(), kBudget) << "ten million bytes";
}

// Takes rows until they are enough for a step.
class Step final : public RowSink {
 public:
  static constexpr std::size_t kEnough = 64 << 10;
  void put(ByteView key, ByteView value) override { bytes += key.size() + value.size(); }
  void erase(ByteView) override {}
  bool is_full() const override { return bytes >= kEnough; }

  std::size_t bytes = 0;
};

// A step of encoding ends by bytes, or all of a state of large entries would be in memory twice.
TEST(LargeEntries, OfAnyKindOfStateAreEncodedAFewAtATime) {
  constexpr std::size_t kLarge = 10'000;
  constexpr std::uint64_t kEntries = 200;
  for (const std::string kind : {"list", "slice", "buffer", "block", "timers"}) {
    SCOPED_TRACE(kind);
    StateBackend backend{KeySpace{.groups = 8, .seed = 0}, 0, 8};
    auto& lists = backend.entries_table<std::uint64_t, state_internal::EntryList<std::string>>("lists", {});
    auto& slices = backend.slice_table<std::uint64_t, std::string>("slices", "", SliceResidency::kWhatIsTouched);
    auto& buffer = backend.time_buffer<std::uint64_t, std::string>("waiting");
    auto& blocks = backend.slice_table<std::uint64_t, std::array<std::uint64_t, kLarge / 8>>("blocks", "", SliceResidency::kWhatIsTouched);
    auto& timers = backend.timers<std::string>();
    for (std::uint64_t i = 0; i < kEntries; ++i) {
      const EventTime time = event_time(static_cast<std::int64_t>(i) + 1);
      const std::uint64_t hash = hash_of(i);
      std::string large(kLarge, static_cast<char>('a' + i % 20));
      large += std::to_string(i);
      if (kind == "list") lists.change({hash, &i, time, kMinusInfinity, i + 1}).append(std::string{large}, time, lists.life());
      if (kind == "slice") slices.slice(event_time(1)).upsert(hash, i) = large;
      if (kind == "buffer") buffer.add(time, hash, i, std::move(large));
      if (kind == "block") blocks.slice(event_time(1)).upsert(hash, i) = {i};
      if (kind == "timers") (void)timers.set(hash, large, time);
    }
    Step step;
    backend.note_checkpoint(1);
    backend.freeze(step);
    std::size_t steps = 1;
    for (; !backend.encode_some(16'384); ++steps) {
      EXPECT_LT(step.bytes, Step::kEnough + 2 * kLarge);
      step.bytes = 0;
    }
    EXPECT_GE(steps, kEntries * kLarge / (Step::kEnough + 2 * kLarge));
    backend.settle(true);
  }
}

// Rows come almost in order, and a file keeps some back until it is seen what comes before them.
TEST(LargeRows, AreKeptBackByAFileForAsManyBytesAsSmallOnesAtTheMost) {
  const test_support::TemporaryDirectory directory;
  auto created = create_row_file(posix_file_system(), directory / "rows.sst");
  ASSERT_TRUE(created.ok());
  RowFileWriter& writer = **created;
  const auto takes = [&writer](const RowRun& piece) {
    const auto taken = writer.append(piece);
    return taken.ok() && *taken;
  };
  RowRun piece;
  for (int i = 10; i < 30; ++i) piece.put(std::to_string(i), std::string(kMiB / 4, 'x'));
  EXPECT_TRUE(takes(piece));
  RowRun neighbour;
  neighbour.put("281", "of those that are kept back");
  EXPECT_TRUE(takes(neighbour));
  RowRun far;
  far.put("211", "written by now");
  EXPECT_FALSE(takes(far));
  EXPECT_TRUE(writer.finish().ok());
}

using Slices = SliceTable<std::uint64_t, std::string>;

// A slice has tables of its own, however little is in it.
TEST(ManySlices, AreChargedWithWhatEachOwnsUntilTheyAreDropped) {
  PlayedStore store;
  MemoryBudget budget{kBudget, 1};
  StateBackend backend{KeySpace{.groups = 128, .seed = 0}, 0, 128};
  Slices& slices = backend.slice_table<std::uint64_t, std::string>("slices", "", SliceResidency::kWhatIsTouched);
  backend.attach(&store, &budget);
  constexpr std::int64_t kSlices = 2000;
  for (std::int64_t end = 1; end <= kSlices; ++end) (void)slices.slice(event_time(end));
  EXPECT_GT(slices.bytes(), kSlices * 1000u);
  EXPECT_GE(budget.used(), slices.bytes());
  slices.drop_through(event_time(kSlices));
  EXPECT_LT(slices.bytes(), kMiB) << "memory of slices that are gone is kept for a few of the next alone";
  EXPECT_LT(budget.used(), kMiB);
}

// Accumulators grow with their records, also in slices other than the one that was used last.
TEST(ManySlices, AreChargedForTheHeapOfTheirValuesAsItGrows) {
  PlayedStore store;
  MemoryBudget budget{64 * kMiB, 1};
  StateBackend backend{KeySpace{.groups = 8, .seed = 0}, 0, 8};
  Slices& slices = backend.slice_table<std::uint64_t, std::string>("slices", "", SliceResidency::kWhatIsTouched);
  backend.attach(&store, &budget);
  constexpr std::uint64_t kSlices = 50;
  for (std::uint64_t round = 1; round <= 20; ++round) {
    for (std::uint64_t slice = 1; slice <= kSlices; ++slice) {
      for (std::uint64_t key = 0; key < 10; ++key) {
        slices.slice(event_time(static_cast<std::int64_t>(slice))).upsert(hash_of(key), key).append(2000, 'x');
      }
    }
    for (int looks = 0; looks < 20; ++looks) backend.follow_growth(false);
    const std::size_t held = kSlices * 10 * 2000 * round;
    EXPECT_GT(budget.used(), held / 2) << round;
    EXPECT_LT(budget.used(), 3 * held + kMiB) << round;
  }
}

// It begins in the memory of the one before.
TEST(ManySlices, AreNotChargedForWhatTheValuesOfFormerOnesOwned) {
  PlayedStore store;
  MemoryBudget budget{64 * kMiB, 1};
  StateBackend backend{KeySpace{.groups = 8, .seed = 0}, 0, 8};
  Slices& slices = backend.slice_table<std::uint64_t, std::string>("slices", "", SliceResidency::kWhatIsTouched);
  backend.attach(&store, &budget);
  const auto fill = [&](std::int64_t slice, std::size_t bytes) {
    for (std::uint64_t key = 0; key < 1000; ++key) slices.slice(event_time(slice)).upsert(hash_of(key), key).assign(bytes, 'x');
    backend.follow_growth(false);
  };
  fill(1, 20'000);
  EXPECT_GT(budget.used(), 15 * kMiB);
  slices.drop_first();
  EXPECT_LT(budget.used(), kMiB);
  fill(2, 10);
  EXPECT_LT(budget.used(), kMiB);
}

// What is read together is few bytes, however large the rows are.
TEST(LargeRows, OfASliceAreReadAFewAtATime) {
  PlayedStore store;
  StateBackend backend{KeySpace{.groups = 8, .seed = 0}, 0, 8};
  Slices& slices = backend.slice_table<std::uint64_t, std::string>("slices", "", SliceResidency::kParts);
  backend.attach(&store, nullptr);
  constexpr std::uint64_t kLarge = 50;
  for (std::uint64_t key = 0; key < kLarge; ++key) slices.slice(event_time(1)).upsert(hash_of(key), key).append(kMiB / 4, 'x');
  take_checkpoint(backend, store, 1);
  backend.shrink(true);
  ASSERT_EQ(slices.entries(), 0u);
  std::size_t put = 0;
  for (Visited visited{}; visited != Visited::kAll;) {
    visited = slices.visit_some(
        event_time(1), {}, 1000, [](std::string& into, const std::string& from) { into += from; },
        [&put](std::uint64_t, std::uint64_t, const std::string& value) { put += value.size() == kMiB / 4 ? 1 : 0; });
    EXPECT_LE(slices.keys_read(), 5u);
  }
  EXPECT_EQ(put, kLarge);
}

TEST(LargeRows, ThatWaitForTheirTimeAreReadAFewAtATime) {
  PlayedStore store;
  StateBackend backend{KeySpace{.groups = 8, .seed = 0}, 0, 8};
  auto& buffer = backend.time_buffer<std::uint64_t, std::string>("waiting");
  backend.attach(&store, nullptr);
  constexpr std::int64_t kLarge = 50;
  for (std::int64_t i = 1; i <= kLarge; ++i) buffer.add(event_time(i), 7, 7, std::string(kMiB / 4, 'x'));
  take_checkpoint(backend, store, 1);
  StateBackend restored{KeySpace{.groups = 8, .seed = 0}, 0, 8};
  auto& lazy = restored.time_buffer<std::uint64_t, std::string>("waiting");
  restored.attach(&store, nullptr);
  restored.note_checkpoint(1);
  store.restore_lazily(restored, {{}});
  for (std::int64_t i = 1; i <= kLarge; ++i) {
    const auto* record = lazy.front(event_time(kLarge));
    ASSERT_NE(record, nullptr) << i;
    EXPECT_EQ(record->time, event_time(i));
    EXPECT_LE(lazy.size(), 5u);
    lazy.pop_front();
  }
  EXPECT_EQ(lazy.front(event_time(kLarge)), nullptr);
}

}  // namespace
}  // namespace tidemark::state_test

#include <limits>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/state/due_table.hpp>

#include "../support/instrumented.hpp"
#include "row_collector.hpp"

namespace tidemark::state_test {

using Key = std::uint64_t;

// What a key is to be told, and when.
struct Reminder {
  EventTime at = kMinusInfinity;
  std::uint64_t what = 0;
  mutable EventTime filed = kMinusInfinity;
  EventTime due() const { return at; }
};

}  // namespace tidemark::state_test

namespace tidemark {
inline namespace v0 {

template <>
struct Codec<state_test::Reminder> {
  static void encode(const state_test::Reminder& reminder, Bytes& out) {
    append_time(out, reminder.at);
    append_u64_big_endian(out, reminder.what);
  }
  [[nodiscard]] static bool decode(ByteView& in, state_test::Reminder& reminder) {
    reminder = {};
    return take_time(in, reminder.at) && take_u64_big_endian(in, reminder.what);
  }
  static std::string schema() { return "reminder"; }
  static std::size_t footprint(const state_test::Reminder&) { return 0; }
};

}  // namespace v0
}  // namespace tidemark

namespace tidemark::state_test {
namespace {

using state_internal::TimeWheel;
using Table = DueTable<Key, Reminder>;
constexpr StateId kDueRows = 1;   // the second state that due_table() makes

// A table in a job that checkpoints, leaves memory, crashes and starts again.
class Job {
 public:
  explicit Job(std::size_t memory) : memory_(memory, 2) { start(); }

  Table& table() { return *table_; }
  EventTime now() const { return now_; }
  std::size_t wheel_bytes() const { return backend_->components()[kDueRows]->bytes(); }

  void set(Key key, EventTime at, std::uint64_t what) {
    Reminder& reminder = table_->upsert(hash_of(key), key);
    const bool earlier = reminder.at == kMinusInfinity || at < reminder.at;
    reminder.at = at;
    reminder.what = what;
    if (earlier) table_->file(reminder, hash_of(key), key);
  }
  // Sets the clock, and takes out what is due by then.
  std::map<Key, std::uint64_t> take_due(EventTime now) {
    std::map<Key, std::uint64_t> taken;
    table_->advance(now_ = now);
    while (const DueKey<Key>* due = table_->front()) {
      if (const Reminder* reminder = table_->look_at_front()) {
        if (reminder->at <= now) {
          EXPECT_TRUE(taken.emplace(due->key, reminder->what).second) << "a second time";
          table_->erase(due->hash, due->key);
        } else {
          table_->file_anew(*reminder, due->hash, due->key);
        }
      }
      table_->pop();
    }
    table_->drop_due();
    return taken;
  }

  void begin_checkpoint() {
    backend_->freeze(rows_);
    buckets_ = buckets_of(*backend_);
    frozen_at_ = now_;
  }
  EventTime dropped_through() const { return buckets_[kDueRows].dropped_through; }
  void encode_some() { (void)backend_->encode_some(3); }
  void complete() {
    while (!backend_->encode_some(1000)) {
    }
    store_.ingest(rows_);
    backend_->settle(true);
    saved_ = store_;
    saved_buckets_ = buckets_;
    saved_at_ = frozen_at_;
  }
  // Though its rows are in the store.
  void fail() {
    store_.ingest(rows_);
    backend_->settle(false);
  }
  void leave_memory() { backend_->shrink(true); }
  // At the last complete checkpoint. `of_before`: its release had no due rows.
  void restart(bool of_before = false) {
    store_ = saved_;
    rows_.rows.clear();
    now_ = saved_at_;
    if (of_before) store_.remove_if([](ByteView key, ByteView) { return static_cast<StateId>(key[1]) == kDueRows; });
    start();
    if (of_before) backend_->components()[kDueRows]->begin_new();
    store_.restore_lazily(*backend_, of_before ? std::vector<Buckets>(2) : saved_buckets_);
    table_->start(now_);
  }

 private:
  void start() {
    backend_ = std::make_unique<StateBackend>(KeySpace{}, 0, 128);
    table_ = &backend_->due_table<Key, Reminder>("reminders");
    backend_->attach(&store_, &memory_);
  }

  MemoryBudget memory_;
  PlayedStore store_;
  RowCollector rows_;
  std::unique_ptr<StateBackend> backend_;
  Table* table_ = nullptr;
  EventTime now_ = kMinusInfinity;
  EventTime frozen_at_ = kMinusInfinity;
  std::vector<Buckets> buckets_;
  PlayedStore saved_;   // the last complete checkpoint
  std::vector<Buckets> saved_buckets_ = std::vector<Buckets>(2);
  EventTime saved_at_ = kMinusInfinity;
};

struct Numbered {
  EventTime time;
  int number = 0;
};

TEST(TimeWheel, GivesBackWhatIsDueAndNothingElse) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937_64 random(seed);
    TimeWheel<Numbered> wheel;
    std::multimap<std::int64_t, int> model;
    std::int64_t now = seed % 3 == 0 ?
        std::numeric_limits<std::int64_t>::min() : -static_cast<std::int64_t>(random() >> (random() % 60 + 3));
    wheel.advance(event_time(now));
    const unsigned scale = 2 + seed;
    for (int number = 0; number < 3000; ++number) {
      // Distances of all magnitudes up to 2^scale.
      const auto distance = static_cast<std::int64_t>(random() >> (64 - 1 - random() % scale)) + 1;
      std::int64_t time = 0;
      if (__builtin_add_overflow(now, distance, &time)) time = std::numeric_limits<std::int64_t>::max();
      if (random() % 4 != 0 && time > now) {
        wheel.add({event_time(time), number});
        model.emplace(time, number);
        ASSERT_EQ(wheel.size(), model.size());
        continue;
      }
      if (random() % 8 == 0) {
        wheel.keep_only([](const Numbered& item) { return item.number % 3 != 0; });
        std::erase_if(model, [](const auto& item) { return item.second % 3 == 0; });
      }
      wheel.advance(event_time(time));
      now = time;
      std::multimap<std::int64_t, int> due;
      while (const auto* item = wheel.front()) {
        due.emplace(micros(item->time), item->number);
        wheel.pop();
      }
      const std::multimap<std::int64_t, int> expected(model.begin(), model.upper_bound(now));
      model.erase(model.begin(), model.upper_bound(now));
      // Equal times come back in any order.
      ASSERT_EQ((std::multiset<std::pair<std::int64_t, int>>(due.begin(), due.end())),
                (std::multiset<std::pair<std::int64_t, int>>(expected.begin(), expected.end())))
          << "seed " << seed << ", step " << number;
      if (now == std::numeric_limits<std::int64_t>::max()) break;
    }
  }
}

TEST(TimeWheel, RefusesWhatIsDueAlready) {
  TimeWheel<Numbered> wheel;
  wheel.advance(event_time(10));
  EXPECT_THROW(wheel.add({event_time(10), 1}), BrokenInvariant);
}

TEST(DueTable, ForgetsNoKeyWhateverLeavesMemoryFailsOrIsRestored) {   // D5
  struct Model {
    std::map<Key, std::pair<EventTime, std::uint64_t>> reminders;
    // Takes out what is due.
    std::map<Key, std::uint64_t> take_due(EventTime now) {
      std::map<Key, std::uint64_t> taken;
      for (const auto& [key, reminder] : reminders) {
        if (reminder.first <= now) taken.emplace(key, reminder.second);
      }
      for (const auto& [key, what] : taken) reminders.erase(key);
      return taken;
    }
  };
  for (unsigned seed = 0; seed < (test_support::kInstrumented ? 60 : 300); ++seed) {
    std::mt19937_64 random(seed);
    const auto below = [&random](std::uint64_t n) { return random() % n; };
    const std::uint64_t keys = 1 + below(seed % 2 == 0 ? 20 : 400);
    Job job(seed % 3 == 0 ? 1 : 100'000);
    job.table().start(kMinusInfinity);
    Model model, frozen, saved;
    bool open = false;   // a checkpoint is
    EventTime now = event_time(0);
    ASSERT_TRUE(job.take_due(now).empty());
    for (std::uint64_t step = 0; step < 3000; ++step) {
      switch (below(40)) {
        default: {
          const Key key = below(keys);
          if (below(5) == 0) {
            ASSERT_EQ(job.table().erase(hash_of(key), key), model.reminders.erase(key) == 1) << "seed " << seed << ", step " << step;
          } else {
            const EventTime at = now + Duration{1 + static_cast<std::int64_t>(below(below(2) == 0 ? 5 : 100))};
            job.set(key, at, step);
            model.reminders[key] = {at, step};
          }
          break;
        }
        case 0:
        case 1:
        case 2:
          now += Duration{static_cast<std::int64_t>(below(6))};
          ASSERT_EQ(job.take_due(now), model.take_due(now)) << "seed " << seed << ", step " << step;
          break;
        case 3:
        case 4:
          if (!open) {
            job.begin_checkpoint();
            frozen = model;
          } else if (below(4) == 0) {
            job.fail();
          } else {
            job.complete();
            saved = frozen;
          }
          open = !open;
          break;
        case 5:
          if (open) job.encode_some();
          break;
        case 6:
          job.leave_memory();
          break;
        case 7:
          if (below(4) != 0) break;
          job.restart(below(4) == 0);
          open = false;
          model = saved;
          now = std::max(job.now(), event_time(0));
          break;
      }
    }
    ASSERT_EQ(job.take_due(kPlusInfinity), model.take_due(kPlusInfinity)) << "seed " << seed;
  }
}

TEST(DueTable, HoldsAndReadsLittleMoreThanWhatIsDue) {
  constexpr std::uint64_t kReminders = 50'000;
  Job job(std::size_t{1} << 20);
  job.table().start(kMinusInfinity);
  for (Key key = 0; key < kReminders; ++key) {
    job.set(key, event_time(static_cast<std::int64_t>(key / 10)), key);
    if (key % 2000 != 1999) continue;
    job.begin_checkpoint();
    job.complete();
    job.leave_memory();
  }
  EXPECT_LT(job.wheel_bytes(), std::size_t{512} << 10);   // of 1.2 MB
  const std::size_t without = Job(1).wheel_bytes();
  job.restart();
  EXPECT_EQ(job.wheel_bytes(), without);
  EXPECT_EQ(job.table().size(), 0u);
  EXPECT_EQ(job.take_due(event_time(99)).size(), 1000u);
  EXPECT_LT(job.wheel_bytes(), std::size_t{512} << 10);
  EXPECT_LT(job.table().size(), 3000u);
  EXPECT_EQ(job.take_due(kPlusInfinity).size(), kReminders - 1000);
}

// A key that is put off again and again costs nothing but its rows, and these are dead when their time has passed.
TEST(DueTable, DropsTheRowsOfTimesThatHavePassed) {
  Job job(1);
  job.table().start(kMinusInfinity);
  for (std::int64_t now = 0; now < 100; ++now) {
    job.set(1, event_time(now + 10), 0);
    EXPECT_TRUE(job.take_due(event_time(now)).empty());
    job.begin_checkpoint();
    EXPECT_EQ(job.dropped_through(), event_time(now));
    job.complete();
    job.leave_memory();
  }
  EXPECT_EQ(job.take_due(event_time(109)).size(), 1u);
}

}  // namespace
}  // namespace tidemark::state_test

// Slices that give up memory: values in parts, which meet when the slice is visited, and values that are read back to be changed. Each key
// is put once, with the whole of its value, whatever left memory and whenever, at any restore (D1, D5, F1, K5, C7), however often the slice
// is visited and in how many pieces.

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/core/job_failure.hpp>

#include "row_collector.hpp"

namespace tidemark::state_test {
namespace {

using Key = std::uint64_t;
using Words = std::string;   // what was added, in order: to merge two parts in the wrong order shows
using Content = std::map<Key, Words>;
using Table = SliceTable<Key, Words>;

constexpr EventTime kEnd = event_time(10);
constexpr KeySpace kSpace{.groups = 16, .seed = 0};

void merge(Words& into, const Words& from) { into += from; }

// Adds the keys of a slice with a hash in the range to `content`, `most` at a time.
void visit(Table& table, EventTime end, HashRange range, std::size_t most, Content& content) {
  for (Visited visited{}; visited != Visited::kAll;) {
    std::size_t put = 0;
    visited = table.visit_some(end, range, most, merge, [&](std::uint64_t hash, Key key, const Words& words) {
      EXPECT_TRUE(hash >= range.first && hash <= range.last);
      EXPECT_TRUE(content.emplace(key, words).second) << "key " << key << " twice";
      EXPECT_LE(++put, most);
    });
    EXPECT_TRUE(put == 0 || visited != Visited::kRead);
  }
}

// The tables of the tasks of one operator, one for each.
class Job {
 public:
  Job(SliceResidency residency, std::uint32_t tasks, ColdRows& cold) {
    for (std::uint32_t task = 0; task < tasks; ++task) {
      backends_.push_back(std::make_unique<StateBackend>(kSpace, kSpace.first_group_of_task(task, tasks),
                                                         kSpace.first_group_of_task(task + 1, tasks)));
      tables_.push_back(&backends_.back()->slice_table<Key, Words>("windows", "", residency));
      backends_.back()->attach(&cold, nullptr);
    }
  }

  std::vector<std::unique_ptr<StateBackend>>& backends() { return backends_; }
  Table& table(std::size_t task) { return *tables_[task]; }
  Table& table_of(std::uint64_t hash) {
    return *tables_[kSpace.task_of_group(kSpace.group_of(hash), static_cast<std::uint32_t>(tables_.size()))];
  }
  void add(EventTime end, Key key, const Words& word, std::uint64_t hash) {
    Table::Slice& slice = table_of(hash).slice(end);
    slice.fetch(&hash, 1, [key](std::size_t) { return key; });
    slice.upsert(hash, key) += word;
  }
  void add(Key key, const Words& word) { add(kEnd, key, word, hash_of(key)); }
  void shrink() {
    for (auto& backend : backends_) backend->shrink(true);
  }
  void freeze(std::uint64_t checkpoint, RowSink& rows) {
    for (auto& backend : backends_) {
      backend->note_checkpoint(checkpoint);
      backend->freeze(rows);
    }
  }
  bool encode_some(std::size_t most) {
    return std::all_of(backends_.begin(), backends_.end(), [most](auto& backend) { return backend->encode_some(most); });
  }
  void settle(bool completed) {
    for (auto& backend : backends_) backend->settle(completed);
  }
  // Over all tasks.
  Buckets buckets() const {
    std::set<EventTime> live;
    for (const Table* table : tables_) {
      const std::vector<EventTime> ends = table->live_buckets();
      live.insert(ends.begin(), ends.end());
    }
    return {tables_.front()->dropped_through(), {live.begin(), live.end()}};
  }
  void restore(PlayedStore& store, std::uint64_t checkpoint, const Buckets& buckets) {
    for (auto& backend : backends_) {
      backend->note_checkpoint(checkpoint);
      store.restore_lazily(*backend, {buckets});
    }
  }
  std::size_t entries() const {
    std::size_t entries = 0;
    for (const Table* table : tables_) entries += table->entries();
    return entries;
  }
  // Of one slice, visited in as many pieces.
  Content look(EventTime end, std::uint64_t pieces, std::size_t most) {
    Content content;
    for (Table* table : tables_) {
      const HashRange all = table->hashes();
      if (table->find_slice(end) == nullptr) continue;
      for (std::uint64_t piece = 0; piece < pieces; ++piece) {
        const std::uint64_t width = (all.last - all.first) / pieces;
        const std::uint64_t first = all.first + piece * width;
        visit(*table, end, {first, piece + 1 == pieces ? all.last : first + width - 1}, most, content);
      }
    }
    return content;
  }
  // Visits the slices that end at or before `through`, `most` keys at a time, and drops them.
  std::map<EventTime, Content> fire(EventTime through, std::size_t most) {
    std::map<EventTime, Content> fired;
    for (Table* table : tables_) {
      while (!table->empty() && table->first_end() <= through) {
        const EventTime end = table->first_end();
        visit(*table, end, {}, most, fired[end]);
        if (fired[end].empty()) fired.erase(end);
        table->drop_first();
      }
      table->drop_through(through);
    }
    return fired;
  }
  Content fire(std::size_t most = 7) { return fire(kEnd, most)[kEnd]; }

 private:
  std::vector<std::unique_ptr<StateBackend>> backends_;
  std::vector<Table*> tables_;
};

void complete(Job& job, std::uint64_t checkpoint, PlayedStore& store) {
  RowCollector rows;
  job.freeze(checkpoint, rows);
  while (!job.encode_some(3)) {
  }
  store.ingest(rows);
  job.settle(true);
}

std::size_t rows_of_key(const PlayedStore& store, Key key) {
  const Bytes encoded_key = encoded(key);
  return static_cast<std::size_t>(std::count_if(store.rows().begin(), store.rows().end(),
                                                [&](const auto& row) { return row.first.find(encoded_key, 18) == 18; }));
}

class SliceResidencies : public testing::TestWithParam<SliceResidency> {
 protected:
  PlayedStore store_;
  Job job_{GetParam(), 1, store_};
};
INSTANTIATE_TEST_SUITE_P(, SliceResidencies, testing::Values(SliceResidency::kWhatIsTouched, SliceResidency::kParts),
                         [](const auto& each) { return each.param == SliceResidency::kParts ? "parts" : "what_is_touched"; });

TEST_P(SliceResidencies, PutAKeyOnceWhereverItsValueIs) {
  job_.add(1, "a");   // only in the store
  job_.add(2, "b");   // in the store, and then in memory as well
  job_.add(3, "c");   // in the store twice
  complete(job_, 1, store_);
  job_.shrink();
  job_.add(3, "d");
  complete(job_, 2, store_);
  job_.shrink();
  job_.add(2, "e");
  job_.add(4, "f");   // only in memory
  EXPECT_EQ(job_.fire(), (Content{{1, "a"}, {2, "be"}, {3, "cd"}, {4, "f"}}));
}

TEST_P(SliceResidencies, PutWhatLeftMemoryWhileACheckpointIsUnderWayOnce) {
  job_.add(1, "a");
  complete(job_, 1, store_);
  RowCollector rows;
  job_.add(2, "b");
  job_.freeze(2, rows);
  job_.shrink();   // what is frozen stays
  job_.add(1, "c");
  job_.add(2, "d");
  while (!job_.encode_some(1)) {
  }
  store_.ingest(rows);
  job_.settle(true);
  EXPECT_EQ(job_.fire(), (Content{{1, "ac"}, {2, "bd"}}));
}

TEST_P(SliceResidencies, PutTheRowsOfAFailedCheckpointOnce) {   // C7
  job_.add(1, "a");
  complete(job_, 1, store_);
  job_.shrink();
  job_.add(1, "b");
  RowCollector rows;
  job_.freeze(2, rows);
  while (!job_.encode_some(1)) {
  }
  store_.ingest(rows);   // the rows were in the store when it failed
  job_.settle(false);
  job_.shrink();
  job_.add(1, "c");
  EXPECT_EQ(job_.fire(), (Content{{1, "abc"}}));
}

TEST_P(SliceResidencies, ReadNothingAtARestore) {
  for (Key key = 0; key < 100; ++key) job_.add(key, "a");
  complete(job_, 7, store_);
  Job restored(GetParam(), 1, store_);
  store_.looked_up = store_.ranges_read = 0;
  restored.restore(store_, 7, job_.buckets());
  EXPECT_EQ(restored.entries(), 0u);
  EXPECT_EQ(store_.looked_up + store_.ranges_read, 0u);
  EXPECT_EQ(restored.table(0).ends(), std::vector{kEnd});
  restored.add(5, "b");
  EXPECT_EQ(restored.entries(), 1u);
  const Content fired = restored.fire();
  EXPECT_EQ(fired.size(), 100u);
  EXPECT_EQ(fired.at(5), "ab");
  EXPECT_EQ(fired.at(6), "a");
}

TEST_P(SliceResidencies, BeginAFreshSliceWithAllOfItInMemory) {
  job_.add(1, "a");
  complete(job_, 1, store_);
  Job restored(GetParam(), 1, store_);
  restored.restore(store_, 1, job_.buckets());
  EXPECT_EQ(restored.fire(), (Content{{1, "a"}}));
  store_.looked_up = 0;
  restored.add(event_time(20), 1, "b", hash_of(1));   // in the memory of the slice before
  restored.add(event_time(20), 2, "c", hash_of(2));
  EXPECT_EQ(store_.looked_up, 0u) << "nothing of it can be in the store";
  EXPECT_EQ(restored.fire(event_time(20), 1), (std::map<EventTime, Content>{{event_time(20), {{1, "b"}, {2, "c"}}}}));
}

TEST_P(SliceResidencies, AreNotGivenUpWhileTheyAreVisited) {
  for (Key key = 0; key < 20; ++key) job_.add(key, "a");
  complete(job_, 1, store_);
  std::map<Key, int> put;
  const auto count = [&](std::uint64_t, Key key, const Words&) { ++put[key]; };
  const auto visit_one = [&] { return job_.table(0).visit_some(kEnd, {}, 1, merge, count); };
  ASSERT_EQ(visit_one(), Visited::kSome);
  job_.shrink();
  RowCollector rows;
  EXPECT_THROW(job_.freeze(2, rows), BrokenInvariant) << "who visits is in the middle of something";
  while (visit_one() != Visited::kAll) {
  }
  EXPECT_EQ(put.size(), 20u);
  EXPECT_TRUE(std::all_of(put.begin(), put.end(), [](const auto& each) { return each.second == 1; }));
}

TEST_P(SliceResidencies, AreTheSameAfterAVisitOfAnyOfThemInAnyPieces) {
  const EventTime later = event_time(20);
  Content expected;
  for (std::uint64_t checkpoint = 1; checkpoint <= 3; ++checkpoint) {
    job_.add(1000, "x");
    for (Key key = checkpoint; key < 100 * checkpoint; ++key) {
      job_.add(later, key, std::to_string(checkpoint), hash_of(key));
      expected[key] += std::to_string(checkpoint);
    }
    if (checkpoint == 3) break;   // the last words are in memory alone
    complete(job_, checkpoint, store_);
    job_.shrink();
  }
  for (const std::uint64_t pieces : {1u, 2u, 16u, 100u}) EXPECT_EQ(job_.look(later, pieces, 7), expected) << pieces << " pieces";
  complete(job_, 3, store_);
  job_.shrink();
  job_.add(later, 5, "y", hash_of(5));
  expected[5] += "y";
  EXPECT_EQ(job_.look(later, 3, 7), expected) << "what was visited became no part of another";
  EXPECT_EQ(job_.fire(later, 7), (std::map<EventTime, Content>{{kEnd, {{1000, "xxx"}}}, {later, expected}}));
}

TEST_P(SliceResidencies, MayBeVisitedAnewAfterAVisitThatWasLeft) {
  for (Key key = 0; key < 20; ++key) job_.add(key, "a");
  complete(job_, 1, store_);
  job_.shrink();
  job_.add(1, "b");
  Table& table = job_.table(0);
  while (table.visit_some(kEnd, {}, 1, merge, [](std::uint64_t, Key, const Words&) {}) == Visited::kRead) {
  }
  table.leave_visit();
  const Content all = job_.look(kEnd, 1, 7);
  EXPECT_EQ(all.size(), 20u);
  EXPECT_EQ(all.at(1), "ab");
}

TEST_P(SliceResidencies, AreReadInPiecesThatEndWithAKey) {
  // More rows than a piece has, several of each key, and keys in memory besides.
  constexpr Key kKeys = 6000;
  Content expected;
  for (std::uint64_t checkpoint = 1; checkpoint <= 4; ++checkpoint) {
    for (Key key = checkpoint; key < kKeys; ++key) {
      job_.add(key, std::to_string(checkpoint));
      expected[key] += std::to_string(checkpoint);
    }
    if (checkpoint == 4) break;
    complete(job_, checkpoint, store_);
    job_.shrink();
  }
  EXPECT_EQ(job_.fire(1000), expected);
}

TEST(SliceParts, BecomeRowsOfTheirOwnAndAreWrittenOverWhileTheyAreInMemory) {
  PlayedStore store;
  Job job(SliceResidency::kParts, 1, store);
  job.add(1, "a");
  complete(job, 1, store);
  EXPECT_EQ(store.rows().begin()->first.size(), 2u + 8 + 8 + 8) << "the first part has no generation in its row key";
  job.add(1, "b");
  complete(job, 2, store);
  EXPECT_EQ(rows_of_key(store, 1), 1u);
  job.shrink();
  job.add(1, "c");
  complete(job, 3, store);
  job.add(1, "d");
  complete(job, 4, store);
  EXPECT_EQ(rows_of_key(store, 1), 2u);
  const Bytes rest = store.rows().rbegin()->first.substr(26);
  EXPECT_EQ(rest, Bytes("\0\0\0\0\0\0\0\3", 8)) << "one above the last checkpoint when memory was given up";
  EXPECT_EQ(job.fire(), (Content{{1, "abcd"}}));
}

TEST(SliceParts, LeaveMemoryByKeyGroupsOfWhichNothingIsDirtyOrOnItsWay) {
  PlayedStore store;
  Job job(SliceResidency::kParts, 1, store);
  const auto key_in_group = [](std::uint32_t group) {
    Key key = 0;
    while (kSpace.group_of(hash_of(key)) != group) ++key;
    return key;
  };
  for (std::uint32_t group = 0; group < 3; ++group) job.add(key_in_group(group), "a");
  complete(job, 1, store);
  job.add(key_in_group(1), "b");
  RowCollector rows;
  job.freeze(2, rows);
  job.add(key_in_group(2), "b");
  job.shrink();
  EXPECT_EQ(job.entries(), 2u) << "a frozen and a dirty one";
  while (!job.encode_some(1)) {
  }
  job.shrink();
  EXPECT_EQ(job.entries(), 2u) << "one in flight and a dirty one";
  store.ingest(rows);
  job.settle(true);
  job.shrink();
  EXPECT_EQ(job.entries(), 1u) << "a dirty one";
  EXPECT_EQ(job.fire(), (Content{{key_in_group(0), "a"}, {key_in_group(1), "ab"}, {key_in_group(2), "ab"}}));
}

TEST(SliceParts, AreNeverReadToBeChanged) {
  PlayedStore store;
  Job job(SliceResidency::kParts, 1, store);
  job.add(1, "a");
  complete(job, 1, store);
  job.shrink();
  store.looked_up = 0;
  job.add(1, "b");
  job.add(2, "b");
  EXPECT_EQ(store.looked_up, 0u);
}

TEST(SliceParts, NeedToKnowTheirCheckpoints) {
  PlayedStore store;
  Job job(SliceResidency::kParts, 1, store);
  EXPECT_THROW(store.restore_lazily(*job.backends()[0], {Buckets{}}), BrokenInvariant);
  job.backends()[0]->note_checkpoint(5);
  EXPECT_THROW(job.backends()[0]->note_checkpoint(5), BrokenInvariant) << "numbers ascend";
}

TEST(SliceParts, AreRefusedByASliceThatLooksItsValuesUp) {
  PlayedStore store;
  Job job(SliceResidency::kParts, 1, store);
  for (std::uint64_t checkpoint = 1; checkpoint <= 2; ++checkpoint) {
    job.add(1, "a");
    complete(job, checkpoint, store);
    job.shrink();
  }
  Job other(SliceResidency::kWhatIsTouched, 1, store);
  other.restore(store, 2, job.buckets());
  try {
    other.fire();
    ADD_FAILURE() << "it fired";
  } catch (const JobFailure& failure) {   // with the reason, which is another aggregate and no damage
    EXPECT_EQ(failure.error().code, ErrorCode::kStateMismatch);
    EXPECT_NE(failure.error().describe().find("such as count()"), std::string::npos) << failure.error().describe();
  }
}

// Random operations on several tasks and slices against plain maps, with crashes and other numbers of tasks.
class RandomRun {
 public:
  RandomRun(SliceResidency residency, std::uint64_t seed, Key keys) : residency_(residency), random_(seed), keys_(keys) {}

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) step();
    if (frozen_) end_checkpoint();
    fire(event_time(1'000'000));
    EXPECT_GT(completed_, steps / 100);
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  // Few hashes, so that some keys share one.
  static std::uint64_t hash_of_key(Key key) { return hash_of(key / 2); }

  void step() {
    switch (below(32)) {
      case 0: case 1: case 2: begin_or_encode(); break;
      case 3: if (frozen_) end_checkpoint(); break;
      case 4: case 5: job_->shrink(); break;
      case 6: if (below(3) == 0) fire(watermark_ + Duration{10 * static_cast<std::int64_t>(below(2))}); break;
      case 7: if (below(10) == 0) restart(); break;
      case 8: look(); break;
      default: {
        const EventTime end = watermark_ + Duration{10 + 10 * static_cast<std::int64_t>(below(3))};
        const Key key = below(keys_);
        const Words word(1, static_cast<char>('a' + below(26)));
        job_->add(end, key, word, hash_of_key(key));
        model_[end][key] += word;
      }
    }
  }
  void look() {
    if (model_.empty()) return;
    const auto slice = std::next(model_.begin(), static_cast<std::ptrdiff_t>(below(model_.size())));
    EXPECT_EQ(job_->look(slice->first, 1 + below(40), 1 + below(50)), slice->second);
  }
  void begin_or_encode() {
    if (frozen_) return void(job_->encode_some(below(20)));
    job_->freeze(++checkpoint_, rows_);
    as_of_freeze_ = model_;
    watermark_of_freeze_ = watermark_;
    buckets_of_freeze_ = job_->buckets();
    frozen_ = true;
  }
  void end_checkpoint() {
    frozen_ = false;
    if (below(3) == 0) {
      if (below(2) == 0) live_.take(rows_);   // it failed after its rows were in the store
      job_->settle(false);
      rows_.rows.clear();
      return;
    }
    while (!job_->encode_some(1 + below(20))) {
    }
    live_.take(rows_);
    durable_rows_.ingest(rows_);
    job_->settle(true);
    durable_ = as_of_freeze_;
    durable_watermark_ = watermark_of_freeze_;
    durable_buckets_ = buckets_of_freeze_;
    durable_checkpoint_ = checkpoint_;
    ++completed_;
    expect_restored();
  }
  void expect_restored() {
    PlayedStore store = durable_rows_;
    Job restored(residency_, 1 + static_cast<std::uint32_t>(below(3)), store);
    restored.restore(store, durable_checkpoint_, durable_buckets_);
    EXPECT_EQ(restored.fire(event_time(1'000'000), 1 + below(50)), durable_);
  }
  // A crash: the job goes on from the last completed checkpoint, maybe with another number of tasks.
  void restart() {
    if (durable_checkpoint_ == 0) return;
    live_ = durable_rows_;
    job_ = std::make_unique<Job>(residency_, 1 + static_cast<std::uint32_t>(below(3)), live_);
    job_->restore(live_, durable_checkpoint_, durable_buckets_);
    model_ = durable_;
    watermark_ = durable_watermark_;
    rows_.rows.clear();
    frozen_ = false;
  }
  void fire(EventTime through) {
    std::map<EventTime, Content> expected;
    while (!model_.empty() && model_.begin()->first <= through) expected.insert(model_.extract(model_.begin()));
    EXPECT_EQ(job_->fire(through, 1 + below(50)), expected);
    watermark_ = std::max(watermark_, through);
  }

  SliceResidency residency_;
  std::mt19937_64 random_;
  Key keys_;
  PlayedStore live_;
  std::unique_ptr<Job> job_ = std::make_unique<Job>(residency_, 1, live_);
  std::map<EventTime, Content> model_;
  EventTime watermark_ = event_time(0);
  std::uint64_t checkpoint_ = 0;     // never given twice, also after a crash (C5)
  bool frozen_ = false;
  RowCollector rows_;
  std::map<EventTime, Content> as_of_freeze_;
  EventTime watermark_of_freeze_ = event_time(0);
  Buckets buckets_of_freeze_;
  PlayedStore durable_rows_;
  std::map<EventTime, Content> durable_;
  EventTime durable_watermark_ = event_time(0);
  Buckets durable_buckets_;
  std::uint64_t durable_checkpoint_ = 0;
  int completed_ = 0;
};

TEST_P(SliceResidencies, HoldAgainstPlainMaps) {
  for (std::uint64_t seed = 0; seed < 24 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomRun(GetParam(), seed, seed % 2 == 0 ? 12 : 300).run(4000);
  }
}

}  // namespace
}  // namespace tidemark::state_test

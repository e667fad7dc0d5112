// The life of the items of a list as a table: what each sequence of calls and checkpoints hands out for one key (K4).

#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include <tidemark/state/handles.hpp>

#include "row_collector.hpp"

namespace tidemark::state_test {
namespace {

// Script: a<text> append, k clear, r read; f freeze, x encode all, c completed, ! failed. Rows: +<number><text>, -<number> a tombstone;
// ; ends a completed checkpoint, ! a failed one.
struct Life {
  const char* sentence;
  const char* script;
  const char* rows;
  const char* in_the_end;   // the items in memory | what a restore from the completed checkpoints gives
};

const Life kLives[] = {
    {"items are written once", "aA aB f x c f x c", "+0A +1B ; ;", "AB|AB"},
    {"a checkpoint writes only the items that are new", "aA f x c aB f x c aC f x c", "+0A ; +1B ; +2C ;", "ABC|ABC"},
    {"a list that was only read is not written", "aA f x c r f x c", "+0A ; ;", "A|A"},
    {"an item appended while frozen is not in the checkpoint", "aA f aB x c f x c", "+0A ; +1B ;", "AB|AB"},
    {"what was appended in flight goes to the next checkpoint", "aA f x aB c f x c", "+0A ; +1B ;", "AB|AB"},
    {"a list cleared before it was ever written leaves nothing", "aA aB k f x c", ";", "|"},
    {"a list cleared after it was stored leaves tombstones", "aA aB f x c k f x c f x c", "+0A +1B ; -0 -1 ; ;", "|"},
    {"only stored items leave tombstones", "aA f x c aB k f x c", "+0A ; -0 ;", "|"},
    {"a list cleared while frozen is encoded first", "aA f k x c", "+0A ;", "|A"},
    {"a list cleared in flight leaves tombstones", "aA f x k c f x c", "+0A ; -0 ;", "|"},
    {"a number is not used again while its tombstone is due", "aA f x c k aB f x c", "+0A ; -0 +1B ;", "B|B"},
    {"a list begun anew while its tombstones are frozen", "aA f x c k f aB x c f x c", "+0A ; -0 ; +1B ;", "B|B"},
    {"a list begun anew while its tombstones are in flight", "aA f x c k f x aB c f x c", "+0A ; -0 ; +1B ;", "B|B"},
    {"after its tombstones are stored a list is as new", "aA f x c k f x c aB f x c", "+0A ; -0 ; +0B ;", "B|B"},
    {"a failed checkpoint makes frozen items dirty again", "aA f ! f x c", "! +0A ;", "A|A"},
    {"a failed checkpoint makes items in flight dirty again", "aA f x ! aB f x c", "+0A ! +0A +1B ;", "AB|AB"},
    {"an item appended while frozen, then a failure", "aA f aB ! f x c", "+0A ! +0A +1B ;", "AB|AB"},
    {"a row given out may be in the store whatever became of its checkpoint", "aA f x ! k f x c", "+0A ! -0 ;", "|"},
    {"a failed tombstone is due again", "aA f x c k f x ! f x c", "+0A ; -0 ! -0 ;", "|"},
    {"begun anew after a failed tombstone", "aA f x c k f x ! aB f x c", "+0A ; -0 ! -0 +1B ;", "B|B"},
    {"cleared while frozen, then a failure", "aA f k ! f x c", "+0A ! -0 ;", "|"},
};

using Key = std::uint64_t;
constexpr Key kKey = 7;

class Subject {
 public:
  explicit Subject(bool evicting) : evicting_(evicting), backend_({.groups = 1}, 0, 1) {
    list_.bind(backend_.entries_table<Key, state_internal::EntryList<std::string>>("state", {}), call_);
    if (evicting) backend_.attach(&store_, nullptr);
  }

  std::string run(const std::string& script) {
    std::istringstream steps(script);
    std::string step;
    while (steps >> step) {
      if (evicting_) evict();
      run_step(step);
    }
    return trace_.empty() ? trace_ : trace_.substr(1);
  }
  std::string in_the_end() {
    Subject restored(false);
    store_.restore(restored.backend_, buckets_of(backend_));
    if (!evicting_) {
      EXPECT_EQ(restored.backend_.components()[0]->entries(), restored.items().empty() ? 0u : 1u) << "K4";
      EXPECT_EQ(backend_.components()[0]->entries(), items().empty() ? 0u : 1u) << "K4";
    }
    return items() + "|" + restored.items();
  }

  bool was_read_back() const { return store_.ranges_read > 0; }

 private:
  void at(const Key& key) { call_ = {hash_of(key), &key, event_time(0), kMinusInfinity, call_.number + 1}; }
  // All that is clean: the hand of the clock goes round twice. Others that are dirty make the table large enough to shrink.
  void evict() {
    for (Key other = 900; other < 910; ++other) {
      at(other);
      list_.append("other");
    }
    backend_.shrink(true);
    backend_.shrink(true);
  }
  void run_step(const std::string& step) {
    at(kKey);
    switch (step[0]) {
      case 'a': list_.append(step.substr(1)); break;
      case 'k': list_.clear(); break;
      case 'r': EXPECT_FALSE(list_.empty()); break;
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
  void trace_rows() {
    for (const RowCollector::Row& row : collector_.rows) {
      ByteView end = row.key;
      Key key = 0;
      std::uint64_t number = 0;
      end.remove_prefix(end.size() - 16);
      ASSERT_TRUE(take_u64(end, key));
      if (key != kKey) continue;
      ASSERT_TRUE(take_u64_big_endian(end, number));
      std::string text;
      ASSERT_TRUE(row.tombstone || decode_whole(row.value, text));
      trace_ += (row.tombstone ? " -" : " +") + std::to_string(number) + text;
    }
  }
  std::string items() {
    at(kKey);
    std::string all;
    for (const std::string& item : list_) all += item;
    EXPECT_EQ(list_.size(), all.size());
    return all;
  }

  bool evicting_;
  StateBackend backend_;
  StateCall call_;
  ListState<std::string> list_{"state"};
  RowCollector collector_;
  PlayedStore store_;
  std::string trace_;
};

void run_all(bool evicting) {
  bool read_back = false;
  for (const Life& life : kLives) {
    SCOPED_TRACE(std::string{life.sentence} + ": " + life.script);
    Subject subject(evicting);
    EXPECT_EQ(subject.run(life.script), life.rows);
    EXPECT_EQ(subject.in_the_end(), life.in_the_end);
    read_back = read_back || subject.was_read_back();
  }
  EXPECT_EQ(read_back, evicting);
}

TEST(ListLife, FollowsTheTable) { run_all(false); }
TEST(ListLife, IsNotDisturbedByLeavingMemory) { run_all(true); }

}  // namespace
}  // namespace tidemark::state_test

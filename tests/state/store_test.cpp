// The durable half of state: row files, ingestion, links, restores (reliability R1, R4; faults F11-F17, F20).

#include <map>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <unistd.h>

#include <tidemark/core/hash.hpp>
#include <tidemark/core/random.hpp>
#include <tidemark/state/store.hpp>

#include "src/store_options.hpp"
#include "support/forwarding_file_system.hpp"
#include "support/recording_file_system.hpp"
#include "support/temporary_directory.hpp"

#include "row_keys.hpp"

namespace tidemark {
namespace {

using test_support::Failure;
using test_support::RecordingFileSystem;
using test_support::TemporaryDirectory;
using Rows = std::map<Bytes, Bytes>;

template <class T>
T value_of(Result<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << result.error().describe();
    std::terminate();
  }
  return *std::move(result);
}

#define EXPECT_OK(expression)                                 \
  do {                                                        \
    const Status status_seen = (expression);                  \
    EXPECT_TRUE(status_seen.ok()) << (status_seen.ok() ? "" : status_seen.error().describe()); \
  } while (false)

RowRun run_of(const Rows& rows) {
  RowRun run;
  for (const auto& [key, value] : rows) run.put(key, value);
  return run;
}

class Store : public ::testing::Test {
 protected:
  std::string fresh(const std::string& what) { return directory / (what + std::to_string(++count_)); }
  std::string fresh_directory(const std::string& what) {
    const std::string path = fresh(what);
    EXPECT_OK(files.make_directory(path));
    return path;
  }
  RowFile row_file(RowRun run) { return value_of(write_row_file(files, fresh("rows") + ".sst", std::move(run))); }
  void take(StateStore& store, const Rows& rows) { EXPECT_OK(store.ingest({row_file(run_of(rows))})); }
  std::unique_ptr<StateStore> created() { return value_of(create_store(files, fresh("live"), {})); }
  std::unique_ptr<StateStore> restored(const std::string& from, const std::vector<StoredFile>& stored) {
    return value_of(restore_store(files, from, stored, fresh("live"), {}));
  }
  static Rows rows_of(StateStore& store) {
    Rows rows;
    EXPECT_OK(store.scan({}, [&](ByteView key, ByteView value) {
      rows.emplace(key, value);
      return Status{};
    }));
    return rows;
  }
  // Writes a file anew, so that links to the old content keep it.
  void replace(const std::string& path, const Bytes& contents) {
    EXPECT_OK(files.remove_file(path));
    const auto file = value_of(files.create(path));
    EXPECT_OK(file->append(contents));
    EXPECT_OK(file->close());
  }
  void flip(const std::string& path, std::size_t byte) {
    Bytes contents = value_of(read_file(files, path, 1 << 30));
    contents[byte] = static_cast<char>(contents[byte] ^ 0x10);
    replace(path, contents);
  }

  FileSystem& files = posix_file_system();
  TemporaryDirectory directory;

 private:
  int count_ = 0;
};

// A table cuts its rows into pieces where it stands, and neighbours may lie on both sides of a cut.
TEST_F(Store, WritesPiecesThatWereNotCutQuiteInOrderToOneFile) {
  const std::string path = fresh("rows") + ".sst";
  const auto writer = value_of(create_row_file(files, path));
  Rows expected;
  RowRun piece;
  for (int i = 0; i < 3000; ++i) {
    const int place = i / 7 * 7 + (6 - i % 7);   // seven at a time, the last one first
    const Bytes key = std::to_string(10'000 + place);
    const Bytes value = std::to_string(i);
    i % 11 == 0 ? piece.erase(key) : piece.put(key, value);
    if (i % 11 != 0) expected[key] = value;
    if (i % 500 == 3) {
      EXPECT_TRUE(value_of(writer->append(std::exchange(piece, RowRun{}))));
    }
  }
  EXPECT_TRUE(value_of(writer->append(piece)));
  const RowFile written = value_of(writer->finish());
  EXPECT_EQ(written.size, value_of(value_of(files.open(path))->size()));
  const auto store = created();
  EXPECT_OK(store->ingest({written}));
  EXPECT_EQ(rows_of(*store), expected);
}

TEST_F(Store, TakesNothingOfAPieceThatBelongsBeforeWhatIsWritten) {
  const std::string path = fresh("rows") + ".sst";
  const auto writer = value_of(create_row_file(files, path));
  Rows first;
  for (int i = 0; i < 1000; ++i) first[std::to_string(10000 + i)] = "1";
  EXPECT_TRUE(value_of(writer->append(run_of(first))));
  EXPECT_FALSE(value_of(writer->append(run_of({{"10001", "2"}, {"20000", "2"}}))));
  const RowFile written = value_of(writer->finish());
  const auto store = created();
  EXPECT_OK(store->ingest({written}));
  EXPECT_EQ(rows_of(*store), first);
}

TEST_F(Store, RemovesARowFileThatIsNotFinished) {
  const std::string path = fresh("rows") + ".sst";
  {
    const auto writer = value_of(create_row_file(files, path));
    EXPECT_TRUE(value_of(writer->append(run_of({{"a", "1"}}))));
    EXPECT_EQ(value_of(files.kind(path)), FileKind::kFile);
  }
  EXPECT_EQ(value_of(files.kind(path)), FileKind::kAbsent);
}

// Reading threads share the keys of a look-up, from several callers at once.
TEST_F(Store, FindsTheSameRowsHoweverManyThreadsLook) {
  Rows rows;
  for (int i = 0; i < 5000; ++i) rows["key" + std::to_string(i * 3)] = std::to_string(i);
  for (const int threads : {0, 1, 3}) {
    const auto store = value_of(create_store(files, fresh("live"), {.reading_threads = threads}));
    take(*store, rows);
    const auto look = [&](int offset) {
      std::vector<Bytes> keys;
      for (int i = 0; i < 700; ++i) keys.push_back("key" + std::to_string(i * 7 + offset));
      const std::vector<ByteView> views{keys.begin(), keys.end()};
      Rows found;
      for (int again = 0; again < 20; ++again) {
        found.clear();
        EXPECT_OK(store->get(views, [&](std::size_t index, ByteView value) { found.emplace(keys[index], value); }));
      }
      Rows expected;
      for (const Bytes& key : keys) {
        if (const auto row = rows.find(key); row != rows.end()) expected.insert(*row);
      }
      EXPECT_EQ(found, expected) << threads << " threads";
    };
    std::thread other{[&] { look(1); }};
    look(0);
    other.join();
  }
}

TEST_F(Store, KeepsRowsInKeyOrderWhateverOrderTheyCameIn) {
  SeededRandom random{7};
  for (const std::size_t disorder : {0U, 3U, 1000U}) {
    Rows expected;
    std::vector<Bytes> keys;
    for (std::uint64_t i = 0; i < 3000; ++i) {
      Bytes key;
      append_u64_big_endian(key, i << 40);
      keys.push_back(timeless_key(1, key));
    }
    for (std::size_t i = 0; disorder > 0 && i + disorder < keys.size(); i += 2) std::swap(keys[i], keys[i + random.next() % disorder]);
    RowRun run;
    for (const Bytes& key : keys) {
      const Bytes value = std::to_string(random.next());
      run.put(key, value);
      expected[key] = value;
    }
    for (std::size_t i = 0; i < keys.size(); i += disorder + 1) {   // far from their place, and the last word on their keys
      run.put(keys[i], "again");
      expected[keys[i]] = "again";
    }
    const auto store = created();
    EXPECT_OK(store->ingest({row_file(std::move(run))}));
    EXPECT_EQ(rows_of(*store), expected) << "disorder " << disorder;
  }
}

TEST_F(Store, TakesTheLastOfSeveralRowsWithOneKey) {
  RowRun run;
  run.put("bb", "1");
  run.put("aa", "old");
  run.put("cc", "gone");
  run.put("aa", "new");
  run.erase("cc");
  run.erase("bb");
  run.put("bb", "");
  EXPECT_EQ(run.rows(), 7U);
  const auto store = created();
  EXPECT_OK(store->ingest({row_file(std::move(run))}));
  EXPECT_EQ(rows_of(*store), (Rows{{"aa", "new"}, {"bb", ""}}));
}

TEST_F(Store, OrdersKeysThatDifferOnlyFarBehindTheirCommonStart) {
  const Bytes start(40, 'x');
  Rows expected;
  RowRun run;
  for (const char* end : {"b", "a", "", "aa", "ab", "a-very-long-end-of-a-key-2", "a-very-long-end-of-a-key-1"}) {
    run.put(start + end, end);
    expected[start + end] = end;
  }
  const Bytes nul = start + Bytes("a\0", 2);   // zero padding of the compared words must not make it equal to "a"
  run.put(nul, "nul");
  expected[nul] = "nul";
  const auto store = created();
  EXPECT_OK(store->ingest({row_file(std::move(run))}));
  EXPECT_EQ(rows_of(*store), expected);
}

TEST_F(Store, LetsLaterFilesWinWithinOneIngestionAndAcrossThem) {
  const auto store = created();
  RowRun tombstone;
  tombstone.erase("b");
  EXPECT_OK(store->ingest({row_file(run_of({{"a", "1"}, {"b", "1"}, {"c", "1"}})), row_file(run_of({{"a", "2"}, {"b", "2"}})),
                           row_file(run_of({{"a", "3"}}))}));
  EXPECT_EQ(rows_of(*store), (Rows{{"a", "3"}, {"b", "2"}, {"c", "1"}}));
  EXPECT_OK(store->ingest({row_file(std::move(tombstone)), row_file(run_of({{"c", "4"}}))}));
  EXPECT_EQ(rows_of(*store), (Rows{{"a", "3"}, {"c", "4"}}));
}

TEST_F(Store, MovesTheFilesItTakes) {
  const auto store = created();
  const RowFile file = row_file(run_of({{"a", "1"}}));
  EXPECT_OK(store->ingest({file}));
  EXPECT_EQ(value_of(files.kind(file.path)), FileKind::kAbsent);
  EXPECT_OK(store->ingest({}));
}

// Its checksum was taken while it was written: a file is not read again only to be summed.
TEST_F(Store, TakesARowFileWithoutReadingItsRows) {
  SeededRandom random{1};
  RecordingFileSystem recording{files};
  const auto store = value_of(create_store(recording, fresh("live"), {}));
  RowRun run;
  for (int i = 0; i < 300'000; ++i) run.put(timeless_key(1, std::to_string(i)), std::to_string(random.next()));
  const RowFile file = row_file(std::move(run));
  const std::size_t before = recording.steps().size();
  EXPECT_OK(store->ingest({file}));
  std::size_t reads = 0;
  for (std::size_t i = before; i < recording.steps().size(); ++i) reads += recording.steps()[i].rfind("read ", 0) == 0 ? 1U : 0U;
  EXPECT_GT(reads, 0U) << "its footer and its index";
  EXPECT_LT(reads, 5U) << "of a file of " << file.size << " bytes";
  const auto listed = value_of(store->link_into(fresh_directory("checkpoint")));
  EXPECT_EQ(std::count_if(listed.begin(), listed.end(), [&](const StoredFile& stored) { return stored.checksum == file.checksum; }), 1);
}

TEST_F(Store, SaysTheChecksumOfTheBytesThatAreOnDisk) {
  const std::string path = fresh("rows") + ".sst";
  const RowFile written = value_of(write_row_file(files, path, run_of({{"a", "1"}, {"b", "2"}})));
  const Bytes contents = value_of(read_file(files, path, 1 << 20));
  EXPECT_EQ(written.path, path);
  EXPECT_EQ(written.size, contents.size());
  EXPECT_EQ(written.checksum, hash_bytes(contents, 0));
}

// R4: a compaction or an ingestion may never change bytes of a file whose checksum was taken. D06: restore, go on, checkpoint, three times.
TEST_F(Store, RestoresWhatWasLinkedThreeTimesOverAndLeavesEveryCheckpointAsItWas) {
  SeededRandom random{3};
  Rows expected;
  std::vector<std::pair<std::string, std::vector<StoredFile>>> checkpoints;
  std::vector<Rows> contents;
  auto store = created();
  for (int attempt = 0; attempt < 3; ++attempt) {
    for (int epoch = 0; epoch < 8; ++epoch) {
      Rows changed;
      for (int i = 0; i < 200; ++i) changed[timeless_key(1, std::to_string(random.next() % 500))] = std::to_string(random.next());
      take(*store, changed);
      for (const auto& [key, value] : changed) expected[key] = value;
      const std::string to = fresh_directory("checkpoint");
      checkpoints.emplace_back(to, value_of(store->link_into(to)));
      contents.push_back(expected);
    }
    store = restored(checkpoints.back().first, checkpoints.back().second);
    EXPECT_EQ(rows_of(*store), expected);
  }
  for (std::size_t i = 0; i < checkpoints.size(); ++i) {
    EXPECT_OK(verify_files(files, checkpoints[i].first, checkpoints[i].second));
    EXPECT_EQ(rows_of(*restored(checkpoints[i].first, checkpoints[i].second)), contents[i]);
  }
}

// Two attempts from one checkpoint write different files of one name.
TEST_F(Store, KeepsTwoAttemptsFromOneCheckpointApart) {
  auto first = created();
  take(*first, {{"a", "0"}});
  const std::string base = fresh_directory("checkpoint");
  const std::vector<StoredFile> stored = value_of(first->link_into(base));
  for (const char* mark : {"1", "2"}) {
    const auto attempt = restored(base, stored);
    take(*attempt, {{"b", mark}});
    const std::string to = fresh_directory("checkpoint");
    const std::vector<StoredFile> of_attempt = value_of(attempt->link_into(to));
    EXPECT_OK(verify_files(files, to, of_attempt));
    EXPECT_EQ(rows_of(*restored(to, of_attempt)), (Rows{{"a", "0"}, {"b", mark}}));
  }
  EXPECT_OK(verify_files(files, base, stored));
}

TEST_F(Store, LinksRowFilesAndSyncsAllElseThatItWrites) {
  RecordingFileSystem recording{files};
  const auto store = value_of(create_store(recording, fresh("live"), {}));
  take(*store, {{"a", "1"}});
  const std::string to = fresh_directory("checkpoint");
  const std::size_t before = recording.changes().size();
  const std::vector<StoredFile> stored = value_of(store->link_into(to));
  std::vector<std::string> steps = recording.changes();
  steps.erase(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(before));
  for (const StoredFile& file : stored) {
    const std::string path = join_path(to, file.name);
    if (file.name.find(".sst") != std::string::npos) {
      EXPECT_THAT(steps, ::testing::Contains(::testing::EndsWith(" " + path)));
    } else {
      EXPECT_THAT(steps, ::testing::IsSupersetOf({"create " + path, "sync " + path, "close " + path}));
    }
  }
  EXPECT_EQ(steps.back(), "sync_directory " + to);
  EXPECT_THAT(value_of(files.list(to)), ::testing::SizeIs(stored.size()));
}

// Fault F20, EXDEV.
class NoLinks final : public test_support::ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  Status link(const std::string&, const std::string&) override {
    return Error{.code = ErrorCode::kStorageFailed, .message = "cannot link (EXDEV)", .facts = {}, .why = "", .fix = ""};
  }
};

TEST_F(Store, CopiesWhereItCannotLink) {
  NoLinks no_links{files};
  const auto store = value_of(create_store(no_links, fresh("live"), {}));
  take(*store, {{"a", "1"}, {"b", "2"}});
  const std::string to = fresh_directory("checkpoint");
  const std::vector<StoredFile> stored = value_of(store->link_into(to));
  EXPECT_OK(verify_files(files, to, stored));
  EXPECT_EQ(rows_of(*value_of(restore_store(no_links, to, stored, fresh("live"), {}))), (Rows{{"a", "1"}, {"b", "2"}}));
}

TEST_F(Store, RefusesADirectoryThatIsThereAlready) {
  const std::string there = fresh_directory("live");
  EXPECT_FALSE(create_store(files, there, {}).ok());
  EXPECT_FALSE(restore_store(files, fresh("checkpoint"), {}, there, {}).ok());
}

TEST_F(Store, LeavesDeadBucketsOutOfAScanAtOnce) {
  const auto store = created();
  take(*store, {{timed_key(2, -10, "a"), "dead"},
                {timed_key(2, 0, "a"), "dead"},
                {timed_key(2, 0, "b"), "dead"},
                {timed_key(2, 1, "a"), "live"},
                {timeless_key(3, "aaaaaaaaaaaa"), "gone"},
                {timeless_key(4, "aaaaaaaaaaaa"), "live"},
                {timed_key(5, -3, "a"), "live"}});
  store->set_dropped({{2, {event_time(0)}}, {3, {kPlusInfinity}}, {5, {kMinusInfinity}}});
  EXPECT_EQ(rows_of(*store),
            (Rows{{timed_key(2, 1, "a"), "live"}, {timeless_key(4, "aaaaaaaaaaaa"), "live"}, {timed_key(5, -3, "a"), "live"}}));
}

TEST_F(Store, RemovesDeadBucketsByCompactionAndNothingElse) {
  const auto store = created();
  Rows dead;
  Rows live;
  for (int i = 0; i < 100; ++i) {
    dead[timed_key(2, i, "k")] = "dead";
    live[timed_key(2, 100 + i, "k")] = "live";
    live[timeless_key(3, "kkkkkkkk" + std::to_string(i))] = "live";
  }
  take(*store, dead);
  take(*store, live);
  store->set_dropped({{2, {event_time(99)}}});
  bool removed = false;
  for (int i = 0; i < 300 && !removed; ++i) {
    take(*store, {{timed_key(2, 150, "k"), std::to_string(i)}, {timed_key(2, 0, "k"), "dead"}});   // overlaps: compactions follow
    live[timed_key(2, 150, "k")] = std::to_string(i);
    const std::string to = fresh_directory("checkpoint");
    // A store that was told of nothing shows what is really there.
    const Rows rows = rows_of(*restored(to, value_of(store->link_into(to))));
    for (const auto& [key, value] : live) ASSERT_EQ(rows.count(key), 1U);
    removed = rows.size() <= live.size() + 1;
  }
  EXPECT_TRUE(removed);
  EXPECT_EQ(rows_of(*store), live);
}

// The value of a row of a stamped state.
Bytes stamped_value(std::int64_t written, const Bytes& value) {
  Bytes stamped;
  append_time(stamped, event_time(written));
  return stamped + value;
}

TEST_F(Store, LeavesExpiredRowsOutOfScansAndLookUps) {
  const auto store = created();
  take(*store, {{timeless_key(2, "aaaaaaaaa"), stamped_value(-5, "dead")},
                {timeless_key(2, "aaaaaaaab"), stamped_value(7, "live")},
                {timeless_key(2, "aaaaaaaac"), stamped_value(0, "dead")},
                {timeless_key(2, "aaaaaaaad"), stamped_value(1, "live")}});
  store->set_dropped({{2, {event_time(0), true}}});
  EXPECT_EQ(rows_of(*store), (Rows{{timeless_key(2, "aaaaaaaab"), stamped_value(7, "live")},
                                   {timeless_key(2, "aaaaaaaad"), stamped_value(1, "live")}}));
  const std::vector<Bytes> keys = {timeless_key(2, "aaaaaaaac"), timeless_key(2, "aaaaaaaad")};
  const std::vector<ByteView> views{keys.begin(), keys.end()};
  EXPECT_OK(store->get(views, [&](std::size_t, ByteView value) { EXPECT_EQ(value, stamped_value(1, "live")); }));
}

TEST_F(Store, ReadsTheLiveRowsOfSeveralPrefixesTogether) {
  const auto store = created();
  take(*store, {{timeless_key(2, "aa1"), stamped_value(9, "1")},
                {timeless_key(2, "aa2"), stamped_value(0, "dead")},
                {timeless_key(2, "aa3"), stamped_value(9, "3")},
                {timeless_key(2, "ab"), stamped_value(9, "another")},
                {timeless_key(2, "b"), stamped_value(9, "b")}});
  store->set_dropped({{2, {event_time(0), true}}});
  const Bytes prefixes[] = {timeless_key(2, "aa"), timeless_key(2, "ac"), timeless_key(2, "b"), timeless_key(3, "")};
  const std::vector<ByteView> views(std::begin(prefixes), std::end(prefixes));
  std::string found;
  EXPECT_OK(store->read_prefixes(views, [&](std::size_t index, ByteView key, ByteView value) {
    found += std::to_string(index) + ":" + Bytes{key.substr(2)} + "=" + Bytes{value.substr(8)} + " ";
    return true;
  }));
  EXPECT_EQ(found, "0:aa1=1 0:aa3=3 2:b=b ");
  std::size_t visits = 0;
  EXPECT_OK(store->read_prefixes(views, [&](std::size_t, ByteView, ByteView) { return ++visits < 2; }));
  EXPECT_EQ(visits, 2u);
}

// An expired row may lie above an older one with a later time, of an entry that was erased and made again by an earlier record.
TEST_F(Store, RemovesExpiredRowsByCompactionAndBringsNoOlderOnesToLight) {
  const auto store = created();
  Rows older;
  Rows dead;
  Rows live;
  for (int i = 0; i < 100; ++i) {
    const Bytes key = timeless_key(2, "kkkkkkkk" + std::to_string(i));
    older[key] = stamped_value(1000, "older");
    (i % 2 == 0 ? dead : live)[key] = stamped_value(i % 2 == 0 ? 5 : 900, "newer");
  }
  take(*store, older);
  take(*store, live);
  take(*store, dead);
  store->set_dropped({{2, {event_time(99), true}}});
  const Bytes often = timeless_key(2, "kkkkkkkk1");
  bool removed = false;
  for (int i = 0; i < 300 && !removed; ++i) {
    take(*store, {{often, stamped_value(901, std::to_string(i))}, {timeless_key(2, "kkkkkkkk0"), stamped_value(5, "newer")}});
    live[often] = stamped_value(901, std::to_string(i));
    const std::string to = fresh_directory("checkpoint");
    // A store that was told of nothing shows what is really there.
    const Rows rows = rows_of(*restored(to, value_of(store->link_into(to))));
    for (const auto& [key, value] : live) ASSERT_EQ(rows.count(key), 1U);
    for (const auto& [key, value] : rows) ASSERT_NE(value, stamped_value(1000, "older"));
    removed = rows.size() <= live.size() + 1;
  }
  EXPECT_TRUE(removed);
  EXPECT_EQ(rows_of(*store), live);
}

TEST(DeadRows, SayWhereLifeBeginsAgain) {
  using state_internal::DeadRows;
  const DeadRows dead{{{1, {event_time(5)}}, {3, {kPlusInfinity}}, {4, {event_time(5), true}}, {0xFFFF, {kPlusInfinity}}}};
  std::string next;
  EXPECT_EQ(dead.judge(timed_key(1, 5, "k"), "", &next), DeadRows::Answer::kDeadRange);
  EXPECT_EQ(next, timed_key(1, 6, ""));
  EXPECT_EQ(dead.judge(timed_key(1, -5, "k"), "", &next), DeadRows::Answer::kDeadRange);
  EXPECT_EQ(dead.judge(timed_key(1, 6, ""), "", &next), DeadRows::Answer::kAlive);
  EXPECT_EQ(dead.judge(timed_key(2, 0, "k"), "", &next), DeadRows::Answer::kAlive);
  EXPECT_EQ(dead.judge(timeless_key(3, "k"), "", &next), DeadRows::Answer::kDeadRange);
  EXPECT_EQ(next, timeless_key(4, ""));
  EXPECT_EQ(dead.judge(timeless_key(0xFFFF, "k"), "", &next), DeadRows::Answer::kDeadRange);
  EXPECT_EQ(next, "");
  EXPECT_EQ(dead.judge("", "", &next), DeadRows::Answer::kAlive);
  EXPECT_EQ(dead.judge(timeless_key(1, "short"), "", &next), DeadRows::Answer::kAlive);
  next = "as it was";
  EXPECT_EQ(dead.judge(timeless_key(4, "k"), stamped_value(5, "v"), &next), DeadRows::Answer::kDead);
  EXPECT_EQ(dead.judge(timeless_key(4, "k"), stamped_value(6, "v"), &next), DeadRows::Answer::kAlive);
  EXPECT_EQ(dead.judge(timeless_key(4, "k"), "short", &next), DeadRows::Answer::kAlive);
  EXPECT_EQ(next, "as it was");
}

class StoredCheckpoint : public Store {
 protected:
  void SetUp() override {
    const auto store = created();
    Rows rows;
    for (int i = 0; i < 2000; ++i) rows[timeless_key(1, "key " + std::to_string(i))] = "value " + std::to_string(i * i);
    take(*store, rows);
    checkpoint = fresh_directory("checkpoint");
    stored = value_of(store->link_into(checkpoint));
    for (const StoredFile& file : stored) {
      if (file.name.find(".sst") != std::string::npos) row_file_name = file.name;
    }
    ASSERT_FALSE(row_file_name.empty());
  }
  std::string checkpoint;
  std::vector<StoredFile> stored;
  std::string row_file_name;
};

// Faults F15-F17.
TEST_F(StoredCheckpoint, F17IsRefusedWithTheNameOfTheFileThatIsMissingCutLinkedOrOtherwiseDamaged) {
  for (const StoredFile& file : stored) {
    const std::string path = join_path(checkpoint, file.name);
    const Bytes contents = value_of(read_file(files, path, 1 << 30));
    const auto refused = [&](const char* what, bool before_the_first_record) {
      const Status verified = verify_files(files, checkpoint, stored);
      ASSERT_FALSE(verified.ok()) << what << " " << file.name;
      EXPECT_EQ(verified.error().code, ErrorCode::kCheckpointCorrupt);
      EXPECT_THAT(verified.error().message, ::testing::HasSubstr(path));
      if (!before_the_first_record) return;
      const auto opened = restore_store(files, checkpoint, stored, fresh("live"), {});
      ASSERT_FALSE(opened.ok()) << what << " " << file.name;
      EXPECT_EQ(opened.error().code, ErrorCode::kCheckpointCorrupt);
      EXPECT_THAT(opened.error().message, ::testing::HasSubstr(file.name));
    };
    EXPECT_OK(files.remove_file(path));
    refused("missing", true);
    ASSERT_EQ(::symlink(join_path(checkpoint, stored.front().name).c_str(), path.c_str()), 0);
    refused("symbolic link", true);
    EXPECT_OK(files.remove_file(path));
    EXPECT_OK(files.make_directory(path));
    refused("directory", true);
    EXPECT_OK(files.remove_directory(path));
    { const auto empty = value_of(files.create(path)); }
    refused("empty", true);
    replace(path, contents.substr(0, contents.size() - 1));
    refused("cut", true);
    replace(path, contents + '\0');
    refused("longer", true);
    replace(path, contents);
    flip(path, contents.size() / 2);
    refused("one bit", file.name != row_file_name);
    replace(path, contents);
    EXPECT_OK(verify_files(files, checkpoint, stored));
  }
}

TEST_F(StoredCheckpoint, IsRefusedWhenTheFooterOfARowFileIsDamaged) {
  const std::string path = join_path(checkpoint, row_file_name);
  const Bytes contents = value_of(read_file(files, path, 1 << 30));
  for (std::size_t from_end = 1; from_end <= 8; ++from_end) {   // the magic number
    flip(path, contents.size() - from_end);
    const auto opened = restore_store(files, checkpoint, stored, fresh("live"), {});
    ASSERT_FALSE(opened.ok()) << from_end;
    EXPECT_EQ(opened.error().code, ErrorCode::kCheckpointCorrupt) << opened.error().describe();
    replace(path, contents);
  }
}

// Promise 7: damage in state data is found at the latest when that byte is read.
TEST_F(StoredCheckpoint, F16NeverYieldsARowFromADamagedBlock) {
  const Rows expected = rows_of(*restored(checkpoint, stored));
  const std::string path = join_path(checkpoint, row_file_name);
  const Bytes contents = value_of(read_file(files, path, 1 << 30));
  SeededRandom random{11};
  for (int i = 0; i < 60; ++i) {
    flip(path, random.next() % contents.size());
    auto opened = restore_store(files, checkpoint, stored, fresh("live"), {});
    if (opened.ok()) {
      Rows rows;
      const Status scanned = (*opened)->scan({}, [&](ByteView key, ByteView value) {
        rows.emplace(key, value);
        return Status{};
      });
      for (const auto& [key, value] : rows) ASSERT_EQ(expected.at(key), value);
      // A flip that no reader meets (an unused property, the filter) leaves all rows.
      if (scanned.ok()) {
        EXPECT_EQ(rows, expected);
      } else {
        EXPECT_EQ(scanned.error().code, ErrorCode::kCheckpointCorrupt);
      }
    }
    replace(path, contents);
  }
}

// Faults F11-F13: every step of writing a row file fails once, or takes effect and says that it failed.
TEST_F(Store, SyncsARowFileBeforeItSaysThatItIsWritten) {   // R1
  RecordingFileSystem recording{files};
  const std::string path = fresh("rows") + ".sst";
  (void)value_of(write_row_file(recording, path, run_of({{"a", "1"}})));
  const std::vector<std::string> changes = recording.changes();
  ASSERT_GE(changes.size(), 2U);
  EXPECT_EQ(changes[changes.size() - 2], "sync " + path);
  EXPECT_EQ(changes.back(), "close " + path);
}

TEST_F(Store, GivesUpARowFileAtTheFirstFailedStep) {
  for (const Failure failure : {Failure::kNotDone, Failure::kDoneAnyway, Failure::kCrash}) {
    for (std::size_t i = 0;; ++i) {
      RecordingFileSystem failing{files};
      failing.fail_at(i, failure);
      const std::string path = fresh("rows") + ".sst";
      const Result<RowFile> written = write_row_file(failing, path, run_of({{"a", "1"}, {"b", "2"}}));
      if (!failing.fired()) {
        EXPECT_TRUE(written.ok());
        EXPECT_GE(i, 4U);
        break;
      }
      ASSERT_FALSE(written.ok()) << "step " << i << " " << failing.steps()[i];
      std::size_t syncs = 0;
      for (const std::string& step : failing.steps()) syncs += step.rfind("sync ", 0) == 0 ? 1U : 0U;
      EXPECT_LE(syncs, 1U);   // no second fsync on that file
    }
  }
}

// Promise 10, fault F14: whichever read fails while a large file is taken in, it is an error and not the end of the process.
TEST_F(Store, SurvivesAFailedReadOfALargeRowFileThatItTakesIn) {
  Rows rows;
  for (int i = 0; i < 20000; ++i) rows[timeless_key(1, std::to_string(i))] = std::string(20, static_cast<char>('a' + i % 26));
  for (std::size_t i = 0;; ++i) {
    RecordingFileSystem failing{files};
    const auto store = value_of(create_store(failing, fresh("live"), {}));
    const RowFile file = row_file(run_of(rows));
    failing.fail_at(failing.steps().size() + i, Failure::kNotDone);
    const Status status = store->ingest({file});
    if (!failing.fired()) {
      EXPECT_OK(status);
      break;
    }
    if (status.ok()) {
      EXPECT_EQ(rows_of(*store), rows);
    }
  }
}

// Fault F11: a checkpoint that could not be linked leaves the store as it was.
TEST_F(Store, CanBeLinkedElsewhereAfterAFailedLink) {
  for (const Failure failure : {Failure::kNotDone, Failure::kDoneAnyway}) {
    for (std::size_t i = 0; i < 200; ++i) {
      RecordingFileSystem failing{files};
      const auto store = value_of(create_store(failing, fresh("live"), {}));
      take(*store, {{"a", "1"}});
      const std::size_t first = failing.steps().size();
      failing.fail_at(first + i, failure);
      const std::string to = fresh_directory("checkpoint");
      const Result<std::vector<StoredFile>> stored = store->link_into(to);
      if (!failing.fired()) break;
      if (stored.ok()) EXPECT_OK(verify_files(files, to, *stored));
      const std::string again = fresh_directory("checkpoint");
      if (!store->health().ok()) {   // a read failed, so nothing that the store says counts any more
        EXPECT_THAT(failing.steps()[first + i], ::testing::StartsWith("read "));
        EXPECT_FALSE(store->link_into(again).ok());
        continue;
      }
      const std::vector<StoredFile> second = value_of(store->link_into(again));
      EXPECT_EQ(rows_of(*restored(again, second)), (Rows{{"a", "1"}}));
    }
  }
}

TEST_F(Store, TakesAllFilesOfAnIngestionOrNone) {
  bool failed_once = false;
  for (const Failure failure : {Failure::kNotDone, Failure::kDoneAnyway}) {
    for (std::size_t i = 0; i < 300; ++i) {
      RecordingFileSystem failing{files};
      const auto store = value_of(create_store(failing, fresh("live"), {}));
      take(*store, {{"a", "1"}, {"b", "1"}});
      const std::vector<RowFile> row_files{row_file(run_of({{"a", "2"}})), row_file(run_of({{"b", "2"}}))};
      failing.fail_at(failing.steps().size() + i, failure);
      const Status taken = store->ingest(row_files);
      if (!failing.fired()) break;
      if (taken.ok()) {
        EXPECT_EQ(rows_of(*store), (Rows{{"a", "2"}, {"b", "2"}}));
      } else {
        failed_once = true;
        // Either nothing happened, or the store says that it is of no more use.
        if (store->health().ok()) {
          EXPECT_EQ(rows_of(*store), (Rows{{"a", "1"}, {"b", "1"}})) << failing.steps().back();
        } else {
          EXPECT_EQ(store->ingest({}).ok(), false);
          EXPECT_FALSE(store->link_into(fresh_directory("checkpoint")).ok());
        }
      }
    }
  }
  EXPECT_TRUE(failed_once);
}

}  // namespace
}  // namespace tidemark

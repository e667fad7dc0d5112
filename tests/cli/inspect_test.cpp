// What `state` and `checkpoints` make of manifests and rows that no example job writes.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <gmock/gmock.h>

#include <tidemark/checkpoint/checkpoint_store.hpp>
#include <tidemark/core/codec.hpp>

#include "sample_manifest.hpp"
#include "src/checkpoint_choice.hpp"
#include "src/checkpoints_verb.hpp"
#include "src/output.hpp"
#include "src/run_verb.hpp"
#include "src/state_rows.hpp"
#include "support/temporary_directory.hpp"

namespace tidemark::cli_internal {
namespace {

using ::testing::HasSubstr;
using test_support::sample_manifest;
using test_support::TemporaryDirectory;

class StateDirectory : public ::testing::Test {
 protected:
  // Its files are listed and not there.
  void publish(const Manifest& manifest) {
    auto store = CheckpointStore::open(files, directory.path());
    ASSERT_TRUE(store.ok()) << store.error().describe();
    if (files.kind(checkpoints_path(directory.path())).ok() && *files.kind(checkpoints_path(directory.path())) == FileKind::kAbsent) {
      ASSERT_TRUE((*store)->make_live(1).ok());
    }
    ASSERT_TRUE((*store)->begin(manifest.checkpoint).ok());
    const auto published = (*store)->publish(manifest);
    ASSERT_EQ(published.published, CheckpointStore::Published::kYes) << published.status.error().describe();
  }
  std::string diff(bool json) {
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(diff_checkpoints(directory.path(), *parse_checkpoint("", "7", false), *parse_checkpoint("", "8", false), json), kExitDone);
    return ::testing::internal::GetCapturedStdout();
  }

  FileSystem& files = posix_file_system();
  TemporaryDirectory directory;
};

TEST_F(StateDirectory, SaysWhatDiffersBetweenTwoCheckpoints) {
  Manifest before = sample_manifest(7);
  before.sources.push_back({.operator_name = "", .splits = {{}}});   // of a source that was dropped before
  Manifest after = sample_manifest(8);
  after.operators[1].parallelism = 3;
  after.operators[1].states[0].parameters = "tumbling(90s,0s)";
  after.operators[1].states.pop_back();
  after.operators.push_back({.name = "new", .kind = "process", .parallelism = 1, .states = {}});
  after.sources[0].splits[0].position = "x";
  after.sources[0].splits[1].finished = false;
  after.sources[0].splits.push_back({.name = "third", .position = "p", .finished = false, .progress = ""});
  after.tasks[1].inputs[0].watermark = event_time(0);
  after.files[0] = {.name = "000012.sst", .size = 4711, .checksum = 0xBEEF};   // of another attempt
  publish(before);
  publish(after);
  EXPECT_EQ(diff(true),
            R"x({"what":"operator","name":"per_user","change":"changed","from":"window, parallelism 2","to":"window, parallelism 3"}
{"what":"operator","name":"new","change":"added","from":null,"to":"process, parallelism 1"}
{"what":"state","name":"per_user/panes","change":"changed","from":"number 1, slices of u64 to struct{u64,u64}, tumbling(60s,0s)",)x"
            R"x("to":"number 1, slices of u64 to struct{u64,u64}, tumbling(90s,0s)"}
{"what":"state","name":"per_user/seen","change":"removed","from":"number 4, value of string to bool","to":null}
{"what":"split","name":"source/","change":"changed","from":" finished","to":""}
{"what":"split","name":"source/a b\"\u000a","change":"changed","from":"0001ff","to":"78"}
{"what":"split","name":"source/third","change":"added","from":null,"to":"70"}
{"what":"watermark","name":"per_user:1 from source.0","change":"changed","from":"1969-12-31T23:59:59.999995Z idle",)x"
            R"x("to":"1970-01-01T00:00:00Z idle"}
{"what":"files","change":"added","files":1,"bytes":4711}
{"what":"files","change":"shared","files":1,"bytes":16}
{"what":"files","change":"removed","files":1,"bytes":4711}
)x");
  EXPECT_THAT(diff(false), HasSubstr("split      source/a b\"\\n"));
}

TEST_F(StateDirectory, HasARemovedCheckpointToldFromADamagedOne) {
  publish(sample_manifest(7));
  const Error error{.code = ErrorCode::kCheckpointCorrupt, .message = "a file is missing"};
  EXPECT_EQ(reason_or_removal(checkpoint_path(directory.path(), 7), error).message, error.message);
  EXPECT_EQ(reason_or_removal(checkpoint_path(directory.path(), 8), error).code, ErrorCode::kRestoreRefused);
  EXPECT_THAT(reason_or_removal(checkpoint_path(directory.path(), 8), error).message, HasSubstr("was removed"));
}

// Output that is not known to be committed may have to be committed again from a manifest that lists it.
TEST_F(StateDirectory, KeepsCheckpointsWhoseOutputIsNotKnownToBeCommitted) {
  for (CheckpointId id = 1; id <= 6; ++id) {
    Manifest manifest = sample_manifest(id);
    manifest.committables = {};
    if (id == 6) manifest.committables = {{.sink = "out", .subtask = 0, .epoch = 4, .bytes = "x"}};
    publish(manifest);
  }
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(collect_checkpoints(directory.path(), false, false), kExitDone);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "checkpoint 1 removed\n");   // 3 and 2 are the newest two that are known
}

Bytes row_key(StateId id, std::optional<EventTime> time, const Bytes& key, const Bytes& rest) {
  Bytes bytes;
  append_u16_big_endian(bytes, id);
  if (time) append_time_big_endian(bytes, *time);
  append_u64_big_endian(bytes, 0x1234);
  return bytes + key + rest;
}

StateEntry entry(std::string kind, std::string key, std::string value) {
  StateEntry state;
  state.id = 3;
  state.name = "s";
  state.timed = kind == "slices" || kind == "timers" || kind == "buffer";
  state.kind = std::move(kind);
  state.key = std::move(key);
  state.value = std::move(value);
  return state;
}

TEST(RowReader, ShowsWhatEachKindOfStateHas) {
  const StateEntry value = entry("value", "string", "struct{i64,u8}");
  const Bytes pair = encoded(std::pair<std::int64_t, std::uint8_t>{5, 6});
  EXPECT_EQ(RowReader(value).row_json(row_key(3, {}, encoded(std::string{"k"}), ""), pair), R"({"key":"k","value":[5,6]})");
  const StateEntry slices = entry("slices", "u8", "u8");
  EXPECT_EQ(RowReader(slices).row_json(row_key(3, event_time(0), "\x07", ""), "\x08"),
            R"({"time":"1970-01-01T00:00:00Z","key":7,"value":8})");
  EXPECT_EQ(RowReader(slices).row_json(row_key(3, event_time(0), "\x07", Bytes("\0\0\0\0\0\0\0\5", 8)), "\x08"),
            R"({"time":"1970-01-01T00:00:00Z","key":7,"generation":5,"value":8})");
  EXPECT_EQ(RowReader(slices).row_json(row_key(3, event_time(0), "ab", ""), "\x08"),
            R"({"time":"1970-01-01T00:00:00Z","key":{"malformed":"6162"},"value":8})");
  const StateEntry timers = entry("timers", "u8", "");
  EXPECT_EQ(RowReader(timers).row_json(row_key(3, event_time(0), "\x07", Bytes("\0\0\1\2", 4)), ""),
            R"({"time":"1970-01-01T00:00:00Z","key":7,"tag":258})");
  const StateEntry buffer = entry("buffer", "mine", "mine");
  EXPECT_EQ(RowReader(buffer).row_json(row_key(3, event_time(0), "\x07", Bytes("\0\0\0\0\0\0\0\2", 8)), "x"),
            R"({"time":"1970-01-01T00:00:00Z","key":{"schema":"mine","hex":"07"},"number":2,"value":{"schema":"mine","hex":"78"}})");
}

TEST(RowReader, ShowsItemsOfListsAndEntriesOfMapsAndWhenTheyWereWritten) {
  StateEntry list = entry("list", "string", "u8");
  const Bytes item_key = row_key(3, {}, encoded(std::string{"k"}), Bytes("\0\0\0\0\0\0\1\2", 8));
  EXPECT_EQ(RowReader(list).row_json(item_key, "\x09"), R"({"key":"k","number":258,"value":9})");
  StateEntry map = entry("map", "string", "u8");
  map.entry = "struct{string,u8}";
  const Bytes entry_key = row_key(3, {}, encoded(std::string{"k"}), encoded(std::pair<std::string, std::uint8_t>{"shop", 4}));
  EXPECT_EQ(RowReader(map).row_json(entry_key, "\x09"), R"({"key":"k","entry":["shop",4],"value":9})");
  Bytes stamped;
  append_time(stamped, event_time(1'000'000));
  stamped += "\x09";
  for (StateEntry* state : {&list, &map}) state->stamped = true;
  EXPECT_EQ(RowReader(list).row_json(item_key, stamped), R"({"key":"k","number":258,"written":"1970-01-01T00:00:01Z","value":9})");
  EXPECT_EQ(RowReader(map).row_json(entry_key, stamped), R"({"key":"k","entry":["shop",4],"written":"1970-01-01T00:00:01Z","value":9})");
}

TEST(RowReader, ShowsTheWindowOfStateByWindow) {
  StateEntry list = entry("list", "string", "u8");
  StateEntry map = entry("map", "string", "u8");
  map.entry = "u8";
  for (StateEntry* state : {&list, &map}) state->timed = true;
  const Bytes key = encoded(std::string{"k"});
  EXPECT_EQ(RowReader(list).row_json(row_key(3, event_time(0), key, Bytes("\0\0\0\0\0\0\1\2", 8)), "\x09"),
            R"({"time":"1970-01-01T00:00:00Z","key":"k","number":258,"value":9})");
  EXPECT_EQ(RowReader(map).row_json(row_key(3, event_time(0), key, "\x07"), "\x09"),
            R"({"time":"1970-01-01T00:00:00Z","key":"k","entry":7,"value":9})");
}

// A codec of the user does not tell where its bytes end.
TEST(RowReader, ShowsKeyAndEntryTogetherWhereNobodyCanTellThemApart) {
  StateEntry map = entry("map", "mine", "u8");
  map.entry = "u8";
  RowReader reader(map);
  EXPECT_EQ(reader.row_json(row_key(3, {}, "key", "\x07"), "\x09"),
            R"({"key":{"schema":"mine","hex":"6b657907"},"entry":null,"value":9})");
  EXPECT_EQ(reader.malformed(), 0U);
}

TEST(RowReader, TellsAKeyThatIsLookedForFromWhatFollowsItWhateverItsCodec) {
  StateEntry map = entry("map", "mine", "u8");
  map.entry = "u8";
  RowReader reader(map);
  reader.look_for("key");
  EXPECT_EQ(reader.row_json(row_key(3, {}, "key", "\x07"), "\x09"), R"({"key":{"schema":"mine","hex":"6b6579"},"entry":7,"value":9})");
  EXPECT_EQ(reader.split(row_key(3, {}, "kex", "\x07"))->key, "kex\x07");   // another one
  const StateEntry slices = entry("slices", "mine", "u8");
  RowReader parts(slices);
  parts.look_for("key");
  const Bytes generation("\0\0\0\0\0\0\0\5", 8);
  EXPECT_EQ(parts.split(row_key(3, event_time(0), "key", generation))->key, "key");
  EXPECT_EQ(parts.split(row_key(3, event_time(0), "key", generation))->rest, 5U);
  EXPECT_EQ(parts.split(row_key(3, event_time(0), "key", ""))->rest, 0U);
}

TEST(RowReader, ShowsAndCountsWhatItsSchemaDoesNotWrite) {
  const StateEntry value = entry("value", "u8", "u16");
  RowReader reader(value);
  EXPECT_EQ(reader.row_json(row_key(3, {}, "ab", ""), "x"), R"({"key":{"malformed":"6162"},"value":{"malformed":"78"}})");
  EXPECT_EQ(reader.malformed(), 2U);
  EXPECT_EQ(reader.row_json("ab", "c"), R"({"row":"6162","value":"63"})");
  EXPECT_EQ(reader.malformed(), 3U);
  EXPECT_FALSE(reader.split(row_key(4, {}, "a", ""))) << "a row of another state";
  const StateEntry timers = entry("timers", "u8", "");
  EXPECT_FALSE(RowReader(timers).split(row_key(3, event_time(0), "", "1234"))) << "a key has a byte at least";
}

TEST(Table, AlignsItsColumnsAndEscapesWhatSteersATerminal) {
  Table table({{"NAME"}, {"COUNT", Table::Align::kRight}, {"LAST"}});
  table.add({"\xC3\xBC\x1b[2J", "7", "a"});
  table.add({"b", "12345678", ""});
  ::testing::internal::CaptureStdout();
  EXPECT_TRUE(table.print().ok());
  EXPECT_TRUE(flush_output().ok());
  EXPECT_EQ(::testing::internal::GetCapturedStdout(),
            "NAME         COUNT  LAST\n"
            "\xC3\xBC\\x1b[2J         7  a\n"
            "b         12345678\n");
}

}  // namespace
}  // namespace tidemark::cli_internal

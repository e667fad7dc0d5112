// Values of an earlier release made values of this one (K9).

#include <map>
#include <stdexcept>

#include <gmock/gmock.h>

#include <tidemark/core/codec.hpp>
#include <tidemark/state/migration.hpp>
#include <tidemark/state/store.hpp>

#include "support/temporary_directory.hpp"

namespace tidemark {
namespace {

using test_support::TemporaryDirectory;
using ::testing::HasSubstr;
using Rows = std::map<Bytes, Bytes>;

// A step that only has a name: it puts `to` behind the value.
Migration named_step(std::string from, std::string to) {
  return {.from = std::move(from), .to = to, .convert = [to](ByteView& old, Bytes& out) {
            out += std::exchange(old, {});
            out += to;
            return true;
          }};
}

std::string steps_of(const std::optional<std::vector<Migration>>& path) {
  if (!path) return "none";
  std::string text = path->front().from;
  for (const Migration& step : *path) text += step.to;
  return text;
}

TEST(MigrationPath, IsTheShortestThatLeadsThere) {
  struct Case {
    std::vector<Migration> steps;
    const char* from;
    const char* to;
    const char* path;
  };
  const auto s = named_step;
  const std::vector<Case> cases{
      {{}, "a", "b", "none"},
      {{s("a", "b")}, "a", "b", "ab"},
      {{s("a", "b")}, "b", "a", "none"},
      {{s("b", "c"), s("a", "b")}, "a", "c", "abc"},
      {{s("a", "b"), s("b", "c"), s("a", "c")}, "a", "c", "ac"},
      {{s("a", "b"), s("b", "a")}, "a", "c", "none"},             // a circle ends
      {{s("a", "b"), s("b", "a"), s("b", "c")}, "a", "c", "abc"},
      {{s("a", "b"), s("a", "c")}, "a", "c", "ac"},               // two states of one operator had the same schema
      {{s("a", "b"), s("b", "d"), s("a", "c"), s("c", "d"), s("d", "e")}, "a", "e", "abde"},
  };
  for (const Case& one : cases) EXPECT_EQ(steps_of(migration_path(one.steps, one.from, one.to)), one.path);
}

TEST(Migrations, AreRefusedIfTheyCannotBeMeant) {
  struct Case {
    std::vector<Migration> steps;
    std::vector<std::string> schemas;
    const char* says;   // nullptr: sound
  };
  const auto s = named_step;
  const std::vector<Case> cases{
      {{}, {}, nullptr},
      {{s("a", "b")}, {"b"}, nullptr},
      {{s("a", "b"), s("b", "c")}, {"x", "c"}, nullptr},
      {{s("a", "a")}, {"a"}, "from a schema to itself"},
      {{s("a", "b"), s("a", "b")}, {"b"}, "two migrations"},
      {{s("a", "b")}, {"c"}, "to no state"},
      {{s("a", "b"), s("b", "a")}, {"c"}, "to no state"},
      {{s("a", "b")}, {}, "to no state"},
  };
  for (const Case& one : cases) {
    const Status status = check_migrations(one.steps, one.schemas);
    ASSERT_EQ(status.ok(), one.says == nullptr) << (status.ok() ? "" : status.error().describe());
    if (status.ok()) continue;
    EXPECT_EQ(status.error().code, ErrorCode::kBadGraph);
    EXPECT_THAT(status.error().describe(), HasSubstr(one.says));
    EXPECT_FALSE(status.error().fix.empty());
  }
}

// Values whose schema is "[" part "|" part "]", now "[a3|b]": one letter of head, and for each part one letter.
ValueParts two_parts(bool repeated) {
  const auto skip = [](ByteView& in) { return !in.empty() && (in.remove_prefix(1), true); };
  return {.parts = {{"a3", skip}, {"b", skip}}, .text = {"[", "|", "]"}, .head = 1, .repeated = repeated};
}
// A step for one letter.
Migration letter_step(std::string from, std::string to, char change) {
  return {.from = std::move(from), .to = std::move(to), .convert = [change](ByteView& old, Bytes& out) {
            if (old.empty()) return false;
            out += old.front();
            out += change;
            old = old.substr(1);
            return true;
          }};
}

TEST(MigrationOfParts, IsFoundByWhatEachPartWasBefore) {
  // The step from "b" leads away from what the second part is, and "a" is how "a2" begins.
  const std::vector<Migration> steps{letter_step("a", "a3", 'x'), letter_step("a2", "a3", 'y'), letter_step("b", "a3", 'z'),
                                     letter_step("old", "b", '!')};
  struct Case {
    const char* from;
    const char* becomes;   // of "*12"; nullptr: there is no way
  };
  const std::vector<Case> cases{{"[a3|b]", "*12"},   {"[a|b]", "*1x2"},   {"[a2|b]", "*1y2"}, {"[a2|old]", "*1y2!"}, {"[b|b]", "*1z2"},
                                {"[a4|b]", nullptr}, {"[a2|c]", nullptr}, {"[a2|b", nullptr}, {"a2", nullptr},      {"[a2|b]]", nullptr}};
  for (const Case& one : cases) {
    const std::optional<Migration> step = migration_of_parts(steps, one.from, two_parts(false));
    ASSERT_EQ(step.has_value(), one.becomes != nullptr) << one.from;
    if (!step) continue;
    EXPECT_EQ(step->from, one.from);
    EXPECT_EQ(step->to, "[a3|b]");
    ByteView old = "*12and more";
    Bytes made = "before ";
    ASSERT_TRUE(step->convert(old, made));
    EXPECT_EQ(made, Bytes{"before "} + one.becomes);
    EXPECT_EQ(old, "and more");
  }
}

TEST(MigrationOfParts, ChangesThemAsOftenAsTheyAreThere) {
  const auto letters = [](char from, const char* to) {   // a step that consumes what the one before appends
    return Migration{.from = std::string{from}, .to = to, .convert = [](ByteView& old, Bytes& out) {
                       out += std::exchange(old, {});
                       out += '+';
                       return true;
                     }};
  };
  const auto step = migration_of_parts(std::vector{letter_step("a1", "m", 'x'), letters('m', "a3")}, "[a1|b]", two_parts(true));
  ASSERT_TRUE(step.has_value());
  const auto convert = [&](Bytes old) {
    ByteView in = old;
    Bytes made;
    return step->convert(in, made) && in.empty() ? made : "malformed";
  };
  EXPECT_EQ(convert(Bytes("\2*12#34", 7)), Bytes("\2*1x+2#3x+4", 11));
  EXPECT_EQ(convert(Bytes("\0", 1)), Bytes("\0", 1));
  EXPECT_EQ(convert(""), "malformed");
  EXPECT_EQ(convert("\2*12"), "malformed");
  EXPECT_EQ(convert("\1*1"), "malformed");
  EXPECT_EQ(convert("\1*12 "), "malformed");
  EXPECT_EQ(convert("\xff\xff\xff\xff\xff\xff\xff\xff\x7f*12"), "malformed");   // more than can be there
}

Bytes row_key(StateId id, const Bytes& rest) {
  Bytes bytes;
  append_u16_big_endian(bytes, id);
  return bytes + rest;
}

// A checkpoint of `rows`, and a store restored from it.
class MigratedRows : public ::testing::Test {
 protected:
  void restore(const Rows& rows) {
    ASSERT_TRUE(files.make_directory(directory / "rows").ok());
    auto first = create_store(files, directory / "first", {});
    ASSERT_TRUE(first.ok());
    RowRun run;
    for (const auto& [key, value] : rows) run.put(key, value);
    const auto written = write_row_file(files, directory / "rows/first.sst", std::move(run));
    ASSERT_TRUE(written.ok());
    ASSERT_TRUE((*first)->ingest({*written}).ok());
    stored = link(**first, "checkpoint");
    auto opened = open_stored_rows(files, directory / "checkpoint", stored, {}, {});
    ASSERT_TRUE(opened.ok());
    old = std::move(*opened);
    auto restored = restore_store(files, directory / "checkpoint", stored, directory / "live", {});
    ASSERT_TRUE(restored.ok());
    store = std::move(*restored);
  }
  std::vector<StoredFile> link(StateStore& from, const std::string& name) {
    EXPECT_TRUE(files.make_directory(directory / name).ok());
    auto linked = from.link_into(directory / name);
    EXPECT_TRUE(linked.ok());
    return linked.ok() ? *linked : std::vector<StoredFile>{};
  }
  Status migrate(StateId id, const std::vector<Migration>& steps, bool stamped = false) {
    return migrate_rows(files, *old, *store, id, stamped, "totals/state", steps, directory / "rows");
  }
  static Rows rows_of(StateStore& from) {
    Rows found;
    EXPECT_TRUE(from.scan({}, [&](ByteView key, ByteView value) {
      found.emplace(key, value);
      return Status{};
    }).ok());
    return found;
  }

  FileSystem& files = posix_file_system();
  TemporaryDirectory directory;
  std::vector<StoredFile> stored;
  std::unique_ptr<StoredRows> old;
  std::unique_ptr<StateStore> store;
};

TEST_F(MigratedRows, HaveTheirOldKeysAndTheNewValuesAndAllOthersAreAsTheyWere) {
  restore({{row_key(1, "a"), "1"}, {row_key(2, "a"), "2"}, {row_key(2, "b"), ""}, {row_key(3, ""), "3"}});
  ASSERT_TRUE(migrate(2, {named_step("v1", "v2"), named_step("v2", "v3")}).ok());
  const Rows expected{{row_key(1, "a"), "1"}, {row_key(2, "a"), "2v2v3"}, {row_key(2, "b"), "v2v3"}, {row_key(3, ""), "3"}};
  EXPECT_EQ(rows_of(*store), expected);
}

// K8: a migration does not make an entry younger.
TEST_F(MigratedRows, OfAStampedStateKeepTheTimeAtWhichTheyWereWritten) {
  restore({{row_key(2, "a"), "12345678value"}, {row_key(2, "b"), "ABCDEFGH"}});
  ASSERT_TRUE(migrate(2, {named_step("v1", "v2"), named_step("v2", "v3")}, true).ok());
  EXPECT_EQ(rows_of(*store), (Rows{{row_key(2, "a"), "12345678valuev2v3"}, {row_key(2, "b"), "ABCDEFGHv2v3"}}));
}

TEST_F(MigratedRows, AreInTheNextCheckpointAndNotInTheOneBefore) {
  const Rows before{{row_key(2, "a"), "2"}};
  restore(before);
  ASSERT_TRUE(migrate(2, {named_step("v1", "v2")}).ok());
  auto next = restore_store(files, directory / "next", link(*store, "next"), directory / "again", {});
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(rows_of(**next), (Rows{{row_key(2, "a"), "2v2"}}));
  auto previous = restore_store(files, directory / "checkpoint", stored, directory / "back", {});
  ASSERT_TRUE(previous.ok());
  EXPECT_EQ(rows_of(**previous), before);
}

TEST_F(MigratedRows, MayBeMoreThanFitIntoOneFile) {
  Rows rows;
  for (std::uint32_t i = 0; i < 40; ++i) {
    Bytes key = row_key(2, "");
    append_u32(key, __builtin_bswap32(i));
    rows[key] = Bytes(1 << 20, static_cast<char>('a' + i % 20));
  }
  restore(rows);
  ASSERT_TRUE(migrate(2, {named_step("v1", "v2")}).ok());
  for (auto& [key, value] : rows) value += "v2";
  EXPECT_EQ(rows_of(*store), rows);
}

TEST_F(MigratedRows, MayBeNone) {
  restore({{row_key(1, "a"), "1"}});
  EXPECT_TRUE(migrate(2, {named_step("v1", "v2")}).ok());
  EXPECT_EQ(rows_of(*store), (Rows{{row_key(1, "a"), "1"}}));
}

TEST_F(MigratedRows, AreRefusedWithTheStateIfOneIsMalformedOrTheFunctionThrows) {
  restore({{row_key(2, "a"), "2"}});
  Migration step = named_step("v1", "v2");
  step.convert = [](ByteView, Bytes&) { return true; };   // and leaves bytes over
  EXPECT_EQ(migrate(2, {step}).error().code, ErrorCode::kCheckpointCorrupt);
  step.convert = [](ByteView, Bytes&) { return false; };
  const Status malformed = migrate(2, {step});
  ASSERT_FALSE(malformed.ok());
  EXPECT_EQ(malformed.error().code, ErrorCode::kCheckpointCorrupt);
  EXPECT_THAT(malformed.error().describe(), HasSubstr("totals/state"));
  EXPECT_THAT(malformed.error().describe(), HasSubstr("v1"));
  step.convert = [](ByteView, Bytes&) -> bool { throw std::runtime_error("no such currency"); };
  const Status threw = migrate(2, {step});
  ASSERT_FALSE(threw.ok());
  EXPECT_EQ(threw.error().code, ErrorCode::kUserFunction);
  EXPECT_THAT(threw.error().describe(), HasSubstr("no such currency"));
  step.convert = [](ByteView, Bytes&) -> bool { throw 7; };
  EXPECT_EQ(migrate(2, {step}).error().code, ErrorCode::kUserFunction);
}

}  // namespace
}  // namespace tidemark

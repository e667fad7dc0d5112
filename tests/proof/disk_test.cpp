// What each variant of a crash leaves, and what it may not (reliability, section 4: V1 to V6).

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "disk.hpp"

namespace tidemark::proof {
namespace {

using Kind = Operation::Kind;

Operation make(std::string directory) { return {.kind = Kind::kMakeDirectory, .path = std::move(directory)}; }
Operation create(std::string path, std::uint64_t file) { return {.kind = Kind::kCreate, .path = std::move(path), .file = file}; }
Operation append(std::uint64_t file, Bytes data) { return {.kind = Kind::kAppend, .file = file, .data = std::move(data)}; }
Operation sync(std::uint64_t file) { return {.kind = Kind::kSync, .file = file}; }
Operation link(std::string from, std::string to) { return {.kind = Kind::kLink, .path = std::move(from), .to = std::move(to)}; }
Operation rename(std::string from, std::string to) { return {.kind = Kind::kRename, .path = std::move(from), .to = std::move(to)}; }
Operation remove(std::string path) { return {.kind = Kind::kRemoveFile, .path = std::move(path)}; }
Operation sync_directory(std::string path) { return {.kind = Kind::kSyncDirectory, .path = std::move(path)}; }

// Such as "a=x d/ d/b=yz".
std::string text(const Tree& tree) {
  std::string all;
  for (const auto& [path, contents] : tree) all += (all.empty() ? "" : " ") + path + (contents == nullptr ? "/" : "=" + *contents);
  return all;
}
Tree tree_of(const std::vector<std::pair<std::string, std::string>>& files) {
  Tree tree;
  for (const auto& [path, contents] : files) tree[path] = std::make_shared<const Bytes>(contents);
  return tree;
}
std::string left(const Log& log, Variant variant, const Tree& before = {}, std::uint64_t seed = 1) {
  return text(crash_tree(before, log, log.size(), variant, seed));
}

struct Row {
  const char* what;
  Log log;
  std::string all;          // V1
  std::string guaranteed;   // V2
  std::string names;        // V6
};

TEST(Disk, KeepsWhatWasSyncedAndNothingElseHasTo) {
  const Tree before = tree_of({{"old", "1"}});
  const Row rows[] = {
      {"nothing was done", {}, "old=1", "old=1", "old=1"},
      {"neither the file nor its name is synced", {create("a", 0), append(0, "x")}, "a=x old=1", "old=1", "old=1"},
      {"fsync of a file makes no name last", {create("a", 0), append(0, "x"), sync(0)}, "a=x old=1", "old=1", "old=1"},
      {"fsync of a directory makes no content last", {create("a", 0), append(0, "x"), sync_directory("")}, "a=x old=1", "a= old=1",
       "a=x old=1"},
      {"both", {create("a", 0), append(0, "x"), sync(0), sync_directory("")}, "a=x old=1", "a=x old=1", "a=x old=1"},
      {"what is written after the fsync is not synced", {create("a", 0), append(0, "x"), sync(0), append(0, "y"), sync_directory("")},
       "a=xy old=1", "a=x old=1", "a=xy old=1"},
      {"a rename that is not synced", {create("a", 0), append(0, "x"), sync(0), rename("a", "old")}, "old=x", "old=1", "old=1"},
      {"a rename that is", {create("a", 0), append(0, "x"), sync(0), rename("a", "old"), sync_directory("")}, "old=x", "old=x", "old=x"},
      {"a file that is removed comes back", {remove("old")}, "", "old=1", "old=1"},
      {"and does not, once that is synced", {remove("old"), sync_directory("")}, "", "", ""},
      {"a hard link is a name like any other", {link("old", "new")}, "new=1 old=1", "old=1", "old=1"},
      {"it keeps the file when the first name goes", {link("old", "new"), remove("old"), sync_directory("")}, "new=1", "new=1", "new=1"},
      {"a directory whose name is not synced is gone with all that is in it",
       {make("d"), create("d/a", 0), append(0, "x"), sync(0), sync_directory("d")}, "d/ d/a=x old=1", "old=1", "old=1"},
      {"fsync of the parent says nothing of what is in it", {make("d"), create("d/a", 0), append(0, "x"), sync(0), sync_directory("")},
       "d/ d/a=x old=1", "d/ old=1", "d/ old=1"},
      {"from one directory to another, and only the new one is synced: both names last", {make("d"), sync_directory(""),
       rename("old", "d/new"), sync_directory("d")}, "d/ d/new=1", "d/ d/new=1 old=1", "d/ d/new=1 old=1"},
      {"a directory that is renamed keeps what is in it", {make("d"), create("d/a", 0), sync_directory("d"), rename("d", "e"),
       sync_directory("")}, "e/ e/a= old=1", "e/ e/a= old=1", "e/ e/a= old=1"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    EXPECT_EQ(left(row.log, Variant::kV1, before), row.all);
    EXPECT_EQ(left(row.log, Variant::kV2, before), row.guaranteed);
    EXPECT_EQ(left(row.log, Variant::kV6, before), row.names);
  }
}

TEST(Disk, LetsMetadataRunAheadOfData) {
  const Log log{create("a", 0), append(0, "xx"), sync(0), append(0, "yy"), rename("a", "b")};
  EXPECT_EQ(left(log, Variant::kV3), std::string("b=xx\0\0", 6));
  EXPECT_EQ(left(log, Variant::kV3a), "b=xx");
}

TEST(Disk, TearsTheLastUnsyncedWriteAlone) {
  const Log log{create("a", 0), append(0, Bytes(600, 'x')), create("b", 1), append(1, Bytes(9000, 'y'))};
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Tree at_byte = crash_tree({}, log, log.size(), Variant::kV4, seed);
    const Tree at_sector = crash_tree({}, log, log.size(), Variant::kV4s, seed);
    const Tree at_page = crash_tree({}, log, log.size(), Variant::kV4p, seed);
    for (const Tree& tree : {at_byte, at_sector, at_page}) EXPECT_EQ(*tree.at("a"), Bytes(600, 'x'));
    EXPECT_LT(at_byte.at("b")->size(), 9000U);
    EXPECT_EQ(at_sector.at("b")->size() % 512, 0U);
    EXPECT_EQ(at_page.at("b")->size(), 9000U);
    EXPECT_EQ(at_page.at("b")->find('\0') % 4096, 0U);
  }
  Log synced = log;
  synced.push_back(sync(1));
  EXPECT_EQ(*crash_tree({}, synced, synced.size(), Variant::kV4s, 1).at("a"), Bytes(512, 'x'));   // now that one is the last
}

TEST(Disk, MixesWhatWasNotSyncedAndTouchesNothingThatWas) {
  const Log log{create("a", 0), append(0, "xx"), sync(0), sync_directory(""),
                append(0, Bytes(2000, 'y')), create("b", 1), rename("a", "c")};
  std::set<std::string> names;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Tree tree = crash_tree({}, log, log.size(), Variant::kV5, seed);
    EXPECT_NE(tree.contains("a"), tree.contains("c"));   // a rename is atomic
    const auto file = tree.contains("a") ? tree.at("a") : tree.at("c");
    EXPECT_EQ(file->substr(0, 2), "xx");
    names.insert((tree.contains("a") ? "a" : "c") + std::string{tree.contains("b") ? "b" : ""});
    const Tree garbage = crash_tree({}, log, log.size(), Variant::kV5g, seed);
    EXPECT_EQ(garbage.at("c")->size(), 2002U);
    EXPECT_EQ(garbage.at("c")->substr(0, 2), "xx");
    EXPECT_NE(*garbage.at("c"), "xx" + Bytes(2000, 'y'));
  }
  EXPECT_EQ(names, (std::set<std::string>{"a", "ab", "c", "cb"}));
}

TEST(Disk, LetsTheLastChangeOfADirectoryOvertakeTheOthers) {
  const Log log{create("a", 0), append(0, "x"), create("b", 1), rename("a", "c")};
  EXPECT_EQ(left(log, Variant::kV5l, tree_of({{"old", "1"}})), "c=x old=1");
}

TEST(Disk, KnowsWhichOperationsChangeNothing) {
  Disk disk({});
  EXPECT_TRUE(disk.apply(create("a", 0)));
  EXPECT_FALSE(disk.apply(append(0, "")));
  EXPECT_TRUE(disk.apply(append(0, "x")));
  EXPECT_TRUE(disk.apply(sync(0)));
  EXPECT_FALSE(disk.apply(sync(0)));
  EXPECT_TRUE(disk.apply(sync_directory("")));
  EXPECT_FALSE(disk.apply(sync_directory("")));
  EXPECT_FALSE(disk.apply(remove("b")));
}

}  // namespace
}  // namespace tidemark::proof

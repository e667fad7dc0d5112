// What earlier releases have stored is read by this one, and written as they wrote it where that is promised (fault F49, R2).

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <string_view>

#include <gmock/gmock.h>

#include <tidemark/checkpoint/layout.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/state/component.hpp>

#include "golden_job.hpp"
#include "support/temporary_directory.hpp"

namespace tidemark {
namespace {

using test_support::TemporaryDirectory;
using ::testing::IsEmpty;
using ::testing::Not;

std::string contents(const std::string& path) {
  const auto bytes = read_file(posix_file_system(), path, 1 << 24);
  EXPECT_TRUE(bytes.ok()) << bytes.error().describe();
  return bytes.ok() ? *bytes : "";
}

// A copy that belongs to this test, with the modes that Tidemark gives its files.
void copy_tree(const std::string& from, const std::string& to) {
  FileSystem& files = posix_file_system();
  ASSERT_TRUE(files.make_directory(to).ok());
  const auto entries = files.list(from);
  ASSERT_TRUE(entries.ok()) << entries.error().describe();
  for (const DirectoryEntry& entry : *entries) {
    if (entry.kind == FileKind::kDirectory) {
      copy_tree(join_path(from, entry.name), join_path(to, entry.name));
    } else {
      ASSERT_TRUE(copy_file(files, join_path(from, entry.name), join_path(to, entry.name)).ok());
    }
  }
}

// All rows of the results, in no order; a file that is staged or hidden is no result.
std::multiset<std::string> committed(const std::string& directory) {
  std::multiset<std::string> lines;
  const auto entries = posix_file_system().list(join_path(directory, "out"));
  for (const DirectoryEntry& entry : *entries) {
    if (entry.name.front() == '.') continue;
    std::istringstream file{contents(join_path(join_path(directory, "out"), entry.name))};
    for (std::string line; std::getline(file, line);) lines.insert(line);
  }
  return lines;
}

// Every file of the sink, committed, staged and marker.
std::map<std::string, std::string> files_of_the_sink(const std::string& directory) {
  std::map<std::string, std::string> found;
  const auto entries = posix_file_system().list(join_path(directory, "out"));
  for (const DirectoryEntry& entry : *entries) found[entry.name] = contents(join_path(join_path(directory, "out"), entry.name));
  return found;
}

// "operator/state" and its rows in order.
std::map<std::string, std::map<Bytes, Bytes>> rows_of(const std::string& directory) {
  std::map<std::string, std::map<Bytes, Bytes>> found;
  const auto manifest = golden::newest_manifest(directory);
  EXPECT_TRUE(manifest.ok()) << manifest.error().describe();
  const auto rows = open_stored_rows(posix_file_system(), checkpoint_store_path(join_path(directory, "state"), golden::kNewest),
                                     manifest->files, dropped_rows(*manifest), {});
  EXPECT_TRUE(rows.ok()) << rows.error().describe();
  for (const OperatorEntry& entry : manifest->operators) {
    for (const StateEntry& state : entry.states) {
      Bytes prefix;
      append_u16_big_endian(prefix, state.id);
      auto& into = found[entry.name + "/" + state.name];
      EXPECT_TRUE((*rows)->scan(prefix, [&](ByteView key, ByteView value) {
        into.emplace(key, value);
        return Status{};
      }).ok());
    }
  }
  return found;
}

// Every directory that a release has left.
class Golden : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { copy_tree(std::string{GOLDEN_DIRECTORY} + "/" + GetParam(), left); }

  golden::Job job() const {
    const std::string_view version = GetParam();
    if (version < "v3") return golden::Job::kOfTheFirstVersions;
    return version == "v3" ? golden::Job::kOfTheThird : version == "v4" ? golden::Job::kOfTheFourth : golden::Job::kOfToday;
  }

  TemporaryDirectory directory;
  std::string left = directory / "left";   // by that release
};

TEST_P(Golden, F49StateIsGoneOnFromAndGivesWhatAnUnbrokenRunGives) {
  const std::multiset<std::string> before = committed(left);
  const Status finished = golden::finish(left, job());
  ASSERT_TRUE(finished.ok()) << finished.error().describe();
  ASSERT_TRUE(golden::run_unbroken(directory / "unbroken", job()).ok());
  EXPECT_EQ(committed(left), committed(directory / "unbroken"));
  EXPECT_THAT(before, Not(IsEmpty()));
  EXPECT_LT(before.size(), committed(left).size());
}

// Of a list without a key.
bool has_saved(const Manifest& manifest, const std::string& name) {
  return std::any_of(manifest.tasks.begin(), manifest.tasks.end(), [&](const TaskEntry& task) {
    return std::any_of(task.operators.begin(), task.operators.end(),
                       [&](const OperatorMeta& meta) { return meta.operator_name == name && !meta.state.empty(); });
  });
}

TEST_P(Golden, StateHoldsSomethingOfEveryKindAndOutputThatIsPending) {
  const auto manifest = golden::newest_manifest(left);
  ASSERT_TRUE(manifest.ok()) << manifest.error().describe();
  std::set<std::string> kinds;
  const auto rows = rows_of(left);
  for (const OperatorEntry& entry : manifest->operators) {
    for (const StateEntry& state : entry.states) {
      const bool by_window = entry.name == "days" && state.timed && !state.parameters.empty();
      const bool there = state.kind == kOperatorList ? has_saved(*manifest, entry.name) : !rows.at(entry.name + "/" + state.name).empty();
      if (there) kinds.insert(state.kind + (by_window ? " by window" : ""));
    }
  }
  std::set<std::string> expected{"buffer", "slices", "timers", "value"};
  if (job() != golden::Job::kOfTheFirstVersions) expected.insert({"due", "list", "map"});
  if (job() >= golden::Job::kOfTheFourth) expected.insert({"list by window", "map by window", "value by window"});
  if (job() == golden::Job::kOfToday) expected.insert("operator_list");
  EXPECT_EQ(kinds, expected);
  EXPECT_FALSE(manifest->committables.empty());
  EXPECT_FALSE(manifest->sources.at(0).splits.at(0).position.empty());
}

// Only of the newest format: rows, what operators and sources save, names, committables, staged and committed results, the marker, LINEAGE.
// RocksDB's files and the payload of the manifest are read by later releases, but not promised byte for byte.
TEST(GoldenToday, IsWrittenAsTheNewestGoldenDirectoryHasIt) {
  TemporaryDirectory directory;
  const std::string newest = std::string{GOLDEN_DIRECTORY} + "/v6";
  const std::string today = directory / "today";
  const Status written = golden::write_golden(today);
  ASSERT_TRUE(written.ok()) << written.error().describe();
  EXPECT_EQ(rows_of(today), rows_of(newest));
  EXPECT_EQ(files_of_the_sink(today), files_of_the_sink(newest));
  EXPECT_EQ(contents(lineage_path(join_path(today, "state"))), contents(lineage_path(join_path(newest, "state"))));
  Manifest now = *golden::newest_manifest(today);
  const Manifest then = *golden::newest_manifest(newest);
  now.created = then.created;
  now.tidemark_version = then.tidemark_version;
  now.files = then.files;
  EXPECT_TRUE(now == then);
}

INSTANTIATE_TEST_SUITE_P(Every, Golden, ::testing::Values("v1", "v2", "v3", "v4", "v5", "v6"),
                         [](const auto& each) { return std::string{each.param}; });

}  // namespace
}  // namespace tidemark

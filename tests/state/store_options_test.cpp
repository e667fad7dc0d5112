// How RocksDB is set up, whatever lies beside its files (S11, R4): it is not hardened against files that were made to harm it.

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <tidemark/core/hash.hpp>
#include <tidemark/state/store.hpp>

#include "support/recording_file_system.hpp"
#include "support/temporary_directory.hpp"

#include "row_keys.hpp"

namespace tidemark {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using test_support::RecordingFileSystem;
using test_support::TemporaryDirectory;

constexpr std::uint64_t kSmall = 1 << 20;

// What RocksDB writes down, when it opens a store, of the options that it has.
class StoreOptionsTest : public ::testing::Test {
 protected:
  std::string newest_options_in(const std::string& store) {
    const auto entries = files_.list(store);
    EXPECT_TRUE(entries.ok());
    std::string newest;
    for (const DirectoryEntry& entry : *entries) {
      if (entry.name.starts_with("OPTIONS-")) newest = entry.name;
    }
    const auto text = read_file(files_, join_path(store, newest), kSmall);
    EXPECT_TRUE(text.ok()) << text.error().describe();
    return *text;
  }
  // The value of every option of that name.
  std::vector<std::string> values_of(const std::string& options, const std::string& name) {
    std::vector<std::string> values;
    for (std::size_t at = options.find(name + "="); at != std::string::npos; at = options.find(name + "=", at + 1)) {
      if (at > 0 && options[at - 1] != ' ' && options[at - 1] != '\n') continue;
      const std::size_t begin = at + name.size() + 1;
      values.push_back(options.substr(begin, options.find('\n', begin) - begin));
    }
    return values;
  }
  void expect_ours(const std::string& options) {
    const auto expect = [&](const std::string& name, const std::vector<std::string>& expected) {
      EXPECT_EQ(values_of(options, name), expected) << name;
    };
    // Mapped files: a read beyond a file that was cut is a signal, not an error.
    expect("allow_mmap_reads", {"false"});
    expect("allow_mmap_writes", {"false"});
    // One format, and what decides about rows is in our code or absent.
    expect("table_factory", {"BlockBasedTable"});
    expect("comparator", {"leveldb.BytewiseComparator"});
    expect("merge_operator", {"nullptr"});
    expect("compaction_filter", {"nullptr"});
    expect("compaction_filter_factory", {"tidemark.dead-rows"});
    expect("prefix_extractor", {"nullptr"});
    expect("sst_partitioner_factory", {"nullptr"});
    expect("file_checksum_gen_factory", {"tidemark-xxh3-64"});
    // What is damaged is found.
    expect("paranoid_checks", {"true"});
    expect("force_consistency_checks", {"true"});
    expect("checksum", {"kXXH3"});
    expect("verify_checksums_in_compaction", {});   // gone from RocksDB: always
  }

  FileSystem& files_ = posix_file_system();
  TemporaryDirectory directory_;
};

TEST_F(StoreOptionsTest, AreFixedAndNameNoPlugIn) {
  const auto store = create_store(files_, directory_ / "store", {});
  ASSERT_TRUE(store.ok()) << store.error().describe();
  expect_ours(newest_options_in(directory_ / "store"));
}

// RocksDB would find a plug-in by the name in such a file, if it were asked to read it.
constexpr const char* kCrafted =
    "[Version]\n  rocksdb_version=7.8.3\n  options_file_version=1.1\n[DBOptions]\n  allow_mmap_reads=true\n  paranoid_checks=false\n"
    "[CFOptions \"default\"]\n  merge_operator={id=evil;}\n  comparator=evil\n  table_factory=PlainTable\n"
    "[TableOptions/PlainTable \"default\"]\n";

TEST_F(StoreOptionsTest, AreNotReadFromAFileThatCameWithACheckpoint) {
  RowRun run;
  run.put(timeless_key(1, "key"), "value");
  const auto written = write_row_file(files_, directory_ / "rows.sst", std::move(run));
  ASSERT_TRUE(written.ok());
  std::vector<StoredFile> stored;
  const std::string checkpoint = directory_ / "checkpoint";
  ASSERT_TRUE(files_.make_directory(checkpoint).ok());
  {
    const auto store = create_store(files_, directory_ / "first", {});
    ASSERT_TRUE(store.ok());
    ASSERT_TRUE((*store)->ingest({*written}).ok());
    const auto linked = (*store)->link_into(checkpoint);
    ASSERT_TRUE(linked.ok());
    stored = *linked;
  }
  // Beside the files of the manifest, and even as one of them.
  const std::string name = "OPTIONS-000001";
  ASSERT_TRUE(publish_file(files_, join_path(checkpoint, name), kCrafted).ok());
  for (const bool listed : {false, true}) {
    if (listed) stored.push_back({.name = name, .size = std::string{kCrafted}.size(), .checksum = hash_bytes(kCrafted, 0)});
    const std::string live = directory_ / (listed ? "listed" : "beside");
    RecordingFileSystem recording{files_};
    const auto store = restore_store(recording, checkpoint, stored, live, {});
    ASSERT_TRUE(store.ok()) << store.error().describe();
    std::size_t rows = 0;
    EXPECT_TRUE((*store)->scan({}, [&](ByteView, ByteView) { return ++rows, Status{}; }).ok());
    EXPECT_EQ(rows, 1U);
    expect_ours(newest_options_in(live));
    for (const std::string& step : recording.steps()) EXPECT_NE(step, "open " + join_path(live, name));
    const auto read_only = open_stored_rows(files_, checkpoint, stored, {}, {});
    EXPECT_TRUE(read_only.ok()) << read_only.error().describe();
  }
}

}  // namespace
}  // namespace tidemark

// What other threads of the store do while a checkpoint takes its files.

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include <tidemark/state/store.hpp>

#include "support/forwarding_file_system.hpp"
#include "support/temporary_directory.hpp"

namespace tidemark {
namespace {

// What is to be seen comes of the order of steps, not of the disk.
class NoSyncs final : public test_support::ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  Status sync_directory(const std::string&) override { return {}; }
};

// RocksDB lets a wakeup go lost (its pull request 14069) if a reader gives up the last hold on old files while their list is waited for.
TEST(StoreRace, ReadersThatComeAndGoDoNotHoldUpACheckpoint) {
  const test_support::TemporaryDirectory directory;
  NoSyncs files{posix_file_system()};
  const auto created = create_store(files, directory / "live", {});
  ASSERT_TRUE(created.ok()) << created.error().describe();
  StateStore& store = **created;
  std::atomic<bool> over = false;
  const auto read = [&] {
    while (!over) EXPECT_TRUE(store.read_range("a", "b", [](ByteView, ByteView) { return true; }).ok());
  };
  std::thread one{read};
  std::thread other{read};
  for (int i = 0; i < 300; ++i) {
    const std::string number = std::to_string(i);
    RowRun run;
    run.put("a" + std::to_string(i % 7), number);
    const std::string path = directory / ("rows" + number + ".sst");
    const auto written = write_row_file(files, path, std::move(run));
    ASSERT_TRUE(written.ok());
    ASSERT_TRUE(store.ingest({*written}).ok());
    ASSERT_TRUE(files.make_directory(directory / number).ok());
    ASSERT_TRUE(store.link_into(directory / number).ok());
  }
  over = true;
  one.join();
  other.join();
}

}  // namespace
}  // namespace tidemark

// A disk that takes its time (fault F21): records go on, a checkpoint that takes too long is given up, and nothing piles up.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include <tidemark/runtime/runtime.hpp>

#include "../support/forwarding_file_system.hpp"
#include "../support/job_result.hpp"
#include "../support/temporary_directory.hpp"
#include "payments.hpp"

namespace tidemark {
namespace {

using namespace payments;
using namespace std::chrono_literals;

// Syncs of row files take as long as it is told. The greatest number of them under way at once is counted.
class SlowFileSystem final : public test_support::ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    auto created = under_.create(path);
    if (!created.ok() || path.find("/rows/") == std::string::npos) return created;
    return std::unique_ptr<WritableFile>{std::make_unique<Slow>(*this, *std::move(created))};
  }

  std::atomic<std::chrono::milliseconds> delay{0ms};
  std::atomic<int> under_way{0};
  std::atomic<int> most_under_way{0};

 private:
  class Slow final : public WritableFile {
   public:
    Slow(SlowFileSystem& disk, std::unique_ptr<WritableFile> under) : disk_(disk), under_(std::move(under)) {}
    Status append(ByteView bytes) override { return under_->append(bytes); }
    Status sync() override {
      const int now = ++disk_.under_way;
      disk_.most_under_way = std::max(disk_.most_under_way.load(), now);
      std::this_thread::sleep_for(disk_.delay.load());
      --disk_.under_way;
      return under_->sync();
    }
    Status close() override { return under_->close(); }

   private:
    SlowFileSystem& disk_;
    std::unique_ptr<WritableFile> under_;
  };
};

TEST(SlowDisk, F21LetsRecordsGoOnGivesCheckpointsUpAndLetsNothingPileUp) {
  const Splits splits = make_payments(31, 1, 300'000);
  const Expected expected = model(splits);
  test_support::TemporaryDirectory directory;
  SlowFileSystem disk(posix_file_system());
  MemorySink<Line> lines;
  MemorySink<Line> late;
  RuntimeOptions options;
  options.state_directory = directory.path() + "/state";
  options.checkpoint_every = 5ms;
  options.checkpoint_timeout = 50ms;
  options.tolerated_checkpoint_failures = 1000;
  options.max_batch = 50;
  options.files = &disk;
  options.logger = Logger::silent();
  disk.delay = 500ms;   // ten times what a checkpoint may take, so that it is given up however late its end is looked for
  auto runtime = Runtime::start(make_graph(memory_source(splits, {.pause_every = 40, .pause = 2ms}), lines.sink(), late.sink()), options);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();

  bool went_on = false;   // records came in while a sync was under way
  std::size_t most_files = 0;
  while ((*runtime)->snapshot().failed_checkpoints < (went_on ? 4U : 20U)) {
    const std::uint64_t before = (*runtime)->snapshot().records_in;
    const bool in_sync = disk.under_way.load() > 0;
    ASSERT_FALSE((*runtime)->wait_for(20ms)) << "a job ended whose last checkpoint cannot be complete";
    went_on = went_on || (in_sync && disk.under_way.load() > 0 && (*runtime)->snapshot().records_in > before);
    std::size_t files = 0;
    for (const auto& attempt : std::filesystem::directory_iterator(options.state_directory + "/live")) {
      for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(attempt.path() / "rows")) ++files;
    }
    most_files = std::max(most_files, files);
  }
  EXPECT_TRUE(went_on);
  EXPECT_EQ((*runtime)->snapshot().checkpoints, 0u);
  // What was given up ends before the next one begins: a file for each of the two tasks, and those on their way out.
  EXPECT_LE(disk.most_under_way.load(), 2);
  EXPECT_LE(most_files, 4u);

  disk.delay = 0ms;
  const JobResult result = (*runtime)->wait();
  ASSERT_EQ(result.state, JobState::kFinished) << test_support::describe(result);
  EXPECT_GT((*runtime)->snapshot().checkpoints, 0u);
  EXPECT_EQ(sorted(lines.committed()), expected.lines);
  EXPECT_EQ(sorted(late.committed()), expected.late);
}

}  // namespace
}  // namespace tidemark

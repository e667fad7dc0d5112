// Two runtimes that go on from copies of one state directory and write to the same sinks (faults F08, F10; R8).

#include <gmock/gmock.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include <tidemark/runtime/runtime.hpp>

#include "../support/forwarding_file_system.hpp"
#include "../support/temporary_directory.hpp"
#include "payments.hpp"

namespace tidemark {
namespace {

using namespace payments;
using namespace std::chrono_literals;

// A process that stands still just before its manifest gets its name, until it is let go.
class PausedBeforeTheManifest final : public test_support::ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  Status rename(const std::string& from, const std::string& to) override {
    std::unique_lock lock(mutex_);
    if (file_name(to) == "manifest") {
      paused_ = true;
      changed_.notify_all();
      changed_.wait(lock, [this] { return goes_on_; });
    }
    lock.unlock();
    return under_.rename(from, to);
  }
  void wait_until_paused() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return paused_; });
  }
  void go_on() {
    const std::lock_guard lock(mutex_);
    goes_on_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool paused_ = false;
  bool goes_on_ = false;
};

TEST(CopiedDirectory, F08StopsAPausedProcessBeforeItCommitsIfItsSuccessorRanOnACopy) {
  const Splits splits = make_payments(41, 2, 20'000);
  const Expected expected = model(splits);
  test_support::TemporaryDirectory directory;
  test_support::UnsyncedFileSystem files(posix_file_system());
  PausedBeforeTheManifest paused_files(files);
  MemorySink<Line> lines;
  MemorySink<Line> late;
  const auto start = [&](const std::string& name, std::chrono::milliseconds checkpoint_every, FileSystem& on) {
    RuntimeOptions options;
    options.state_directory = directory.path() + "/" + name;
    options.checkpoint_every = checkpoint_every;
    options.max_batch = 50;
    options.files = &on;
    options.logger = Logger::silent();
    const MemorySourceOptions pauses{.pause_every = 100, .pause = 2ms};
    auto runtime = Runtime::start(make_graph(memory_source(splits, pauses), lines.sink(), late.sink()), options);
    EXPECT_TRUE(runtime.ok()) << runtime.error().describe();
    return *std::move(runtime);
  };
  const auto stop = [](Runtime& runtime) {
    runtime.request_stop();
    EXPECT_EQ(runtime.wait().state, JobState::kStopped);
  };
  stop(*start("state", 1h, files));
  std::filesystem::copy(directory.path() + "/state", directory.path() + "/copy", std::filesystem::copy_options::recursive);

  const auto paused = start("state", 1ms, paused_files);
  paused_files.wait_until_paused();
  stop(*start("copy", 1h, files));   // commits the epoch that the other one is about to publish, with other records in it
  const CheckpointId committed = lines.committed_epoch();
  paused_files.go_on();
  const JobResult result = paused->wait();
  ASSERT_EQ(result.state, JobState::kFailed);
  EXPECT_EQ(result.error->code, ErrorCode::kSinkEpochMismatch) << result.error->describe();
  EXPECT_EQ(lines.committed_epoch(), committed);

  EXPECT_EQ(start("copy", 1h, files)->wait().state, JobState::kFinished);
  EXPECT_EQ(sorted(lines.committed()), expected.lines);
  EXPECT_EQ(sorted(late.committed()), expected.late);
}

// R3: once a checkpoint was taken in it, the copy is the place of its checkpoints.
TEST(CopiedDirectory, IsReadToItsEndBeforeTheFirstRecordOnceAndTheLogSaysSo) {
  const Splits splits = make_payments(42, 2, 20'000);
  test_support::TemporaryDirectory directory;
  MemorySink<Line> lines;
  MemorySink<Line> late;
  const auto said_at_a_start = [&](const std::string& name) {
    std::mutex mutex;
    std::string said;
    RuntimeOptions options;
    options.state_directory = directory.path() + "/" + name;
    options.logger = Logger::to_sink([&](LogLevel, std::string_view line) {
      const std::lock_guard lock(mutex);
      said += std::string{line} + "\n";
    });
    const MemorySourceOptions pauses{.pause_every = 100, .pause = 2ms};
    auto runtime = Runtime::start(make_graph(memory_source(splits, pauses), lines.sink(), late.sink()), options);
    EXPECT_TRUE(runtime.ok()) << runtime.error().describe();
    (*runtime)->request_stop();
    EXPECT_EQ((*runtime)->wait().state, JobState::kStopped);
    return said;
  };
  const testing::Matcher<std::string> copied = testing::HasSubstr("the state directory was copied");
  EXPECT_THAT(said_at_a_start("state"), Not(copied));
  EXPECT_THAT(said_at_a_start("state"), Not(copied));   // a start in place
  std::filesystem::copy(directory.path() + "/state", directory.path() + "/copy", std::filesystem::copy_options::recursive);
  EXPECT_THAT(said_at_a_start("copy"), copied);
  EXPECT_THAT(said_at_a_start("copy"), Not(copied));
  std::filesystem::rename(directory.path() + "/copy", directory.path() + "/moved");
  EXPECT_THAT(said_at_a_start("moved"), Not(copied));
}

}  // namespace
}  // namespace tidemark

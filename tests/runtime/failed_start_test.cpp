// A restore whose control thread cannot be had, after all its other threads have begun (fault F43).

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include <tidemark/core/detail/executor.hpp>
#include <tidemark/memory/callback.hpp>
#include <tidemark/memory/generator.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "src/thread_executor.hpp"

#include "../support/forwarding_file_system.hpp"
#include "../support/temporary_directory.hpp"

namespace tidemark {
namespace {

// As the executor of every job, but the control thread cannot be had.
class WithoutControl final : public core_internal::Executor {
 public:
  std::unique_ptr<core_internal::LoopRunner> runner(std::string name, core_internal::Loop& loop) override {
    if (name != "control") return runtime_internal::thread_executor().runner(std::move(name), loop);
    return std::make_unique<NoThread>();
  }
  std::unique_ptr<core_internal::Jobs> jobs(const char* name, int threads) override {
    return runtime_internal::thread_executor().jobs(name, threads);
  }

 private:
  struct NoThread final : core_internal::LoopRunner {
    void start() override { throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again)); }
    void join() override {}
    bool is_current() const override { return false; }
    void wake_if_asleep() override {}
  };
};

// So that what the pool of a job opens is still being read when the start has failed.
class FilesSlowToOpen final : public test_support::ForwardingFileSystem {
 public:
  FilesSlowToOpen() : ForwardingFileSystem(posix_file_system()) {}
  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override {
    if (std::this_thread::get_id() != starter_) std::this_thread::sleep_for(std::chrono::milliseconds{100});
    return under_.open(path);
  }

 private:
  std::thread::id starter_ = std::this_thread::get_id();
};

// Which reports to the control thread. The address sanitizer sees what it uses.
TEST(FailedStart, F43WaitsForTheCheckOfTheCheckpointThatItHasBegun) {
  const auto totals = [](std::uint64_t records) {
    struct Total {
      std::uint64_t count = 0;
    };
    struct Count {
      void operator()(const std::uint64_t&, Total& total, ProcessContext<std::uint64_t>&, Collector<std::uint64_t>&) { ++total.count; }
    };
    Graph graph;
    graph.from("records", generator_source<std::uint64_t>("records", records, [](std::uint64_t i) { return i; }))
        .key_by([](const std::uint64_t& key) { return key; })
        .process<std::uint64_t>("totals", Count{})
        .to("out", callback_sink<std::uint64_t>([](const Batch<std::uint64_t>&) {}));
    return graph;
  };
  test_support::TemporaryDirectory directory;
  RuntimeOptions options;
  options.state_directory = directory.path() + "/state";
  options.checkpoint_every = std::chrono::milliseconds{10};
  {
    auto runtime = Runtime::start(totals(std::uint64_t{1} << 40), options);
    ASSERT_TRUE(runtime.ok());
    while ((*runtime)->snapshot().checkpoints == 0) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    ASSERT_TRUE((*runtime)->stop(std::chrono::seconds{60}).ok());
  }
  FilesSlowToOpen files;
  WithoutControl executor;
  options.files = &files;
  options.executor = &executor;
  const auto refused = Runtime::start(totals(std::uint64_t{1} << 40), options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kResourcesExhausted);
  options.executor = nullptr;
  auto runtime = Runtime::start(totals(std::uint64_t{1} << 40), options);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  EXPECT_TRUE((*runtime)->stop(std::chrono::seconds{60}).ok());
}

}  // namespace
}  // namespace tidemark

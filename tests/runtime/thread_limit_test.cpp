// A process that may have no more threads (fault F43): a start is refused with a reason, whichever of its threads it is that cannot be had.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidemark/memory/callback.hpp>
#include <tidemark/memory/generator.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/temporary_directory.hpp"

namespace tidemark {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kStack = 512 * kMiB;
constexpr int kFinished = 0;
constexpr int kRefused = 3;

std::size_t address_space() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

int run(const std::string& directory) {
  std::uint64_t outputs = 0;
  Graph graph;
  graph.from("records", generator_source<std::uint64_t>("records", 1000, [](std::uint64_t i) { return i; }))
      .to("out", callback_sink<std::uint64_t>([&](const Batch<std::uint64_t>& batch) { outputs += batch.size(); }));
  RuntimeOptions options;
  options.state_directory = directory;
  auto runtime = Runtime::start(std::move(graph), options);
  if (!runtime.ok()) {
    const bool said = runtime.error().code == ErrorCode::kResourcesExhausted && !runtime.error().fix.empty();
    std::fprintf(stderr, "%s\n", runtime.error().describe().c_str());
    return said ? kRefused : 4;
  }
  return (*runtime)->wait().state == JobState::kFinished && outputs == 1000 ? kFinished : 5;
}

// In a child with room for `stacks` stacks of threads and some memory. Its exit code; -1 if a signal ended it.
int run_with(std::size_t stacks) {
  test_support::TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    // Stacks so large that the rest is little beside them.
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, kStack);
    if (::pthread_setattr_default_np(&attributes) != 0) std::_Exit(8);
    const rlimit space{address_space() + kStack / 2 + stacks * kStack, RLIM_INFINITY};
    if (::setrlimit(RLIMIT_AS, &space) != 0) std::_Exit(9);
    std::_Exit(run(directory.path() + "/state"));
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ThreadLimit, F43RefusesTheStartWhicheverThreadCannotBeHad) {
  std::size_t refused = 0;
  for (std::size_t stacks = 0;; ++stacks) {
    ASSERT_LT(stacks, 20u);
    const int code = run_with(stacks);
    if (code == kFinished) break;
    ASSERT_EQ(code, kRefused) << stacks << " stacks";
    ++refused;
  }
  EXPECT_GE(refused, 4u);   // the store's, two for disk work, the worker, the control thread
}

}  // namespace
}  // namespace tidemark

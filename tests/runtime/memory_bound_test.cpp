// A process whose data the kernel limits to 1.10 of the job's memory and a constant finishes a job whose state is several times larger
// (promise 9, M2).

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

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

constexpr std::uint64_t kKeys = 1'000'000;
constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kMemory = 16 * kMiB;
// The address space of eight threads' stacks, 8 MiB each; their arenas, RocksDB's own tables, the libraries' data.
constexpr std::size_t kConstant = 120 * kMiB;

struct Total {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
};
struct RunningTotal {
  void operator()(const std::uint64_t& record, Total& total, ProcessContext<std::uint64_t>&, Collector<std::uint64_t>& out) {
    total.sum += record;
    if (++total.count == 2) out(total.sum);
  }
};

// Every key twice, the second time in another order. 0: it finished and the sums are right.
int run(const std::string& directory, std::size_t memory) {
  std::uint64_t outputs = 0;
  std::uint64_t sum = 0;
  Graph graph;
  graph
      .from("records", generator_source<std::uint64_t>("records", 2 * kKeys,
                                                       [](std::uint64_t i) { return i < kKeys ? i : (i * 7919) % kKeys; }))
      .key_by([](const std::uint64_t& key) { return key; })
      .process<std::uint64_t>("totals", RunningTotal{})
      .to("out", callback_sink<std::uint64_t>([&](const Batch<std::uint64_t>& batch) {
            outputs += batch.size();
            for (const std::uint64_t value : batch.values) sum += value;
          }));
  RuntimeOptions options;
  options.state_directory = directory;
  options.memory = memory;
  auto runtime = Runtime::start(std::move(graph), options);
  if (!runtime.ok()) return std::fprintf(stderr, "%s\n", runtime.error().describe().c_str()), 2;
  const JobResult result = (*runtime)->wait();
  if (result.state != JobState::kFinished) {
    return std::fprintf(stderr, "%s\n", result.error ? result.error->describe().c_str() : "not finished"), 3;
  }
  return outputs == kKeys && sum == kKeys * (kKeys - 1) ? 0 : 4;
}

// In a child whose data is limited. Its exit code; -1 if a signal ended it.
int run_limited(std::size_t memory) {
  test_support::TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{kMemory + kMemory / 10 + kConstant, kMemory + kMemory / 10 + kConstant};
    if (::setrlimit(RLIMIT_DATA, &limit) != 0) std::_Exit(9);
    std::_Exit(run(directory.path() + "/state", memory));
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(MemoryBound, HoldsForTheWholeProcess) { EXPECT_EQ(run_limited(kMemory), 0); }

TEST(MemoryBound, WouldBeBrokenByTheStateWithoutIt) { EXPECT_NE(run_limited(0), 0); }

}  // namespace
}  // namespace tidemark

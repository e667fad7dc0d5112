// A process in which one allocation fails (fault F43). Each in a child of its own: the first, the second, and so on, from the start of a
// job to its end. The job works, or fails with a reason; the process lives, and what was committed is a part of the output.

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/memory/memory_source.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/replaced_new.hpp"
#include "../support/temporary_directory.hpp"

namespace {

std::atomic<std::int64_t> until_failure{-1};   // the allocation that takes it from 0 to -1 fails
std::atomic<std::int64_t> allocations{0};

}  // namespace

void tidemark::test_support::on_allocation() {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (until_failure.load(std::memory_order_relaxed) >= 0 && until_failure.fetch_sub(1) == 0) throw std::bad_alloc();
}

namespace tidemark {
namespace {

struct Item {
  std::string key;
  std::int64_t value = 0;
  EventTime time() const { return event_time(value); }
};

std::vector<Item> items() {
  std::vector<Item> made;
  for (std::int64_t i = 0; i < 60; ++i) made.push_back({.key = "a key too long for a small string " + std::to_string(i % 7), .value = i});
  return made;
}

struct Sum {
  void operator()(const Item& item, std::int64_t& sum, ProcessContext<std::string>& context, Collector<std::int64_t>& out) const {
    sum += item.value;
    context.set_timer(item.time() + Duration{10});
    out(sum);
  }
  void on_timer(const Timer&, std::int64_t& sum, ProcessContext<std::string>&, Collector<std::int64_t>& out) const { out(-sum); }
};
constexpr std::size_t kOutputs = 120;   // one with each record, and one with each timer

enum Outcome : int { kFinished = 0, kFailed = 3, kWrong = 4 };

int run(std::int64_t failing, std::int64_t* counted = nullptr) {
  const std::vector<Item> input = items();
  const MemorySink<std::int64_t> sink;
  RuntimeOptions options;
  options.logger = Logger::silent();
  options.deterministic = true;
  options.max_batch = 10;
  Graph graph;
  graph.from("items", memory_source(input))
      .with_event_time(&Item::time)
      .key_by(&Item::key)
      .process<std::int64_t>("sum", Sum{})
      .to("sink", sink.sink());
  allocations = 0;
  until_failure = failing;
  JobResult result;
  {
    auto runtime = Runtime::start(std::move(graph), options);
    result = runtime.ok() ? (*runtime)->wait() : JobResult{JobState::kFailed, runtime.error()};
  }
  const bool hit = failing >= 0 && until_failure < 0;
  until_failure = -1;
  if (counted != nullptr) *counted = allocations;
  if (result.state == JobState::kFinished) return sink.committed().size() == kOutputs ? kFinished : kWrong;
  if (!hit) std::fprintf(stderr, "%s\n", result.error->describe().c_str());
  const std::size_t committed = sink.committed().size();   // it may fail after the one commit at its end
  return hit && (committed == 0 || committed == kOutputs) && result.error && !result.error->message.empty() ? kFailed : kWrong;
}

TEST(AllocationFailure, F43OfAnyOneAllocationFailsTheJobAndNotTheProcess) {
  std::int64_t all = 0;
  ASSERT_EQ(run(-1, &all), kFinished);
  if (const char* one = std::getenv("TIDEMARK_ALLOCATION")) {
    const int end = run(std::strtoll(one, nullptr, 10));
    EXPECT_TRUE(end == kFinished || end == kFailed) << end;
    return;
  }
  std::map<int, std::vector<std::int64_t>> ends;   // by the way in which the child ended
  for (std::int64_t i = 0; i < all; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(20);
      ::_exit(run(i));
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ends[WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)].push_back(i);
  }
  for (const auto& [how, which] : ends) {
    EXPECT_TRUE(how == kFinished || how == kFailed)
        << which.size() << " ended with " << how << "; repeat one: TIDEMARK_ALLOCATION=" << which.front() << " " << program_invocation_name;
  }
  EXPECT_GT(ends[kFailed].size(), 10U);
}

}  // namespace
}  // namespace tidemark

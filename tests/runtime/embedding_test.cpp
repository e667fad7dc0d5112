// A host that has more to do than to run jobs: handlers of signals, other jobs, static objects (fault F50). The library has no global state
// and leaves the process alone.

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/memory/memory_source.hpp>
#include <tidemark/memory/push_source.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/gate.hpp"
#include "../support/temporary_directory.hpp"
#include "numbers.hpp"

namespace tidemark {
namespace {

using namespace numbers;
using namespace std::chrono_literals;
using test_support::comes_true;
using test_support::TemporaryDirectory;

constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD, SIGUSR1, SIGUSR2, SIGXFSZ};

// They take some hundred milliseconds.
Source<std::int64_t> numbers_at_a_pace() { return memory_source(all_numbers(), {.pause_every = 10, .pause = 2ms}); }

// With a checkpoint every millisecond.
std::unique_ptr<Runtime> start(const std::string& directory, const Source<std::int64_t>& source, const Sink<std::int64_t>& sink) {
  Graph graph;
  graph.from("numbers", source).to("sink", sink);
  RuntimeOptions options;
  options.state_directory = directory;
  options.checkpoint_every = 1ms;
  options.logger = Logger::silent();
  auto runtime = Runtime::start(std::move(graph), options);
  EXPECT_TRUE(runtime.ok()) << runtime.error().describe();
  return runtime.ok() ? *std::move(runtime) : nullptr;
}

std::atomic<int> handled{0};
void count_signal(int) { ++handled; }

// The handlers of the process, and the mask of this thread.
struct Signals {
  std::array<void (*)(int), kSignals.size()> handlers{};
  std::array<bool, kSignals.size()> blocked{};
  bool operator==(const Signals&) const = default;
};

Signals signals_now() {
  Signals now;
  sigset_t mask;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction action {};
    ::sigaction(kSignals[i], nullptr, &action);
    now.handlers[i] = action.sa_handler;
    now.blocked[i] = ::sigismember(&mask, kSignals[i]) == 1;
  }
  return now;
}

TEST(EmbeddingHost, F50KeepsItsHandlersOfSignalsAndItsMask) {
  for (const int number : {SIGINT, SIGUSR1}) std::signal(number, count_signal);
  const Signals before = signals_now();
  const TemporaryDirectory directory;
  const MemorySink<std::int64_t> sink;
  {
    const auto runtime = start(directory / "state", numbers_at_a_pace(), sink.sink());
    EXPECT_EQ(signals_now(), before) << "while it runs";
    EXPECT_EQ(runtime->wait().state, JobState::kFinished);
  }
  EXPECT_EQ(signals_now(), before) << "when it is gone";
  std::raise(SIGINT);
  EXPECT_GE(handled, 1);
}

// A handler without SA_RESTART: whatever the jobs wait for is interrupted again and again (F12).
TEST(EmbeddingHost, F50RunsTwoJobsSideBySideWhileSignalsInterruptThem) {
  struct sigaction action {};
  action.sa_handler = count_signal;
  ASSERT_EQ(::sigaction(SIGUSR1, &action, nullptr), 0);
  handled = 0;
  const TemporaryDirectory directory;
  const MemorySink<std::int64_t> first_sink;
  const MemorySink<std::int64_t> second_sink;
  PushSource<std::int64_t> first_numbers;
  PushSource<std::int64_t> second_numbers;
  const auto first = start(directory / "first", first_numbers.source(), first_sink.sink());
  const auto second = start(directory / "second", second_numbers.source(), second_sink.sink());
  {
    // Blocked here, so that the threads of the jobs get them.
    sigset_t one;
    ::sigemptyset(&one);
    ::sigaddset(&one, SIGUSR1);
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &one, nullptr), 0);
    const std::jthread storm([](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        ::kill(::getpid(), SIGUSR1);
        std::this_thread::sleep_for(50us);
      }
    });
    EXPECT_TRUE(comes_true([] { return handled > 10; }));
    for (PushSource<std::int64_t>* source : {&first_numbers, &second_numbers}) {
      for (const std::int64_t number : all_numbers()) source->push(number);
      source->close();
    }
    EXPECT_EQ(first->wait().state, JobState::kFinished);
    EXPECT_EQ(second->wait().state, JobState::kFinished);
  }
  EXPECT_EQ(first_sink.committed(), all_numbers());
  EXPECT_EQ(second_sink.committed(), all_numbers());
}

// The system gives numbers of threads that have ended to new ones.
TEST(EmbeddingHost, F50MayWaitOnAThreadThatBeganWhenThoseOfTheJobHadEnded) {
  const TemporaryDirectory directory;
  const MemorySink<std::int64_t> sink;
  std::unique_ptr<Runtime> runtime = start(directory / "state", numbers_at_a_pace(), sink.sink());
  ASSERT_EQ(runtime->wait().state, JobState::kFinished);
  for (int i = 0; i < 20; ++i) {
    std::vector<std::thread> threads;
    for (int k = 0; k < 10; ++k) {
      threads.emplace_back([&] { EXPECT_EQ(runtime->wait().state, JobState::kFinished); });
    }
    for (std::thread& thread : threads) thread.join();
  }
  std::thread([&] { runtime.reset(); }).join();
}

// In a child that ends while its job runs. Statics of RocksDB that the start makes are destroyed after an object that is made of the
// started job; an object that was there before, and is given the job later, would outlive them.
TEST(EmbeddingHost, F50MayHoldARunningJobInAStaticObject) {
  const TemporaryDirectory directory;
  const PushSource<std::int64_t> never_ending;
  const MemorySink<std::int64_t> sink;
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);   // a hang is a failure too
    static const std::unique_ptr<Runtime> runtime = start(directory / "state", never_ending.source(), sink.sink());
    while (runtime->snapshot().checkpoints == 0) std::this_thread::yield();
    std::exit(runtime->snapshot().state == JobState::kRunning ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace tidemark

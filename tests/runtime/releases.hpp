#pragma once
// Releases of one job on one state directory.

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/memory/push_source.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/temporary_directory.hpp"

namespace tidemark::releases {

using namespace std::chrono_literals;

struct Deposit {
  std::int64_t account = 0;
  std::int64_t cents = 0;
  std::int64_t at = 0;
  EventTime time() const { return event_time(at); }
};

// What two releases store for each account.
struct TotalV1 {
  std::int64_t cents = 0;
  void add(const Deposit& deposit) { cents += deposit.cents; }
  std::string text() const { return std::to_string(cents); }
};
struct TotalV2 {
  std::int64_t cents = 0;
  std::int64_t count = 0;
  void add(const Deposit& deposit) { cents += deposit.cents, ++count; }
  std::string text() const { return std::to_string(cents) + " in " + std::to_string(count); }
};
// What was not counted before counts as 100, so that a second migration would be seen.
inline TotalV2 counted(const TotalV1& old) { return {old.cents, old.cents == 0 ? 0 : 100}; }

inline auto with_times(Graph& graph, const Source<Deposit>& source, const char* name) {
  return graph.from(name, source).with_event_time(&Deposit::time, {.out_of_orderness = 5us});
}
inline auto keyed_deposits(Graph& graph, const Source<Deposit>& source, const char* name = "deposits") {
  return with_times(graph, source, name).key_by(&Deposit::account);
}

using Build = std::function<Graph(Source<Deposit>, Sink<std::string>)>;

inline std::string sum_of(const WindowResult<std::int64_t, std::int64_t>& result) { return std::to_string(result.value); }

// Sums by windows of 100 us, and what was late for them. `more`: with one more stage.
template <class Keyed>
void write_windows_and_late(Keyed keyed, const char* name, const Sink<std::string>& lines, bool more = false) {
  auto windows = keyed.window(tumbling(100us)).aggregate(name, sum(&Deposit::cents));
  auto late = windows.late().map([](const Late<Deposit>& dropped) { return "late " + std::to_string(dropped.record.cents); });
  auto all = windows.map(&sum_of).union_with(late);
  if (more) {
    all.filter([](const std::string& line) { return !line.empty(); }).to("lines", lines);
  } else {
    all.to("lines", lines);
  }
}
inline Build windows_and_late(const char* source_name, const char* name, bool more = false) {
  return [=](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    write_windows_and_late(keyed_deposits(graph, source, source_name), name, lines, more);
    return graph;
  };
}

// One job over its releases. Account 1 has every record; account 2 only the first and the last.
class Releases : public ::testing::Test {
 protected:
  // Runs until `records` of the input are read, then stops with a checkpoint; all of them: until it has finished. The error that refused
  // the start, if there was one.
  Status run(const Build& build, std::size_t records, const std::function<void(RuntimeOptions&)>& change = {}) {
    RuntimeOptions options;
    options.state_directory = directory / "state";
    options.checkpoint_every = 0ms;
    options.logger = Logger::silent();
    if (change) change(options);
    PushSource<Deposit> deposits;
    for (std::size_t i = read; i < records; ++i) deposits.push(input[i]);
    auto started = Runtime::start(build(deposits.source(), target.sink()), options);
    if (!started.ok()) return started.status();
    Runtime& runtime = **started;
    report = runtime.start_report();
    if (records == input.size()) {
      deposits.close();
    } else {
      const auto there = [&](const JobSnapshot& now) { return now.records_in == records - read && now.watermark >= watermark; };
      while (!there(runtime.snapshot()) && !runtime.wait_for(0ms)) std::this_thread::sleep_for(1ms);
      if (cut_off) {
        runtime.request_cancel();
      } else {
        runtime.request_stop({.drain = drain});
      }
    }
    const JobResult result = runtime.wait();
    if (result.error) return *result.error;
    if (!cut_off) read = records;
    return {};
  }
  Error refused(const Build& build, const std::function<void(RuntimeOptions&)>& change = {}) {
    const Status status = run(build, input.size(), change);
    EXPECT_FALSE(status.ok()) << "it started";
    return status.ok() ? Error{} : status.error();
  }
  void expect_runs(const Build& build, std::size_t records, const std::function<void(RuntimeOptions&)>& change = {}) {
    const Status status = run(build, records, change);
    ASSERT_TRUE(status.ok()) << status.error().describe();
  }

  test_support::TemporaryDirectory directory;
  MemorySink<std::string> target;
  std::vector<Deposit> input{{2, 5, 0}, {1, 1, 1}, {1, 2, 12}, {1, 4, 23}, {1, 8, 34}, {1, 16, 45}, {1, 32, 56}, {2, 5, 67}};
  std::size_t read = 0;
  EventTime watermark = kMinusInfinity;   // a run is stopped when it has come so far
  bool cut_off = false;                   // instead of stopped
  bool drain = false;                     // when it is stopped
  StartReport report;
};

}  // namespace tidemark::releases

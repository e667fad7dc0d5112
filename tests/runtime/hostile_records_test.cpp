// What hostile records must not do: show in logs and errors, fill a disk with log lines, or know how their keys are hashed (S14, S15).

#include <chrono>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include <gmock/gmock.h>

#include <tidemark/checkpoint/checkpoint_store.hpp>
#include <tidemark/checkpoint/layout.hpp>
#include <tidemark/file/csv.hpp>
#include <tidemark/file/lines.hpp>
#include <tidemark/file/ndjson.hpp>
#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/memory/memory_source.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/temporary_directory.hpp"

namespace tidemark {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using test_support::TemporaryDirectory;

constexpr QuarantinePolicy kDropAll{OnRefused::kDrop, OnRefused::kDrop, OnRefused::kDrop, OnRefused::kDrop, OnRefused::kDrop};
constexpr QuarantinePolicy kFailAll{OnRefused::kFail, OnRefused::kFail, OnRefused::kFail, OnRefused::kFail, OnRefused::kFail};
constexpr QuarantinePolicy kQuarantineAll{OnRefused::kQuarantine, OnRefused::kQuarantine, OnRefused::kQuarantine, OnRefused::kQuarantine,
                                          OnRefused::kQuarantine};

// All that a job says to people: every line of its log, and the error that it ends with.
struct Said {
  JobState state = JobState::kRunning;
  std::vector<std::string> lines;
  std::string error;
  std::string all() const {
    std::string text = error;
    for (const std::string& line : lines) text += "\n" + line;
    return text;
  }
};

Said run(Graph graph, const std::string& state_directory = {}) {
  Said said;
  std::mutex mutex;
  RuntimeOptions options;
  options.state_directory = state_directory;
  options.logger = Logger::to_sink(
      [&](LogLevel, std::string_view line) {
        const std::lock_guard lock(mutex);
        said.lines.emplace_back(line);
      },
      LogLevel::kDebug);
  auto runtime = Runtime::start(std::move(graph), options);
  const JobResult result = runtime.ok() ? (*runtime)->wait() : JobResult{JobState::kFailed, runtime.error()};
  said.state = result.state;
  if (result.error) said.error = result.error->describe();
  return said;
}

std::string written(const std::string& path, const std::string& contents) {
  std::ofstream(path, std::ios::binary) << contents;
  return path;
}

constexpr const char* kCanary = "4111222233334444";

struct Payment {
  std::string card;
  std::string note;
  std::int64_t at = 0;
  EventTime time() const { return at < 0 ? kPlusInfinity : event_time(at); }
};

// Every field of every record holds the canary.
Payment payment(std::int64_t at) { return {.card = kCanary, .note = "note " + std::string{kCanary}, .at = at}; }

// Counts of windows, by card.
Graph counts_by_card(std::vector<Payment> payments, Duration window, const MemorySink<WindowResult<std::string, std::uint64_t>>& sink,
                     EventTimeOptions times = {}) {
  Graph graph;
  graph.from("source", memory_source(std::move(payments)))
      .with_event_time(&Payment::time, times)
      .key_by(&Payment::card)
      .window(tumbling(window))
      .aggregate("count", count())
      .to("sink", sink.sink());
  return graph;
}

struct Failure {
  const char* what;
  std::function<Graph()> graph;
};

// Jobs whose records are refused: by a decoder, for their size, their time, as late, as too far ahead.
std::vector<Failure> refusing_jobs(const TemporaryDirectory& directory) {
  const std::string canary = kCanary;
  const auto rows = [](const std::string& path) {
    return csv_source({.path = path, .max_record_bytes = 64}, {"at", "card"}, [](CsvRow& row) {
      const std::int64_t at = row.integer(0);
      return Payment{.card = row.text(1), .note = {}, .at = at};
    });
  };
  const auto to_nowhere = [](auto source) {
    return [=] {
      Graph graph;
      graph.from("source", source).to("sink", MemorySink<typename decltype(source)::Record>{}.sink());
      return graph;
    };
  };
  const auto timed = [](std::vector<std::int64_t> times) {
    return [=] {
      std::vector<Payment> payments;
      for (const std::int64_t at : times) payments.push_back(payment(at));
      return counts_by_card(std::move(payments), 10us, {}, {.max_ahead = 1h});
    };
  };
  return {
      {"a number that is none", to_nowhere(rows(written(directory / "number.csv", "at,card\n" + canary + "x,1\n")))},
      {"bytes that are no text", to_nowhere(rows(written(directory / "text.csv", "at,card\n1," + canary + "\xFF\n")))},
      {"a field too many", to_nowhere(rows(written(directory / "fields.csv", "at,card\n1,2," + canary + "\n")))},
      {"text behind a quote", to_nowhere(rows(written(directory / "quote.csv", "at,card\n1,\"2\"" + canary + "\n")))},
      {"an open quote", to_nowhere(rows(written(directory / "open.csv", "at,card\n1,\"" + canary + "\n")))},
      {"too large a record", to_nowhere(rows(written(directory / "large.csv", "at,card\n1," + canary + std::string(99, 'x') + "\n")))},
      {"a line that is no text", to_nowhere(lines_source({.path = written(directory / "lines.txt", canary + "\xFF\n")}))},
      {"JSON of other types", to_nowhere(ndjson_source({.path = written(directory / "types.json", "{\"a\":\"" + canary + "\"}\n")},
                                                       [](JsonObject& object) { return object.integer("a"); }))},
      {"JSON that is no time", to_nowhere(ndjson_source({.path = written(directory / "time.json", "{\"a\":\"" + canary + "\"}\n")},
                                                        [](JsonObject& object) { return micros(object.iso_time("a")); }))},
      {"JSON that is no object", to_nowhere(ndjson_source({.path = written(directory / "object.json", "\"" + canary + "\"\n")},
                                                          [](JsonObject& object) { return object.integer("a"); }))},
      {"no JSON", to_nowhere(ndjson_source({.path = written(directory / "none.json", canary + "{\n")},
                                           [](JsonObject& object) { return object.integer("a"); }))},
      {"an impossible time", timed({5, -1})},
      {"a late record", timed({5, 100, 6})},
      {"a time in the far future", timed({5, 4'000'000'000'000})},
  };
}

// S15
TEST(HostileRecords, AreNotShownByTheLogOfAJobThatDropsThem) {
  const TemporaryDirectory directory;
  for (const Failure& failure : refusing_jobs(directory)) {
    Graph graph = failure.graph();
    graph.on_refused(kDropAll);
    const Said said = run(std::move(graph));
    EXPECT_EQ(said.state, JobState::kFinished) << failure.what << ": " << said.error;
    EXPECT_THAT(said.all(), HasSubstr("dropped a record")) << failure.what;
    EXPECT_THAT(said.all(), Not(HasSubstr(kCanary))) << failure.what;
  }
}

TEST(HostileRecords, AreNotShownByTheErrorOfAJobThatFails) {   // S15
  const TemporaryDirectory directory;
  std::vector<Failure> failures = refusing_jobs(directory);
  for (Failure& failure : failures) {
    failure.graph = [refusing = failure.graph] {
      Graph graph = refusing();
      graph.on_refused(kFailAll);
      return graph;
    };
  }
  failures.push_back({"a function that throws", [] {
                        Graph graph;
                        graph.from("source", memory_source(std::vector<Payment>{payment(1)}))
                            .map([](const Payment&) -> std::string { throw std::runtime_error("no such shop"); })
                            .to("sink", MemorySink<std::string>{}.sink());
                        return graph;
                      }});
  failures.push_back({"a keyed function that throws what is no exception", [] {
                        Graph graph;
                        graph.from("source", memory_source(std::vector<Payment>{payment(1)}))
                            .with_event_time(&Payment::time)
                            .key_by(&Payment::card)
                            .process<std::string>("throws", [](const Payment&, std::int64_t&, ProcessContext<std::string>&,
                                                               Collector<std::string>&) { throw 42; })
                            .to("sink", MemorySink<std::string>{}.sink());
                        return graph;
                      }});
  failures.push_back({"a sink that cannot write it", [&] {
                        Graph graph;
                        graph.from("source", memory_source(std::vector<std::string>{std::string{kCanary} + "\n"}))
                            .to("sink", lines_sink(directory / "out"));
                        return graph;
                      }});
  for (const Failure& failure : failures) {
    const Said said = run(failure.graph());
    EXPECT_EQ(said.state, JobState::kFailed) << failure.what;
    EXPECT_THAT(said.error, Not(::testing::IsEmpty())) << failure.what;
    EXPECT_THAT(said.all(), Not(HasSubstr(kCanary))) << failure.what;
  }
}

// Q1: what logs may not show is there for those who may read it.
TEST(HostileRecords, AreWholeInQuarantine) {
  const TemporaryDirectory directory;
  for (const Failure& failure : refusing_jobs(directory)) {
    const MemorySink<Quarantined> quarantine;
    Graph graph = failure.graph();
    graph.quarantine_to("quarantine", quarantine.sink(), kQuarantineAll);
    const Said said = run(std::move(graph));
    ASSERT_EQ(quarantine.committed().size(), 1U) << failure.what << ": " << said.error;
    EXPECT_THAT(quarantine.committed().front().payload, HasSubstr(kCanary)) << failure.what;
    EXPECT_THAT(said.all(), Not(HasSubstr(kCanary))) << failure.what;
  }
}

// Has nothing, then one record that it refuses, then nothing any more.
class OneRefusal final : public SourceBase {
 public:
  std::string describe() const override { return "one refusal"; }
  bool bounded() const override { return false; }
  bool replayable() const override { return true; }
  Result<std::vector<std::string>> splits(const IoContext&) override { return std::vector<std::string>{"split"}; }
  Result<std::unique_ptr<SplitReaderBase>> open_split(const IoContext&, const std::string&, const Bytes&) override {
    return std::unique_ptr<SplitReaderBase>(std::make_unique<Reader>());
  }

 private:
  class Reader final : public SplitReader<Payment> {
   public:
    Result<PollResult> poll(Batch<Payment>&, std::size_t, std::vector<Refused>& refused) override {
      if (++polls_ == 2) refused.push_back({.error = "broken", .payload = "x"});
      return PollResult::kNothingNow;
    }
    Bytes position() const override { return polls_ < 2 ? "" : "1"; }

   private:
    std::size_t polls_ = 0;
  };
};

// A checkpoint holds the position behind it, so it must not wait for the next good record.
TEST(HostileRecords, AreInQuarantineThoughNothingGoodComesWithThem) {   // Q1
  const TemporaryDirectory directory;
  const MemorySink<Quarantined> quarantine;
  Graph graph;
  graph.from("source", Source<Payment>(std::make_shared<OneRefusal>())).to("sink", MemorySink<Payment>{}.sink());
  graph.quarantine_to("quarantine", quarantine.sink(), kQuarantineAll);
  RuntimeOptions options;
  options.state_directory = directory / "state";
  options.logger = Logger::silent();
  auto started = Runtime::start(std::move(graph), options);
  ASSERT_TRUE(started.ok()) << started.status().error().describe();
  while ((*started)->snapshot().records_in == 0 && !(*started)->wait_for(0ms)) std::this_thread::sleep_for(1ms);
  (*started)->request_stop({});
  EXPECT_FALSE((*started)->wait().error);
  EXPECT_EQ(quarantine.committed().size(), 1U);
}

// S14: a stream of nothing but poison does not fill the disk with lines of a log.
TEST(HostileRecords, AreLoggedOnceForEachPowerOfTwo) {
  constexpr std::size_t kRecords = 100'000;
  Graph graph;
  graph.from("source", memory_source(std::vector<Payment>(kRecords, payment(-1))))
      .with_event_time(&Payment::time)
      .to("sink", MemorySink<Payment>{}.sink());
  graph.on_refused(kDropAll);
  const Said said = run(std::move(graph));
  EXPECT_EQ(said.state, JobState::kFinished) << said.error;
  EXPECT_EQ(said.lines.size(), 4U + 14U);   // 1 to 4, 8, 16, ... 65536
  EXPECT_THAT(said.lines.back(), HasSubstr("[65536 so far]"));
}

// S14: a quarantined record is cut, whatever refused it.
TEST(HostileRecords, AreCutInQuarantineAboveItsLimit) {
  Payment large = payment(-1);
  large.note.assign(1 << 20, 'x');
  const MemorySink<Quarantined> quarantine;
  Graph graph;
  graph.from("source", memory_source(std::vector<Payment>{large})).with_event_time(&Payment::time).to("sink", MemorySink<Payment>{}.sink());
  graph.quarantine_to("quarantine", quarantine.sink());
  EXPECT_EQ(run(std::move(graph)).state, JobState::kFinished);
  ASSERT_EQ(quarantine.committed().size(), 1U);
  EXPECT_EQ(quarantine.committed().front().payload.size(), kQuarantinePayloadLimit);
}

// S14, F24, W15-W17: the records of an honest stream are counted as if the others had not been, at any parallelism. Without the guard all
// that follows the first of them is late.
TEST(HostileRecords, F24OfTheFarFutureCloseNoWindow) {
  const std::int64_t far = 4'000'000'000'000'000;   // the year 2096
  constexpr int kSplits = 3;
  constexpr int kRecords = 5000;
  const auto counts = [&](std::uint32_t parallelism, EventTimeOptions guard) {
    std::vector<std::vector<Payment>> splits(kSplits);
    for (auto& split : splits) {
      for (int i = 0; i < kRecords; ++i) {
        split.push_back({.card = std::to_string(i % 7), .note = {}, .at = i});
        if (i % 100 == 50) split.push_back({.card = "hostile", .note = {}, .at = far + i});
      }
    }
    const MemorySink<WindowResult<std::string, std::uint64_t>> sink;
    const MemorySink<Quarantined> quarantine;
    Graph graph;
    graph.from("source", memory_source(splits))
        .with_event_time(&Payment::time, guard)
        .key_by(&Payment::card)
        .window(tumbling(100us))
        .aggregate("count", count())
        .to("sink", sink.sink());
    graph.quarantine_to("quarantine", quarantine.sink());
    RuntimeOptions options;
    options.parallelism = parallelism;
    auto runtime = Runtime::start(std::move(graph), options);
    EXPECT_TRUE(runtime.ok());
    EXPECT_EQ((*runtime)->wait().state, JobState::kFinished);
    std::map<QuarantineReason, std::size_t> refused;
    for (const Quarantined& record : quarantine.committed()) ++refused[record.reason];
    std::uint64_t counted = 0;
    for (const auto& result : sink.committed()) counted += result.value;
    return std::pair{counted, refused};
  };
  for (const std::uint32_t parallelism : {1u, 3u}) {
    const auto [counted, refused] = counts(parallelism, {.max_ahead = 1h});
    EXPECT_EQ(counted, kSplits * kRecords);
    EXPECT_EQ(refused, (std::map<QuarantineReason, std::size_t>{{QuarantineReason::kTooFarAhead, kSplits * kRecords / 100}}));
  }
  const auto [counted, refused] = counts(1, {});
  EXPECT_LT(counted, kSplits * 200);
  EXPECT_GT(refused.at(QuarantineReason::kLate), kSplits * (kRecords - 100));
}

// S14, F41, TM0606: the key is not shown, but the record can be found.
TEST(HostileRecords, F41OfAKeyBeyondItsLimitFailTheJobWithOperatorAndPosition) {
  struct Notes {
    struct State {
      ListState<std::string> notes{"notes", {.max_entries = 3}};
    };
    void operator()(const Payment& payment, State& state, ProcessContext<std::string>&, Collector<std::size_t>& out) const {
      state.notes.append(payment.note);
      out(state.notes.size());
    }
  };
  const auto said = [](int records) {
    std::vector<Payment> payments;
    for (int i = 0; i < records; ++i) payments.push_back(payment(i));
    Graph graph;
    graph.from("source", memory_source(payments))
        .with_event_time(&Payment::time)
        .key_by(&Payment::card)
        .process<std::size_t>("notes", Notes{}, arrival_order(), {.max_timers = 10})
        .to("sink", MemorySink<std::size_t>{}.sink());
    return run(std::move(graph));
  };
  EXPECT_EQ(said(3).state, JobState::kFinished);
  const Said beyond = said(4);
  EXPECT_EQ(beyond.state, JobState::kFailed);
  EXPECT_THAT(beyond.error, HasSubstr("error[TM0606]: a key of operator \"notes\" has reached its limit at split \"source/0\" position 3"));
  EXPECT_THAT(beyond.error, HasSubstr("it has 3 entries in state \"notes\" and may have no more"));
  EXPECT_THAT(beyond.all(), Not(HasSubstr(kCanary)));
}

// S14, F42: who writes the records cannot tell which keys collide, and the result does not depend on it.
TEST(HostileRecords, MeetAHashWhoseSeedEveryJobDrawsForItself) {
  const TemporaryDirectory directory;
  std::set<std::uint64_t> seeds;
  std::set<std::vector<std::pair<std::string, std::uint64_t>>> results;
  for (const char* job : {"one", "two", "three"}) {
    std::vector<Payment> payments;
    for (int i = 0; i < 500; ++i) payments.push_back({.card = std::to_string(i % 50), .note = {}, .at = i});
    const MemorySink<WindowResult<std::string, std::uint64_t>> sink;
    ASSERT_EQ(run(counts_by_card(std::move(payments), 100us, sink), directory / job).state, JobState::kFinished);
    const auto facts = read_state_directory(posix_file_system(), directory / job);
    ASSERT_TRUE(facts.ok() && !facts->checkpoints.empty() && facts->checkpoints.back().manifest != nullptr);
    seeds.insert(facts->checkpoints.back().manifest->seed);
    std::vector<std::pair<std::string, std::uint64_t>> counts;
    for (const auto& result : sink.committed()) counts.emplace_back(result.key, result.value);
    std::sort(counts.begin(), counts.end());
    results.insert(counts);
  }
  EXPECT_EQ(seeds.size(), 3U);
  EXPECT_EQ(results.size(), 1U) << "byte for byte per key (D1)";
}

}  // namespace
}  // namespace tidemark

// A process whose data the kernel limits to 1.10 of the job's memory and a constant finishes a job whose state is several times larger
// (promise 9, M2); and one that is limited to a small multiple of a giant record takes it.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidemark/file/lines.hpp>
#include <tidemark/file/pace.hpp>
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

// 0: it finished.
int run_to_its_end(Graph graph, const std::string& directory, std::size_t memory) {
  RuntimeOptions options;
  options.state_directory = directory;
  options.memory = memory;
  auto runtime = Runtime::start(std::move(graph), options);
  if (!runtime.ok()) return std::fprintf(stderr, "%s\n", runtime.error().describe().c_str()), 2;
  const JobResult result = (*runtime)->wait();
  if (result.state != JobState::kFinished) {
    return std::fprintf(stderr, "%s\n", result.error ? result.error->describe().c_str() : "not finished"), 3;
  }
  return 0;
}

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
  if (const int failed = run_to_its_end(std::move(graph), directory, memory); failed != 0) return failed;
  return outputs == kKeys && sum == kKeys * (kKeys - 1) ? 0 : 4;
}

// In a child whose data is limited. Its exit code; -1 if a signal ended it.
template <class Run>
int run_limited(std::size_t bytes, Run run) {
  test_support::TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{bytes, bytes};
    if (::setrlimit(RLIMIT_DATA, &limit) != 0) std::_Exit(9);
    std::_Exit(run(directory.path()));
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int run_totals(std::size_t memory) {
  return run_limited(kMemory + kMemory / 10 + kConstant,
                     [memory](const std::string& directory) { return run(directory + "/state", memory); });
}

TEST(MemoryBound, HoldsForTheWholeProcess) { EXPECT_EQ(run_totals(kMemory), 0); }

TEST(MemoryBound, WouldBeBrokenByTheStateWithoutIt) { EXPECT_NE(run_totals(0), 0); }

// 300 MB of texts in lists, which grow while the tables stay as they are, and within a second, before the first checkpoint is due.
constexpr std::uint64_t kLists = 3000;
constexpr std::uint64_t kTexts = 100;   // of a list, each of 1000 bytes

struct Texts {
  struct State {
    ListState<std::string> texts{"texts"};
  };
  void operator()(const std::uint64_t& record, State& state, ProcessContext<std::uint64_t>&, Collector<std::uint64_t>& out) {
    state.texts.append(std::string(1000, static_cast<char>('a' + record % 26)));
    if (state.texts.size() == kTexts) out(record);
  }
};

int run_lists(const std::string& directory, std::size_t memory) {
  std::uint64_t outputs = 0;
  Graph graph;
  graph.from("records", generator_source<std::uint64_t>("records", kLists * kTexts, [](std::uint64_t i) { return i; }))
      .key_by([](const std::uint64_t& i) { return i / kTexts; })
      .process<std::uint64_t>("lists", Texts{})
      .to("out", callback_sink<std::uint64_t>([&](const Batch<std::uint64_t>& batch) { outputs += batch.size(); }));
  if (const int failed = run_to_its_end(std::move(graph), directory, memory); failed != 0) return failed;
  return outputs == kLists ? 0 : 4;
}

TEST(MemoryBound, HoldsWhereWhatTheStateOwnsGrowsAndItsTablesDoNot) {
  const auto limited = [](std::size_t memory) {
    return run_limited(kMemory + kMemory / 10 + kConstant,
                       [memory](const std::string& directory) { return run_lists(directory + "/state", memory); });
  };
  EXPECT_EQ(limited(kMemory), 0);
  EXPECT_NE(limited(0), 0);
}

// 300 MB of large records: they wait for the watermark, or make the accumulators of windows, until the input ends.
constexpr std::uint64_t kDocuments = 3000;

struct Document {
  std::uint64_t number = 0;
  std::string text{};
};
struct PassNumber {
  void operator()(const Document& document, ProcessContext<std::uint64_t>&, Collector<std::uint64_t>& out) {
    if (document.text.size() == 100'000) out(document.number);
  }
};

enum class Use : std::uint8_t { kWait, kTumble, kSlide };

int run_documents(Use use, const std::string& directory, std::size_t memory) {
  std::uint64_t outputs = 0;
  const auto count_into = callback_sink<std::uint64_t>([&](const Batch<std::uint64_t>& batch) { outputs += batch.size(); });
  Graph graph;
  auto documents =
      graph
          .from("documents", generator_source<Document>("documents", kDocuments,
                                                        [](std::uint64_t i) {
                                                          return Document{i, std::string(100'000, static_cast<char>('a' + i % 26))};
                                                        }))
          .with_event_time([](const Document& document) { return event_time(static_cast<std::int64_t>(document.number)); },
                           {.out_of_orderness = std::chrono::seconds{1}})
          .key_by(&Document::number);
  const auto collect_by = [&](auto windows) {
    documents.window(windows)
        .aggregate("texts", aggregate<std::string>([](std::string& all, const Document& document) { all += document.text; },
                                                   [](std::string& all, const std::string& more) { all += more; },
                                                   [](const std::string& all) { return all.size(); }))
        .map([](const auto& result) -> std::uint64_t { return result.value; })
        .to("out", count_into);
  };
  const Duration size = std::chrono::seconds{1};
  if (use == Use::kWait) documents.process<std::uint64_t>("waiting", PassNumber{}, event_time_order()).to("out", count_into);
  if (use == Use::kTumble) collect_by(tumbling(size));
  if (use == Use::kSlide) collect_by(sliding(size, size / 2));
  if (const int failed = run_to_its_end(std::move(graph), directory, memory); failed != 0) return failed;
  return outputs == kDocuments * (use == Use::kSlide ? 2 : 1) ? 0 : 4;
}

TEST(MemoryBound, HoldsWhereRecordsAndAccumulatorsAreLarge) {
  for (const Use use : {Use::kWait, Use::kTumble, Use::kSlide}) {
    SCOPED_TRACE(static_cast<int>(use));
    const auto limited = [use](std::size_t memory) {
      return run_limited(kMemory + kMemory / 10 + kConstant,
                         [=](const std::string& directory) { return run_documents(use, directory + "/state", memory); });
    };
    EXPECT_EQ(limited(kMemory), 0);
    EXPECT_NE(limited(0), 0);
  }
}

// One record among small ones has a hundred megabytes. It crosses an exchange, becomes its key's state, is part of checkpoints, is read
// back after a restore, and is a line of a result file.
constexpr std::size_t kGiant = 100'000'000;
constexpr std::uint64_t kNotes = 4000;

struct Note {
  std::uint64_t key = 0;
  std::string text{};
};
struct KeepLongest {
  void operator()(const Note& note, std::string& longest, ProcessContext<std::uint64_t>&, Collector<std::string>& out) {
    if (note.text.size() > longest.size()) longest = note.text;
    // The last note is of the giant's key: it is told whether the state is whole.
    out(note.text == "last" ? std::to_string(longest.size()) : note.text);
  }
};

Result<JobResult> run_notes(const std::string& directory, bool stop_behind_the_giant) {
  Graph graph;
  graph
      .from("notes", paced(generator_source<Note>("notes", kNotes,
                                                  [](std::uint64_t i) {
                                                    if (i == kNotes / 4) return Note{0, std::string(kGiant, 'x')};
                                                    return i + 1 == kNotes ? Note{0, "last"} : Note{1 + i % 100, "small"};
                                                  }),
                           Pace::records_per_second(stop_behind_the_giant ? 500 : 0)))
      .key_by(&Note::key)
      .process<std::string>("longest", KeepLongest{})
      .to("out", lines_sink(directory + "/results"));
  RuntimeOptions options;
  options.state_directory = directory + "/state";
  options.parallelism = 2;
  options.checkpoint_every = std::chrono::milliseconds{100};
  TIDEMARK_ASSIGN(auto runtime, Runtime::start(std::move(graph), options));
  while (stop_behind_the_giant && runtime->snapshot().records_out <= kNotes / 2) {
    if (runtime->wait_for(std::chrono::milliseconds{5})) break;
  }
  if (stop_behind_the_giant) runtime->request_cancel();
  return runtime->wait();
}

// 0: what was committed is what it should be.
int run_giant(const std::string& directory) {
  for (const bool crash : {true, false}) {
    const Result<JobResult> result = run_notes(directory, crash);
    if (!result.ok()) return std::fprintf(stderr, "%s\n", result.error().describe().c_str()), 2;
    if (result->error) return std::fprintf(stderr, "%s\n", result->error->describe().c_str()), 3;
    if (result->state != (crash ? JobState::kCancelled : JobState::kFinished)) return 4;
  }
  std::size_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory + "/results")) {
    if (file.path().extension() == ".txt") bytes += file.file_size();
  }
  return bytes == kGiant + 1 + std::to_string(kGiant).size() + 1 + (kNotes - 2) * 6 ? 0 : 5;
}

TEST(MemoryBound, F39IsASmallMultipleOfARecordOfAHundredMegabytes) { EXPECT_EQ(run_limited(kConstant + 12 * kGiant, run_giant), 0); }

}  // namespace
}  // namespace tidemark

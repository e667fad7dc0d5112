// Lists without a key, in jobs that are stopped, drained, cut off, changed and opened again at another parallelism (K6, K9, K10, C9).

#include <algorithm>
#include <array>
#include <numeric>
#include <thread>

#include <gmock/gmock.h>

#include <tidemark/checkpoint/checkpoint_store.hpp>
#include <tidemark/memory/generator.hpp>
#include <tidemark/memory/memory_source.hpp>

#include "releases.hpp"

namespace tidemark {

// An item of the user's own codec, whose second release also reads what the first one wrote.
template <int kRelease>
struct Amount {
  std::int64_t cents = 0;
};
template <int kRelease>
struct Codec<Amount<kRelease>> {
  static void encode(const Amount<kRelease>& value, Bytes& out) { append_i64(out, value.cents); }
  [[nodiscard]] static bool decode(ByteView& in, Amount<kRelease>& value) { return take_i64(in, value.cents); }
  static std::string schema() { return "amount-" + std::to_string(kRelease); }
  static bool reads(std::string_view stored) { return kRelease == 2 && stored == "amount-1"; }
};

namespace {

using namespace releases;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The lists of the newest checkpoint, by task.
template <class Item>
std::vector<std::vector<Item>> lists_of(const std::string& state, const std::string& name) {
  const Result<DirectoryFacts> facts = read_state_directory(posix_file_system(), state);
  EXPECT_TRUE(facts.ok()) << facts.error().describe();
  std::map<std::uint32_t, std::vector<Item>> lists;
  for (const TaskEntry& task : facts->checkpoints.back().manifest->tasks) {
    for (const OperatorMeta& meta : task.operators) {
      if (meta.operator_name != name) continue;
      OperatorList<Item> list("items");
      const ByteView saved = meta.state;
      EXPECT_TRUE(list.load({&saved, 1}, 0, 1).ok());
      lists[task.subtask] = list.items();
    }
  }
  std::vector<std::vector<Item>> by_task;
  for (auto& [subtask, list] : lists) by_task.push_back(std::move(list));
  return by_task;
}
using Lists = std::vector<std::vector<std::int64_t>>;

// Says the cents that it has seen before, in the order of the list.
struct Remember {
  void operator()(const Deposit& deposit, std::vector<std::int64_t>& seen, Collector<std::string>& out) const {
    std::string line = std::to_string(deposit.cents) + " after";
    for (const std::int64_t cents : seen) line += " " + std::to_string(cents);
    seen.push_back(deposit.cents);
    out(std::move(line));
  }
};
auto timed_deposits(Graph& graph, const Source<Deposit>& source) {
  return graph.from("deposits", source).with_event_time(&Deposit::time, {.out_of_orderness = 5us});
}
Graph remember(const Source<Deposit>& source, const Sink<std::string>& lines) {
  Graph graph;
  timed_deposits(graph, source).flat_map<std::string, std::int64_t>("seen", Remember{}).to("lines", lines);
  return graph;
}
std::function<void(RuntimeOptions&)> at_parallelism(std::uint32_t parallelism) {
  return [parallelism](RuntimeOptions& options) { options.parallelism = parallelism; };
}

class ListReleases : public Releases {
 protected:
  Lists lists(const std::string& name = "seen") { return lists_of<std::int64_t>(directory / "state", name); }
};

TEST_F(ListReleases, GoOnWithTheirLists) {
  expect_runs(remember, 2);
  EXPECT_EQ(lists(), (Lists{{5, 1}}));
  expect_runs(remember, 3);
  EXPECT_THAT(report.restored, ElementsAre("seen/items", "source deposits"));
  EXPECT_THAT(target.committed(), ElementsAre("5 after", "1 after 5", "2 after 5 1"));
}

// One split, so that what the first task has seen is all that is added. The others have what was dealt to them.
TEST_F(ListReleases, DealTheItemsOutByIndexAtAnotherParallelism) {   // K6
  expect_runs(remember, 5);
  EXPECT_EQ(lists(), (Lists{{5, 1, 2, 4, 8}}));
  expect_runs(remember, 6, at_parallelism(2));
  EXPECT_EQ(lists(), (Lists{{5, 2, 8, 16}, {1, 4}}));
  expect_runs(remember, 7, at_parallelism(3));   // 5 2 8 16 1 4
  EXPECT_EQ(lists(), (Lists{{5, 16, 32}, {2, 1}, {8, 4}}));
  expect_runs(remember, 8);
  EXPECT_EQ(lists(), (Lists{{5, 16, 32, 2, 1, 8, 4, 5}}));
  EXPECT_EQ(target.committed().back(), "5 after 5 16 32 2 1 8 4");
}

TEST_F(ListReleases, KeepTheirListsThroughADrainAtEveryParallelism) {   // C9
  const auto drained = [&](std::size_t records, std::uint32_t parallelism) {
    drain = true;
    expect_runs(remember, records, [&](RuntimeOptions& options) {
      options.parallelism = parallelism;
      options.allow_drained = true;
    });
  };
  drained(3, 1);
  EXPECT_EQ(lists(), (Lists{{5, 1, 2}}));
  drained(4, 2);
  EXPECT_EQ(lists(), (Lists{{5, 2, 4}, {1}}));
  drained(5, 2);
  EXPECT_EQ(lists(), (Lists{{5, 2, 4, 8}, {1}}));
  drained(6, 1);
  EXPECT_EQ(lists(), (Lists{{5, 2, 4, 8, 1, 16}}));
}

TEST_F(ListReleases, KeepTheListInItsTaskWhereOtherStagesComeAndGo) {
  expect_runs(remember, 4);
  expect_runs(remember, 4, at_parallelism(2));
  MemorySink<std::string> since;
  const auto with_a_second = [&](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    auto deposits = timed_deposits(graph, source).filter([](const Deposit&) { return true; });
    deposits.flat_map<std::string, std::int64_t>("seen", Remember{}).to("lines", lines);
    deposits.flat_map<std::string, std::int64_t>("seen_since", Remember{}).to("since", since.sink());
    return graph;
  };
  expect_runs(with_a_second, 5, at_parallelism(2));
  EXPECT_THAT(report.added, ElementsAre("seen_since/items", "sink since"));
  EXPECT_EQ(lists(), (Lists{{5, 2, 8}, {1, 4}}));
  EXPECT_EQ(lists("seen_since"), (Lists{{8}, {}}));
}

TEST_F(ListReleases, FindAListUnderItsFormerName) {   // K10
  expect_runs(remember, 3);
  const Build renamed = [](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    timed_deposits(graph, source).flat_map<std::string, std::int64_t>("known", Remember{}).formerly("seen").to("lines", lines);
    return graph;
  };
  expect_runs(renamed, 4);
  EXPECT_THAT(report.restored, ElementsAre("known/items (formerly seen)", "source deposits"));
  EXPECT_EQ(target.committed().back(), "4 after 5 1 2");
  expect_runs(renamed, 5, at_parallelism(2));
  EXPECT_EQ(lists("known"), (Lists{{5, 2, 8}, {1, 4}}));
}

// A release whose items are texts.
Graph remember_texts(const Source<Deposit>& source, const Sink<std::string>& lines) {
  Graph graph;
  const auto keep = [](const Deposit& deposit, std::vector<std::string>& seen, Collector<std::string>& out) {
    seen.push_back(std::to_string(deposit.cents));
    out(seen.front());
  };
  timed_deposits(graph, source).flat_map<std::string, std::string>("seen", keep).to("lines", lines);
  return graph;
}

TEST_F(ListReleases, AreRefusedWithAListOfAnotherTypeUntilItIsGivenUp) {   // K9
  expect_runs(remember, 3);
  const Error error = refused(remember_texts);
  EXPECT_EQ(error.describe(),
            "error[TM0203]: state seen/items has another schema\n"
            "  checkpoint : operator_list of i64\n"
            "  job        : operator_list of string\n"
            "  why  : a list without a key is a part of the manifest, and migrations are for rows\n"
            "  fix  : change the type back, or give the list up with --drop-state seen\n"
            "  help : tidemark explain TM0203");
  expect_runs(remember_texts, 4, [](RuntimeOptions& options) { options.drop_state = {"seen"}; });
  EXPECT_THAT(report.added, ElementsAre("seen/items"));
  EXPECT_THAT(report.dropped, ElementsAre("seen/items"));
  EXPECT_EQ(target.committed().back(), "4");
}

template <int kRelease>
Graph remember_amounts(const Source<Deposit>& source, const Sink<std::string>& lines) {
  Graph graph;
  const auto keep = [](const Deposit& deposit, std::vector<Amount<kRelease>>& seen, Collector<std::string>& out) {
    seen.push_back({deposit.cents});
    out(std::to_string(seen.front().cents));
  };
  timed_deposits(graph, source).flat_map<std::string, Amount<kRelease>>("seen", keep).to("lines", lines);
  return graph;
}

TEST_F(ListReleases, GoOnWithAListOfAnotherSchemaThatTheCodecReads) {   // K9
  expect_runs(&remember_amounts<1>, 3);
  expect_runs(&remember_amounts<2>, 4);
  EXPECT_THAT(report.restored, ElementsAre("seen/items", "source deposits"));
  EXPECT_EQ(target.committed().back(), "5");
  EXPECT_THAT(refused(&remember_amounts<1>).describe(), HasSubstr("operator_list of amount-2"));
}

TEST_F(ListReleases, StartAListAnewThatIsGivenUpThoughItsTypeIsTheSame) {   // K10
  expect_runs(remember, 3);
  for (const char* name : {"seen", "seen/items"}) {
    expect_runs(remember, read + 1, [&](RuntimeOptions& options) { options.drop_state = {name}; });
    EXPECT_THAT(report.dropped, ElementsAre("seen/items"));
    EXPECT_THAT(target.committed().back(), ::testing::EndsWith("after")) << name;
  }
  expect_runs(remember, read + 1, [](RuntimeOptions& options) { options.drop_state = {"seen"}, options.parallelism = 2; });
  EXPECT_EQ(lists(), (Lists{{16}, {}}));
}

TEST_F(ListReleases, AreRefusedWithoutTheStageOfAList) {   // K10
  expect_runs(remember, 3);
  const auto without = [](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    timed_deposits(graph, source).map([](const Deposit& deposit) { return std::to_string(deposit.cents); }).to("lines", lines);
    return graph;
  };
  EXPECT_THAT(refused(without).describe(), AllOf(HasSubstr("orphaned : seen/items"), HasSubstr("--drop-state seen")));
  expect_runs(without, 4, [](RuntimeOptions& options) { options.drop_state = {"seen"}; });
  EXPECT_THAT(report.dropped, ElementsAre("seen/items"));
}

// What a stage of one kind saves means nothing to one of another, whatever becomes of their states.
TEST_F(ListReleases, AreRefusedIfAKeyedStageTakesTheNameOfAList) {
  expect_runs(remember, 3);
  const auto keyed = [](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    keyed_deposits(graph, source)
        .process<std::string>("seen", [](const Deposit&, TotalV1&, ProcessContext<std::int64_t>&, Collector<std::string>&) {})
        .to("lines", lines);
    return graph;
  };
  for (const bool drop : {false, true}) {
    const Error error = refused(keyed, [&](RuntimeOptions& options) {
      if (drop) options.drop_state = {"seen"};
    });
    EXPECT_THAT(error.describe(), AllOf(HasSubstr("operator seen is of another kind"), HasSubstr("list"), HasSubstr("keyed"),
                                        HasSubstr("give it a new name")));
  }
}

// Holds records back and lets the oldest go.
struct Delay {
  void operator()(const std::uint64_t& record, std::vector<std::uint64_t>& held, Collector<std::uint64_t>& out) const {
    held.push_back(record);
    if (held.size() <= 100) return;
    out(std::uint64_t{held.front()});
    held.erase(held.begin());
  }
};

TEST(OperatorList, LosesNoItemAndDoublesNoneAcrossCrashesAndParallelisms) {
  const std::uint64_t records = 200'000;
  test_support::TemporaryDirectory directory;
  MemorySink<std::uint64_t> sink;
  JobState state = JobState::kRunning;
  std::size_t cut_off = 0;
  for (std::uint32_t start = 0; state != JobState::kFinished; ++start) {
    ASSERT_LT(start, 100U);
    const bool is_cut_off = start < 10;
    const auto record_at = [=](std::uint64_t i) {
      if (is_cut_off && i > records / 2 && i % 4 == 0) std::this_thread::sleep_for(100us);   // not read before it is cut off
      return i;
    };
    Graph graph;
    graph.from("records", generator_source<std::uint64_t>("records", records, record_at, {.splits = 4}))
        .flat_map<std::uint64_t, std::uint64_t>("delayed", Delay{})
        .to("out", sink.sink());
    RuntimeOptions options;
    options.state_directory = directory / "state";
    options.parallelism = std::array{1U, 2U, 3U, 1U}[start % 4];
    options.queue_bytes = 8 << 10;
    options.checkpoint_every = 5ms;
    options.logger = Logger::silent();
    auto runtime = Runtime::start(std::move(graph), options);
    ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
    if (is_cut_off) {
      while ((*runtime)->snapshot().checkpoints < start % 3 && !(*runtime)->wait_for(0ms)) std::this_thread::sleep_for(1ms);
      (*runtime)->request_cancel();
    }
    const JobResult result = (*runtime)->wait();
    ASSERT_NE(result.state, JobState::kFailed) << result.error->describe();
    state = result.state;
    cut_off += state == JobState::kCancelled ? 1 : 0;
  }
  EXPECT_GE(cut_off, 2U);
  std::vector<std::uint64_t> found = sink.committed();
  const std::size_t out = found.size();
  for (const auto& list : lists_of<std::uint64_t>(directory / "state", "delayed")) found.insert(found.end(), list.begin(), list.end());
  EXPECT_GT(found.size(), out) << "some are held back at the end";
  std::sort(found.begin(), found.end());
  std::vector<std::uint64_t> all(records);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(found, all);
}

TEST(OperatorList, FailsTheJobAtTheCheckpointForWhichItIsTooLong) {
  test_support::TemporaryDirectory directory;
  MemorySink<std::string> sink;
  Graph graph;
  graph.from("texts", memory_source<std::string>({{std::string(kMaxOperatorListBytes, 'x')}}))
      .flat_map<std::string, std::string>("kept", [](const std::string& text, std::vector<std::string>& kept,
                                                     Collector<std::string>&) { kept.push_back(text); })
      .to("out", sink.sink());
  EXPECT_THAT(plan(graph, 2, PlanFormat::kText),
              HasSubstr("kept  [stateful] flat_map with a list for each task: what it emits may depend on the parallelism (D1)"));
  RuntimeOptions options;
  options.state_directory = directory / "state";
  options.logger = Logger::silent();
  auto runtime = Runtime::start(std::move(graph), options);
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  const JobResult result = (*runtime)->wait();
  ASSERT_EQ(result.state, JobState::kFailed);
  EXPECT_EQ(result.error->code, ErrorCode::kUserFunction);
  EXPECT_THAT(result.error->message, HasSubstr("the list of operator \"kept\" is too long for a checkpoint"));
}

}  // namespace
}  // namespace tidemark

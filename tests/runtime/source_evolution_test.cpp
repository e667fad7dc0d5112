// Releases whose sources are others than those of the checkpoint, or whose checkpoint does not say how far the inputs of their tasks had
// come (K5, K10).

#include <array>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include <tidemark/memory/memory_source.hpp>

#include "releases.hpp"

namespace tidemark {
namespace {

using namespace releases;
using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

using BuildOfTwo = std::function<Graph(Source<Deposit>, Source<Deposit>, Sink<std::string>)>;

// Windows over both sources, and what was late for them. `more`: with one more stage.
BuildOfTwo united(bool more = false) {
  return [=](Source<Deposit> first, Source<Deposit> second, Sink<std::string> lines) {
    Graph graph;
    auto others = with_times(graph, second, "others");
    auto both = with_times(graph, first, "deposits").union_with(others);
    write_windows_and_late(both.key_by(&Deposit::account), "totals", lines, more);
    return graph;
  };
}

TEST_F(Releases, MayReplaceASourceAndKeepTheStateBehindIt) {   // K10
  input = {{1, 1, 100}, {1, 2, 210}};
  for (int i = 0; i < 1000; ++i) input.push_back({1, 4, 150});   // behind the last of them a watermark is due
  for (const Deposit& deposit : {Deposit{1, 5, 160}, Deposit{1, 8, 300}, Deposit{1, 16, 400}}) input.push_back(deposit);
  watermark = event_time(204);
  expect_runs(windows_and_late("deposits", "totals"), 2);
  EXPECT_THAT(target.committed(), ElementsAre("1"));
  expect_runs(windows_and_late("payments", "totals"), input.size(), [](RuntimeOptions& options) { options.drop_state = {"deposits"}; });
  EXPECT_THAT(report.restored, ElementsAre("totals/windows"));
  // The window of 150 and 160 has fired, and the watermarks of the new source, which begin below it, cannot turn the clock back.
  std::vector<std::string> committed = target.committed();
  EXPECT_EQ(std::erase(committed, "late 4"), 1000U);
  EXPECT_THAT(committed, ElementsAre("1", "late 5", "2", "8", "16"));
}

TEST_F(Releases, MayUniteAnotherSourceWithOneThatHasComeFar) {   // K7, K10
  input = {{1, 1, 100}, {1, 2, 210}, {1, 8, 300}};
  watermark = event_time(204);
  expect_runs(windows_and_late("deposits", "totals"), 2);
  std::vector<Deposit> older(1000, {1, 4, 150});   // behind the last of them a watermark is due
  older.push_back({1, 5, 160});
  expect_runs(
      [&](Source<Deposit> source, Sink<std::string> lines) {
        return united()(std::move(source), memory_source(older), std::move(lines));
      },
      3);
  std::vector<std::string> committed = target.committed();
  EXPECT_EQ(std::erase(committed, "late 4"), 1000U);   // their window has fired
  EXPECT_THAT(committed, UnorderedElementsAre("1", "late 5", "2", "8"));
}

// What a source remembers is saved under the numbers of its splits, of which those of the source before it stay taken.
class ReplacedSource : public Releases {
 protected:
  void expect_goes_on(std::uint32_t parallelism) {
    input = {{1, 1, 100}, {1, 2, 210}, {1, 4, 420}, {1, 8, 640}, {1, 16, 560}, {1, 32, 740}};
    watermark = event_time(204);
    expect_runs(windows_and_late("deposits", "totals"), 2);
    watermark = event_time(634);
    expect_runs(windows_and_late("payments", "totals"), 4, [](RuntimeOptions& options) { options.drop_state = {"deposits"}; });
    expect_runs(windows_and_late("payments", "totals"), 6, [&](RuntimeOptions& options) { options.parallelism = parallelism; });
    EXPECT_THAT(report.restored, ElementsAre("totals/windows", "source payments"));
    EXPECT_THAT(target.committed(), UnorderedElementsAre("1", "2", "4", "late 16", "8", "32"));   // 560 is behind 640, which came before
  }
};

TEST_F(ReplacedSource, GoesOnAfterACheckpointOfItsOwn) { expect_goes_on(1); }   // K10
TEST_F(ReplacedSource, GoesOnAfterACheckpointOfItsOwnAtAnotherParallelism) { expect_goes_on(3); }   // K10, K5

// Two splits that a test feeds one by one. Or none, as a directory has that is empty.
class TwoSplits final : public SourceBase {
 public:
  explicit TwoSplits(bool has_splits) : has_splits_(has_splits) {}
  std::string describe() const override { return "two splits"; }
  bool bounded() const override { return false; }
  bool replayable() const override { return false; }
  Result<std::vector<std::string>> splits(const IoContext&) override { return memory_internal::numbered_splits(has_splits_ ? 2 : 0); }
  Result<std::unique_ptr<SplitReaderBase>> open_split(const IoContext&, const std::string& split, const Bytes& position) override {
    TIDEMARK_ASSIGN(const std::uint64_t number, memory_internal::split_number(split, 2));
    TIDEMARK_ASSIGN(const std::uint64_t next, memory_internal::decode_position(split, position, number, 1, UINT64_MAX));
    queues_[number]->attach(next);
    return std::unique_ptr<SplitReaderBase>(std::make_unique<memory_internal::PushReader<Deposit>>(queues_[number]));
  }
  // Of accounts enough that each of two tasks has some.
  void push(std::size_t split, std::int64_t at) {
    for (std::int64_t account = 1; account <= kAccounts; ++account) queues_[split]->push({account, 1, at}, true);
  }
  void close(std::size_t split) { queues_[split]->close(); }
  void close() {
    for (auto& queue : queues_) queue->close();
  }
  static constexpr std::int64_t kAccounts = 8;

 private:
  static std::shared_ptr<memory_internal::PushQueue<Deposit>> queue() {
    return std::make_shared<memory_internal::PushQueue<Deposit>>(100);
  }
  const bool has_splits_;
  std::array<std::shared_ptr<memory_internal::PushQueue<Deposit>>, 2> queues_{queue(), queue()};
};

// Runs of a job, at parallelism 2 unless a test says otherwise, that hears from one split of each source sooner than from the other.
class UnevenSplits : public ::testing::Test {
 protected:
  UnevenSplits() {
    options_.state_directory = directory_ / "state";
    options_.checkpoint_every = 0ms;
    options_.parallelism = 2;
    options_.logger = Logger::silent();
  }
  // Both splits of both sources come to 100, and the job is stopped.
  void run_to_100(const BuildOfTwo& build) {
    start(build);
    for (const std::size_t split : {0, 1}) push_both(split, 100);
    EXPECT_TRUE(comes_to(94));
    runtime_->request_stop({});
    expect_ended();
  }
  // One split of the first source ends at 100, the other comes to 200, and the job is stopped.
  void run_until_one_has_ended(const BuildOfTwo& build) {
    start(build);
    first_->push(0, 100);
    first_->close(0);
    first_->push(1, 200);
    EXPECT_TRUE(comes_to(194));
    runtime_->request_stop({});
    expect_ended();
  }
  // One split of each comes to 1000 long before the other comes to 150.
  void run_unevenly(const BuildOfTwo& build) {
    start(build);
    push_both(0, 1000);
    await_records(sources_ * TwoSplits::kAccounts);
    push_both(1, 150);
    await_records(2 * sources_ * TwoSplits::kAccounts);
    end();
  }
  // Both splits of the first source come to `at`; whether the watermark of all stages follows, and makes them write so many results.
  bool run_to_the_end(const BuildOfTwo& build, std::int64_t at, std::uint64_t results = 0) {
    start(build);
    for (const std::size_t split : {0, 1}) first_->push(split, at);
    const bool came = comes_to(at - 6, results);
    end();
    return came;
  }
  std::vector<std::string> committed() const { return target_.committed(); }
  void expect_nothing_late() const {
    EXPECT_THAT(committed(), Not(IsEmpty()));
    EXPECT_THAT(committed(), Not(Contains(HasSubstr("late"))));
  }
  test_support::TemporaryDirectory directory_;
  RuntimeOptions options_;
  std::int64_t sources_ = 2;   // of the job
  bool second_has_splits_ = true;
  StartReport report_;

 private:
  void start(const BuildOfTwo& build) {
    first_ = std::make_shared<TwoSplits>(true);
    second_ = std::make_shared<TwoSplits>(second_has_splits_);
    auto started = Runtime::start(build(Source<Deposit>(first_), Source<Deposit>(second_), target_.sink()), options_);
    ASSERT_TRUE(started.ok()) << started.status().error().describe();
    runtime_ = *std::move(started);
    report_ = runtime_->start_report();
  }
  void push_both(std::size_t split, std::int64_t at) {
    first_->push(split, at);
    second_->push(split, at);
  }
  bool comes_to(std::int64_t watermark, std::uint64_t results = 0) const {
    const auto there = [&](const JobSnapshot& now) { return now.watermark >= event_time(watermark) && now.records_out >= results; };
    const auto give_up = std::chrono::steady_clock::now() + 20s;
    while (!there(runtime_->snapshot()) && std::chrono::steady_clock::now() < give_up) std::this_thread::sleep_for(1ms);
    return there(runtime_->snapshot());
  }
  // And until watermarks have come wherever they can.
  void await_records(std::int64_t records) {
    while (runtime_->snapshot().records_in < static_cast<std::uint64_t>(records) && !runtime_->wait_for(0ms)) {
      std::this_thread::sleep_for(1ms);
    }
    std::this_thread::sleep_for(100ms);
  }
  void end() {
    first_->close();
    second_->close();
    expect_ended();
  }
  void expect_ended() {
    const JobResult result = runtime_->wait();
    runtime_.reset();
    ASSERT_FALSE(result.error) << result.error->describe();
  }

  MemorySink<std::string> target_;
  std::shared_ptr<TwoSplits> first_;
  std::shared_ptr<TwoSplits> second_;
  std::unique_ptr<Runtime> runtime_;
};

TEST_F(UnevenSplits, MakeNothingLateAfterARestart) {   // L3
  run_to_100(united());
  run_unevenly(united());
  expect_nothing_late();
}

// Then what the union had passed on is not known.
TEST_F(UnevenSplits, MakeNothingLateBehindAUnionOfAJobWithAnotherStage) {   // L3, K10
  run_to_100(united());
  run_unevenly(united(true));
  expect_nothing_late();
}

BuildOfTwo only(const char* source_name) {
  return [=](Source<Deposit> first, const Source<Deposit>&, Sink<std::string> lines) {
    return windows_and_late(source_name, "totals")(std::move(first), std::move(lines));
  };
}

TEST_F(UnevenSplits, MakeNothingLateAfterASourceWasReplaced) {   // L3, K5, K10
  sources_ = 1;
  run_to_100(only("deposits"));
  options_.drop_state = {"deposits"};
  run_unevenly(only("payments"));
  expect_nothing_late();
}

TEST_F(UnevenSplits, MakeNothingLateAfterASourceWasReplacedWhereOneTaskHasBoth) {   // L3, K10
  options_.parallelism = 1;
  sources_ = 1;
  run_to_100(only("deposits"));
  options_.drop_state = {"deposits"};
  run_unevenly(only("payments"));
  expect_nothing_late();
}

TEST_F(UnevenSplits, AreReadOnBesideASourceThatHadNoSplitWhenTheJobBegan) {   // its splits are those of the first start
  second_has_splits_ = false;
  run_to_100(united());
  second_has_splits_ = true;
  EXPECT_TRUE(run_to_the_end(united(), 1000));
  EXPECT_THAT(report_.restored, ElementsAre("totals/windows", "source deposits", "source others"));
  EXPECT_THAT(report_.added, IsEmpty());
}

// Windows of 100 us over the first source, and over a short one beside it.
BuildOfTwo beside_a_short_one(const char* short_name) {
  return [=](Source<Deposit> first, const Source<Deposit>&, Sink<std::string> lines) {
    Graph graph;
    auto totals = keyed_deposits(graph, memory_source(std::vector<Deposit>(1500, {1, 1, 100})), short_name).window(tumbling(100us));
    auto others = keyed_deposits(graph, first).window(tumbling(100us)).aggregate("others", sum(&Deposit::cents)).map(&sum_of);
    totals.aggregate("totals", sum(&Deposit::cents)).map(&sum_of).union_with(others).to("lines", lines);
    return graph;
  };
}

TEST_F(UnevenSplits, AreReadOnBesideASourceThatReplacesOneThatHadEnded) {   // K10: its operator has had +infinity
  options_.parallelism = 1;
  run_to_100(beside_a_short_one("history"));
  options_.drop_state = {"history"};
  EXPECT_TRUE(run_to_the_end(beside_a_short_one("older_history"), 1000));
  EXPECT_THAT(committed(), Contains("1500").Times(1));   // what the second one has is late
}

// Windows behind two unions without names, one of the first source and a short one, and one of two short ones.
BuildOfTwo two_unions(bool swapped) {
  return [=](Source<Deposit> first, const Source<Deposit>&, Sink<std::string> lines) {
    Graph graph;
    const auto short_one = [&](const char* name) { return with_times(graph, memory_source<Deposit>({{1, 1, 100}}), name); };
    const auto windows = [](auto& stream, const char* name) {
      return stream.key_by(&Deposit::account).window(tumbling(100us)).aggregate(name, sum(&Deposit::cents)).map(&sum_of);
    };
    auto live = with_times(graph, first, "live");
    auto a = short_one("a"), b = short_one("b"), c = short_one("c");
    auto one = swapped ? b.union_with(c) : live.union_with(a);
    auto two = swapped ? live.union_with(a) : b.union_with(c);
    auto of_two = windows(two, swapped ? "going_on" : "ended");
    windows(one, swapped ? "ended" : "going_on").union_with(of_two).to("lines", lines);
    return graph;
  };
}

TEST_F(UnevenSplits, DoNotTakeTheClockOfAnotherUnionForTheirOwn) {   // K10
  options_.parallelism = 1;
  run_to_100(two_unions(false));
  EXPECT_TRUE(run_to_the_end(two_unions(true), 1000, TwoSplits::kAccounts));
}

// Windows by two times of each record, of which one is far ahead.
Graph by_two_times(Source<Deposit> first, const Source<Deposit>&, Sink<std::string> lines) {
  Graph graph;
  const EventTimeOptions options{.out_of_orderness = 5us};
  auto deposits = graph.from("deposits", first);
  const auto ahead = [](const Deposit& deposit) { return event_time(deposit.at + 1'000'000); };
  auto later = deposits.with_event_time(ahead, options).key_by(&Deposit::account).window(tumbling(100us));
  auto sooner = deposits.with_event_time(&Deposit::time, options).key_by(&Deposit::account).window(tumbling(100us));
  auto results = later.aggregate("later", sum(&Deposit::cents)).map(&sum_of);
  sooner.aggregate("sooner", sum(&Deposit::cents)).map(&sum_of).union_with(results).to("lines", lines);
  return graph;
}

TEST_F(UnevenSplits, KeepTheTwoClocksOfASourceApartAtAnotherParallelism) {   // K5
  run_to_100(&by_two_times);
  options_.parallelism = 1;
  EXPECT_TRUE(run_to_the_end(&by_two_times, 1000, 2 * TwoSplits::kAccounts));   // a window of each account by either time
}

// Windows by the same time, once or twice.
BuildOfTwo by_time(bool twice) {
  return [=](Source<Deposit> first, const Source<Deposit>&, Sink<std::string> lines) {
    Graph graph;
    auto deposits = graph.from("deposits", first);
    const auto results = [&](const char* name) {
      auto windows = deposits.with_event_time(&Deposit::time, {.out_of_orderness = 5us}).key_by(&Deposit::account).window(tumbling(100us));
      return windows.aggregate(name, sum(&Deposit::cents)).map(&sum_of);
    };
    auto once = results("once");
    if (twice) {
      auto again = results("again");
      once.union_with(again).to("lines", lines);
    } else {
      once.to("lines", lines);
    }
    return graph;
  };
}

TEST_F(UnevenSplits, DoNotHoldUpANewClockOfTheSourceOnceOneHasEnded) {   // W13, K10
  options_.parallelism = 1;
  run_until_one_has_ended(by_time(false));
  EXPECT_TRUE(run_to_the_end(by_time(true), 1000));
}

TEST_F(UnevenSplits, AreReadOnWhileASourceBeginsAnewThatIsGivenUpAndStillThere) {   // K10
  const BuildOfTwo build = [](Source<Deposit> first, const Source<Deposit>&, Sink<std::string> lines) {
    return united()(std::move(first), memory_source<Deposit>({{1, 50, 100}}), std::move(lines));
  };
  run_to_100(build);
  options_.drop_state = {"others"};
  EXPECT_TRUE(run_to_the_end(build, 1000));
  EXPECT_THAT(committed(), Contains("102"));   // account 1: one of each split, and 50 twice
  expect_nothing_late();
}

}  // namespace
}  // namespace tidemark

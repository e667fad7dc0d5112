// Windows over the releases of a job: accumulators that changed their type, windows that changed (K9, K11).

#include <gmock/gmock.h>

#include "releases.hpp"

namespace tidemark {
namespace {

using namespace releases;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class Total>
auto windowed_totals(Graph& graph, const Source<Deposit>& source, Duration size) {
  return keyed_deposits(graph, source)
      .window(tumbling(size))
      .aggregate("totals", aggregate<Total>([](Total& total, const Deposit& deposit) { total.add(deposit); },
                                            [](Total& into, const Total&) { into = {}; },   // tumbling windows never merge
                                            [](const Total& total) { return total.text(); }));
}
std::string line_of(const WindowResult<std::int64_t, std::string>& result) { return std::to_string(result.key) + ": " + result.value; }

Build windows(Duration size) {
  return [size](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    windowed_totals<TotalV1>(graph, source, size).map(&line_of).to("lines", lines);
    return graph;
  };
}

TEST_F(Releases, MigrateTheAccumulatorsOfTumblingWindows) {
  expect_runs(windows(40us), 4);
  expect_runs(
      [](Source<Deposit> source, Sink<std::string> lines) {
        Graph graph;
        windowed_totals<TotalV2>(graph, source, 40us).migrate(&counted).map(&line_of).to("lines", lines);
        return graph;
      },
      8);
  EXPECT_THAT(report.restored, Contains("totals/windows (migrated)"));
  EXPECT_THAT(target.committed(), ::testing::UnorderedElementsAre("2: 5 in 100", "1: 15 in 101", "1: 48 in 2", "2: 5 in 1"));
}

// What two releases accumulate in a window. The second one keeps twice the cents as well, so that a value that was not migrated, or was so
// twice, would be seen.
struct Plain {
  std::int64_t cents = 0;
  void add(const Deposit& deposit) { cents += deposit.cents; }
  void merge(const Plain& other) { cents += other.cents; }
  std::string text() const { return std::to_string(cents) + ", " + std::to_string(2 * cents); }
};
struct Twice {
  std::int64_t cents = 0;
  std::string twice = "0";
  void add(const Deposit& deposit) { merge({deposit.cents, std::to_string(2 * deposit.cents)}); }
  void merge(const Twice& other) { cents += other.cents, twice = std::to_string(std::stoll(twice) + std::stoll(other.twice)); }
  std::string text() const { return std::to_string(cents) + ", " + twice; }
};
Twice doubled(const Plain& old) { return {old.cents, std::to_string(2 * old.cents)}; }

template <class Total>
auto total() {
  return aggregate<Total>([](Total& into, const Deposit& deposit) { into.add(deposit); },
                          [](Total& into, const Total& from) { into.merge(from); }, [](const Total& from) { return from.text(); });
}

// Totals in windows, of one aggregate or of four, of which two are of the release's type.
template <class Total, class Spec>
Build in_windows(Spec spec, bool several) {
  return [=](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    auto windows = graph.from("deposits", source)
                       .with_event_time(&Deposit::time, {.out_of_orderness = 30us})
                       .key_by(&Deposit::account)
                       .window(spec);
    const auto finish = [&](auto results, auto text) {
      if constexpr (std::is_same_v<Total, Twice>) results.migrate(&doubled);
      results
          .map([text](const auto& result) {
            return std::to_string(result.key) + " until " + to_string(result.window.end) + ": " + text(result.value);
          })
          .to("lines", lines);
    };
    if (several) {
      finish(windows.aggregate("totals", count(), total<Total>(), max(&Deposit::cents), total<Total>()), [](const auto& values) {
        return std::to_string(std::get<0>(values)) + ", " + std::get<1>(values) + ", " + std::to_string(std::get<2>(values)) + ", " +
               std::get<3>(values);
      });
    } else {
      finish(windows.aggregate("totals", total<Total>()), [](const std::string& value) { return value; });
    }
    return graph;
  };
}

TEST_F(Releases, MigrateAccumulatorsInEveryKindOfWindow) {   // K9
  const auto expect_migrates = [this](auto spec, std::vector<Deposit> deposits, std::size_t before,
                                      const std::vector<std::string>& states) {
    input = std::move(deposits);
    for (const bool several : {false, true}) {
      for (const std::uint32_t parallelism : {1, 2}) {
        const auto in = [&, at = (several ? 2 : 0) + parallelism](const char* kind, std::uint32_t tasks) {
          return [=, this](RuntimeOptions& options) {
            options.state_directory = directory / (spec.parameters() + kind + std::to_string(at));
            options.parallelism = tasks;
          };
        };
        target = {};
        read = 0;
        expect_runs(in_windows<Twice>(spec, several), input.size(), in("unbroken", 1));
        std::vector<std::string> unbroken = target.committed();
        target = {};
        read = 0;
        expect_runs(in_windows<Plain>(spec, several), before, in("migrated", 1));
        expect_runs(in_windows<Twice>(spec, several), input.size(), in("migrated", parallelism));
        for (const std::string& state : states) EXPECT_THAT(report.restored, Contains(state + " (migrated)"));
        EXPECT_THAT(target.committed(), ::testing::UnorderedElementsAreArray(unbroken)) << spec.describe() << several << parallelism;
      }
    }
  };
  // The fifth is late for some of its windows, so it is a straggler.
  expect_migrates(sliding(60us, 10us), {{2, 5, 0}, {1, 1, 1}, {1, 2, 12}, {1, 4, 70}, {1, 8, 5}, {1, 16, 8}, {1, 32, 65}, {2, 64, 81}}, 5,
                  {"totals/slices", "totals/stragglers"});
  // Account 1 has three sessions at once.
  expect_migrates(session(5us), {{2, 5, 0}, {1, 1, 1}, {1, 2, 12}, {1, 4, 20}, {1, 8, 23}, {1, 16, 3}, {2, 64, 81}}, 5,
                  {"totals/sessions"});
  expect_migrates(tumbling(40us), {{2, 5, 0}, {1, 1, 1}, {1, 2, 52}, {1, 4, 20}, {1, 8, 53}, {1, 16, 99}}, 4, {"totals/windows"});
}

TEST_F(Releases, AreRefusedWithBothSchemasIfAWindowHasAnotherNumberOfAggregates) {   // K9
  expect_runs(in_windows<Plain>(session(5us), false), 3);
  EXPECT_THAT(refused(in_windows<Twice>(session(5us), true)).describe(),
              AllOf(HasSubstr("struct{i64}}>"),
                    HasSubstr("struct{u64,struct{struct{i64,string},struct{struct{i64},struct{struct{i64,string}}}}}}>")));
}

TEST_F(Releases, AreRefusedWithBothSchemasIfAWindowChanged) {   // K11
  expect_runs(windows(40us), 4);
  const auto slide = [](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    keyed_deposits(graph, source)
        .window(sliding(40us, 10us))
        .aggregate("totals", count())
        .map([](const WindowResult<std::int64_t, std::uint64_t>& result) { return std::to_string(result.key); })
        .to("lines", lines);
    return graph;
  };
  const Error size = refused(windows(50us));
  EXPECT_THAT(size.describe(), AllOf(HasSubstr("tumbling(40us,0s)"), HasSubstr("tumbling(50us,0s)"), HasSubstr("the window changed")));
  const Error kind = refused(slide);
  EXPECT_THAT(kind.describe(), AllOf(HasSubstr("tumbling(40us,0s)"), HasSubstr("sliding(40us,10us,0s)"), HasSubstr("--drop-state totals")));
  expect_runs(slide, 8, [](RuntimeOptions& options) { options.drop_state = {"totals"}; });
  EXPECT_THAT(report.dropped, ElementsAre("totals/windows"));
}

}  // namespace
}  // namespace tidemark

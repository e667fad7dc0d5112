// Releases of one job on one state directory: state that changed its type, stages that changed their names (K9, K10, K11).

#include <algorithm>
#include <stdexcept>

#include <gmock/gmock.h>

#include "releases.hpp"

namespace tidemark {

// A type of the user's own codec, whose second release also reads what the first one wrote.
template <int kRelease>
struct Tally {
  std::int64_t cents = 0;
};
template <int kRelease>
struct Codec<Tally<kRelease>> {
  static void encode(const Tally<kRelease>& value, Bytes& out) { append_i64(out, value.cents); }
  [[nodiscard]] static bool decode(ByteView& in, Tally<kRelease>& value) { return take_little_endian(in, value.cents); }
  static std::string schema() { return "tally-" + std::to_string(kRelease); }
  static bool reads(std::string_view stored) { return kRelease == 2 && stored == "tally-1"; }
};

namespace {

using namespace releases;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Context = ProcessContext<std::int64_t>;

// The third release of what is stored.
struct TotalV3 {
  std::string unit = "EUR";
  TotalV2 total;
  void add(const Deposit& deposit) { total.add(deposit); }
  std::string text() const { return unit + " " + total.text(); }
};
TotalV3 with_unit(const TotalV2& old) { return {"old EUR", old}; }

template <class Total>
void add_up(const Deposit& deposit, Total& total, Context&, Collector<std::string>& out) {
  total.add(deposit);
  out(std::to_string(deposit.account) + ": " + total.text());
}

// A release without migrations.
template <class Total>
Build release() {
  return [](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    keyed_deposits(graph, source).process<std::string>("totals", &add_up<Total>).to("lines", lines);
    return graph;
  };
}
Build release_2_with_migration() {
  return [](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    keyed_deposits(graph, source).process<std::string>("totals", &add_up<TotalV2>).migrate(&counted).to("lines", lines);
    return graph;
  };
}

TEST_F(Releases, ReadWhatAnEarlierOneHasStoredThroughAMigration) {   // K9
  expect_runs(release<TotalV1>(), 3);
  expect_runs(release_2_with_migration(), 5);
  EXPECT_THAT(report.restored, ElementsAre("totals/state (migrated)", "source deposits"));
  EXPECT_THAT(target.committed(), ElementsAre("2: 5", "1: 1", "1: 3", "1: 7 in 101", "1: 15 in 102"));
}

TEST_F(Releases, NeedAMigrationNoMoreOnceACheckpointHasBeenTaken) {   // account 2 was not touched between
  expect_runs(release<TotalV1>(), 3);
  expect_runs(release_2_with_migration(), 5);
  expect_runs(release<TotalV2>(), 8);
  EXPECT_THAT(report.restored, ElementsAre("totals/state", "source deposits"));
  EXPECT_EQ(target.committed().back(), "2: 10 in 101");
}

TEST_F(Releases, MigrateOnceThoughTheMigrationStaysInTheCode) {
  expect_runs(release<TotalV1>(), 3);
  expect_runs(release_2_with_migration(), 5);
  expect_runs(release_2_with_migration(), 8);
  EXPECT_THAT(report.restored, ElementsAre("totals/state", "source deposits"));
  EXPECT_THAT(target.committed(), Contains("1: 63 in 104"));
  EXPECT_EQ(target.committed().back(), "2: 10 in 101");
}

TEST_F(Releases, MigrateAnewIfTheFirstRunAfterwardsWasCutOff) {
  expect_runs(release<TotalV1>(), 3);
  cut_off = true;
  expect_runs(release_2_with_migration(), 5);
  expect_runs(release_2_with_migration(), 5);
  cut_off = false;
  expect_runs(release_2_with_migration(), 8);
  EXPECT_THAT(target.committed(), ElementsAre("2: 5", "1: 1", "1: 3", "1: 7 in 101", "1: 15 in 102", "1: 31 in 103", "1: 63 in 104",
                                             "2: 10 in 101"));
}

TEST_F(Releases, MaySkipOne) {   // a chain of two migrations
  expect_runs(release<TotalV1>(), 3);
  expect_runs(
      [](Source<Deposit> source, Sink<std::string> lines) {
        Graph graph;
        keyed_deposits(graph, source)
            .process<std::string>("totals", &add_up<TotalV3>)
            .migrate(&with_unit)
            .migrate([](const TotalV1& old) { return counted(old); })
            .to("lines", lines);
        return graph;
      },
      5);
  EXPECT_THAT(target.committed(), ElementsAre("2: 5", "1: 1", "1: 3", "1: old EUR 7 in 101", "1: old EUR 15 in 102"));
}

TEST_F(Releases, MigrateAtAnotherParallelism) {   // K5
  for (std::int64_t account = 3; account < 200; ++account) input.insert(input.begin(), {account, account, -1});
  for (std::int64_t account = 3; account < 200; ++account) input.push_back({account, 1000, 100});
  expect_runs(release<TotalV1>(), 203);
  expect_runs(release_2_with_migration(), input.size(), [](RuntimeOptions& options) { options.parallelism = 3; });
  const std::vector<std::string> all = target.committed();
  for (std::int64_t account = 3; account < 200; ++account) {
    EXPECT_THAT(all, Contains(std::to_string(account) + ": " + std::to_string(account + 1000) + " in 101"));
  }
}

TEST_F(Releases, AreRefusedWithBothSchemasIfTheStateChangedAndNoMigrationIsRegistered) {   // K9
  expect_runs(release<TotalV1>(), 3);
  const Error error = refused(release<TotalV2>());
  EXPECT_EQ(error.describe(),
            "error[TM0203]: state totals/state has another schema\n"
            "  checkpoint : value of i64 to struct{i64}\n"
            "  job        : value of i64 to struct{i64,i64}\n"
            "  why  : the stored bytes would be misread\n"
            "  fix  : change the type back, register what becomes of the old values with migrate(), or give the state up with "
            "--drop-state totals\n"
            "  help : tidemark explain TM0203");
  EXPECT_THAT(target.committed(), ElementsAre("2: 5", "1: 1", "1: 3"));
  expect_runs(release<TotalV1>(), 5);   // nothing was harmed
  EXPECT_EQ(target.committed().back(), "1: 15");
}

template <int kTally>
Build tally() {
  return [](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    const auto count = [](const Deposit& deposit, Tally<kTally>& tally, Context&, Collector<std::string>& out) {
      tally.cents += deposit.cents;
      out(std::to_string(deposit.account) + ": " + std::to_string(tally.cents));
    };
    keyed_deposits(graph, source).process<std::string>("tally", count).to("lines", lines);
    return graph;
  };
}

TEST_F(Releases, GoOnFromValuesThatTheirCodecReadsAsTheyAre) {   // K9
  expect_runs(tally<1>(), 3);
  expect_runs(tally<2>(), 5);
  EXPECT_THAT(report.restored, ElementsAre("tally/state", "source deposits"));
  EXPECT_EQ(target.committed().back(), "1: 15");
  EXPECT_THAT(refused(tally<1>()).describe(), AllOf(HasSubstr("tally-1"), HasSubstr("tally-2")));
  expect_runs(tally<2>(), 8);
  EXPECT_EQ(target.committed().back(), "2: 10");   // a row of the first release
}

TEST_F(Releases, AreRefusedIfTheMigrationThrowsAndLeaveTheCheckpointAsItWas) {
  expect_runs(release<TotalV1>(), 3);
  const Error error = refused([](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    keyed_deposits(graph, source)
        .process<std::string>("totals", &add_up<TotalV2>)
        .migrate([](const TotalV1& old) -> TotalV2 { throw std::runtime_error("what is " + old.text() + "?"); })
        .to("lines", lines);
    return graph;
  });
  EXPECT_EQ(error.code, ErrorCode::kUserFunction);
  EXPECT_THAT(error.describe(), AllOf(HasSubstr("totals/state"), HasSubstr("what is ")));
  expect_runs(release_2_with_migration(), 5);
  EXPECT_EQ(target.committed().back(), "1: 15 in 102");
}

TEST_F(Releases, AreRefusedAsAGraphIfAMigrationLeadsToNoStateOfItsOperator) {
  const Error error = refused([](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    keyed_deposits(graph, source).process<std::string>("totals", &add_up<TotalV1>).migrate(&with_unit).to("lines", lines);
    return graph;
  });
  EXPECT_EQ(error.code, ErrorCode::kBadGraph);
  EXPECT_THAT(error.describe(), AllOf(HasSubstr("operator : totals"), HasSubstr("struct{string,struct{i64,i64}}")));
}

// Its release 1 has no cents.
struct Event {
  std::int64_t account = 0;
  std::int64_t at = 0;
  EventTime time() const { return event_time(at); }
};

template <class Total>
struct Kept {
  ValueState<Total> total{"total", {.ttl = 20us}};
};
template <class Total>
void add_up_kept(const Deposit& deposit, Kept<Total>& kept, Context&, Collector<std::string>& out) {
  const Total* old = kept.total.find();
  Total total = old != nullptr ? *old : Total{};
  total.add(deposit);
  out(std::to_string(deposit.account) + ": " + total.text());
  kept.total.set(total);
}

// Account 2 is in the store as the first release wrote it, since what has expired is not migrated.
TEST_F(Releases, DoNotReadWhatHadExpiredBeforeTheMigration) {   // K8, K9
  const Build old = [](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    keyed_deposits(graph, source).process<std::string>("totals", &add_up_kept<TotalV1>).to("lines", lines);
    return graph;
  };
  const Build migrating = [](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    keyed_deposits(graph, source).process<std::string>("totals", &add_up_kept<TotalV2>).migrate(&counted).to("lines", lines);
    return graph;
  };
  expect_runs(old, 2);
  watermark = event_time(39);
  expect_runs(old, 6);
  expect_runs(migrating, 8);
  EXPECT_THAT(target.committed(), Contains("1: 63 in 101"));
  EXPECT_EQ(target.committed().back(), "2: 5 in 1");
}

TEST_F(Releases, MigrateRecordsThatWaitInEventTimeOrder) {
  const auto build = [](auto stream) {
    using Record = typename decltype(stream)::Record;
    return stream.with_event_time(&Record::time, {.out_of_orderness = 20us})
        .key_by(&Record::account)
        .template process<std::string>(
            "totals",
            [](const Record& record, Context&, Collector<std::string>& out) {
              if constexpr (std::is_same_v<Record, Deposit>) {
                out(std::to_string(record.at) + ": " + std::to_string(record.cents));
              } else {
                out(std::to_string(record.at));
              }
            },
            event_time_order());
  };
  expect_runs(
      [&](Source<Deposit> source, Sink<std::string> lines) {
        Graph graph;
        build(graph.from("deposits", source).map([](Deposit&& deposit) { return Event{deposit.account, deposit.at}; })).to("lines", lines);
        return graph;
      },
      4);
  EXPECT_THAT(target.committed(), ElementsAre("0", "1"));   // 12 and 23 wait
  expect_runs(
      [&](Source<Deposit> source, Sink<std::string> lines) {
        Graph graph;
        build(graph.from("deposits", source).map([](Deposit&& deposit) { return deposit; }))
            .migrate([](const Event& old) { return Deposit{old.account, -1, old.at}; })
            .to("lines", lines);
        return graph;
      },
      8);
  EXPECT_THAT(report.restored, Contains("totals/records (migrated)"));
  EXPECT_THAT(target.committed(), ElementsAre("0", "1", "12: -1", "23: -1", "34: 8", "45: 16", "56: 32", "67: 5"));
}

TEST_F(Releases, MayChangeHowLongTheyWaitForLateRecordsFromTheRestoreOn) {   // K11
  const auto build = [](Duration out_of_orderness) -> Build {
    return [out_of_orderness](Source<Deposit> source, Sink<std::string> lines) {
      Graph graph;
      auto totals = graph.from("deposits", source)
                        .with_event_time(&Deposit::time, {.out_of_orderness = out_of_orderness})
                        .key_by(&Deposit::account)
                        .window(tumbling(10us))
                        .aggregate("totals", sum(&Deposit::cents));
      auto late = totals.late().map([](const Late<Deposit>& dropped) { return "late " + std::to_string(dropped.record.cents); });
      totals.map([](const WindowResult<std::int64_t, std::int64_t>& result) { return std::to_string(result.value); })
          .union_with(late)
          .to("lines", lines);
      return graph;
    };
  };
  input = {{1, 1, 0}, {1, 2, 25}, {1, 4, 5}, {1, 8, 45}, {1, 16, 35}, {1, 32, 99}};
  expect_runs(build(0us), 3);
  EXPECT_THAT(target.committed(), Contains("late 4"));   // 5 is behind 24, the watermark of 25
  expect_runs(build(30us), 6);
  EXPECT_THAT(target.committed(), ::testing::Not(Contains("late 16")));
  EXPECT_THAT(target.committed(), Contains("16"));
}

TEST_F(Releases, FindWhatIsStoredUnderFormerNames) {   // K10
  expect_runs(release<TotalV1>(), 3);
  const auto renamed = [](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    graph.from("payments", source)
        .formerly("deposits")
        .with_event_time(&Deposit::time, {.out_of_orderness = 5us})
        .key_by(&Deposit::account)
        .process<std::string>("sums", &add_up<TotalV2>)
        .formerly("totals")
        .formerly("amounts")
        .migrate(&counted)
        .to("lines", lines);
    return graph;
  };
  expect_runs(renamed, 5);
  EXPECT_THAT(report.restored, ElementsAre("sums/state (formerly totals) (migrated)", "source payments (formerly deposits)"));
  expect_runs(renamed, 8, [](RuntimeOptions& options) { options.parallelism = 2; });
  EXPECT_THAT(report.restored, ElementsAre("sums/state", "source payments"));
  EXPECT_THAT(target.committed(), ::testing::UnorderedElementsAre("2: 5", "1: 1", "1: 3", "1: 7 in 101", "1: 15 in 102", "1: 31 in 103",
                                                                 "1: 63 in 104", "2: 10 in 101"));
}

// A sink whose target takes nothing for now: what was prepared stays so.
class UnreachableSink final : public SinkBase {
 public:
  explicit UnreachableSink(Sink<std::string> under) : under_(std::move(under)) {}
  std::string describe() const override { return under_.base()->describe(); }
  SinkGuarantee guarantee() const override { return under_.base()->guarantee(); }
  Result<std::unique_ptr<SinkWriterBase>> open_writer(const IoContext& io, const SinkIdentity& identity) override {
    return under_.base()->open_writer(io, identity);
  }
  Result<std::unique_ptr<SinkCommitter>> open_committer(const IoContext&, const SinkIdentity&) override {
    return std::unique_ptr<SinkCommitter>(std::make_unique<Committer>());
  }

 private:
  class Committer final : public SinkCommitter {
    Result<CheckpointId> committed_epoch() override { return CheckpointId{0}; }
    Status commit(CheckpointId, CheckpointId, const std::vector<Committable>&) override {
      return Error{.code = ErrorCode::kSinkFailed, .message = "the target is not there"};
    }
  };
  Sink<std::string> under_;
};

Build with_sink_called(const char* name, const char* former = "") {
  return [=](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    auto end = keyed_deposits(graph, source).process<std::string>("totals", &add_up<TotalV1>).to(name, lines);
    if (*former != '\0') end.formerly("ages_ago").formerly(former);
    return graph;
  };
}

TEST_F(Releases, CommitUnderTheSinksPresentNameWhatItHadPreparedUnderAFormerOne) {   // K10
  const Status failed = run(
      [](Source<Deposit> source, Sink<std::string> lines) {
        return with_sink_called("lines")(source, Sink<std::string>(std::make_shared<UnreachableSink>(lines)));
      },
      3);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, ErrorCode::kSinkFailed);
  read = 3;   // the checkpoint is complete
  EXPECT_THAT(refused(with_sink_called("sums")).describe(), HasSubstr("output of sink lines that is not yet committed"));
  expect_runs(with_sink_called("sums", "lines"), 5);
  EXPECT_THAT(report.restored, ElementsAre("totals/state", "source deposits", "sink sums (formerly lines)"));
  EXPECT_THAT(target.committed(), ElementsAre("2: 5", "1: 1", "1: 3", "1: 7", "1: 15"));
  expect_runs(with_sink_called("sums"), 8);
  EXPECT_THAT(report.restored, ElementsAre("totals/state", "source deposits"));
  EXPECT_EQ(target.committed().back(), "2: 10");
}

TEST_F(Releases, FindTheQuarantineSinkUnderAFormerNameToo) {   // K10
  MemorySink<Quarantined> records;
  const auto with_quarantine = [&](const char* name, const std::vector<std::string>& formerly) -> Build {
    return [&records, name, formerly](Source<Deposit> source, Sink<std::string> lines) {
      Graph graph;
      keyed_deposits(graph, source).process<std::string>("totals", &add_up<TotalV1>).to("lines", lines);
      graph.quarantine_to(name, records.sink(), {}, formerly);
      return graph;
    };
  };
  expect_runs(with_quarantine("refused", {}), 3);
  expect_runs(with_quarantine("set_aside", {"refused"}), 8);
  EXPECT_THAT(report.restored, Contains("sink set_aside (formerly refused)"));
}

TEST_F(Releases, MayHaveAnotherSinkMoreAndTakeItUpAgain) {   // what it missed meanwhile is not missing in its target
  MemorySink<std::string> more;
  const Build with_more = [&](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    auto totals = keyed_deposits(graph, source).process<std::string>("totals", &add_up<TotalV1>);
    totals.to("lines", lines);
    totals.to("more", more.sink());
    return graph;
  };
  expect_runs(release<TotalV1>(), 2);
  expect_runs(with_more, 3);
  expect_runs(release<TotalV1>(), 4, [](RuntimeOptions& options) { options.drop_state = {"more"}; });
  expect_runs(with_more, 8);
  EXPECT_EQ(target.committed().size(), 8U);
  EXPECT_THAT(more.committed(), ElementsAre("1: 3", "1: 15", "1: 31", "1: 63", "2: 10"));
}

TEST_F(Releases, FindAtAnotherParallelismWhatIsStoredUnderFormerNames) {   // K10, K5
  expect_runs(release<TotalV1>(), 3, [](RuntimeOptions& options) { options.parallelism = 2; });
  expect_runs(
      [](Source<Deposit> source, Sink<std::string> lines) {
        Graph graph;
        keyed_deposits(graph, source, "payments").process<std::string>("sums", &add_up<TotalV1>).formerly("totals").to("lines", lines);
        return graph;
      },
      8, [](RuntimeOptions& options) { options.drop_state = {"deposits"}; });
  EXPECT_THAT(report.restored, ElementsAre("sums/state (formerly totals)"));
  EXPECT_THAT(report.dropped, ElementsAre("source deposits"));
  EXPECT_EQ(target.committed().back(), "2: 10");
}

TEST_F(Releases, AreRefusedWithEveryNameIfSomethingIsOrphaned) {   // K10
  expect_runs(release<TotalV1>(), 3);
  const auto renamed = [](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    keyed_deposits(graph, source).process<std::string>("sums", &add_up<TotalV1>).to("lines", lines);
    return graph;
  };
  EXPECT_EQ(refused(renamed).describe(),
            "error[TM0203]: the checkpoint holds what the job no longer has: totals/state\n"
            "  matched  : source deposits\n"
            "  new      : sums/state\n"
            "  orphaned : totals/state\n"
            "  why  : what it has counted, or not yet delivered, would be lost\n"
            "  fix  : bring it back under its old name, say what it is called now with formerly(), or give it up with "
            "--drop-state totals\n"
            "  help : tidemark explain TM0203");
  expect_runs(renamed, 5, [](RuntimeOptions& options) { options.drop_state = {"totals"}; });
  EXPECT_THAT(report.dropped, ElementsAre("totals/state"));
  EXPECT_THAT(report.added, ElementsAre("sums/state"));
  expect_runs(renamed, 8);   // what was given up stays away
  EXPECT_THAT(report.restored, ElementsAre("sums/state", "source deposits"));
  EXPECT_EQ(target.committed().back(), "2: 5");
}

TEST_F(Releases, AreRefusedAsAGraphIfTwoStagesClaimOneState) {   // K10
  const auto claims = [](const char* second_name, const char* second_former) -> Build {
    return [=](Source<Deposit> source, Sink<std::string> lines) {
      Graph graph;
      auto keyed = keyed_deposits(graph, source);
      auto first = keyed.process<std::string>("sums", &add_up<TotalV1>).formerly("totals");
      auto second = keyed.process<std::string>(second_name, &add_up<TotalV1>);
      if (*second_former != '\0') second.formerly(second_former);
      first.union_with(second).to("lines", lines);
      return graph;
    };
  };
  EXPECT_EQ(refused(claims("others", "totals")).code, ErrorCode::kBadName);   // both were it
  EXPECT_EQ(refused(claims("totals", "")).code, ErrorCode::kBadName);         // one was it, the other is
  EXPECT_EQ(refused(claims("others", "su ms")).code, ErrorCode::kBadName);    // no name
  EXPECT_EQ(refused(claims("others", "sums")).code, ErrorCode::kBadName);
}

TEST_F(Releases, AreRefusedAsAGraphIfAStageWithoutANameWasFormerlyCalledSomething) {
  const Error error = refused([](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    auto cents = graph.from("deposits", source).map([](Deposit&& deposit) { return std::to_string(deposit.cents); });
    cents.formerly("deposit").to("lines", lines);
    return graph;
  });
  EXPECT_EQ(error.code, ErrorCode::kBadGraph);
  EXPECT_THAT(error.describe(), HasSubstr("map-1"));
}

TEST_F(Releases, MayHaveOtherStagesAndAnotherParallelismAtOnce) {   // K10, K5
  expect_runs(release<TotalV1>(), 3);
  const auto more = [](Source<Deposit> source, Sink<std::string> lines) {
    Graph graph;
    auto keyed = graph.from("deposits", source)
                     .filter([](const Deposit& deposit) { return deposit.cents != 0; })
                     .with_event_time(&Deposit::time, {.out_of_orderness = 5us})
                     .map([](Deposit&& deposit) { return deposit; })
                     .key_by(&Deposit::account);
    auto totals = keyed.process<std::string>("totals", &add_up<TotalV1>);
    auto windows = keyed.window(tumbling(100us)).aggregate("per_window", sum(&Deposit::cents));
    auto sums = windows.map([](const WindowResult<std::int64_t, std::int64_t>& result) { return "sum " + std::to_string(result.value); });
    totals.union_with(sums).to("lines", lines);
    return graph;
  };
  expect_runs(more, 5, [](RuntimeOptions& options) { options.parallelism = 3; });
  EXPECT_THAT(report.restored, ElementsAre("totals/state", "source deposits"));
  EXPECT_THAT(report.added, ElementsAre("per_window/windows"));
  expect_runs(more, 8);
  EXPECT_THAT(target.committed(),   // a new window counts from its start
              ::testing::UnorderedElementsAre("2: 5", "1: 1", "1: 3", "1: 7", "1: 15", "1: 31", "1: 63", "2: 10", "sum 60", "sum 5"));
}

TEST_F(Releases, JudgeRecordsAsTheirSourceStandsAlsoInAnOperatorThatIsNew) {   // L1, K10
  input = {{1, 1, 100}, {1, 2, 210}, {1, 4, 150}, {1, 8, 300}};
  expect_runs(release<TotalV1>(), 2);
  expect_runs(windows_and_late("deposits", "per_window"), 4, [](RuntimeOptions& options) { options.drop_state = {"totals"}; });
  EXPECT_THAT(report.added, ElementsAre("per_window/windows"));
  EXPECT_THAT(target.committed(), ElementsAre("1: 1", "1: 3", "late 4", "8"));
}

TEST_F(Releases, MayCallTheirStagesWhatTheyLike) {   // names that look like those of stages without a name
  input = {{1, 1, 100}, {1, 2, 210}, {1, 4, 150}, {1, 8, 300}};
  watermark = event_time(204);
  expect_runs(windows_and_late("event_time-deposits", "union-totals"), 2);
  expect_runs(windows_and_late("event_time-deposits", "union-totals", true), 4);
  EXPECT_THAT(target.committed(), ElementsAre("1", "late 4", "2", "8"));
}

// Timers are a state of their own, which may go without the rest.
struct WithTimer {
  void operator()(const Deposit& deposit, TotalV1& total, Context& context, Collector<std::string>& out) {
    add_up(deposit, total, context, out);
    context.set_timer(event_time(1'000'000));
  }
  void on_timer(const Timer&, Context&, Collector<std::string>&) {}
};

TEST_F(Releases, MayGiveUpASingleStateOfAnOperator) {
  expect_runs(
      [](Source<Deposit> source, Sink<std::string> lines) {
        Graph graph;
        keyed_deposits(graph, source).process<std::string>("totals", WithTimer{}).to("lines", lines);
        return graph;
      },
      3);
  EXPECT_THAT(refused(release<TotalV1>()).describe(),
              AllOf(HasSubstr("state: value of i64 to struct{i64}; timers: timers of i64"), HasSubstr("--drop-state totals/timers")));
  expect_runs(release<TotalV1>(), 5, [](RuntimeOptions& options) { options.drop_state = {"totals/timers"}; });
  EXPECT_THAT(report.dropped, ElementsAre("totals/timers"));
  EXPECT_EQ(target.committed().back(), "1: 15");
  expect_runs(release<TotalV1>(), 8);
  EXPECT_THAT(report.dropped, IsEmpty());
}

}  // namespace
}  // namespace tidemark

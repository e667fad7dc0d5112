// Firing in bounded steps, late records and their ways out, failing functions, and what a window stage tells the graph and the checkpoint.

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "windows_support.hpp"

namespace {

using namespace window_tests;

Duration us(std::int64_t count) { return Duration{count}; }

std::vector<WindowSpec> kinds() { return {tumbling(us(10)), sliding(us(10), us(5)), sliding(us(10), us(3)), session(us(10))}; }

// Takes results and answers kMore when told to.
class Taker final : public Receiver {
 public:
  Progress on_batch(BatchBase& batch) override {
    sizes.push_back(batch.size());
    return progress;
  }
  Progress on_watermark(EventTime watermark) override {
    watermarks.push_back(watermark);
    return Progress::kDone;
  }
  Progress on_status(bool) override { return Progress::kDone; }
  Progress on_end() override { return Progress::kDone; }

  Progress progress = Progress::kDone;
  std::vector<std::size_t> sizes;
  std::vector<EventTime> watermarks;
};

// A window operator with its surroundings, for what the harness does not show.
struct Bench {
  explicit Bench(const WindowSpec& spec, std::uint32_t max_batch = 1000)
      : node(operators_internal::window_node<std::string, Item, WindowResult<std::string, std::uint64_t>>(
            "windows", &Item::key, spec, operators_internal::Combined<Item, decltype(count())>{count()})),
        window(node.make()) {
    context.name = "windows";
    context.state = &state;
    context.io = &io;
    context.max_batch = max_batch;
    context.split_names = &splits;
    window->outlet(kMainOutlet).connect(&taker, &budget);
  }
  Progress give(const std::vector<std::int64_t>& times, EventTime as_of = kMinusInfinity) {
    batch.clear();
    Bytes scratch;
    for (std::size_t i = 0; i < times.size(); ++i) {
      batch.values.push_back(item(times[i], "key" + std::to_string(i)));
      batch.times.push_back(event_time(times[i]));
      batch.hashes.push_back(hash_key(batch.values[i].key, 0, scratch));
      batch.origins.push_back({0, i});
      if (as_of != kMinusInfinity) batch.behind.push_back({static_cast<std::uint32_t>(i), as_of});
    }
    return window->on_batch(batch);
  }

  Node node;
  std::unique_ptr<Operator> window;
  StateBackend state{KeySpace{}, 0, 128};
  IoContext io{posix_file_system(), system_clock(), Logger::silent()};
  std::vector<std::string> splits = {"source/a"};
  OperatorContext context;
  StepBudget budget{1'000'000};
  Taker taker;
  Batch<Item> batch;
};

// The manifest keeps one dropped-through time for each state, the least of all tasks: a task without records must not hold it back, or what
// others have fired would come back at a restore.
TEST(Windows, DropTheirPastByTheWatermarkAloneWhateverTheyHold) {
  for (const WindowSpec& spec : kinds()) {
    Bench full(spec);
    Bench empty(spec);
    for (Bench* bench : {&full, &empty}) ASSERT_TRUE(bench->window->open(bench->context).ok());
    for (const std::int64_t watermark : {-2000, -5, 0, 8, 9, 10, 500, 501, 100'000}) {
      (void)full.give({watermark + 1, watermark + 3, watermark + 40});
      for (Bench* bench : {&full, &empty}) {
        (void)bench->window->on_watermark(event_time(watermark));
        while (bench->window->pending()) (void)bench->window->resume();
      }
      for (std::size_t i = 0; i < full.state.components().size(); ++i) {
        EXPECT_EQ(full.state.components()[i]->dropped_through(), empty.state.components()[i]->dropped_through())
            << spec.parameters() << " at " << watermark << ", " << full.state.components()[i]->schema().name;
      }
    }
  }
}

TEST(Windows, FireForManyKeysInBatchesOfTheGivenSizeAndStopWhenTold) {
  for (const WindowSpec& spec : kinds()) {
    Bench bench(spec, 7);
    ASSERT_TRUE(bench.window->open(bench.context).ok());
    constexpr std::size_t kKeys = 50'000;
    (void)bench.give(std::vector<std::int64_t>(kKeys, 2));
    bench.taker.progress = Progress::kMore;
    Progress progress = bench.window->on_watermark(event_time(100));
    std::size_t steps = 0;
    while (bench.window->pending()) {
      EXPECT_EQ(progress, Progress::kMore);
      EXPECT_TRUE(bench.taker.watermarks.empty()) << "nothing overtakes the results (F2)";
      EXPECT_LE(bench.taker.sizes.size(), ++steps) << "one batch, then it stops";
      progress = bench.window->resume();
    }
    EXPECT_EQ(progress, Progress::kDone);
    EXPECT_EQ(bench.taker.watermarks, std::vector{event_time(100)});
    std::size_t results = 0;
    for (const std::size_t size : bench.taker.sizes) {
      EXPECT_LE(size, 7u);
      results += size;
    }
    const std::size_t windows = spec.kind != WindowKind::kSliding ? 1 : spec.slide == us(5) ? 2 : 3;
    EXPECT_EQ(results, windows * kKeys) << spec.describe();
    EXPECT_EQ(bench.window->counters().records_out, results);
  }
}

TEST(Windows, PauseAfterAStepOfWorkThatEmitsNothing) {
  Bench bench(sliding(us(10), us(5)));
  ASSERT_TRUE(bench.window->open(bench.context).ok());
  (void)bench.give(std::vector<std::int64_t>(100'000, 2));
  EXPECT_EQ(bench.window->on_watermark(event_time(4)), Progress::kMore);
  EXPECT_TRUE(bench.taker.sizes.empty());
  EXPECT_TRUE(bench.window->pending());
  while (bench.window->pending()) (void)bench.window->resume();
  EXPECT_EQ(bench.taker.watermarks, std::vector{event_time(4)});
}

// L5: with origin, and behind by the decision watermark. L6, Q7: counted wherever they go.
TEST(Windows, SendLateRecordsToTheLateStreamFirst) {
  for (const WindowSpec& spec : kinds()) {
    auto harness = panes_of(spec);
    harness.collect<Quarantined>(kQuarantineOutlet);
    const Play play = harness.play(script_of("in 100 | wm 90 | in 5@95,101 | end"));
    const auto late = play.records<Late<Item>>(kLateOutlet);
    ASSERT_EQ(late.size(), 1u) << spec.describe();
    EXPECT_EQ(late[0].record.record, item(5));
    EXPECT_EQ(late[0].time, event_time(5));
    EXPECT_EQ(late[0].as_of, event_time(95));
    EXPECT_EQ(play.counters.late, 1u);
    EXPECT_EQ(play.counters.records_in, 3u);
    EXPECT_TRUE(play.records<Quarantined>(kQuarantineOutlet).empty());
  }
}

TEST(Windows, QuarantineLateRecordsWithAllThatIsKnown) {
  for (const WindowSpec& spec : kinds()) {
    Bench bench(spec);
    Batch<Quarantined> found;
    struct Keep final : Receiver {
      explicit Keep(Batch<Quarantined>& to) : kept(to) {}
      Progress on_batch(BatchBase& batch) override {
        kept = static_cast<Batch<Quarantined>&>(batch);
        return Progress::kDone;
      }
      Progress on_watermark(EventTime) override { return Progress::kDone; }
      Progress on_status(bool) override { return Progress::kDone; }
      Progress on_end() override { return Progress::kDone; }
      Batch<Quarantined>& kept;
    } keep(found);
    bench.window->outlet(kQuarantineOutlet).connect(&keep, &bench.budget);
    ASSERT_TRUE(bench.window->open(bench.context).ok());
    EXPECT_EQ(bench.give({5}, event_time(40)), Progress::kDone);
    ASSERT_EQ(found.size(), 1u) << spec.describe();
    const Quarantined& record = found.values[0];
    EXPECT_EQ(record.operator_name, "windows");
    EXPECT_EQ(record.reason, QuarantineReason::kLate);
    EXPECT_EQ(record.split, "source/a");
    EXPECT_EQ(record.time, event_time(5));
    EXPECT_EQ(record.decision_watermark, event_time(40));
    EXPECT_EQ(record.payload, encoded(item(5, "key0")));
    EXPECT_EQ(bench.window->counters().late, 1u);
    EXPECT_EQ(bench.window->counters().quarantined[static_cast<std::size_t>(QuarantineReason::kLate)], 1u);
  }
}

// Q2
TEST(Windows, DropLateRecordsOrFailAsThePolicySays) {
  Bench drop(tumbling(us(10)));
  ASSERT_TRUE(drop.window->open(drop.context).ok());
  EXPECT_EQ(drop.give({5, 6}, event_time(40)), Progress::kDone);
  EXPECT_EQ(drop.window->counters().late, 2u);
  EXPECT_EQ(drop.window->counters().dropped[static_cast<std::size_t>(QuarantineReason::kLate)], 2u);

  Bench fail(tumbling(us(10)));
  fail.context.policy.late = OnRefused::kFail;
  ASSERT_TRUE(fail.window->open(fail.context).ok());
  EXPECT_THROW((void)fail.give({5}, event_time(40)), JobFailure);
}

// F36
TEST(Windows, F36FailTheJobWithTheRecordWhenAFunctionThrows) {
  for (const WindowSpec& spec : kinds()) {
    auto harness = harness_of(spec, sum([](const Item& record) {
      if (record.time == 13) throw std::runtime_error("unlucky");
      return record.time;
    }));
    try {
      (void)harness.play(script_of("in 12,13,14 | end"));
      FAIL() << spec.describe();
    } catch (const JobFailure& failure) {
      EXPECT_EQ(failure.error().code, ErrorCode::kUserFunction);
      EXPECT_NE(failure.error().message.find("split \"source/0\" position 1, event time"), std::string::npos) << failure.error().message;
      EXPECT_NE(failure.error().message.find("00.000013"), std::string::npos) << failure.error().message;
      EXPECT_NE(failure.error().describe().find("unlucky"), std::string::npos);
    }
    auto at_the_end = harness_of(spec, aggregate<std::int64_t>([](std::int64_t&, const Item&) {}, [](std::int64_t&, const std::int64_t&) {},
                                                               [](std::int64_t) -> std::int64_t { throw std::runtime_error("unlucky"); }));
    EXPECT_THROW((void)at_the_end.play(script_of("in 12 | end")), JobFailure) << spec.describe();
  }
}

TEST(Windows, RefuseToStartWithAnImpossibleDuration) {
  Bench bench(sliding(us(10), us(5)));
  EXPECT_TRUE(bench.window->open(bench.context).ok());
  for (const WindowSpec& spec : std::vector<WindowSpec>{tumbling(us(0)), session(us(-1)), sliding(us(5), us(0)), sliding(us(-5), us(3))}) {
    Bench impossible(spec);
    const Status status = impossible.window->open(impossible.context);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, ErrorCode::kBadGraph);
  }
}

// K11
TEST(Windows, PutTheirParametersIntoTheSchema) {
  std::vector<std::uint64_t> fingerprints;
  for (const WindowSpec& spec :
       std::vector<WindowSpec>{tumbling(us(10)), tumbling(us(20)), tumbling(us(10), {.offset = us(1)}), sliding(us(10), us(5)),
                               sliding(us(10), us(2)), sliding(us(10), us(20)), session(us(10)), session(us(20))}) {
    Bench bench(spec);
    ASSERT_TRUE(bench.window->open(bench.context).ok());
    fingerprints.push_back(bench.state.components()[0]->schema().fingerprint());
  }
  std::sort(fingerprints.begin(), fingerprints.end());
  EXPECT_EQ(std::adjacent_find(fingerprints.begin(), fingerprints.end()), fingerprints.end());
}

TEST(Windows, SaveTheirWatermark) {
  Bench bench(tumbling(us(10)));
  ASSERT_TRUE(bench.window->open(bench.context).ok());
  EXPECT_EQ(bench.window->on_watermark(event_time(17)), Progress::kDone);
  Bytes saved;
  bench.window->save(saved);
  Bench restored(tumbling(us(10)));
  ASSERT_TRUE(restored.window->open(restored.context).ok());
  ASSERT_TRUE(restored.window->load(saved).ok());
  EXPECT_EQ(restored.give({5}), Progress::kDone);   // after idleness: the operator's watermark alone makes it late
  EXPECT_EQ(restored.window->counters().late, 1u);
  EXPECT_FALSE(restored.window->load(ByteView{saved}.substr(1)).ok());
}

TEST(Windows, TellTheGraphWhatTheyAre) {
  const Bench bench(session(us(10)));
  EXPECT_EQ(bench.node.description, "session window, gap 10us");
  EXPECT_TRUE(bench.node.stateful && bench.node.decides_lateness && bench.node.by_key);
  EXPECT_EQ(bench.node.outlet_names, (std::vector<std::string>{"", "quarantine", "late"}));
  EXPECT_EQ(bench.node.outlets.size(), bench.window->outlet_count());
}

}  // namespace

// State of process() by window (per_window.hpp): whose window a call sees, when it is gone and what becomes of a record that comes later
// (L1, L2, L5), what is left (K4), what is refused. In event-time order against a naive model, however the input is cut and wherever the
// job is stopped and goes on (P3, D1, D5).

#include <algorithm>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "process_support.hpp"
#include "random_script.hpp"

namespace process_test {
namespace {

struct Visit {
  std::uint32_t key = 0;
  std::string shop = {};
  bool only_look = false;
  bool forget = false;      // everything
  bool at_end = false;      // a timer at the end of the window
  std::int64_t timer = 0;   // and one at this time
};

struct Shops {
  struct State {
    PerWindow<ValueState<std::string>> last{"last", tumbling(Duration{10})};
    PerWindow<MapState<std::string, int>> visits{"visits", tumbling(Duration{10})};
    PerWindow<ListState<std::string>> all{"all", tumbling(Duration{20}), {.allowed_lateness = Duration{10}}};
  };

  void operator()(const Visit& visit, State& state, Context& context, Collector<std::string>& out) const {
    out(std::to_string(context.key()) + ": " + text_of(state));
    if (visit.at_end) context.set_timer(state.visits.window().max_time());
    if (visit.timer != 0) context.set_timer(at(visit.timer));
    if (!visit.only_look) {
      const int* visits = state.visits.find(visit.shop);
      state.visits.put(visit.shop, visits == nullptr ? 1 : *visits + 1);
      state.all.append(visit.shop);
      state.last.set(visit.shop);
    }
    if (visit.forget) context.forget();
  }
  void on_timer(const Timer& timer, const State& state, Context& context, Collector<std::string>& out) const {
    out(std::to_string(context.key()) + ": timer " + std::to_string(micros(timer.time)) + " " + text_of(state));
  }

 private:
  static std::string text_of(const State& state) {
    std::string text = state.visits.is_gone() ? "gone " : "";
    text += state.last.find() == nullptr ? "-" : *state.last.find();
    text += " |";
    for (const auto& [shop, visits] : state.visits) text += " " + shop + std::to_string(visits);
    text += " |";
    for (const std::string& shop : state.all) text += " " + shop;
    return text;
  }
};

template <class Order = ArrivalOrder>
OperatorHarness<Visit> shops(Order order = {}) {
  OperatorHarness<Visit> made(
      operators_internal::process_node<std::uint32_t, Visit, std::string>("shops", &Visit::key, Shops{}, order).make, &Visit::key);
  made.template collect<std::string>(kMainOutlet);
  return made;
}

TEST(ProcessWithWindows, SeesTheWindowOfItsRecord) {
  const auto script = Script<Visit>{}
                          .record({.key = 1, .shop = "b"}, at(1))
                          .record({.key = 2, .shop = "x"}, at(2))
                          .record({.key = 1, .shop = "a"}, at(9))
                          .record({.key = 1, .shop = "c"}, at(10))
                          .record({.key = 1, .only_look = true}, at(3))
                          .record({.key = 1, .only_look = true}, at(19))
                          .record({.key = 1, .only_look = true}, at(20))
                          .end();
  EXPECT_EQ(shops().disagreement(script), "");
  EXPECT_EQ(texts(shops().play(script)),
            (std::vector<std::string>{"1: - | |", "2: - | |", "1: b | b1 | b", "1: - | | b a", "1: a | a1 b1 | b a c", "1: c | c1 | b a c",
                                      "1: - | |"}));
}

// One step of the watermark passes several windows: each timer sees its own as it was.
TEST(ProcessWithWindows, SeesTheWindowOfItsTimerThoughTheWatermarkHasPassedIt) {
  const auto script = Script<Visit>{}
                          .record({.key = 1, .shop = "a", .at_end = true}, at(1))
                          .record({.key = 1, .shop = "b", .at_end = true}, at(15))
                          .watermark(at(8))
                          .watermark(at(40))
                          .end();
  const std::vector<std::string> expected{"1: - | |", "1: - | | a", "1: timer 9 a | a1 | a b", "1: timer 19 b | b1 | a b"};
  EXPECT_EQ(shops().disagreement(script), "");
  EXPECT_EQ(texts(shops().play(script)), expected);
}

// T3: it lies in the past when it is set, and runs when its window has been dropped.
TEST(ProcessWithWindows, TellsATimerThatIsSetTooLateThatItsWindowIsGone) {
  const auto script = Script<Visit>{}
                          .record({.key = 1, .shop = "a"}, at(1))
                          .watermark(at(12))
                          .record({.key = 1, .only_look = true, .timer = 5}, at(13))
                          .watermark(at(14))
                          .end();
  EXPECT_EQ(shops().disagreement(script), "");
  EXPECT_EQ(texts(shops().play(script)).back(), "1: timer 5 gone - | | a");
}

// A6: a window that has no end gives its result at +infinity.
TEST(ProcessWithWindows, KeepsTheWindowOfARecordAtPlusInfinity) {
  Script<Visit> script;
  script.record({.key = 1, .shop = "a", .at_end = true}, kPlusInfinity).end();
  const std::string end = std::to_string(micros(kPlusInfinity));
  EXPECT_EQ(texts(shops().play(script)), (std::vector<std::string>{"1: - | |", "1: timer " + end + " a | a1 | a"}));
  EXPECT_EQ(texts(shops(event_time_order()).play(script)), texts(shops().play(script)));
}

struct Lateness {
  EventTime watermark;   // of the operator
  EventTime as_of;       // of the record at 5
  std::string seen;
  std::uint64_t late;
};

// L1: at 8 the window [0, 10) is there, at 9 it is gone; with an allowed lateness of 10 [0, 20) is there at 28 and gone at 29. Of the
// operator's watermark and the record's as_of the greater decides (L2).
TEST(ProcessWithWindows, CountsARecordAsLateThatWritesToAWindowThatIsGone) {
  const std::vector<Lateness> cases{{at(8), at(8), "1: a | a1 | a", 0},       {at(9), at(9), "1: gone - | | a", 1},
                                    {at(4), at(9), "1: gone - | | a", 1},     {at(9), at(6), "1: gone - | | a", 1},
                                    {at(28), at(28), "1: gone - | | a", 1},   {at(29), at(29), "1: gone - | |", 1}};
  for (const auto& [watermark, as_of, seen, late] : cases) {
    SCOPED_TRACE("watermark " + to_string(watermark) + ", as of " + to_string(as_of));
    const auto script = [&, watermark = watermark, as_of = as_of](bool only_look) {
      return Script<Visit>{}
          .record({.key = 1, .shop = "a"}, at(1))
          .watermark(watermark)
          .record({.key = 1, .shop = "b", .only_look = only_look}, at(5), as_of)
          .record({.key = 1, .only_look = true}, at(5), as_of)
          .end();
    };
    EXPECT_EQ(shops().disagreement(script(false)), "");
    EXPECT_EQ(texts(shops().play(script(false)))[1], seen);
    EXPECT_EQ(shops().play(script(false)).counters.late, late);
    EXPECT_EQ(texts(shops().play(script(true)))[2], seen);
    EXPECT_EQ(shops().play(script(true)).counters.late, 0u) << "who only looks loses nothing";
  }
}

TEST(ProcessWithWindows, ForgetsAKeyInAllItsWindows) {
  const auto script = Script<Visit>{}
                          .record({.key = 1, .shop = "a"}, at(1))
                          .record({.key = 2, .shop = "x"}, at(1))
                          .record({.key = 1, .shop = "b", .forget = true}, at(11))
                          .record({.key = 1, .only_look = true}, at(2))
                          .record({.key = 1, .only_look = true}, at(12))
                          .record({.key = 2, .only_look = true}, at(2))
                          .end();
  EXPECT_EQ(shops().disagreement(script), "");
  const std::vector<std::string> found = texts(shops().play(script));
  EXPECT_EQ(std::vector(found.begin() + 3, found.end()), (std::vector<std::string>{"1: - | |", "1: - | |", "2: x | x1 | x"}));
}

TEST(ProcessWithWindows, LeavesNothingOfQuietKeysWhenTheWatermarkHasPassed) {
  Script<Visit> script;
  for (std::uint32_t key = 0; key < 3000; ++key) script.record({.key = key, .shop = "a"}, at(0));
  Script<Visit> before = script;
  EXPECT_EQ(shops().play(before.watermark(at(28))).entries_left, 3000u) << "the lists, which are allowed to be late";
  EXPECT_EQ(shops().play(script.watermark(at(29))).entries_left, 0u);
  EXPECT_EQ(shops().play(script, {.interruption = Interruption::kCheckpoint}).rows_left, 0u);
}

TEST(ProcessWithWindows, LeavesNothingAfterTheEnd) {
  Script<Visit> script;
  for (std::uint32_t key = 0; key < 100; ++key) script.record({.key = key, .shop = "a", .at_end = key % 2 == 0}, at(key));
  EXPECT_EQ(shops().disagreement(script.end()), "");
  EXPECT_EQ(shops().play(script).entries_left, 0u);
  EXPECT_EQ(shops().play(script, {.interruption = Interruption::kRestore}).rows_left, 0u);
}

// A6: the last window has no end that a watermark could reach.
TEST(ProcessWithWindows, KeepsTheWindowOfTheLastTimeUntilTheEnd) {
  const operators_internal::StateWindows windows{tumbling(Duration{10}), Duration{0}};
  EXPECT_GT(windows.end_of(kLastRecordTime), windows.gone_through(kLastRecordTime));
  EXPECT_EQ(windows.gone_through(kPlusInfinity), kPlusInfinity);
  EXPECT_EQ(windows.gone_through(kMinusInfinity), kMinusInfinity);
  EXPECT_EQ((operators_internal::StateWindows{tumbling(Duration{10}), Duration{10}}).gone_through(at(29)), at(20));
}

TEST(ProcessWithWindows, FailsWhereThereIsNoEventTime) {
  const auto script = Script<Visit>{}.untimed().record({.key = 1, .shop = "a"}, kMinusInfinity).end();
  try {
    (void)shops().play(script);
    FAIL() << "it did not fail";
  } catch (const JobFailure& failure) {
    EXPECT_EQ(failure.error().code, ErrorCode::kBadGraph);
    EXPECT_NE(failure.error().message.find("belongs to windows, but its stream has no event time"), std::string::npos)
        << failure.error().describe();
  }
}

Status opened(WindowSpec windows, Duration allowed_lateness = {}) {
  return operators_internal::check_declared_states("shops",
                                                   {{"all", {}, operators_internal::StateWindows{windows, allowed_lateness}}});
}
TEST(ProcessWithWindows, RefusesImpossibleDurations) {
  EXPECT_TRUE(opened(tumbling(Duration{1})).ok());
  EXPECT_TRUE(opened(tumbling(Duration{1}), kLongestDuration).ok());
  EXPECT_EQ(opened(tumbling(Duration{0})).error().code, ErrorCode::kBadGraph);
  EXPECT_EQ(opened(tumbling(Duration{1}), Duration{-1}).error().code, ErrorCode::kBadGraph);
  EXPECT_EQ(opened(tumbling(Duration{1}), kLongestDuration + Duration{1}).error().code, ErrorCode::kBadGraph);
  EXPECT_NE(opened(tumbling(Duration{0})).error().describe().find("all"), std::string::npos) << "it names the state";
}

struct Given {
  Visit visit;
  std::int64_t time = 0;
};

std::int64_t window_of(std::int64_t time, std::int64_t size) { return micros(tumbling_window(at(time), Duration{size}).end); }

// A list of the key's records and timers, walked by time, on containers that forget nothing by time: in this order no window goes too
// early.
std::vector<std::string> model_of_key(std::vector<Given> records) {
  std::stable_sort(records.begin(), records.end(), [](const Given& a, const Given& b) {
    return a.time != b.time ? a.time < b.time : encoded(a.visit) < encoded(b.visit);
  });
  std::map<std::int64_t, std::string> last;
  std::map<std::int64_t, std::map<std::string, int>> visits;
  std::map<std::int64_t, std::vector<std::string>> all;
  std::map<std::int64_t, bool> timers;
  std::vector<std::string> out;
  const auto say = [&](const std::string& what, std::int64_t time) {
    const std::int64_t window = window_of(time, 10);
    std::string text = what + (last.contains(window) ? last[window] : "-") + " |";
    for (const auto& [shop, count] : visits[window]) text += " " + shop + std::to_string(count);
    text += " |";
    for (const std::string& shop : all[window_of(time, 20)]) text += " " + shop;
    out.push_back(text);
  };
  const std::string key = std::to_string(records.front().visit.key) + ": ";
  std::size_t next = 0;
  while (next < records.size() || !timers.empty()) {
    if (next == records.size() || (!timers.empty() && timers.begin()->first < records[next].time)) {
      const std::int64_t time = timers.begin()->first;
      timers.erase(timers.begin());
      say(key + "timer " + std::to_string(time) + " ", time);
      continue;
    }
    const auto& [visit, time] = records[next++];
    const std::int64_t window = window_of(time, 10);
    say(key, time);
    if (visit.at_end) timers[window - 1] = true;
    if (visit.timer != 0) timers[visit.timer] = true;
    if (!visit.only_look) {
      ++visits[window][visit.shop];
      all[window_of(time, 20)].push_back(visit.shop);
      last[window] = visit.shop;
    }
    if (visit.forget) {
      last.clear();
      visits.clear();
      all.clear();
    }
  }
  return out;
}

struct RandomInput : RandomScript {
  using RandomScript::RandomScript;

  std::vector<Given> records() {
    std::vector<Given> made(40);
    for (Given& given : made) {
      given.time = below(90) - 20;
      given.visit = {.key = static_cast<std::uint32_t>(below(3)),
                     .shop = std::string(1, static_cast<char>('a' + below(4))),
                     .only_look = below(4) == 0,
                     .forget = below(12) == 0,
                     .at_end = below(3) == 0,
                     .timer = below(4) == 0 ? given.time + below(30) + 1 : 0};
    }
    return made;
  }
};

TEST(ProcessWithWindows, GivesEachKeyWhatANaiveModelGivesInEventTimeOrder) {
  expect_what_a_model_gives<RandomInput>(40, shops(event_time_order()),
                                         {Interruption::kNothing, Interruption::kCheckpoint, Interruption::kRestore,
                                          Interruption::kLateRestore, Interruption::kLittleMemory},
                                         model_of_key);
}

}  // namespace
}  // namespace process_test

// Limits of what a key may have in process(): entries of lists and maps, timers (S14, Q1, fault F41). In both orders, and wherever the job
// is stopped and goes on (D5).

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "process_support.hpp"

namespace process_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Adds its name to the list and the map of its key.
struct Hoard {
  struct State {
    ListState<std::string> list{"list", {.max_entries = 3}};
    MapState<std::string, std::uint32_t> map{"map", {.ttl = Duration{10}, .max_entries = 2}};
    PerWindow<ListState<std::string>> of_window{"of_window", tumbling(Duration{100}), {.max_entries = 3}};
  };
  void operator()(const Item& item, State& state, Context& context, Collector<std::string>& out) const {
    if (item.name[0] == 'l') state.list.append(item.name);
    if (item.name[0] == 'm') state.map.put(item.name, 1);
    if (item.name[0] == 'w') state.of_window.append(item.name);
    if (item.forget) context.forget();
    out(std::to_string(state.list.size()) + std::to_string(state.map.size()) + std::to_string(state.of_window.size()));
  }
};

template <class Made>
std::vector<std::string> texts(Made&& made, const Script<Item>& script) {
  std::vector<std::string> texts;
  for (const Text& text : made.play(script).template records<std::string>()) texts.push_back(text.record);
  return texts;
}
// What the job fails with; empty if it does not.
template <class Made>
std::string failure(Made&& made, const Script<Item>& script, const PlayOptions& options = {}) {
  try {
    made.play(script, options);
  } catch (const JobFailure& failed) {
    EXPECT_EQ(failed.error().code, ErrorCode::kTooMany);
    return failed.error().message;
  }
  return {};
}
template <class Order = ArrivalOrder>
OperatorHarness<Item> hoard(Order order = {}) {
  OperatorHarness<Item> made(scripted_node(Hoard{}, order).make, &Item::key);
  made.template collect<std::string>(kMainOutlet);
  return made;
}

Script<Item> items(const std::vector<std::pair<std::string, std::int64_t>>& items, std::uint32_t key = 1) {
  Script<Item> script;
  for (const auto& [name, time] : items) script.record({.key = key, .name = name}, at(time));
  return script;
}

TEST(LimitOfEntries, F41FailsTheJobAtTheEntryThatIsOneTooMany) {
  EXPECT_EQ(failure(hoard(), items({{"l", 1}, {"l", 2}, {"l", 3}})), "");
  EXPECT_THAT(failure(hoard(), items({{"l", 1}, {"l", 2}, {"l", 3}, {"l", 4}})),
              AllOf(HasSubstr("a key of operator \"operator\" has reached its limit"), HasSubstr("event time 1970-01-01T00:00:00.000004Z"),
                    HasSubstr("it has 3 entries in state \"list\" and may have no more")));
  EXPECT_THAT(failure(hoard(event_time_order()), items({{"l", 1}, {"l", 2}, {"l", 3}, {"l", 4}}).end()), HasSubstr("state \"list\""));
  EXPECT_THAT(failure(hoard(), items({{"m1", 1}, {"m2", 2}, {"m3", 3}})), HasSubstr("it has 2 entries in state \"map\""));
}

TEST(LimitOfEntries, IsEachKeysOwn) {
  Script<Item> script;
  for (std::uint32_t key = 0; key < 50; ++key) {
    for (int i = 0; i < 3; ++i) script.record({.key = key, .name = "l"}, at(i));
  }
  EXPECT_EQ(failure(hoard(), script), "");
}

TEST(LimitOfEntries, IsNotMetByReplacingWhatIsThereOrByWhatTookThePlaceOfTheForgotten) {
  EXPECT_EQ(texts(hoard(), items({{"m1", 1}, {"m2", 2}, {"m1", 3}, {"m2", 4}})), (std::vector<std::string>{"010", "020", "020", "020"}));
  Script<Item> script = items({{"l", 1}, {"l", 2}, {"l", 3}});
  script.record({.key = 1, .name = "-", .forget = true}, at(4)).record({.key = 1, .name = "l"}, at(5));
  EXPECT_EQ(texts(hoard(), script), (std::vector<std::string>{"100", "200", "300", "300", "100"}));
}

// K8: at 11 the entry of 1 has expired, though nobody has cleared it up; at 10 it has not.
TEST(LimitOfEntries, DoesNotCountWhatHasExpired) {
  EXPECT_EQ(texts(hoard(), items({{"m1", 1}, {"m2", 2}, {"m3", 11}})), (std::vector<std::string>{"010", "020", "020"}));
  EXPECT_THAT(failure(hoard(), items({{"m1", 1}, {"m2", 2}, {"m3", 10}})), HasSubstr("state \"map\""));
  // The expired entry that is written again is a new one.
  EXPECT_THAT(failure(hoard(), items({{"m1", 1}, {"m2", 2}, {"m3", 11}, {"m1", 11}})), HasSubstr("state \"map\""));
}

TEST(LimitOfEntries, IsForEachWindowOfStateByWindow) {
  EXPECT_EQ(failure(hoard(), items({{"w", 1}, {"w", 2}, {"w", 3}, {"w", 100}, {"w", 101}})), "");
  EXPECT_THAT(failure(hoard(), items({{"w", 1}, {"w", 2}, {"w", 3}, {"w", 100}, {"w", 4}})), HasSubstr("state \"of_window\""));
}

// A function of a user that counts on nothing being there when it catches: the entry was not added.
TEST(LimitOfEntries, LeavesTheStateAsItWasToAFunctionThatCatches) {
  struct Catches {
    struct State {
      ListState<std::string> list{"list", {.max_entries = 1}};
      MapState<std::string, int> map{"map", {.max_entries = 1}};
    };
    void operator()(const Item& item, State& state, Context&, Collector<std::string>& out) const {
      try {
        state.list.append(item.name);
      } catch (const std::exception&) {
      }
      try {
        state.map.put(item.name, 1);
      } catch (const std::exception&) {
      }
      out(*state.list.begin() + (*state.map.begin()).key + std::to_string(state.list.size() + state.map.size()));
    }
  };
  OperatorHarness<Item> made(scripted_node(Catches{}, arrival_order()).make, &Item::key);
  made.collect<std::string>(kMainOutlet);
  EXPECT_EQ(texts(made, items({{"a", 1}, {"b", 2}})), (std::vector<std::string>{"aa2", "aa2"}));
  EXPECT_EQ(made.disagreement(items({{"a", 1}, {"b", 2}})), "");
}

TEST(LimitOfEntries, OfNoneIsRefused) {
  const auto opened = [](std::size_t max_entries) {
    return operators_internal::check_declared_states("shops", {{.name = "a", .max_entries = max_entries}});
  };
  EXPECT_TRUE(opened(1).ok());
  EXPECT_EQ(opened(0).error().code, ErrorCode::kBadConfiguration);
}

template <class Order = ArrivalOrder>
OperatorHarness<Item> limited(std::optional<std::uint32_t> max_timers, Order order = {}) {
  OperatorHarness<Item> made(
      operators_internal::process_node<std::uint32_t, Item, std::string>("scripted", &Item::key, Scripted{}, order, {max_timers}).make,
      &Item::key);
  made.template collect<std::string>(kMainOutlet);
  return made;
}

struct Timers {
  const char* what;
  Script<Item> script;
  bool fails;   // with at most two timers
};

std::vector<Timers> timer_vectors() {
  const auto sets = [](std::vector<TimerAction> timers, std::vector<TimerAction> erased = {}) {
    return Item{.key = 1, .name = "r", .set = std::move(timers), .erase = std::move(erased)};
  };
  const auto fires = [](std::vector<TimerAction> timers, std::map<std::int64_t, std::vector<TimerAction>> then) {
    return Item{.key = 1, .name = "r", .set = std::move(timers), .on_fire = std::move(then)};
  };
  return {
      {"two", Script<Item>{}.record(sets({{10}, {20}}), at(1)).end(), false},
      {"three", Script<Item>{}.record(sets({{10}, {20}, {30}}), at(1)).end(), true},
      {"three by tag", Script<Item>{}.record(sets({{10}, {10, 1}, {10, 2}}), at(1)).end(), true},
      {"T1 one that is set twice is one", Script<Item>{}.record(sets({{10}, {20}, {10}}), at(1)).record(sets({{20}}), at(2)).end(), false},
      {"a deleted one is none", Script<Item>{}.record(sets({{10}, {20}}, {{20}}), at(1)).record(sets({{30}}), at(2)).end(), false},
      {"what is deleted and was not set counts for nothing",
       Script<Item>{}.record(sets({{10}, {20}}, {{15}}), at(1)).record(sets({{30}}), at(2)).end(), true},
      {"one that has run is none", Script<Item>{}.record(sets({{10}, {20}}), at(1)).watermark(at(10)).record(sets({{30}}), at(11)).end(),
       false},
      {"and one that has not is one", Script<Item>{}.record(sets({{10}, {20}}), at(1)).watermark(at(9)).record(sets({{30}}), at(11)).end(),
       true},
      {"one that runs makes room for the next", Script<Item>{}.record(fires({{10}, {20}}, {{10, {{30}}}}), at(1)).watermark(at(10)), false},
      {"but not for two", Script<Item>{}.record(fires({{10}, {20}}, {{10, {{30}, {40}}}}), at(1)).watermark(at(10)), true},
      {"of its own time too (D4)",
       Script<Item>{}.record(fires({{10}, {10, 1}}, {{10, {{10, 2}}}}), at(1)).watermark(at(10)).record(sets({{30}, {40}}), at(11)), false},
      {"and no more of those", Script<Item>{}.record(fires({{10}, {10, 1}}, {{10, {{10, 2}, {10, 3}}}}), at(1)).watermark(at(10)), true},
      {"T4 what is set at the end of the input is none",
       Script<Item>{}.record(fires({{10}, {20}}, {{10, {{30}, {40}, {50}}}}), at(1)).end(), false},
      {"other keys have their own",
       Script<Item>{}.record(sets({{10}, {20}}), at(1)).record({.key = 2, .name = "r", .set = {{10}, {20}}}, at(1)).end(), false},
  };
}

TEST(LimitOfTimers, F41IsKeptToWhereverTheJobIsStoppedAndGoesOn) {
  for (const Timers& vector : timer_vectors()) {
    SCOPED_TRACE(vector.what);
    const std::string expected = vector.fails ? "it has 2 timers set and may have no more" : "";
    for (const bool deterministic : {true, false}) {
      for (const auto interruption : {Interruption::kNothing, Interruption::kRestore, Interruption::kLeaveMemory}) {
        const std::string found = failure(limited(2), vector.script, {.interruption = interruption, .deterministic = deterministic});
        EXPECT_EQ(found.substr(found.size() - std::min(found.size(), expected.size())), expected) << static_cast<int>(interruption);
        EXPECT_EQ(found.empty(), expected.empty()) << found;
      }
    }
    if (vector.fails) continue;
    EXPECT_EQ(limited(2).disagreement(vector.script), "");   // D5
    EXPECT_EQ(texts(limited(2), vector.script), texts(limited(std::nullopt), vector.script));
  }
}

TEST(LimitOfTimers, IsKeptToInEventTimeOrder) {
  const Item three{.key = 1, .name = "r", .set = {{10}, {20}, {30}}};
  const Script<Item> at_once = Script<Item>{}.record(three, at(1)).end();
  EXPECT_THAT(failure(limited(2, event_time_order()), at_once), HasSubstr("it has 2 timers set and may have no more"));
  EXPECT_EQ(limited(3, event_time_order()).disagreement(at_once), "");
  // Timer 10 has run before the record of 11 is handled, though both came in one step.
  const Item two{.key = 1, .name = "r", .set = {{10}, {20}}};
  const Item third{.key = 1, .name = "s", .set = {{30}}};
  const Script<Item> in_turn = Script<Item>{}.batch({{third, at(11)}, {two, at(1)}}).end();
  EXPECT_EQ(limited(2, event_time_order()).disagreement(in_turn), "");
  EXPECT_EQ(failure(limited(2, event_time_order()), in_turn), "");
}

TEST(LimitOfTimers, LeavesNoTraceOfAKeyWhoseTimersHaveRun) {   // K4
  struct Alarm {
    void operator()(const Item& item, Context& context, Collector<std::string>&) const {
      for (const TimerAction& timer : item.set) context.set_timer(at(timer.time), timer.tag);
    }
    void on_timer(const Timer&, Context&, Collector<std::string>&) const {}
  };
  const OperatorHarness<Item> made(
      operators_internal::process_node<std::uint32_t, Item, std::string>("alarm", &Item::key, Alarm{}, arrival_order(), {2}).make,
      &Item::key);
  const Script<Item> sets = Script<Item>{}.record({.key = 1, .set = {{10}, {20}}}, at(1));
  EXPECT_EQ(made.play(sets).entries_left, 2u + 1u) << "two timers, and how many they are";
  const Play play = made.play(Script<Item>{sets}.end());
  EXPECT_EQ(play.entries_left, 0u);
  EXPECT_EQ(play.rows_left, 0u);
}

TEST(LimitOfTimers, OfAJobThatHadNoneCountsTheTimersThatAreSetFromThenOn) {
  int processes = 0;
  OperatorHarness<Item> made(
      [&] {
        const ProcessOptions options{.max_timers = processes++ == 0 ? std::nullopt : std::optional{2u}};
        return operators_internal::process_node<std::uint32_t, Item, std::string>("scripted", &Item::key, Scripted{}, arrival_order(),
                                                                                  options)
            .make();
      },
      &Item::key);
  const auto sets = [](std::vector<TimerAction> timers) { return Item{.key = 1, .name = "r", .set = std::move(timers)}; };
  Script<Item> script;
  script.record(sets({{10}, {20}, {30}}), at(1)).record(sets({{40}, {50}}), at(2)).watermark(at(30)).record(sets({{60}}), at(31)).end();
  EXPECT_EQ(failure(made, script, {.interruption = Interruption::kRestore}), "");
  processes = 0;
  Script<Item> beyond;
  beyond.record(sets({{10}, {20}, {30}}), at(1)).record(sets({{40}, {50}, {60}}), at(2));
  EXPECT_THAT(failure(made, beyond, {.interruption = Interruption::kRestore}), HasSubstr("it has 2 timers set"));
}

TEST(LimitOfTimers, OfNoneIsRefused) {
  EXPECT_TRUE(operators_internal::check_options("scripted", {.max_timers = 1}).ok());
  EXPECT_EQ(operators_internal::check_options("scripted", {.max_timers = 0}).error().code, ErrorCode::kBadConfiguration);
}

}  // namespace
}  // namespace process_test

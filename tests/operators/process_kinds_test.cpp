// process() with state handles: what they say, what expires (K8), what is left (K4), what is refused. In event-time order against a naive
// model, however the input is cut and wherever the job is stopped and goes on (P3, D1, D5).

#include <algorithm>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "process_support.hpp"
#include "random_script.hpp"

namespace process_test {
namespace {

// What is done for a key, in this order.
struct Visit {
  std::uint32_t key = 0;
  std::string shop = {};
  bool only_look = false;
  bool leave = false;      // erase this shop
  bool forget = false;     // everything
  std::int64_t timer = 0;
};

struct ShopState {
  ValueState<std::string> last{"last", {.ttl = Duration{10}}};
  MapState<std::string, std::uint32_t> visits{"visits", {.ttl = Duration{20}, .renew_on_read = true}};
  ListState<std::string> all{"all"};
};

std::string text_of(const ShopState& state) {
  std::string text = state.last.find() == nullptr ? "-" : *state.last.find();
  text += " |";
  for (const auto& [shop, visits] : state.visits) text += " " + shop + std::to_string(visits);
  text += " |";
  for (const std::string& shop : state.all) text += " " + shop;
  return text + " | " + std::to_string(state.visits.size()) + " " + std::to_string(state.all.size());
}

struct Shops {
  using State = ShopState;

  void operator()(const Visit& visit, State& state, Context& context, Collector<std::string>& out) const {
    out(std::to_string(context.key()) + ": " + text_of(state));
    if (visit.timer != 0) context.set_timer(at(visit.timer));
    if (!visit.only_look) {
      const std::uint32_t* visits = state.visits.find(visit.shop);
      state.visits.put(visit.shop, visits == nullptr ? 1 : *visits + 1);
      state.all.append(visit.shop);
      state.last.set(visit.shop);
    }
    if (visit.leave) state.visits.erase(visit.shop);
    if (visit.forget) context.forget();
  }
  void on_timer(const Timer&, const State& state, Context& context, Collector<std::string>& out) const {
    out(std::to_string(context.key()) + ": timer " + text_of(state));
  }
};

template <class Order = ArrivalOrder>
OperatorHarness<Visit> shops(Order order = {}) {
  OperatorHarness<Visit> made(
      operators_internal::process_node<std::uint32_t, Visit, std::string>("shops", &Visit::key, Shops{}, order).make, &Visit::key);
  made.template collect<std::string>(kMainOutlet);
  return made;
}

TEST(ProcessWithStateHandles, SeesValuesListsAndMapsOfTheKeyOfTheCall) {
  const auto script = Script<Visit>{}
                          .record({.key = 1, .shop = "b"}, at(1))
                          .record({.key = 2, .shop = "x"}, at(2))
                          .record({.key = 1, .shop = "a"}, at(3))
                          .record({.key = 1, .shop = "b"}, at(4))
                          .record({.key = 1, .shop = "b", .only_look = true, .leave = true}, at(5))
                          .record({.key = 1, .only_look = true}, at(5))
                          .end();
  EXPECT_EQ(shops().disagreement(script), "");
  EXPECT_EQ(texts(shops().play(script)),
            (std::vector<std::string>{"1: - | | | 0 0", "2: - | | | 0 0", "1: b | b1 | b | 1 1", "1: a | a1 b1 | b a | 2 2",
                                      "1: b | a1 b2 | b a b | 2 3", "1: b | a1 | b a b | 1 3"}));
}

// K8: t < e + ttl and watermark < e + ttl - 1us, both tested at the access.
TEST(ProcessWithStateHandles, SeesNoEntryAfterItsTimeToLive) {
  const auto seen_last_at = [](std::int64_t time, std::optional<std::int64_t> watermark) {
    Script<Visit> script;
    script.record({.key = 1, .shop = "a"}, at(100));
    if (watermark) script.watermark(at(*watermark));
    script.record({.key = 1, .only_look = true}, at(time), watermark && time <= *watermark ? at(*watermark) : kMinusInfinity).end();
    EXPECT_EQ(shops().disagreement(script), "");
    return texts(shops().play(script))[1][3] == 'a';
  };
  EXPECT_TRUE(seen_last_at(109, {})) << "just before its end";
  EXPECT_FALSE(seen_last_at(110, {})) << "at its end, whatever the watermark";
  EXPECT_TRUE(seen_last_at(109, 108)) << "the watermark does not reach its end";
  EXPECT_FALSE(seen_last_at(109, 109)) << "the watermark has reached its end, whatever the record's time";
  EXPECT_TRUE(seen_last_at(50, 108)) << "a record behind sees what is alive";
}

// K8: by its own time, however far the watermark that lets it fire goes on; so the last timers see their state at the end as well.
TEST(ProcessWithStateHandles, SeesInATimerWhatIsAliveAtTheTimersTime) {
  const auto seen_by_timer_at = [](std::int64_t time, std::vector<std::int64_t> watermarks, auto order) {
    Script<Visit> script;
    script.record({.key = 1, .shop = "a", .timer = time}, at(100));
    for (const std::int64_t watermark : watermarks) script.watermark(at(watermark));
    script.end();
    EXPECT_EQ(shops(order).disagreement(script), "");
    return texts(shops(order).play(script)).at(1);
  };
  for (const auto& watermarks : std::vector<std::vector<std::int64_t>>{{}, {105}, {104, 112}, {107, 150}, {1000}}) {
    EXPECT_EQ(seen_by_timer_at(105, watermarks, ArrivalOrder{}), "1: timer a | a1 | a | 1 1");
    EXPECT_EQ(seen_by_timer_at(105, watermarks, EventTimeOrder{}), "1: timer a | a1 | a | 1 1");
    EXPECT_EQ(seen_by_timer_at(110, watermarks, ArrivalOrder{}), "1: timer - | a1 | a | 1 1") << "at the end of its life";
  }
}

TEST(ProcessWithStateHandles, RenewsByWritingAndWhereAskedByReading) {
  const auto script = Script<Visit>{}
                          .record({.key = 1, .shop = "a"}, at(100))
                          .record({.key = 1, .shop = "a"}, at(115))              // "last" has expired; reading and writing renew "visits"
                          .record({.key = 1, .shop = "b"}, at(130))
                          .record({.key = 1, .only_look = true}, at(134))        // by a const handle, which renews nothing
                          .record({.key = 1, .only_look = true}, at(135))
                          .end();
  EXPECT_EQ(shops().disagreement(script), "");
  EXPECT_EQ(texts(shops().play(script)),
            (std::vector<std::string>{"1: - | | | 0 0", "1: - | a1 | a | 1 1", "1: - | a2 | a a | 1 2", "1: b | a2 b1 | a a b | 2 3",
                                      "1: b | b1 | a a b | 1 3"}));
}

TEST(ProcessWithStateHandles, LeavesNothingOfWhatExpiresAfterTheEnd) {
  Script<Visit> script;
  for (std::uint32_t key = 0; key < 5000; ++key) script.record({.key = key, .shop = "a", .forget = key % 2 == 0}, at(key));
  script.end();
  const Play play = shops().play(script);
  EXPECT_EQ(play.entries_left, 2500u) << "the lists, which do not expire, of keys that were not forgotten";
  EXPECT_EQ(shops().play(script, {.interruption = Interruption::kCheckpoint}).entries_left, 2500u);
}

TEST(ProcessWithStateHandles, LetsGoOfQuietKeysAsTheWatermarkMovesOn) {
  Script<Visit> script;
  for (std::uint32_t key = 0; key < 3000; ++key) script.record({.key = key, .shop = "a"}, at(0));
  for (std::int64_t time = 1; time < 40; ++time) script.watermark(at(time));
  EXPECT_EQ(shops().play(script).entries_left, 3000u) << "the lists alone";
}

TEST(ProcessWithStateHandles, FailsWhereEntriesShallExpireWithoutEventTime) {
  const auto script = Script<Visit>{}.untimed().record({.key = 1, .shop = "a"}, kMinusInfinity).end();
  try {
    (void)shops().play(script);
    FAIL() << "it did not fail";
  } catch (const JobFailure& failure) {
    EXPECT_EQ(failure.error().code, ErrorCode::kBadGraph);
    EXPECT_NE(failure.error().message.find("\"last\" has a ttl"), std::string::npos) << failure.error().describe();
  }
}

// What open() says to a state with these two handles.
Status opened(const std::string& first, const std::string& second, Expiry expiry = {}) {
  return operators_internal::check_declared_states("shops", {{first, {}}, {second, expiry}});
}

TEST(ProcessWithStateHandles, RefusesNamesThatACheckpointCouldNotTellApart) {
  EXPECT_TRUE(opened("a", "b").ok());
  EXPECT_EQ(opened("a", "a").error().code, ErrorCode::kBadName);
  EXPECT_EQ(opened("a", "").error().code, ErrorCode::kBadName);
  EXPECT_EQ(opened("a", "b/c").error().code, ErrorCode::kBadName);
  EXPECT_EQ(opened("timers", "b").error().code, ErrorCode::kBadName);
  EXPECT_EQ(opened("a", "records").error().code, ErrorCode::kBadName);
  EXPECT_NE(opened("a", "a").error().message.find("operator \"shops\" has two states that are called \"a\""), std::string::npos);
}
TEST(ProcessWithStateHandles, RefusesATimeToLiveThatIsNone) {
  EXPECT_EQ(opened("a", "b", {.ttl = Duration{0}}).error().code, ErrorCode::kBadConfiguration);
  EXPECT_EQ(opened("a", "b", {.ttl = Duration{-1}}).error().code, ErrorCode::kBadConfiguration);
  EXPECT_EQ(opened("a", "b", {.ttl = kLongestDuration + Duration{1}}).error().code, ErrorCode::kBadConfiguration);
  EXPECT_TRUE(opened("a", "b", {.ttl = kLongestDuration}).ok());
}
TEST(ProcessWithStateHandles, RefusesThemWhenTheOperatorIsOpened) {
  struct Twice {
    struct State {
      ValueState<int> first{"count"};
      ListState<int> second{"count"};
    };
    void operator()(const Visit&, State&, Context&, Collector<std::string>&) const {}
  };
  auto op = operators_internal::process_node<std::uint32_t, Visit, std::string>("shops", &Visit::key, Twice{}, arrival_order()).make();
  StateBackend backend({}, 0, 128);
  OperatorContext context;
  context.name = "shops";
  context.state = &backend;
  const Status status = op->open(context);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kBadName);
}

struct Given {
  Visit visit;
  std::int64_t time = 0;
};
struct Written {
  std::string shop;
  std::uint32_t visits = 0;
  std::int64_t time = 0;
};

// A list of the key's records and timers, walked by time; nothing is ever removed that was not erased. In this order the time of an access
// is also the greatest so far, so an entry is seen as long as time < written + ttl.
std::vector<std::string> model_of_key(std::vector<Given> records) {
  std::stable_sort(records.begin(), records.end(), [](const Given& a, const Given& b) {
    return a.time != b.time ? a.time < b.time : encoded(a.visit) < encoded(b.visit);
  });
  std::optional<Written> last;
  std::map<std::string, Written> visits;
  std::vector<std::string> all;
  std::map<std::int64_t, bool> timers;
  std::vector<std::string> out;
  std::int64_t tau = std::numeric_limits<std::int64_t>::min();
  const auto sees = [&](const Written& written, std::int64_t ttl, std::int64_t time) {
    return time < written.time + ttl && tau - 1 < written.time + ttl - 1;
  };
  const auto say = [&](const std::string& what, std::int64_t time) {
    tau = std::max(tau, time);
    std::string text = what + (last && sees(*last, 10, time) ? last->shop : "-") + " |";
    std::size_t seen = 0;
    for (const auto& [shop, written] : visits) {
      if (!sees(written, 20, time)) continue;
      text += " " + shop + std::to_string(written.visits);
      ++seen;
    }
    text += " |";
    for (const std::string& shop : all) text += " " + shop;
    out.push_back(text + " | " + std::to_string(seen) + " " + std::to_string(all.size()));
  };
  const std::string key = std::to_string(records.front().visit.key) + ": ";
  std::size_t next = 0;
  while (next < records.size() || !timers.empty()) {
    if (next == records.size() || (!timers.empty() && timers.begin()->first < records[next].time)) {
      const std::int64_t time = timers.begin()->first;
      timers.erase(timers.begin());
      say(key + "timer ", time);
      continue;
    }
    const auto& [visit, time] = records[next++];
    say(key, time);
    if (visit.timer != 0) timers[visit.timer] = true;
    if (!visit.only_look) {
      const auto before = visits.find(visit.shop);
      const bool seen = before != visits.end() && sees(before->second, 20, time);
      const std::uint32_t count = seen ? before->second.visits + 1 : 1;
      const std::int64_t written = before == visits.end() ? time : std::max(before->second.time, time);
      visits[visit.shop] = {visit.shop, count, written};
      all.push_back(visit.shop);
      last = {visit.shop, 0, last ? std::max(last->time, time) : time};
    }
    if (visit.leave) visits.erase(visit.shop);
    if (visit.forget) {
      last.reset();
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
      given.time = below(120) - 20;
      given.visit = {.key = static_cast<std::uint32_t>(below(3)),
                     .shop = std::string(1, static_cast<char>('a' + below(4))),
                     .only_look = below(4) == 0,
                     .leave = below(8) == 0,
                     .forget = below(12) == 0,
                     .timer = below(3) == 0 ? given.time + below(30) + 1 : 0};
    }
    return made;
  }
};

TEST(ProcessWithStateHandles, GivesEachKeyWhatANaiveModelGivesInEventTimeOrder) {
  expect_what_a_model_gives<RandomInput>(60, shops(event_time_order()),
                                         {Interruption::kNothing, Interruption::kCheckpoint, Interruption::kRestore,
                                          Interruption::kLateRestore},
                                         model_of_key);
}

}  // namespace
}  // namespace process_test

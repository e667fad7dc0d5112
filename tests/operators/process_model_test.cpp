// process() in event-time order against a naive model (P3, D1, D5): however the input is cut into batches and the watermark into steps,
// each key's output is that of one list of its items, walked by time.
#include <algorithm>
#include <array>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "../support/instrumented.hpp"
#include "process_support.hpp"

namespace process_test {
namespace {

struct Given {
  Item item;
  std::int64_t time = 0;
};

// The rule, word for word: take the least item by (time, records first, bytes), or (time, tag) for timers; tau never falls. A timer that
// runs behind the last watermark before the end sets no timers (T4).
std::vector<Text> model_of_key(std::vector<Given> records, std::int64_t last_watermark) {
  std::stable_sort(records.begin(), records.end(), [](const Given& a, const Given& b) {
    return a.time != b.time ? a.time < b.time : encoded(a.item) < encoded(b.item);
  });
  std::vector<std::pair<std::int64_t, TimerTag>> timers;
  std::map<std::int64_t, std::vector<TimerAction>> on_fire;
  std::vector<Text> out;
  std::int64_t tau = std::numeric_limits<std::int64_t>::min();
  auto set = [&](const TimerAction& action) {
    const std::pair timer{action.time, action.tag};
    if (std::find(timers.begin(), timers.end(), timer) == timers.end()) timers.push_back(timer);
  };
  auto say = [&](const std::string& text, std::int64_t time) {
    tau = std::max(tau, time);
    const bool behind = time < tau;
    out.push_back({text + " wm " + std::to_string(tau - 1) + (behind ? " behind" : ""), at(time), behind ? at(tau - 1) : kMinusInfinity});
  };
  std::size_t next = 0;
  while (next < records.size() || !timers.empty()) {
    const auto least = std::min_element(timers.begin(), timers.end());
    if (next < records.size() && (least == timers.end() || records[next].time <= least->first)) {
      const Given& given = records[next++];
      for (const auto& [time, actions] : given.item.on_fire) on_fire[time] = actions;
      say(std::to_string(given.item.key) + ": " + given.item.name, given.time);
      for (const TimerAction& action : given.item.set) set(action);
      for (const TimerAction& action : given.item.erase) std::erase(timers, std::pair{action.time, action.tag});
      if (given.item.forget) on_fire.clear();
    } else {
      const auto [time, tag] = *least;
      timers.erase(least);
      say(std::to_string(records.front().item.key) + ": timer " + std::to_string(time) + (tag == 0 ? "" : "/" + std::to_string(tag)), time);
      if (const auto found = on_fire.find(time); found != on_fire.end()) {
        if (tau <= last_watermark) {
          for (const TimerAction& action : found->second) set(action);
        }
        on_fire.erase(found);
      }
    }
  }
  return out;
}

class RandomInput {
 public:
  explicit RandomInput(unsigned seed) : random_(seed) {}

  std::int64_t below(std::int64_t n) { return std::uniform_int_distribution<std::int64_t>(0, n - 1)(random_); }

  std::vector<TimerAction> timers(std::int64_t around) {
    std::vector<TimerAction> made(static_cast<std::size_t>(below(3)));
    for (TimerAction& timer : made) timer = {around - 8 + below(20), static_cast<TimerTag>(below(2))};
    return made;
  }
  std::vector<Given> records() {
    std::vector<Given> made(30);
    for (Given& given : made) {
      given.time = below(60) - 20;
      given.item = {.key = static_cast<std::uint32_t>(below(3)),
                    .name = std::string(1, static_cast<char>('a' + below(4))),
                    .set = timers(given.time),
                    .erase = below(3) == 0 ? timers(given.time) : std::vector<TimerAction>{}};
      if (!given.item.set.empty() && below(2) == 0) given.item.on_fire[given.item.set.front().time] = timers(given.item.set.front().time);
      given.item.forget = below(10) == 0;
    }
    return made;
  }
  // The records in any order and cut, with as many watermarks up to `last_watermark` as may be before a record is late.
  Script<Item> script(std::vector<Given> records, bool many_watermarks, std::int64_t last_watermark) {
    // Nearly ordered, so that watermarks have something to pass.
    std::vector<std::pair<std::int64_t, Given>> ranked;
    for (Given& given : records) ranked.push_back({given.time + below(12), std::move(given)});
    std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    Script<Item> script;
    Script<Item>::Records batch;
    std::int64_t last = std::numeric_limits<std::int64_t>::min();
    for (std::size_t i = 0; i < ranked.size(); ++i) {
      batch.push_back({ranked[i].second.item, at(ranked[i].second.time)});
      if (below(4) != 0) continue;
      script.batch(std::move(batch));
      batch.clear();
      std::int64_t least = 1000;
      for (std::size_t k = i + 1; k < ranked.size(); ++k) least = std::min(least, ranked[k].second.time);
      if (many_watermarks && least - 1 > last && least <= last_watermark) script.watermark(at(last = least - 1));
    }
    script.batch(std::move(batch));
    last = std::max<std::int64_t>(last, -60);
    while (many_watermarks && last + 40 < last_watermark) script.watermark(at(last += 1 + below(30)));
    return script.watermark(at(last_watermark)).end();
  }

 private:
  std::mt19937 random_;
};

TEST(ProcessInEventTimeOrder, GivesEachKeyWhatANaiveModelGivesForAnyCutAndAnyWatermarks) {
  for (unsigned seed = 0; seed < (test_support::kInstrumented ? 10 : 60); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomInput random{seed};
    const std::vector<Given> records = random.records();
    std::map<std::uint32_t, std::vector<Given>> by_key;
    for (const Given& given : records) by_key[given.item.key].push_back(given);
    // Beyond all timers, among the records, or before all of them.
    const std::int64_t last_watermark = std::array{500, 25, -100}[seed % 3];
    std::map<std::string, std::vector<Text>> expected;
    for (const auto& [key, given] : by_key) expected[std::to_string(key)] = model_of_key(given, last_watermark);

    const OperatorHarness<Item> made = harness(event_time_order(), {.tells_clock = true, .tells_key = true});
    for (int round = 0; round < 4; ++round) {
      const Script<Item> script = random.script(records, round != 0, last_watermark);
      for (const Interruption interruption :
           {Interruption::kNothing, Interruption::kCheckpoint, Interruption::kRestore, Interruption::kLateRestore}) {
        PlayOptions options{.interruption = interruption, .deterministic = round % 2 == 0};
        if (round > 1) options.max_batch = options.step_budget = 2;
        std::map<std::string, std::vector<Text>> found;
        for (const Text& text : made.play(script, options).records<std::string>()) {
          found[text.record.substr(0, text.record.find(':'))].push_back(text);
        }
        ASSERT_EQ(found, expected);
      }
    }
  }
}

}  // namespace
}  // namespace process_test

#pragma once
// Random records as scripts, for comparisons with a naive model.

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "../support/instrumented.hpp"
#include "process_support.hpp"

namespace process_test {

class RandomScript {
 public:
  explicit RandomScript(unsigned seed) : random_(seed) {}
  std::int64_t below(std::int64_t n) { return std::uniform_int_distribution<std::int64_t>(0, n - 1)(random_); }

  // Nearly in order, with watermarks wherever one may stand. Given: {visit, time}, with times below 500.
  template <class Given>
  auto script(const std::vector<Given>& records, bool many_watermarks) {
    std::vector<std::pair<std::int64_t, Given>> ranked;
    for (const Given& given : records) ranked.push_back({given.time + below(12), given});
    std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    Script<decltype(Given::visit)> script;
    std::int64_t last = std::numeric_limits<std::int64_t>::min();
    for (std::size_t i = 0; i < ranked.size(); ++i) {
      script.record(ranked[i].second.visit, at(ranked[i].second.time));
      std::int64_t least = 1000;
      for (std::size_t k = i + 1; k < ranked.size(); ++k) least = std::min(least, ranked[k].second.time);
      if (many_watermarks && below(2) == 0 && least < 1000 && least - 1 > last) script.watermark(at(last = least - 1));
    }
    script.watermark(at(500)).end();
    return script;
  }

 private:
  std::mt19937 random_;
};

inline std::vector<std::string> texts(const Play& play) {
  std::vector<std::string> out;
  for (const Text& emitted : play.records<std::string>()) out.push_back(emitted.record);
  return out;
}

// In event-time order each key is given what `model` gives for its records alone, texts "KEY: ...", wherever the input is cut, whatever
// watermarks come, and wherever the job is stopped and goes on. Input: a RandomScript whose records() are those of its seed.
template <class Input, class Visit, class Model>
void expect_what_a_model_gives(unsigned seeds, const OperatorHarness<Visit>& harness, std::initializer_list<Interruption> interruptions,
                               Model model) {
  if (test_support::kInstrumented) seeds /= 5;
  for (unsigned seed = 0; seed < seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Input random{seed};
    const auto records = random.records();
    auto by_key = std::map<std::uint32_t, decltype(random.records())>{};
    for (const auto& given : records) by_key[given.visit.key].push_back(given);
    std::map<std::string, std::vector<std::string>> expected;
    for (const auto& [key, given] : by_key) expected[std::to_string(key)] = model(given);

    for (int round = 0; round < 4; ++round) {
      const Script<Visit> script = random.script(records, round != 0);
      for (const Interruption interruption : interruptions) {
        PlayOptions options{.interruption = interruption, .deterministic = round % 2 == 0};
        if (round > 1) options.max_batch = options.step_budget = 2;
        const Play play = harness.play(script, options);
        std::map<std::string, std::vector<std::string>> found;
        for (const std::string& text : texts(play)) found[text.substr(0, text.find(':'))].push_back(text);
        ASSERT_EQ(found, expected);
        ASSERT_EQ(play.counters.late, 0u) << "in this order no record comes too late for its window";
      }
    }
  }
}

}  // namespace process_test

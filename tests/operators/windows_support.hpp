#pragma once
// What the tests of windows share: a record, an aggregate that shows a pane's content, and scripts and outputs written as in the vectors of
// the semantics.

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <tidemark/operators/windows.hpp>
#include <tidemark/testing/operator_harness.hpp>

namespace window_tests {

using namespace tidemark;

struct Item {
  std::string key;
  std::int64_t time = 0;
  double weight = 0;
  friend bool operator==(const Item&, const Item&) = default;
};

using Times = std::vector<std::int64_t>;

// The times of the records in a pane, ascending.
inline auto contents() {
  return aggregate<Times>([](Times& into, const Item& item) { into.push_back(item.time); },
                          [](Times& into, const Times& from) { into.insert(into.end(), from.begin(), from.end()); },
                          [](Times times) {
                            std::sort(times.begin(), times.end());
                            return times;
                          });
}
using Contents = operators_internal::Combined<Item, decltype(contents())>;
using Pane = WindowResult<std::string, Times>;

template <class... Aggregates>
auto harness_of(const WindowSpec& spec, Aggregates... aggregates) {
  using Combined = operators_internal::Combined<Item, Aggregates...>;
  using Out = WindowResult<std::string, typename Combined::Result>;
  const auto node = operators_internal::window_node<std::string, Item, Out>("windows", &Item::key, spec,
      Combined{std::move(aggregates)...});
  OperatorHarness<Item> harness(node.make, &Item::key);
  harness.template collect<Out>(kMainOutlet).template collect<Late<Item>>(kLateOutlet);
  return harness;
}
inline OperatorHarness<Item> panes_of(const WindowSpec& spec) { return harness_of(spec, contents()); }

inline Item item(std::int64_t time, std::string key = "k") { return {std::move(key), time, 0}; }

// "in 1,2,7@9 | wm 8 | end": elements in turn; "7@9" is a record with time 7 that is behind the position watermark 9; "b:7" has the key b.
inline Script<Item> script_of(std::string_view text) {
  Script<Item> script;
  std::istringstream elements{std::string{text}};
  std::uint64_t position = 0;
  for (std::string word; elements >> word;) {
    if (word == "|") continue;
    if (word == "end") {
      script.end();
      continue;
    }
    std::string rest;
    elements >> rest;
    if (word == "wm") {
      script.watermark(event_time(std::stoll(rest)));
      continue;
    }
    TIDEMARK_CHECK(word == "in", std::string{text});
    Script<Item>::Records records;
    std::istringstream list{rest};
    for (std::string one; std::getline(list, one, ',');) {
      std::string key = "k";
      if (const std::size_t colon = one.find(':'); colon != std::string::npos) {
        key = one.substr(0, colon);
        one.erase(0, colon + 1);
      }
      const std::size_t at = one.find('@');
      const std::int64_t time = std::stoll(one.substr(0, at));
      const EventTime as_of = at == std::string::npos ? kMinusInfinity : event_time(std::stoll(one.substr(at + 1)));
      records.push_back({item(time, key), event_time(time), as_of, {0, position++}});
    }
    script.batch(std::move(records));
  }
  return script;
}

inline std::string text_of(EventTime time) {
  return time == kPlusInfinity ? "+inf" : time == kMinusInfinity ? "-inf" : std::to_string(micros(time));
}
inline std::string text_of(const Window& window) { return "[" + text_of(window.start) + "," + text_of(window.end) + ")"; }

// "[0,10){1,2,3} b[10,20){10}": the panes in their order, with the key unless it is k.
inline std::string panes(const Play& play) {
  std::string text;
  for (const Emitted<Pane>& emitted : play.records<Pane>()) {
    text += (text.empty() ? "" : " ") + (emitted.record.key == "k" ?
        std::string{} : emitted.record.key) + text_of(emitted.record.window) + "{";
    for (std::size_t i = 0; i < emitted.record.value.size(); ++i) text += (i == 0 ? "" : ",") + std::to_string(emitted.record.value[i]);
    text += "}";
  }
  return text;
}
// "5@11": the late records with their decision watermarks.
inline std::string late(const Play& play) {
  std::string text;
  for (const Emitted<Late<Item>>& emitted : play.records<Late<Item>>(kLateOutlet)) {
    text += (text.empty() ? "" : " ") + text_of(emitted.record.time) + "@" + text_of(emitted.record.decision_watermark);
  }
  return text;
}

}  // namespace window_tests

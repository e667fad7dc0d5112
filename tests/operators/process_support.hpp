#pragma once
// A function for process() that does what its records say, so that a script alone is a test.

#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/operators/process.hpp>
#include <tidemark/testing/operator_harness.hpp>

namespace tidemark {
inline namespace v0 {

inline void PrintTo(const Emitted<std::string>& emitted, std::ostream* out) {
  *out << emitted.record << " at " << micros(emitted.time);
  if (emitted.as_of != kMinusInfinity) *out << " behind " << micros(emitted.as_of);
}

}  // namespace v0
}  // namespace tidemark

namespace process_test {

using namespace tidemark;

constexpr EventTime at(std::int64_t time) { return event_time(time); }

struct TimerAction {
  std::int64_t time = 0;
  TimerTag tag = 0;
};

struct Item {
  std::uint32_t key = 0;
  std::string name = {};
  std::vector<TimerAction> set = {};                              // timers
  std::vector<TimerAction> erase = {};                            // after that
  std::map<std::int64_t, std::vector<TimerAction>> on_fire = {};   // timers that the first timer at a time sets when it runs
  bool forget = false;
};

using Context = ProcessContext<std::uint32_t>;
using Text = Emitted<std::string>;

// Emits the records' names and "timer TIME" or "timer TIME/TAG", and if asked what the context says.
struct Scripted {
  struct State {
    std::map<std::int64_t, std::vector<TimerAction>> on_fire;
  };
  bool tells_clock = false;
  bool tells_key = false;

  void operator()(const Item& item, State& state, Context& context, Collector<std::string>& out) const {
    for (const auto& [time, actions] : item.on_fire) state.on_fire[time] = actions;
    say(item.name, context, out);
    for (const TimerAction& timer : item.set) context.set_timer(at(timer.time), timer.tag);
    for (const TimerAction& timer : item.erase) context.delete_timer(at(timer.time), timer.tag);
    if (item.forget) context.forget();
  }
  void on_timer(const Timer& timer, State& state, Context& context, Collector<std::string>& out) const {
    say("timer " + std::to_string(micros(timer.time)) + (timer.tag == 0 ? "" : "/" + std::to_string(timer.tag)), context, out);
    if (const auto found = state.on_fire.find(micros(timer.time)); found != state.on_fire.end()) {
      for (const TimerAction& action : found->second) context.set_timer(at(action.time), action.tag);
      state.on_fire.erase(found);
    }
  }

 private:
  void say(std::string text, const Context& context, Collector<std::string>& out) const {
    if (tells_key) text = std::to_string(context.key()) + ": " + text;
    if (tells_clock) text += context.watermark() == kMinusInfinity ? " wm -inf" : " wm " + std::to_string(micros(context.watermark()));
    if (tells_clock && context.is_behind()) text += " behind";
    out(std::move(text));
  }
};

template <class F, class Order>
Node scripted_node(F f, Order order) {
  return operators_internal::process_node<std::uint32_t, Item, std::string>("scripted", &Item::key, std::move(f), std::move(order));
}
template <class Order = ArrivalOrder>
OperatorHarness<Item> harness(Order order = {}, Scripted f = {}) {
  OperatorHarness<Item> made(scripted_node(f, order).make, &Item::key);
  made.template collect<std::string>(kMainOutlet);
  return made;
}

struct Vector {
  const char* rule;
  Script<Item> script;
  std::vector<Text> expected;
};

}  // namespace process_test

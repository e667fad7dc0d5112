#include "scenarios.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include <tidemark/file/lines.hpp>
#include <tidemark/file/pace.hpp>
#include <tidemark/memory/memory_source.hpp>
#include <tidemark/operators/stream.hpp>

namespace tidemark::proof {

namespace {

using namespace payments;
using std::chrono::microseconds;
using std::to_string;

constexpr std::int64_t kSlide = 50;
constexpr std::int64_t kGap = 30;
constexpr std::int64_t kWait = 70;
constexpr std::int64_t kEnd = 1'000'000;

// ---- the jobs

bool counts(const Payment& payment) { return payment.amount != 13; }
std::string text_of(const Line& line) { return line.key + " " + line.text; }

Source<Payment> source_of(const Splits& splits, double pace) { return paced(memory_source(splits), Pace::records_per_second(pace)); }
Sink<std::string> sink(const std::string& out, const char* name) { return lines_sink(out + "/" + name); }

auto timed(Graph& graph, const char* name, const Splits& splits, double pace) {
  return graph.from(name, source_of(splits, pace)).filter(&counts).with_event_time(
      &Payment::time, {.out_of_orderness = microseconds{kDisorder}});
}

Graph map_job(const Splits& splits, double pace, const std::string& out) {
  Graph graph;
  graph.from("payments", source_of(splits, pace))
      .filter(&counts)
      .map([](const Payment& payment) { return to_string(payment.account) + " paid " + to_string(payment.id); })
      .to("lines", sink(out, "lines"));
  return graph;
}

// Counts and sums of each account and window, to the sink `lines`, from any stream of payments.
template <class Stream, class Spec>
void add_windows(Stream payments, Spec spec, const std::string& out, const char* lines) {
  auto windows =
      payments.key_by(&Payment::account).window(spec).aggregate("per_window", count(), sum(&Payment::amount));
  windows
      .map([](const auto& result) {
        return to_string(result.key) + " window " + to_string(micros(result.window.start)) + " " + to_string(micros(result.window.end)) +
               " " + to_string(std::get<0>(result.value)) + " " + to_string(std::get<1>(result.value));
      })
      .to(lines, sink(out, lines));
  windows.late()
      .map([](const Late<Payment>& late) { return to_string(late.record.account) + " late " + to_string(late.record.id); })
      .to("late", sink(out, "late"));
}
template <class Spec>
Graph windowed(const Splits& splits, double pace, const std::string& out, Spec spec) {
  Graph graph;
  add_windows(timed(graph, "payments", splits, pace), spec, out, "lines");
  return graph;
}
Graph tumbling_job(const Splits& splits, double pace, const std::string& out) {
  return windowed(splits, pace, out, tumbling(microseconds{kWindow}));
}
Graph sliding_job(const Splits& splits, double pace, const std::string& out) {
  return windowed(splits, pace, out, sliding(microseconds{kWindow}, microseconds{kSlide}));
}
Graph session_job(const Splits& splits, double pace, const std::string& out) {
  return windowed(splits, pace, out, session(microseconds{kGap}));
}

// Says for each record that its time to wait is over, and at the end what a key has paid in all.
struct Reminders {
  struct State {
    std::int64_t paid = 0;
  };
  void operator()(const Payment& payment, State& state, ProcessContext<std::int64_t>& context, Collector<std::string>&) {
    state.paid += payment.amount;
    context.set_timer(event_time(payment.at + kWait));
    context.set_timer(event_time(kEnd));
  }
  void on_timer(const Timer& timer, State& state, ProcessContext<std::int64_t>& context, Collector<std::string>& out) {
    const bool end = micros(timer.time) == kEnd;
    out(to_string(context.key()) + (end ? " paid " + to_string(state.paid) : " waited " + to_string(micros(timer.time))));
  }
};
Graph timers_job(const Splits& splits, double pace, const std::string& out) {
  Graph graph;
  timed(graph, "payments", splits, pace)
      .key_by(&Payment::account)
      .process<std::string>("reminders", Reminders{})
      .to("lines", sink(out, "lines"));
  return graph;
}

// Totals of each account in the order of event time, from any stream of payments.
template <class Stream>
void add_totals(Stream payments, const std::string& out) {
  payments.key_by(&Payment::account)
      .template process<std::string>(
          "totals",
          [](const Payment& payment, Total& total, ProcessContext<std::int64_t>&, Collector<std::string>& lines) {
            total.sum += payment.amount;
            ++total.count;
            lines(to_string(payment.account) + " total " + to_string(payment.at) + " " + to_string(payment.id) + " " +
                  to_string(total.count) + " " + to_string(total.sum));
          },
          event_time_order(&Payment::id))
      .to("lines", sink(out, "lines"));
}
Graph ordered_job(const Splits& splits, double pace, const std::string& out) {
  Graph graph;
  add_totals(timed(graph, "payments", splits, pace), out);
  return graph;
}
// Two sources whose streams are united, and a second sink that writes seldom, so that it has epochs without output.
Graph several_job(const Splits& splits, double pace, const std::string& out) {
  Graph graph;
  auto first = timed(graph, "first", {splits.begin(), splits.end() - 1}, pace);
  auto all = first.union_with(timed(graph, "second", {splits.back()}, pace));
  add_totals(all, out);
  all.filter([](const Payment& payment) { return payment.id % 100 == 7; })
      .map([](const Payment& payment) { return to_string(payment.id); })
      .to("seldom", sink(out, "seldom"));
  return graph;
}

// One stream, and two stateful operators below it.
Graph branches_job(const Splits& splits, double pace, const std::string& out) {
  Graph graph;
  auto all = timed(graph, "payments", splits, pace);
  add_windows(all, tumbling(microseconds{kWindow}), out, "windows");
  add_totals(all, out);
  return graph;
}

// Values, lists and maps, entry by entry and with large values: what the last few payments were, and how often an amount was paid.
struct Keeper {
  struct State {
    ListState<std::int64_t> last{"last"};
    MapState<std::int64_t, std::string> amounts{"amounts"};
  };
  void operator()(const Payment& payment, State& state, ProcessContext<std::int64_t>&, Collector<std::string>& out) {
    std::string line = to_string(payment.account) + " after";
    for (const std::int64_t id : state.last) line += " " + to_string(id);
    if (state.last.size() == kMost) state.last.clear();
    state.last.append(payment.id);
    const std::string* before = state.amounts.find(payment.amount % kAmounts);
    const std::string times = (before == nullptr ? "" : *before) + std::string(kLarge, 'x');
    state.amounts.put(payment.amount % kAmounts, times);
    out(line + " paid " + to_string(times.size() / kLarge));
  }
  static constexpr std::size_t kMost = 3;
  static constexpr std::int64_t kAmounts = 4;
  static constexpr std::size_t kLarge = 2000;
};
Graph keeper_job(const Splits& splits, double pace, const std::string& out) {
  Graph graph;
  timed(graph, "payments", splits, pace)
      .key_by(&Payment::account)
      .process<std::string>("keeper", Keeper{}, event_time_order(&Payment::id))
      .to("lines", sink(out, "lines"));
  return graph;
}

// Entries of a key's window, counted anew in each: a list and a map that go with the window.
struct Visits {
  struct State {
    PerWindow<ListState<std::int64_t>> ids{"ids", tumbling(microseconds{kWindow})};
    PerWindow<MapState<std::int64_t, std::int64_t>> amounts{"amounts", tumbling(microseconds{kWindow})};
  };
  void operator()(const Payment& payment, State& state, ProcessContext<std::int64_t>&, Collector<std::string>& out) {
    state.ids.append(payment.id);
    const std::int64_t amount = payment.amount % Keeper::kAmounts;
    const std::int64_t* before = state.amounts.find(amount);
    const std::int64_t times = before == nullptr ? 1 : *before + 1;
    state.amounts.put(amount, times);
    std::string line = to_string(payment.account) + " in its window";
    for (const std::int64_t id : state.ids) line += " " + to_string(id);
    out(line + " paid " + to_string(times));
  }
};
Graph visits_job(const Splits& splits, double pace, const std::string& out) {
  Graph graph;
  timed(graph, "payments", splits, pace)
      .key_by(&Payment::account)
      .process<std::string>("visits", Visits{}, event_time_order(&Payment::id))
      .to("lines", sink(out, "lines"));
  return graph;
}

// A list without a key: the last few payments of the one split.
struct Recent {
  void operator()(const Payment& payment, std::vector<std::int64_t>& last, Collector<std::string>& out) {
    std::string line = to_string(payment.id) + " after";
    for (const std::int64_t id : last) line += " " + to_string(id);
    if (last.size() == kMost) last.erase(last.begin());
    last.push_back(payment.id);
    out(std::move(line));
  }
  static constexpr std::size_t kMost = 4;
};
Graph recent_job(const Splits& splits, double pace, const std::string& out) {
  Graph graph;
  timed(graph, "payments", splits, pace).flat_map<std::string, std::int64_t>("recent", Recent{}).to("lines", sink(out, "lines"));
  return graph;
}

// Two ways from one source to sessions, which stay open across checkpoints and merge.
Graph diamond_job(const Splits& splits, double pace, const std::string& out) {
  Graph graph;
  auto all = timed(graph, "payments", splits, pace);
  auto even = all.filter([](const Payment& payment) { return payment.id % 2 == 0; });
  auto odd = all.filter([](const Payment& payment) { return payment.id % 2 != 0; });
  auto sessions = even.union_with(odd).key_by(&Payment::account).window(session(microseconds{kGap})).aggregate(
      "per_window", count(), sum(&Payment::amount));
  sessions
      .map([](const auto& result) {
        return to_string(result.key) + " window " + to_string(micros(result.window.start)) + " " + to_string(micros(result.window.end)) +
               " " + to_string(std::get<0>(result.value)) + " " + to_string(std::get<1>(result.value));
      })
      .to("lines", sink(out, "lines"));
  return graph;
}

// ---- the models

Output sorted(Output output) {
  for (auto& [name, lines] : output) std::sort(lines.begin(), lines.end());
  return output;
}

// Visits each record that counts, with its split's watermark just before it (W5).
template <class Visit>
void each(const Splits& splits, Visit&& visit) {
  for (const auto& split : splits) {
    std::int64_t watermark = INT64_MIN;
    for (const Payment& payment : split) {
      if (!counts(payment)) continue;
      visit(payment, watermark);
      watermark = std::max(watermark, payment.at - kDisorder - 1);
    }
  }
}

Output map_model(const Splits& splits) {
  Output output{{"lines", {}}};
  each(splits, [&](const Payment& payment, std::int64_t) {
    output["lines"].push_back(to_string(payment.account) + " paid " + to_string(payment.id));
  });
  return sorted(output);
}

using Sum = std::pair<std::uint64_t, std::int64_t>;
std::string window_line(std::int64_t account, std::int64_t start, std::int64_t end, const Sum& sum) {
  return to_string(account) + " window " + to_string(start) + " " + to_string(end) + " " + to_string(sum.first) + " " +
         to_string(sum.second);
}

// A record counts in each window that covers it and is open at its watermark (A2, A3); if none is, it is late (L1).
Output windows_model(const Splits& splits, std::int64_t slide) {
  Output output{{"lines", {}}, {"late", {}}};
  std::map<std::pair<std::int64_t, std::int64_t>, Sum> windows;
  each(splits, [&](const Payment& payment, std::int64_t watermark) {
    bool open = false;
    for (std::int64_t start = payment.at - kWindow + 1; start <= payment.at; ++start) {
      if (start % slide != 0 || start + kWindow - 1 <= watermark) continue;
      open = true;
      auto& [number, sum] = windows[{payment.account, start}];
      ++number;
      sum += payment.amount;
    }
    if (!open) output["late"].push_back(to_string(payment.account) + " late " + to_string(payment.id));
  });
  for (const auto& [key, sum] : windows) output["lines"].push_back(window_line(key.first, key.second, key.second + kWindow, sum));
  return sorted(output);
}
Output tumbling_model(const Splits& splits) { return windows_model(splits, kWindow); }
Output sliding_model(const Splits& splits) { return windows_model(splits, kSlide); }

// Where no record is late, a key's sessions are its records in the order of time, cut where the next one is the gap away or more (S1).
Output session_model(const Splits& splits) {
  Output output{{"lines", {}}, {"late", {}}};
  std::map<std::int64_t, std::vector<std::pair<std::int64_t, std::int64_t>>> records;
  each(splits, [&](const Payment& payment, std::int64_t) { records[payment.account].emplace_back(payment.at, payment.amount); });
  for (auto& [account, of_key] : records) {
    std::sort(of_key.begin(), of_key.end());
    for (std::size_t i = 0; i < of_key.size();) {
      const std::int64_t start = of_key[i].first;
      std::int64_t end = start;
      Sum sum;
      do {
        end = of_key[i].first + kGap;
        ++sum.first;
        sum.second += of_key[i].second;
      } while (++i < of_key.size() && of_key[i].first < end);
      output["lines"].push_back(window_line(account, start, end, sum));
    }
  }
  return sorted(output);
}

Output timers_model(const Splits& splits) {
  Output output{{"lines", {}}};
  std::set<std::pair<std::int64_t, std::int64_t>> waits;
  std::map<std::int64_t, std::int64_t> paid;
  each(splits, [&](const Payment& payment, std::int64_t) {
    waits.emplace(payment.account, payment.at + kWait);   // one timer for a key and time (T1)
    paid[payment.account] += payment.amount;
  });
  for (const auto& [account, time] : waits) output["lines"].push_back(to_string(account) + " waited " + to_string(time));
  for (const auto& [account, sum] : paid) output["lines"].push_back(to_string(account) + " paid " + to_string(sum));
  return sorted(output);
}

Output ordered_model(const Splits& splits) {
  Output output{{"lines", {}}};
  for (const Line& line : model(splits).lines) {
    if (line.text.starts_with("total")) output["lines"].push_back(text_of(line));
  }
  return sorted(output);
}
// In the order of process(): by time and number; who is behind is left out (P3).
std::vector<Payment> in_order(const Splits& splits) {
  std::map<std::pair<std::int64_t, std::int64_t>, Payment> ordered;
  each(splits, [&](const Payment& payment, std::int64_t watermark) {
    if (payment.at > watermark) ordered.emplace(std::pair{payment.at, payment.id}, payment);
  });
  std::vector<Payment> payments;
  for (const auto& [at, payment] : ordered) payments.push_back(payment);
  return payments;
}
Output keeper_model(const Splits& splits) {
  Output output{{"lines", {}}};
  std::map<std::int64_t, std::vector<std::int64_t>> before;
  std::map<std::pair<std::int64_t, std::int64_t>, int> times;
  for (const Payment& payment : in_order(splits)) {
    auto& ids = before[payment.account];
    std::string line = to_string(payment.account) + " after";
    for (const std::int64_t id : ids) line += " " + to_string(id);
    if (ids.size() == Keeper::kMost) ids.clear();
    ids.push_back(payment.id);
    output["lines"].push_back(line + " paid " + to_string(++times[{payment.account, payment.amount % Keeper::kAmounts}]));
  }
  return sorted(output);
}
Output branches_model(const Splits& splits) {
  Output output = ordered_model(splits);
  Output windows = tumbling_model(splits);
  output["windows"] = std::move(windows["lines"]);
  output["late"] = std::move(windows["late"]);
  return output;
}
Output visits_model(const Splits& splits) {
  Output output{{"lines", {}}};
  struct OfWindow {
    std::string ids{};
    std::map<std::int64_t, int> times{};
  };
  std::map<std::pair<std::int64_t, std::int64_t>, OfWindow> windows;
  for (const Payment& payment : in_order(splits)) {
    const std::int64_t start = payment.at - ((payment.at % kWindow) + kWindow) % kWindow;
    OfWindow& window = windows[{payment.account, start}];
    window.ids += " " + to_string(payment.id);
    const int times = ++window.times[payment.amount % Keeper::kAmounts];
    output["lines"].push_back(to_string(payment.account) + " in its window" + window.ids + " paid " + to_string(times));
  }
  return sorted(output);
}
Output recent_model(const Splits& splits) {
  Output output{{"lines", {}}};
  std::vector<std::int64_t> ids;
  each(splits, [&](const Payment& payment, std::int64_t) {
    std::string line = to_string(payment.id) + " after";
    for (std::size_t i = ids.size() - std::min(ids.size(), Recent::kMost); i < ids.size(); ++i) line += " " + to_string(ids[i]);
    ids.push_back(payment.id);
    output["lines"].push_back(line);
  });
  return sorted(output);
}
Output diamond_model(const Splits& splits) { return {{"lines", session_model(splits)["lines"]}}; }
Output several_model(const Splits& splits) {
  Output output = ordered_model(splits);
  output["seldom"] = {};
  each(splits, [&](const Payment& payment, std::int64_t) {
    if (payment.id % 100 == 7) output["seldom"].push_back(to_string(payment.id));
  });
  return sorted(output);
}

}  // namespace

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all{
      {"map", map_job, map_model},
      {"tumbling", tumbling_job, tumbling_model},
      {"sliding", sliding_job, sliding_model},
      {"session", session_job, session_model, 2, kDisorder},
      {"timers", timers_job, timers_model, 2, kDisorder},
      {"ordered", ordered_job, ordered_model},
      {"branches", branches_job, branches_model},
      {"several", several_job, several_model, 3},
      {"kinds", keeper_job, keeper_model},
      {"budget", keeper_job, keeper_model, 2, 60, 1, 1, std::size_t{1} << 20},
      {"rescale", tumbling_job, tumbling_model, 2, 60, 2, 3},
      {"savepoint", tumbling_job, tumbling_model, 2, 60, 1, 1, 0, true},
      {"diamond", diamond_job, diamond_model, 2, kDisorder},
      {"visits", visits_job, visits_model},
      {.name = "recent", .graph = recent_job, .model = recent_model, .splits = 1, .one_task = true},
      {.name = "failed", .graph = keeper_job, .model = keeper_model, .one_fails = true},
      {.name = "few", .graph = map_job, .model = map_model, .splits = 1, .per_split = 50, .checkpoints = 2, .every_second = true},
      {.name = "compacted", .graph = keeper_job, .model = keeper_model, .files_to_merge = 2},
      {.name = "window", .graph = tumbling_job, .model = tumbling_model, .splits = 1, .per_split = 50, .checkpoints = 2,
       .every_second = true},
  };
  return all;
}

Splits input_of(const Scenario& scenario) { return make_payments(17, scenario.splits, scenario.per_split, scenario.disorder); }

}  // namespace tidemark::proof

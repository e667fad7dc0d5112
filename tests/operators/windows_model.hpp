#pragma once
// A model of windows: it keeps every record and computes windows by their definition.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "windows_support.hpp"

namespace window_tests {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

// One record as a splits' history gives it to an operator.
struct Input {
  std::string key;
  std::int64_t time;
  std::int64_t as_of;
};
// A history: records and watermarks (a Step without records) in turn.
struct Step {
  std::vector<Input> records;
  std::int64_t watermark = kNever;
};
using History = std::vector<Step>;

inline Script<Item> script_of(const History& history) {
  Script<Item> script;
  std::int64_t number = 0;
  for (const Step& step : history) {
    if (step.records.empty()) {
      script.watermark(event_time(step.watermark));
      continue;
    }
    Script<Item>::Records records;
    for (const Input& input : step.records) {
      // Weights whose sums depend on the order of addition.
      records.push_back({{input.key, input.time, 1.0 / static_cast<double>(3 + number++ % 97)}, event_time(input.time),
          event_time(input.as_of), {}});
    }
    script.batch(std::move(records));
  }
  return script.end();
}

struct Expected {
  std::multiset<std::string> panes;
  std::multiset<std::string> late;
  std::uint64_t late_for_some = 0;
  std::uint64_t in_no_window = 0;
  friend bool operator==(const Expected&, const Expected&) = default;
};

inline std::string pane_text(const std::string& key, std::int64_t start, std::int64_t end, Times times) {
  std::sort(times.begin(), times.end());
  std::string text = key + "[" + std::to_string(start) + "," + std::to_string(end) + ")";
  for (const std::int64_t time : times) text += " " + std::to_string(time);
  return text;
}
inline std::string late_text(std::int64_t time, std::int64_t decision) { return std::to_string(time) + "@" + std::to_string(decision); }

// A2, A3, L1, L4. Tumbling windows are sliding ones with slide == size.
inline Expected sliding_model(const History& history, std::int64_t size, std::int64_t slide, std::int64_t offset) {
  Expected expected;
  std::map<std::tuple<std::int64_t, std::int64_t, std::string>, Times> panes;
  std::int64_t watermark = kNever;
  for (const Step& step : history) {
    if (step.records.empty()) watermark = step.watermark;
    for (const Input& input : step.records) {
      const std::int64_t decision = std::max(input.as_of, watermark);
      int windows = 0;
      int open = 0;
      for (std::int64_t start = input.time - size + 1; start <= input.time; ++start) {
        if ((start - offset) % slide != 0) continue;
        ++windows;
        if (start + size - 1 <= decision) continue;
        ++open;
        panes[{start, start + size, input.key}].push_back(input.time);
      }
      if (windows == 0) ++expected.in_no_window;
      if (windows > 0 && open == 0) expected.late.insert(late_text(input.time, decision));
      if (open > 0 && open < windows) ++expected.late_for_some;
    }
  }
  for (const auto& [where, times] : panes) expected.panes.insert(pane_text(std::get<2>(where), std::get<0>(where), std::get<1>(where),
      times));
  return expected;
}

// S1, S3, S4.
inline Expected session_model(const History& history, std::int64_t gap) {
  struct Session {
    std::int64_t start, end;
    Times times;
  };
  Expected expected;
  std::map<std::string, std::vector<Session>> sessions;
  std::int64_t watermark = kNever;
  auto fire = [&] {
    for (auto& [key, list] : sessions) {
      std::erase_if(list, [&, &name = key](const Session& session) {
        if (session.end - 1 > watermark) return false;
        expected.panes.insert(pane_text(name, session.start, session.end, session.times));
        return true;
      });
    }
  };
  for (const Step& step : history) {
    if (step.records.empty()) {
      watermark = step.watermark;
      fire();
    }
    for (const Input& input : step.records) {
      const std::int64_t decision = std::max(input.as_of, watermark);
      Session merged{input.time, input.time + gap, {input.time}};
      auto joins = [&](const Session& session) {
        return session.end - 1 > decision && input.time < session.end && session.start < input.time + gap;
      };
      auto& list = sessions[input.key];
      for (const Session& session : list) {
        if (!joins(session)) continue;
        merged.start = std::min(merged.start, session.start);
        merged.end = std::max(merged.end, session.end);
        merged.times.insert(merged.times.end(), session.times.begin(), session.times.end());
      }
      if (merged.end - 1 <= decision) {
        expected.late.insert(late_text(input.time, decision));
        continue;
      }
      std::erase_if(list, joins);
      list.push_back(merged);
    }
  }
  watermark = kForever;
  fire();
  return expected;
}

inline Expected model_of(const WindowSpec& spec, const History& history) {
  return spec.kind == WindowKind::kSession ? session_model(history, spec.size.count())
                                           : sliding_model(history, spec.size.count(), spec.slide.count(), spec.offset.count());
}

// The panes in no order, once it was checked that they came in the order of their ends (F2): those of all keys, or in a play that is not
// deterministic those of each key, which is all that sessions promise.
inline Expected what_came_out(const Play& play, bool deterministic = true) {
  Expected found;
  std::map<std::string, EventTime> last_ends;   // of this element, by key or of all
  std::size_t element = 0;
  for (const auto& event : play.events) {
    if (event.outlet != kMainOutlet || event.kind != Play::Kind::kRecord) continue;
    Pane pane;
    TIDEMARK_CHECK(decode_whole(event.bytes, pane), "a result is a pane");
    if (event.element != element) last_ends.clear();
    element = event.element;
    EventTime& last_end = last_ends.try_emplace(deterministic ? "" : pane.key, kMinusInfinity).first->second;
    TIDEMARK_CHECK(pane.window.end >= last_end, "panes come in the order of their ends");
    last_end = pane.window.end;
    found.panes.insert(pane_text(pane.key, micros(pane.window.start), micros(pane.window.end), pane.value));
  }
  for (const auto& emitted : play.records<Late<Item>>(kLateOutlet)) {
    TIDEMARK_CHECK(emitted.as_of == emitted.record.decision_watermark, "a late record is as of its decision");
    found.late.insert(late_text(micros(emitted.record.time), micros(emitted.record.decision_watermark)));
  }
  TIDEMARK_CHECK(play.counters.late == found.late.size(), "late records are counted");
  found.late_for_some = play.counters.late_for_some_windows;
  found.in_no_window = play.counters.in_no_window;
  return found;
}

// A source split: its records in order, judged by its own watermark (W3, W5).
class Split {
 public:
  explicit Split(std::int64_t bound) : bound_(bound) {}
  Input read(std::string key, std::int64_t time) {
    const std::int64_t position = watermark();
    greatest_ = std::max(greatest_, time);
    return {std::move(key), time, time <= position ? position : kNever};
  }
  std::int64_t watermark() const { return greatest_ == kNever ? kNever : greatest_ - bound_ - 1; }

 private:
  std::int64_t bound_;
  std::int64_t greatest_ = kNever;
};

inline std::string text_of(const History& history) {
  std::string text;
  for (const Step& step : history) {
    text += step.records.empty() ? " wm " + std::to_string(step.watermark) : " in";
    for (const Input& input : step.records) {
      text += " " + input.key + ":" + std::to_string(input.time) + (input.as_of == kNever ? "" : "@" + std::to_string(input.as_of));
    }
    text += " |";
  }
  return text;
}

}  // namespace window_tests

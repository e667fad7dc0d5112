#pragma once
// State of process() for each key and window. A handle (state/handles.hpp) that is wrapped in PerWindow<> has something else for every
// tumbling window, and stands for the window of the call: the one that contains the time of the record or timer.
//
//   struct Regulars {
//     struct State {
//       PerWindow<MapState<std::string, int>> visits{"visits", tumbling(24h)};
//     };
//     void operator()(const Payment& payment, State& state, ProcessContext<CardId>& context, Collector<Regular>& out) {
//       const int* visits = state.visits.find(payment.merchant);
//       state.visits.put(payment.merchant, visits == nullptr ? 1 : *visits + 1);
//       context.set_timer(state.visits.window().max_time());
//     }
//     void on_timer(const Timer& timer, const State& state, ProcessContext<CardId>& context, Collector<Regular>& out) {
//       for (const auto& [merchant, visits] : state.visits) {   // of the window that ends
//         if (visits >= 3) out(Regular{context.key(), merchant, visits});
//       }
//     }
//   };
//
// A window's state is gone, with no work for its entries, when the watermark has reached its last microsecond and the allowed lateness
// (L1); timers of that watermark step run before, so one at window().max_time() sees all. For a record the greater of the operator's
// watermark and its own as_of decides, as for late records everywhere; in event-time order the clock of context.watermark() does, so that
// there no record comes too late.
//
// A window that is gone is empty when a call begins, and what the call writes there is gone with the call. A record that wrote so is
// counted as late (L5), once; is_gone() tells before. Whoever wants such records emits them to a side output.
//
// The window is a part of the state's schema (K11), the allowed lateness is not. context.forget() erases what the key has in all windows. A
// stream without event time has no windows: the job fails at the first access. A record of a sliding window is in several, and sessions
// merge (S9), so both are refused by the compiler.

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include <tidemark/core/time.hpp>
#include <tidemark/operators/windows.hpp>
#include <tidemark/state/handles.hpp>

namespace tidemark {
inline namespace v0 {

struct PerWindowOptions {
  // How long a window's state stays, by event time, for records that are behind: in order of arrival, since in event-time order these are
  // late and never come. Not negative, at most kLongestDuration.
  Duration allowed_lateness{0};
  // Of lists and maps: as in EntriesOptions, for each key and window.
  std::optional<std::size_t> max_entries{};
};

namespace operators_internal {

// As WindowEntriesTable wants it. Windows go by their unclipped ends (window_math.hpp).
struct StateWindows {
  WindowSpec spec{};
  Duration allowed_lateness{0};

  EventTime end_of(EventTime time) const { return period_start(clipped(time), spec.size, spec.offset) + spec.size; }
  EventTime gone_through(EventTime watermark) const {
    if (watermark == kPlusInfinity) return kPlusInfinity;
    return std::min(saturating_add(saturating_add(watermark, Duration{1}), -allowed_lateness), kLastRecordTime);   // A6
  }
  std::string parameters() const { return spec.parameters(); }

  // kBadGraph if a duration is impossible.
  Status check() const;
};

}  // namespace operators_internal

// Handle: ValueState<V>, ListState<V> or MapState<K, V>. Without a time to live: the window says how long an entry lives.
template <class Handle>
class PerWindow : public Handle {
 public:
  PerWindow() = default;   // without a name, which is refused when the job is built; only for reflection on the struct
  template <WindowKind kKind>
  PerWindow(std::string name, WindowsOf<kKind> windows, PerWindowOptions options = {})
      : Handle(std::move(name)), windows_{windows, options.allowed_lateness} {
    static_assert(kKind != WindowKind::kSession,
                  "Tidemark: sessions merge, so that there is no state of a function's for one of them (S9)");
    static_assert(kKind != WindowKind::kSliding,
                  "Tidemark: a record is in several sliding windows, so that there is none that a function's state could stand for: use "
                  "tumbling() and put together what is kept for each slide");
    if constexpr (requires { &PerWindow::limit_entries; }) this->limit_entries(options.max_entries);
  }

  // Of the call.
  Window window() const { return tumbling_window(this->now(), windows_.spec.size, windows_.spec.offset); }
  bool is_gone() const { return this->comes_too_late(); }

  // For the operator.
  const operators_internal::StateWindows& windows() const { return windows_; }

 private:
  operators_internal::StateWindows windows_;
};

}  // namespace v0
}  // namespace tidemark

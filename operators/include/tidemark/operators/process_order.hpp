#pragma once
// In which order process() handles the records and timers of a key.

#include <utility>

namespace tidemark {
inline namespace v0 {

// Handles records in the order in which they arrive (P2).
struct ArrivalOrder {};
constexpr ArrivalOrder arrival_order() { return {}; }

struct AnyOrder {};   // no then_by

// Handles records and timers of a key by time (P3): records before timers of the same time, ties by `then_by`, then by encoded bytes. A
// record behind the watermark is late (L5). Records wait in state, so they need a Codec.
template <class ThenBy = AnyOrder>
struct EventTimeOrder {
  ThenBy then_by;
};
constexpr EventTimeOrder<> event_time_order() { return {}; }
// `then_by`: a member pointer or a function of the record; what it gives is compared by <.
template <class ThenBy>
constexpr EventTimeOrder<ThenBy> event_time_order(ThenBy then_by) {
  return {std::move(then_by)};
}

}  // namespace v0
}  // namespace tidemark

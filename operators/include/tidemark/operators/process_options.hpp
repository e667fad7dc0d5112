#pragma once
// What process() may be told beside its function and its order.

#include <cstdint>
#include <optional>

namespace tidemark {
inline namespace v0 {

struct ProcessOptions {
  // The most timers that a key may have set at a time. One that would be more fails the job with TM0606, operator and record. Nothing: any
  // number. More than zero. The limit is each key's, so that neither parallelism nor memory decides whether it is met.
  //
  // The timers of each key are then counted in one more state of the operator, "timer_counts": setting, deleting and running a timer costs
  // a look-up there, and setting one asks whether it is set already, also in the store. A limit that a job gets later counts the timers
  // that are set from then on. One that is taken away again leaves that state to be given up (`--drop-state OPERATOR/timer_counts`).
  std::optional<std::uint32_t> max_timers{};
};

}  // namespace v0
}  // namespace tidemark

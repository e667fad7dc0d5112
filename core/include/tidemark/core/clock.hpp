#pragma once
// The clock seam. Nothing that decides a result reads it, unless the user asked for processing time; time-outs and pacing do.

#include <chrono>

namespace tidemark {
inline namespace v0 {

class Clock {
 public:
  virtual ~Clock() = default;
  // Never goes back. For time-outs, pacing and idleness.
  virtual std::chrono::steady_clock::time_point steady_now() const = 0;
  // The time of day, which may jump. For people only: log lines, names of attempts.
  virtual std::chrono::system_clock::time_point wall_now() const = 0;
};

// The machine's clocks. One object for the whole process, without state.
const Clock& system_clock();

}  // namespace v0
}  // namespace tidemark

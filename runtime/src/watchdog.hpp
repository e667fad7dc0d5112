#pragma once
// Says, once for each, which calls into operators and sinks do not return, and when one has returned after all. It reads no clock and asks
// nobody: the control loop tells it now and then which calls are under way.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/log.hpp>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

class Watchdog {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Hang {
    std::string what;   // as in: operator "counts" of task counts/1
    Time since{};       // when the call was first seen: it began up to a quarter of the limit before
  };

  // `limit`: a call that has been under way for so long hangs. Zero: nothing is watched. `callers`: each is in one call at a time.
  Watchdog(std::chrono::milliseconds limit, std::size_t callers, Logger logger)
      : limit_(limit), logger_(std::move(logger)), callers_(callers) {}

  // When to look at all callers next; nothing: never.
  std::optional<Time> next_look() const;
  void begin_look(Time now) { looked_ = now; }
  // `call`: a number of its own for each call; 0: the caller is in none. Says that a call that hung has returned. True: the call hangs, and
  // report() is to name it.
  bool see(std::size_t caller, std::uint64_t call, Time now);
  // `more`: what is known of it besides.
  void report(std::size_t caller, Time now, std::string what, const std::string& more);

  std::vector<Hang> hangs() const;
  // Changes whenever hangs() does.
  std::uint64_t changes() const { return changes_; }

 private:
  struct Caller {
    std::uint64_t call = 0;
    Time since{};
    std::string hangs_in;   // empty: not reported
  };

  const std::chrono::milliseconds limit_;
  const Logger logger_;
  std::vector<Caller> callers_;
  Time looked_{};
  std::uint64_t changes_ = 0;
};

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

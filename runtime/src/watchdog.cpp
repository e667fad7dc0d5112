#include "src/watchdog.hpp"

#include <algorithm>
#include <utility>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

namespace {
std::string milliseconds_text(Watchdog::Time::duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) + " ms";
}
}  // namespace

std::optional<Watchdog::Time> Watchdog::next_look() const {
  if (limit_.count() == 0) return std::nullopt;
  return looked_ + std::max(limit_ / 4, std::chrono::milliseconds{1});
}

bool Watchdog::see(std::size_t caller, std::uint64_t call, Time now) {
  Caller& seen = callers_[caller];
  if (call == seen.call) return call != 0 && seen.hangs_in.empty() && limit_.count() > 0 && now - seen.since >= limit_;
  if (!seen.hangs_in.empty()) {
    logger_.warning(seen.hangs_in + " has returned after " + milliseconds_text(now - seen.since));
    ++changes_;
  }
  seen = {.call = call, .since = now, .hangs_in = {}};
  return false;
}

void Watchdog::report(std::size_t caller, Time now, std::string what, const std::string& more) {
  Caller& seen = callers_[caller];
  logger_.warning(what + " has not returned for " + milliseconds_text(now - seen.since) + more);
  seen.hangs_in = std::move(what);
  ++changes_;
}

std::vector<Watchdog::Hang> Watchdog::hangs() const {
  std::vector<Hang> found;
  for (const Caller& caller : callers_) {
    if (!caller.hangs_in.empty()) found.push_back({caller.hangs_in, caller.since});
  }
  return found;
}

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

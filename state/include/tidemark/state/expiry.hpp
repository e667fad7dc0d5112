#pragma once
// How long an entry of keyed state lives, by event time (K8).
//
// An entry written at time e is seen by an access at time t if t < e + ttl and the operator's watermark < e + ttl - 1us; for a timer that
// is the watermark before the step that lets it fire. Both are looked at when the state is accessed, so what is seen does not depend on
// how soon clean-up comes by. When the watermark is there, and its timers have fired, the entry is dead for good, and so is its row, which
// takes no tombstone: the row says when it was written, and readers know by dropped_through().

#include <algorithm>
#include <optional>

#include <tidemark/core/time.hpp>

namespace tidemark {
inline namespace v0 {

struct Expiry {
  // From the time of the record or timer that wrote the entry. Nothing: entries stay until they are erased. More than zero, at most
  // kLongestDuration. May change between releases; having one or none may not.
  std::optional<Duration> ttl{};
  // An access that reads the entry writes it anew, as far as its life is concerned; by default only writing does.
  bool renew_on_read = false;
};

namespace state_internal {

// The same entries seen through the watermark.
class ExpiryClock {
 public:
  explicit ExpiryClock(const Expiry& expiry) : ttl_(expiry.ttl) {}

  bool expires() const { return ttl_.has_value(); }

  // Entries written at or before this are dead.
  EventTime dead_through() const { return dead_through_; }
  // Entries written at or before this were dead already an eighth of the ttl ago. Who clears up no sooner looks at an entry a few times in
  // its life, and not at every access.
  EventTime long_dead_through() const { return saturating_add(dead_through_, -*ttl_ / 8); }
  // Never goes back.
  void advance(EventTime watermark) {
    if (ttl_) dead_through_ = std::max(dead_through_, saturating_add(saturating_add(watermark, Duration{1}), -*ttl_));
  }
  // What was dead for an earlier release, whose entries lived less long, stays dead: its rows may be gone.
  void set_dead_through(EventTime time) { dead_through_ = std::max(dead_through_, time); }

  bool sees(EventTime written, EventTime now) const { return !ttl_ || (written > dead_through_ && now < saturating_add(written, *ttl_)); }

 private:
  std::optional<Duration> ttl_;
  EventTime dead_through_ = kMinusInfinity;
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

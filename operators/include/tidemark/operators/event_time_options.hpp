#pragma once
// What with_event_time() may be told.

#include <cstdint>
#include <optional>

#include <tidemark/core/time.hpp>

namespace tidemark {
inline namespace v0 {

struct EventTimeOptions {
  // How far a record may lie before the greatest time of its split and still be in time.
  Duration out_of_orderness{0};
  // The guard against times in the far future; off unless it is given (W15). A record whose time is more than this above the watermark of
  // its split is refused as `too_far_ahead`, by default into quarantine, and leaves the watermark alone. So one broken record closes no
  // window, and no record can open windows further ahead than that. The guard looks at its own split alone and at no clock, and what it
  // remembers is in the checkpoint: neither batches nor parallelism nor a crash change what it refuses (W17). Above out_of_orderness + 1us,
  // since otherwise no time could go on.
  std::optional<Duration> max_ahead{};
  // So that a gap in the data does not shut its split out for ever: the so manieth record in a row that is too far ahead is accepted, and
  // its time with it, if all of the row lie within max_ahead of each other; one that does not begins the row anew, and one that is not too
  // far ahead ends it. What was refused before stays refused (W16). 0: none is ever accepted.
  std::uint32_t confirm_jump = 10;
  // Stands for the watermark until a split has had a record that was accepted. Nothing: its first record is trusted, whatever its time.
  std::optional<EventTime> time_origin{};
};

}  // namespace v0
}  // namespace tidemark

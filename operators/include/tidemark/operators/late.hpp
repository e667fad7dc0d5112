#pragma once
// Records that came too late for the stage that decides lateness (L1, L5).

#include <tidemark/core/time.hpp>

namespace tidemark {
inline namespace v0 {

// What `.late()` of a stage delivers. The record is behind downstream, with the decision watermark as its `as_of`.
template <class T>
struct Late {
  T record;
  EventTime time{};                  // of the record
  EventTime decision_watermark{};    // the watermark that made it late: its own split's, or after idleness the operator's (L2)
};

}  // namespace v0
}  // namespace tidemark

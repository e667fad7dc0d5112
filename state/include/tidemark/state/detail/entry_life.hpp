#pragma once
// The life of the entries of one key, whose rows are stored one by one.
//
// The bitmaps of the hot map say which keys are dirty, frozen and in flight. Within a key it is told by numbers: changes are counted by
// freezes, and an entry keeps the number at which it was changed last. At the encoding of freeze n all entries are due that were changed
// after the last completed freeze; none was changed after n, since a frozen key is encoded before it is touched. A failed checkpoint
// changes nothing: what was due stays due.

#include <cstdint>

#include <tidemark/core/time.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

struct EntryMark {
  EventTime written = kMinusInfinity;   // only of states that expire
  std::uint32_t changed = 0;            // 0: as the store has it
  bool maybe_stored = false;            // a row was given out at some time
  bool erased = false;                  // a marker: its tombstone is due, or was not seen to be in the store
};

// One for all entries of a state.
class EntryLife {
 public:
  void freeze() { frozen_ = now_++; }
  void settle(bool completed) {
    if (completed) completed_ = frozen_;
  }
  std::uint32_t now() const { return now_; }
  // The store has not the entry as it is, or not for certain.
  bool is_due(const EntryMark& mark) const { return mark.changed > completed_; }

 private:
  std::uint32_t now_ = 1;         // the number of the next freeze
  std::uint32_t frozen_ = 0;
  std::uint32_t completed_ = 0;
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

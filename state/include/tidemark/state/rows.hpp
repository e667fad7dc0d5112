#pragma once
// Rows: how state looks in the store and in checkpoints.
//
// Row key: [state id, u16 big-endian][bucket: event time, 8 bytes big-endian with the sign flipped; timed states only]
//          [hash of the key, u64 big-endian][encoded key][rest]
// so that a state, a time bucket, and a key group within a bucket are each one range of rows, and negative times come before positive ones.

#include <cstdint>

#include <tidemark/core/bytes.hpp>

namespace tidemark {
inline namespace v0 {

// Number of a state in the job's store, unique among all states of all operators. The manifest maps it to (operator name, state name).
using StateId = std::uint16_t;

// Takes encoded rows of one checkpoint. Called on the task's own thread only. The views are good for the call alone.
class RowSink {
 public:
  virtual ~RowSink() = default;
  // `value` may be empty.
  virtual void put(ByteView key, ByteView value) = 0;
  // A tombstone: an earlier checkpoint may hold the row.
  virtual void erase(ByteView key) = 0;
  // Enough was put for one step: who encodes in steps stops here, though having put something. By default never.
  virtual bool is_full() const { return false; }
};

}  // namespace v0
}  // namespace tidemark

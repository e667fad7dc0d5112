#pragma once
// Keys of rows as states make them: with and without a bucket of time.

#include <tidemark/state/store.hpp>

namespace tidemark {

inline Bytes timeless_key(StateId id, const Bytes& key) {
  Bytes bytes;
  append_u16_big_endian(bytes, id);
  return bytes + key;
}

inline Bytes timed_key(StateId id, std::int64_t bucket, const Bytes& key) {
  Bytes bytes;
  append_u16_big_endian(bytes, id);
  append_time_big_endian(bytes, event_time(bucket));
  return bytes + key;
}

}  // namespace tidemark

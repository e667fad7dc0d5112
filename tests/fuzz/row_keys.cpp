// Z3: keys of rows (fault F42, docs/formats/state.md). They come back; rows order as (state, time, hash) do; and what begins with one key
// belongs to that key.

#include <compare>
#include <optional>
#include <string>
#include <tuple>

#include <tidemark/core/codec.hpp>
#include <tidemark/state/timers.hpp>

#include "fuzz.hpp"

namespace tidemark::fuzz {
namespace {

using state_internal::Timer;
using Key = std::tuple<std::int32_t, std::string, std::optional<std::string>>;

struct Row {
  StateId state = 0;
  Timer<Key> timer;

  auto place() const { return std::tuple(state, timer.time, timer.hash); }
  // Of all rows of its key at its time.
  Bytes prefix() const {
    Bytes bytes;
    append_u16_big_endian(bytes, state);
    append_time_big_endian(bytes, timer.time);
    state_internal::append_row_key(bytes, timer.hash, timer.key);
    return bytes;
  }
  Bytes bytes() const {
    Bytes bytes;
    append_u16_big_endian(bytes, state);
    state_internal::TimerRows<Key>{}.append_key(bytes, 0, timer);
    return bytes;
  }
};

Row row_of(Choices& choices) {
  Row row;
  row.state = static_cast<StateId>(choices.below(3) * 255);
  row.timer.time = event_time(choices.integer());
  row.timer.hash = static_cast<std::uint64_t>(choices.integer());
  row.timer.tag = static_cast<TimerTag>(choices.integer());
  row.timer.key = {static_cast<std::int32_t>(choices.below(300)), choices.text(20), std::nullopt};
  if (choices.below(2) == 1) std::get<2>(row.timer.key) = choices.text(200);
  return row;
}

// Changes one part of it, or none.
Row neighbour_of(Row row, Choices& choices) {
  switch (choices.below(8)) {
    case 0: row.state = static_cast<StateId>(choices.number()); break;
    case 1: row.timer.time = event_time(choices.integer()); break;
    case 2: row.timer.hash = choices.number(); break;
    case 3: row.timer.tag = static_cast<TimerTag>(choices.number()); break;
    case 4: std::get<0>(row.timer.key) = static_cast<std::int32_t>(choices.integer()); break;
    case 5: std::get<1>(row.timer.key) += choices.text(3); break;
    case 6: std::get<2>(row.timer.key) = choices.text(3); break;
    default: break;
  }
  return row;
}

void require_back(const Row& row) {
  const Bytes bytes = row.bytes();
  ByteView in = bytes;
  StateId state = 0;
  Timer<Key> timer;
  std::uint32_t tag = 0;
  require(take_u16_big_endian(in, state) && take_time_big_endian(in, timer.time) &&
              state_internal::take_row_key(in, timer.hash, timer.key) && take_u32(in, tag) && in.empty(),
          "the key of a row can be read");
  require(state == row.state && timer.time == row.timer.time && timer.hash == row.timer.hash && timer.key == row.timer.key &&
              __builtin_bswap32(tag) == row.timer.tag,
          "the key of a row comes back");
}

}  // namespace

void run(ByteView input) {
  Choices choices{input};
  const Row a = row_of(choices);
  const Row b = choices.below(2) == 0 ? neighbour_of(a, choices) : row_of(choices);
  require_back(a);
  require_back(b);
  const bool same_key = a.place() == b.place() && a.timer.key == b.timer.key;
  const auto order = a.bytes() <=> b.bytes();
  if (a.place() != b.place()) {
    require(order == (a.place() <=> b.place()), "rows order as state, time and hash do");
  } else if (same_key) {
    require(order == (a.timer.tag <=> b.timer.tag), "rows of a key order as their tags do");
  } else {
    require(order != std::strong_ordering::equal, "different keys have different rows");
  }
  require(b.bytes().starts_with(a.prefix()) == same_key && a.bytes().starts_with(b.prefix()) == same_key,
          "what begins with a key belongs to that key");
  // Whatever the bytes are, they are refused or are the key that they would be.
  Timer<Key> any;
  ByteView in = choices.rest();
  if (!state_internal::take_row_key(in, any.hash, any.key)) return;
  Bytes again;
  state_internal::append_row_key(again, any.hash, any.key);
  ByteView back = again;
  Timer<Key> same;
  require(state_internal::take_row_key(back, same.hash, same.key) && same.key == any.key && back.empty(), "a key that was read is a key");
}

}  // namespace tidemark::fuzz

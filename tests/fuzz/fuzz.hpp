#pragma once
// What the fuzz targets share. A target is one function from bytes to nothing: it must neither crash, nor hang, nor find a requirement
// broken, whatever the bytes are.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <tidemark/core/bytes.hpp>

namespace tidemark::fuzz {

// Each target defines it.
void run(ByteView input);

// Ends the process, so that the fuzzer keeps the input.
inline void require(bool holds, const char* sentence, const std::string& details = {}) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s %s\n", sentence, details.c_str());
  std::abort();
}

// Takes decisions from the front of the input; 0 where it has ended.
class Choices {
 public:
  explicit Choices(ByteView input) : left_(input) {}

  bool ended() const { return left_.empty(); }
  ByteView rest() const { return left_; }
  std::uint8_t byte() { return static_cast<std::uint8_t>(take(1)); }
  std::uint64_t number() { return take(8); }
  std::uint64_t below(std::uint64_t bound) { return (bound <= 256 ? byte() : number()) % bound; }
  // Any number, with the small ones and those beside powers of two as often as all the others.
  std::int64_t integer() {
    const std::uint8_t kind = byte();
    if (kind < 96) return static_cast<std::int8_t>(byte());
    if (kind >= 160) return static_cast<std::int64_t>(number());
    const auto edge = static_cast<std::int64_t>(std::uint64_t{1} << (kind % 64));
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(edge) + static_cast<std::uint64_t>(static_cast<std::int8_t>(byte())));
  }
  // From `least` to `greatest`; the closer to the middle of all numbers, the more often.
  std::int64_t integer(std::int64_t least, std::int64_t greatest) { return std::clamp(integer(), least, greatest); }
  Bytes text(std::size_t longest) {
    const ByteView taken = left_.substr(0, below(longest + 1));
    left_.remove_prefix(taken.size());
    return Bytes{taken};
  }

 private:
  std::uint64_t take(std::size_t size) {
    std::uint64_t value = 0;
    for (; size > 0 && !left_.empty(); --size, left_.remove_prefix(1)) value = value << 8 | static_cast<std::uint8_t>(left_.front());
    return value;
  }

  ByteView left_;
};

}  // namespace tidemark::fuzz

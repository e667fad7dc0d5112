#pragma once
// The randomness seam: seeds, lineage and attempt ids. Never used where it could decide a result.

#include <cstdint>

namespace tidemark {
inline namespace v0 {

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;
};

// The operating system's generator. Thread-safe.
Random& system_random();

// A small seeded generator (splitmix64): the same seed gives the same numbers. Not thread-safe.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() override {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

}  // namespace v0
}  // namespace tidemark

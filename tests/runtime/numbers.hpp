#pragma once
// A small job's input, 0 to 399, which takes some forty milliseconds, and the options of a job that takes checkpoints here and there in it.

#include <chrono>
#include <cstdint>
#include <numeric>
#include <vector>

#include <tidemark/memory/memory_source.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/temporary_directory.hpp"

namespace tidemark::numbers {

using Numbers = std::vector<std::int64_t>;

inline constexpr std::int64_t kRecords = 400;

inline Numbers all_numbers() {
  Numbers numbers(kRecords);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

// Slow enough for a checkpoint every millisecond to be taken here and there.
inline Source<std::int64_t> numbers_source() {
  return memory_source(all_numbers(), {.pause_every = 20, .pause = std::chrono::milliseconds{2}});
}

inline RuntimeOptions options_in(const test_support::TemporaryDirectory& directory) {
  RuntimeOptions options;
  options.state_directory = directory / "state";
  options.checkpoint_every = std::chrono::milliseconds{1};
  options.max_batch = 10;
  options.logger = Logger::silent();
  return options;
}

}  // namespace tidemark::numbers

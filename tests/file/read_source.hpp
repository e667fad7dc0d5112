#pragma once
// Reads a source to its end on one thread, as a task of the runtime would.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/core/clock.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/operators/source.hpp>

namespace tidemark::file_test {

class ManualClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point steady_now() const override { return now_; }
  std::chrono::system_clock::time_point wall_now() const override { return {}; }
  void advance(std::chrono::steady_clock::duration by) { now_ += by; }

 private:
  std::chrono::steady_clock::time_point now_{};
};

inline IoContext io_on(FileSystem& files, const Clock& clock = system_clock()) {
  return {.files = files, .clock = clock, .logger = Logger::silent()};
}

inline void write_file(const std::string& path, ByteView contents) {
  (void)posix_file_system().remove_file(path).ok();
  auto file = posix_file_system().create(path);
  ASSERT_TRUE(file.ok()) << file.error().describe();
  ASSERT_TRUE((*file)->append(contents).ok());
  ASSERT_TRUE((*file)->close().ok());
}

// What came out of one split.
template <class T>
struct Outcome {
  std::vector<T> values;
  std::vector<std::uint64_t> offsets;       // of the values
  std::vector<Refused> refused;
  std::vector<Bytes> positions;             // after each poll
  std::vector<std::size_t> delivered;       // values and refusals together, after each poll
  Error error;                              // code 0: none
  PollResult last = PollResult::kRecords;   // kEnd or kNothingNow

  bool ok() const { return error.code == ErrorCode{}; }
};

// Polls until the end, an error, or until there is nothing for now.
template <class T>
void drain(SplitReaderBase& reader, std::size_t max_records, Outcome<T>& outcome) {
  for (;;) {
    Batch<T> batch;
    const Result<PollResult> found = reader.poll_into(batch, max_records, outcome.refused);
    if (!found.ok()) {
      outcome.error = found.error();
      return;
    }
    EXPECT_LE(batch.size(), max_records);
    EXPECT_EQ(batch.origins.size(), batch.size());
    for (const Origin& origin : batch.origins) outcome.offsets.push_back(origin.position);
    for (T& value : batch.values) outcome.values.push_back(std::move(value));
    outcome.positions.push_back(reader.position());
    outcome.delivered.push_back(outcome.values.size() + outcome.refused.size());
    outcome.last = *found;
    if (*found != PollResult::kRecords) return;
  }
}

struct ReadOptions {
  std::size_t max_records = 1000;
  Bytes position = {};
  std::string split = {};   // empty: the only one
  FileSystem* files = &posix_file_system();
};

template <class T>
Outcome<T> read_source(const Source<T>& source, const ReadOptions& options = {}) {
  Outcome<T> outcome;
  const IoContext io = io_on(*options.files);
  std::string split = options.split;
  if (split.empty()) {
    const auto splits = source.base()->splits(io);
    if (!splits.ok()) {
      outcome.error = splits.error();
      return outcome;
    }
    split = splits->at(0);
  }
  auto reader = source.base()->open_split(io, split, options.position);
  if (!reader.ok()) outcome.error = reader.error();
  else drain(**reader, options.max_records, outcome);
  return outcome;
}

}  // namespace tidemark::file_test

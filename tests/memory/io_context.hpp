#pragma once
// What sources and sinks of this module are lent by a runtime; none of them uses it.

#include <tidemark/core/clock.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/core/log.hpp>
#include <tidemark/operators/source.hpp>

namespace tidemark::memory_test {

inline IoContext io_context() { return {posix_file_system(), system_clock(), Logger::silent()}; }

// Opens a split that must open.
template <class T>
std::unique_ptr<SplitReaderBase> open(const Source<T>& source, const std::string& split, const Bytes& position = {}) {
  const IoContext io = io_context();
  auto reader = source.base()->open_split(io, split, position);
  return reader.ok() ? *std::move(reader) : nullptr;
}

// One poll.
template <class T>
struct Polled {
  std::vector<T> values;
  PollResult result{};
};
template <class T>
Polled<T> poll(SplitReaderBase& reader, std::size_t max_records) {
  Batch<T> batch;
  std::vector<Refused> refused;
  const auto found = reader.poll_into(batch, max_records, refused);
  return {{batch.values.begin(), batch.values.end()}, *found};
}

// Everything up to the end, in polls of `max_records`.
template <class T>
std::vector<T> read_to_end(SplitReaderBase& reader, std::size_t max_records) {
  std::vector<T> all;
  while (true) {
    const Polled<T> polled = poll<T>(reader, max_records);
    all.insert(all.end(), polled.values.begin(), polled.values.end());
    if (polled.result == PollResult::kEnd) return all;
  }
}

}  // namespace tidemark::memory_test

#pragma once
// A source over records that are already in memory: for tests, and for hosts that have their whole input at hand.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/memory/detail/split_position.hpp>
#include <tidemark/operators/source.hpp>

namespace tidemark {
inline namespace v0 {

struct MemorySourceOptions {
  // After this many records of a split the source has nothing at hand once, as a socket would; 0: never. Counted from the start of the
  // split.
  std::uint64_t pause_every = 0;
  // How long it then asks not to be polled.
  std::chrono::milliseconds pause{0};
};

namespace memory_internal {

template <class T>
class MemoryReader final : public SplitReader<T> {
 public:
  MemoryReader(std::shared_ptr<const std::vector<T>> records, std::uint64_t next, MemorySourceOptions options)
      : records_(std::move(records)), next_(next), options_(options) {}

  Result<PollResult> poll(Batch<T>& out, std::size_t max_records, std::vector<Refused>&) override {
    const std::uint64_t left = records_->size() - next_;
    if (left == 0) return PollResult::kEnd;
    std::uint64_t until_pause = left;
    if (options_.pause_every > 0) {
      if (next_ > 0 && next_ % options_.pause_every == 0 && !std::exchange(paused_, true)) return PollResult::kNothingNow;
      until_pause = options_.pause_every - next_ % options_.pause_every;
    }
    const std::uint64_t n = std::min({left, until_pause, std::uint64_t{max_records}});
    for (std::uint64_t i = next_; i < next_ + n; ++i) {
      out.values.push_back((*records_)[i]);
      out.origins.push_back({.split = 0, .position = i});
    }
    next_ += n;
    if (n > 0) paused_ = false;
    return n == left ? PollResult::kEnd : PollResult::kRecords;
  }

  Bytes position() const override { return encode_position(next_); }
  std::chrono::milliseconds poll_again_after() const override { return options_.pause; }

 private:
  std::shared_ptr<const std::vector<T>> records_;
  std::uint64_t next_;
  MemorySourceOptions options_;
  bool paused_ = false;
};

template <class T>
class MemorySource final : public SourceBase {
 public:
  MemorySource(std::vector<std::vector<T>> splits, MemorySourceOptions options) : options_(options) {
    for (auto& records : splits) splits_.push_back(std::make_shared<const std::vector<T>>(std::move(records)));
  }

  std::string describe() const override {
    std::size_t records = 0;
    for (const auto& split : splits_) records += split->size();
    return std::to_string(records) + " records in memory, " + std::to_string(splits_.size()) + (splits_.size() == 1 ? " split" : " splits");
  }
  bool bounded() const override { return true; }
  Result<std::vector<std::string>> splits(const IoContext&) override { return numbered_splits(splits_.size()); }
  Result<std::unique_ptr<SplitReaderBase>> open_split(const IoContext&, const std::string& split, const Bytes& position) override {
    TIDEMARK_ASSIGN(const std::uint64_t number, split_number(split, splits_.size()));
    TIDEMARK_ASSIGN(const std::uint64_t next, decode_position(split, position, 0, 1, splits_[number]->size()));
    return std::unique_ptr<SplitReaderBase>(std::make_unique<MemoryReader<T>>(splits_[number], next, options_));
  }

 private:
  std::vector<std::shared_ptr<const std::vector<T>>> splits_;
  MemorySourceOptions options_;
};

}  // namespace memory_internal

// The records of each split, in their order. Replayable as long as the same records are given at every start. The position of a record is
// its index.
template <class T>
Source<T> memory_source(std::vector<std::vector<T>> splits, MemorySourceOptions options = {}) {
  return Source<T>(std::make_shared<memory_internal::MemorySource<T>>(std::move(splits), options));
}
// One split.
template <class T>
Source<T> memory_source(std::vector<T> records, MemorySourceOptions options = {}) {
  std::vector<std::vector<T>> splits;
  splits.push_back(std::move(records));
  return memory_source<T>(std::move(splits), options);
}

}  // namespace v0
}  // namespace tidemark

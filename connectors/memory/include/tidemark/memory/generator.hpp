#pragma once
// A source that computes record i from i: for tests, benchmarks and demonstrations. Replayable at no cost, since nothing is stored.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tidemark/core/check.hpp>
#include <tidemark/memory/detail/split_position.hpp>
#include <tidemark/operators/source.hpp>

namespace tidemark {
inline namespace v0 {

struct GeneratorOptions {
  // Split s of S delivers the records s, s + S, s + 2S, ... At least 1. A job has no more tasks for the source than it has splits.
  std::uint32_t splits = 1;
};

namespace memory_internal {

template <class T, class F>
class GeneratorReader final : public SplitReader<T> {
 public:
  GeneratorReader(std::uint64_t next, std::uint64_t step, std::uint64_t end, const F& make) : next_(next), step_(step), end_(end),
      make_(make) {}

  Result<PollResult> poll(Batch<T>& out, std::size_t max_records, std::vector<Refused>&) override {
    const std::uint64_t left = next_ < end_ ? (end_ - next_ - 1) / step_ + 1 : 0;
    const std::size_t n = std::min<std::uint64_t>(max_records, left);
    const std::size_t base = out.values.size();
    // A copy whose address nobody has: the compiler may keep it in registers.
    std::uint64_t i = next_;
    if constexpr (std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T>) {
      out.values.resize(base + n);
      T* const to = out.values.data() + base;
      for (std::size_t k = 0; k < n; ++k, i += step_) to[k] = make_(i);
    } else {
      out.values.reserve(base + n);
      for (std::size_t k = 0; k < n; ++k, i += step_) out.values.push_back(make_(i));
    }
    next_ = i;
    return n == left ? PollResult::kEnd : PollResult::kRecords;
  }

  Bytes position() const override { return encode_position(next_); }

 private:
  std::uint64_t next_;
  const std::uint64_t step_;
  const std::uint64_t end_;
  F make_;
};

template <class T, class F>
class GeneratorSource final : public SourceBase {
 public:
  GeneratorSource(std::string description, std::uint64_t count, F make, GeneratorOptions options)
      : description_(std::move(description)), count_(count), make_(std::move(make)), options_(options) {
    TIDEMARK_CHECK(options_.splits > 0, "a generator has at least one split");
  }

  std::string describe() const override { return description_; }
  bool bounded() const override { return true; }
  Result<std::vector<std::string>> splits(const IoContext&) override { return numbered_splits(options_.splits); }
  Result<std::unique_ptr<SplitReaderBase>> open_split(const IoContext&, const std::string& split, const Bytes& position) override {
    TIDEMARK_ASSIGN(const std::uint64_t first, split_number(split, options_.splits));
    TIDEMARK_ASSIGN(const std::uint64_t next, decode_position(split, position, first, options_.splits, count_));
    return std::unique_ptr<SplitReaderBase>(std::make_unique<GeneratorReader<T, F>>(next, options_.splits, count_, make_));
  }

 private:
  std::string description_;
  std::uint64_t count_;
  F make_;
  GeneratorOptions options_;
};

}  // namespace memory_internal

// The records make(0) ... make(count - 1), where make(std::uint64_t i) -> T gives the same record for the same i in every run. Each split
// has
// a copy of `make`, called by one thread at a time. `description` is shown by `plan`.
template <class T, class F>
Source<T> generator_source(std::string description, std::uint64_t count, F make, GeneratorOptions options = {}) {
  static_assert(std::is_invocable_r_v<T, F&, std::uint64_t>,
      "generator_source<T>() needs a function that takes a std::uint64_t and returns a T");
  return Source<T>(std::make_shared<memory_internal::GeneratorSource<T, F>>(std::move(description), count, std::move(make), options));
}

}  // namespace v0
}  // namespace tidemark

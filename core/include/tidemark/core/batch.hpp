#pragma once
// A batch: records of one type and what travels beside them, column by column. It is the unit of all work on the data path.
//
// Ownership: whoever fills a batch owns it. A receiver gets a reference, may change the batch, and may go on using it until it has
// reported that it is done with it (operators/operator.hpp). Thread rule: one thread at a time.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <tidemark/core/codec.hpp>
#include <tidemark/core/time.hpp>

namespace tidemark {
inline namespace v0 {

namespace core_internal {
// Leaves elements that are mere bytes uninitialised on resize(), whatever their default constructor says: a column is resized and then
// overwritten. To fill with a value, name it: resize(n, Origin{}).
template <class T>
struct DefaultInitAllocator : std::allocator<T> {
  template <class U>
  struct rebind {
    using other = DefaultInitAllocator<U>;
  };
  template <class U>
  void construct([[maybe_unused]] U* at) noexcept(std::is_nothrow_default_constructible_v<U>) {
    if constexpr (!std::is_trivially_copyable_v<U>) ::new (static_cast<void*>(at)) U;
  }
  template <class U, class... Args>
  void construct(U* at, Args&&... args) {
    ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...);
  }
};
}  // namespace core_internal

// A std::vector whose resize() does not write elements that are mere bytes: they are about to be overwritten.
template <class T>
using Column = std::vector<T, core_internal::DefaultInitAllocator<T>>;

// A record that is at or before the watermark its own split had reached just before it (W5).
struct Behind {
  std::uint32_t index = 0;   // in the batch, ascending
  EventTime as_of{};         // that watermark
  friend bool operator==(const Behind&, const Behind&) = default;
};

// Where a record came from, for messages and for quarantine. The number of the split is that of the source's list of splits.
inline constexpr std::uint32_t kUnknownSplit = 0xFFFFFFFF;
struct Origin {
  std::uint32_t split = kUnknownSplit;
  std::uint64_t position = 0;   // in the units of the source: a byte offset, or the record's ordinal
};

class BatchBase {
 public:
  virtual ~BatchBase() = default;
  virtual std::size_t size() const noexcept = 0;
  // Empties every column and keeps the memory.
  virtual void clear() noexcept = 0;
  // An estimate of the bytes held by the records, for the bound of queues; what they own on the heap is counted where footprint() knows
  // their type. Looks at every record of a type that is not trivially copyable.
  virtual std::size_t bytes() const noexcept = 0;

  bool empty() const noexcept { return size() == 0; }
  bool has_times() const noexcept { return !times.empty(); }

  // Each of these columns is empty, or as long as the batch.
  Column<EventTime> times;             // empty: the stream has no event time
  Column<std::uint64_t> hashes;        // hash of each record's key (hash.hpp); empty: the stream is not keyed
  Column<Origin> origins;              // empty: unknown
  // Almost always empty.
  std::vector<Behind> behind;
  // The split that all records come from; meaningful in a source's own chain only.
  std::uint32_t split = 0;

 protected:
  BatchBase() = default;
  BatchBase(const BatchBase&) = default;
  BatchBase& operator=(const BatchBase&) = default;
  BatchBase(BatchBase&&) = default;
  BatchBase& operator=(BatchBase&&) = default;
  void clear_columns() noexcept {
    times.clear();
    hashes.clear();
    origins.clear();
    behind.clear();
  }
  std::size_t column_bytes() const noexcept {
    return times.size() * sizeof(EventTime) + hashes.size() * sizeof(std::uint64_t) + origins.size() * sizeof(Origin);
  }
};

template <class T>
class Batch final : public BatchBase {
  static_assert(!std::is_same_v<T, bool>, "a record cannot be a bare bool: give it a struct with a name");

 public:
  std::size_t size() const noexcept override { return values.size(); }
  void clear() noexcept override {
    values.clear();
    clear_columns();
  }
  std::size_t bytes() const noexcept override {
    std::size_t bytes = values.size() * sizeof(T) + column_bytes();
    if constexpr (core_internal::HasFootprint<T> && !std::is_trivially_copyable_v<T>) {
      for (const T& value : values) bytes += footprint(value);
    }
    return bytes;
  }

  Column<T> values;
};

// Walks the `behind` list beside the records: as_of(i) for ascending i costs one comparison when the list is empty or passed.
class BehindCursor {
 public:
  explicit BehindCursor(const std::vector<Behind>& behind) : next_(behind.data()), end_(behind.data() + behind.size()) {}
  // kMinusInfinity: the record is not behind. Indices must ascend from call to call.
  EventTime as_of(std::size_t index) {
    while (next_ != end_ && next_->index < index) ++next_;
    return next_ != end_ && next_->index == index ? next_->as_of : kMinusInfinity;
  }

 private:
  const Behind* next_;
  const Behind* end_;
};

}  // namespace v0
}  // namespace tidemark

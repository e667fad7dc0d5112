#pragma once
// What a task is at, for whoever asks why it does not return. Its worker writes it with relaxed stores, two for a step and four for a
// batch: none for a record, and no clock is read.

#include <atomic>
#include <cstdint>

#include <tidemark/core/batch.hpp>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

class Activity {
 public:
  // --- the task's worker ---
  class Step {
   public:
    explicit Step(Activity& activity) : activity_(activity) { activity_.count_edge(); }
    ~Step() { activity_.count_edge(); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    Activity& activity_;
  };
  void take(const BatchBase& batch) {
    if (batch.origins.empty()) return;
    first_.hold(batch.origins.front());
    last_.hold(batch.origins.back());
  }

  // --- any thread ---
  // A number of its own for each step; 0: none is under way.
  std::uint64_t step() const {
    const std::uint64_t edges = edges_.load(std::memory_order_relaxed);
    return edges % 2 == 0 ? 0 : edges;
  }
  // Of the last batch that was taken. Sound while a step goes on that has taken it; the split is unknown if no origin ever was.
  Origin first() const { return first_.get(); }
  Origin last() const { return last_.get(); }

 private:
  struct Place {
    std::atomic<std::uint32_t> split{kUnknownSplit};
    std::atomic<std::uint64_t> position{0};
    void hold(const Origin& origin) {
      split.store(origin.split, std::memory_order_relaxed);
      position.store(origin.position, std::memory_order_relaxed);
    }
    Origin get() const { return {split.load(std::memory_order_relaxed), position.load(std::memory_order_relaxed)}; }
  };
  // One writer: no need to add as one operation.
  void count_edge() { edges_.store(edges_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }

  std::atomic<std::uint64_t> edges_{0};   // beginnings and ends of steps
  Place first_;
  Place last_;
};

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// One bound for the memory of all hot tables of a job.

#include <algorithm>
#include <atomic>
#include <cstddef>

namespace tidemark {
inline namespace v0 {

// Half of the bytes are dealt out evenly to the accounts, so that no state can starve another; the other half goes to whoever comes first.
// Thread-safe; asked when a table grows, never per record. Outlives its accounts.
class MemoryBudget {
 public:
  // `accounts`: how many states will share it; at least one.
  MemoryBudget(std::size_t bytes, std::size_t accounts);
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  std::size_t used() const { return used_.load(std::memory_order_relaxed); }
  bool spent() const { return used() > bytes_; }
  // Less than half is held: what had to be given up was.
  bool roomy() const { return used() <= bytes_ / 2; }
  // More is held than may be, or was since the last checkpoint ended: who brings records in shall wait. Each checkpoint lets a little more
  // in, whatever could be given up, so that a job whose state cannot leave memory goes on all the same.
  bool holds_back() {
    if (!held_back_.load(std::memory_order_relaxed) && used() > allowed_.load(std::memory_order_relaxed)) {
      held_back_.store(true, std::memory_order_relaxed);
    }
    return held_back_.load(std::memory_order_relaxed);
  }
  // A task's part of a checkpoint, from its freeze to when it is settled and what could be given up was. begin_part() answers whether
  // records are held back. Only the last part to end lets them in again: before, they would make dirty what another task is to give up.
  bool begin_part() {
    parts_.fetch_add(1);
    const bool held_back = holds_back();
    if (!held_back) some_came_in_.store(true);
    return held_back;
  }
  void end_part() {
    if (parts_.fetch_sub(1) != 1) return;
    // Where records came in during the checkpoint, what is held may be given up after the next one.
    const bool came_in = some_came_in_.exchange(false);
    const std::size_t allowed = std::max(bytes_, used() + bytes_ / 8);
    if (!came_in || allowed < allowed_.load(std::memory_order_relaxed)) allowed_.store(allowed, std::memory_order_relaxed);
    held_back_.store(used() > allowed_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
  // Somebody needed more than there was, since the last call: what is dirty keeps it from being given up.
  bool take_pressure() { return pressed_.exchange(false, std::memory_order_relaxed); }

 private:
  friend class MemoryAccount;
  const std::size_t bytes_;
  const std::size_t each_;                       // what every account may hold in any case
  std::atomic<std::size_t> used_{0};
  std::atomic<std::size_t> allowed_{bytes_};
  std::atomic<std::size_t> shared_used_{0};      // beyond each_, over all accounts
  std::atomic<bool> pressed_{false};
  std::atomic<bool> held_back_{false};           // stays, though a table may just have grown and left a smaller block behind
  std::atomic<unsigned> parts_{0};               // of the checkpoint under way, begun and not ended
  std::atomic<bool> some_came_in_{false};        // since one of them began
};

// What one state holds of the budget. Without a budget everything is allowed. Not thread-safe.
class MemoryAccount {
 public:
  MemoryAccount() = default;
  MemoryAccount(const MemoryAccount&) = delete;
  MemoryAccount& operator=(const MemoryAccount&) = delete;
  ~MemoryAccount() { set(0); }

  // `budget` may be null. What is held now is charged to it.
  void attach(MemoryBudget* budget);
  // Whether `more` bytes would still be within the budget. An answer, not a reservation: at the margin two states may both be told yes.
  bool allows(std::size_t more) const;
  // Of all accounts; the greatest number without a budget.
  std::size_t budget() const { return budget_ != nullptr ? budget_->bytes_ : ~std::size_t{0}; }
  bool spent() const { return budget_ != nullptr && budget_->spent(); }
  bool roomy() const { return budget_ == nullptr || budget_->roomy(); }
  // What is held from now on; never refused.
  void set(std::size_t held);
  void press() const {
    if (budget_ != nullptr) budget_->pressed_.store(true, std::memory_order_relaxed);
  }

 private:
  MemoryBudget* budget_ = nullptr;
  std::size_t held_ = 0;
};

}  // namespace v0
}  // namespace tidemark

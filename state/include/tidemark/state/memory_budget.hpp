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

  std::size_t bytes() const { return bytes_; }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }
  bool spent() const { return used() > bytes_; }
  // More is held than may be: who brings records in shall wait. relieve() lets a little more in, whatever it could give up, so that a
  // job whose state cannot leave memory goes on all the same.
  bool holds_back() const { return used() > allowed_.load(std::memory_order_relaxed); }
  // What could be given up after a checkpoint was. `held_back`: nothing was brought in since before that checkpoint, so what is still held
  // cannot leave, or not yet. Else it may be that it can after the next one, and no more is let in than was.
  void relieve(bool held_back) {
    const std::size_t allowed = std::max(bytes_, used() + bytes_ / 8);
    if (held_back || allowed < allowed_.load(std::memory_order_relaxed)) allowed_.store(allowed, std::memory_order_relaxed);
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

#include <tidemark/state/memory_budget.hpp>

#include <algorithm>

#include <tidemark/core/check.hpp>

namespace tidemark {
inline namespace v0 {

namespace {
std::size_t beyond(std::size_t held, std::size_t each) { return held > each ? held - each : 0; }
}  // namespace

MemoryBudget::MemoryBudget(std::size_t bytes, std::size_t accounts) : bytes_(bytes), each_(bytes / 2 / std::max<std::size_t>(accounts, 1)) {
  TIDEMARK_CHECK(accounts > 0, "a memory budget for nobody");
}

void MemoryAccount::attach(MemoryBudget* budget) {
  const std::size_t held = held_;
  set(0);
  budget_ = budget;
  set(held);
}

bool MemoryAccount::allows(std::size_t more) const {
  if (budget_ == nullptr) return true;
  const std::size_t wanted = beyond(held_ + more, budget_->each_) - beyond(held_, budget_->each_);
  return budget_->shared_used_.load(std::memory_order_relaxed) + wanted <= budget_->bytes_ / 2;
}

void MemoryAccount::set(std::size_t held) {
  if (budget_ != nullptr) {
    // Differences of unsigned numbers: what falls is added modulo 2^64.
    budget_->used_.fetch_add(held - held_, std::memory_order_relaxed);
    budget_->shared_used_.fetch_add(beyond(held, budget_->each_) - beyond(held_, budget_->each_), std::memory_order_relaxed);
  }
  held_ = held;
}

}  // namespace v0
}  // namespace tidemark

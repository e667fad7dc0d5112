#pragma once
// Finds what is due: items are filed under their time and come back when the clock has reached it. Adding one is a push to a vector; until
// it is due an item is moved a few times at most. Items come back roughly in order of time: those filed for one stretch of time together.
//
// Level k has a slot for each value of digit k (base 64) of the times that agree with the clock in all higher digits.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

#include <tidemark/core/check.hpp>
#include <tidemark/core/time.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

// An item has a `time`.
template <class Item>
class TimeWheel {
 public:
  // Precondition: later than the clock.
  void add(Item item) { file(std::move(item)); }
  // Precondition: not later than the clock.
  void add_due(std::vector<Item> items) {
    for (const Item& item : items) TIDEMARK_CHECK(number_of(item.time) <= clock_, "added as due before its time");
    append(std::move(items));
  }

  // kMinusInfinity at first.
  EventTime now() const { return event_time(static_cast<std::int64_t>(clock_ ^ kSign)); }

  // Sets the clock, which never goes back: what was filed for `now` or before becomes due. Precondition: nothing is due.
  void advance(EventTime now) {
    const std::uint64_t from = clock_;
    const std::uint64_t to = number_of(now);
    TIDEMARK_CHECK(to >= from && front() == nullptr);
    if (to == from) return;
    clock_ = to;
    const std::size_t top = level_of(from ^ to);
    for (std::size_t level = 0; level < top; ++level) {
      if (filled_[level] == 0) continue;
      for (std::size_t slot = 0; slot < kSlots; ++slot) release(level, slot);
    }
    const std::size_t last = digit(to, top);
    for (std::size_t slot = digit(from, top) + 1; slot < last; ++slot) release(top, slot);
    // In the clock's own slot some are due and some are not.
    if ((filled_[top] >> last & 1) == 0) return;
    std::vector<Item> mixed = take(top, last);
    std::size_t due = 0;
    for (Item& item : mixed) {
      if (number_of(item.time) > to) {
        file(std::move(item));
      } else if (&mixed[due++] != &item) {
        mixed[due - 1] = std::move(item);
      }
    }
    mixed.erase(mixed.begin() + static_cast<std::ptrdiff_t>(due), mixed.end());
    append(std::move(mixed));
  }

  // The next entry that is due; nullptr if there is none. Good until pop().
  const Item* front() {
    for (; !due_.empty(); next_ = 0) {
      if (next_ < due_.front().size()) return &due_.front()[next_];
      spare(std::move(due_.front()));
      due_.pop_front();
    }
    return nullptr;
  }
  // The front and some that are due after it. Good until pop(). Precondition: there is a front.
  std::span<const Item> upcoming() const { return std::span<const Item>{due_.front()}.subspan(next_); }
  // Precondition: there is a front.
  void pop() { ++next_; }

  // Of what is not due.
  std::size_t size() const { return size_; }
  // Calls f(item) for all that is not due, in no promised order.
  template <class F>
  void each(F f) const {
    for (const std::vector<Item>& items : slots_) std::for_each(items.begin(), items.end(), std::ref(f));
  }
  // Removes what is not due and for which keep(item) is false, and gives back all memory that is not needed.
  template <class Keep>
  void keep_only(Keep keep) {
    for (std::size_t at = 0; at < slots_.size(); ++at) {
      std::vector<Item>& items = slots_[at];
      size_ -= std::erase_if(items, [&keep](const Item& item) { return !keep(item); });
      items.shrink_to_fit();
      if (items.empty()) filled_[at / kSlots] &= ~(std::uint64_t{1} << (at % kSlots));
    }
    std::vector<std::vector<Item>>{}.swap(spare_);
  }
  // Memory held, without what the items own on the heap.
  std::size_t bytes() const {
    std::size_t items = 0;
    for (const std::vector<Item>& each : slots_) items += each.capacity();
    for (const std::vector<Item>& each : due_) items += each.capacity();
    for (const std::vector<Item>& each : spare_) items += each.capacity();
    return items * sizeof(Item) + sizeof *this + slots_.size() * sizeof(slots_[0]);
  }

 private:
  static constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
  static constexpr std::size_t kDigitBits = 6;
  static constexpr std::size_t kSlots = std::size_t{1} << kDigitBits;
  static constexpr std::size_t kLevels = (64 + kDigitBits - 1) / kDigitBits;

  static std::uint64_t number_of(EventTime time) { return static_cast<std::uint64_t>(micros(time)) ^ kSign; }
  static std::size_t level_of(std::uint64_t difference) { return (static_cast<std::size_t>(std::bit_width(difference)) - 1) / kDigitBits; }
  static std::size_t digit(std::uint64_t number, std::size_t level) { return number >> (level * kDigitBits) & (kSlots - 1); }

  void file(Item item) {
    const std::uint64_t number = number_of(item.time);
    TIDEMARK_CHECK(number > clock_, "filed for a time that has come already");
    const std::size_t level = level_of(number ^ clock_);
    const std::size_t slot = digit(number, level);
    std::vector<Item>& items = slots_[level * kSlots + slot];
    if (items.capacity() == 0 && !spare_.empty()) {
      items = std::move(spare_.back());
      spare_.pop_back();
    }
    items.push_back(std::move(item));
    ++size_;
    filled_[level] |= std::uint64_t{1} << slot;
  }
  std::vector<Item> take(std::size_t level, std::size_t slot) {
    filled_[level] &= ~(std::uint64_t{1} << slot);
    size_ -= slots_[level * kSlots + slot].size();
    return std::exchange(slots_[level * kSlots + slot], {});
  }
  void release(std::size_t level, std::size_t slot) {
    if ((filled_[level] >> slot & 1) != 0) append(take(level, slot));
  }
  // Small lists are joined, so that ahead() sees far enough; large ones are not copied.
  void append(std::vector<Item> items) {
    constexpr std::size_t kSmall = 1024;
    if (due_.empty() || due_.back().size() + items.size() > kSmall) {
      due_.push_back(std::move(items));
    } else {
      due_.back().insert(due_.back().end(), std::make_move_iterator(items.begin()), std::make_move_iterator(items.end()));
      spare(std::move(items));
    }
  }
  void spare(std::vector<Item> items) {
    items.clear();
    spare_.push_back(std::move(items));
  }

  std::uint64_t clock_ = 0;                          // number_of(kMinusInfinity)
  std::array<std::uint64_t, kLevels> filled_{};      // a bit for each slot that is not empty
  std::vector<std::vector<Item>> slots_ = std::vector<std::vector<Item>>(kLevels * kSlots);
  std::size_t size_ = 0;                             // items in slots_
  std::deque<std::vector<Item>> due_;
  std::size_t next_ = 0;                             // in the first of due_
  std::vector<std::vector<Item>> spare_;
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

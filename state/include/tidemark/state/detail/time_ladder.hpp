#pragma once
// A priority queue by event time that is nearly free for what comes nearly in order: buckets of time that are sorted only when they are
// due.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include <tidemark/core/time.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

// Item is small and trivially copyable and has an EventTime `time` and a 64 bit `hash`; Less orders items by time, then by hash, then as it
// likes.
//
// Items up to `front_last_` are in the front: a sorted run plus a heap for what came too late to be put near its end. The others lie
// unsorted in buckets of disjoint ranges of time, and are sorted when they are due: as many as are due, or a whole bucket if these are few.
// A bucket that would be too long to sort at once is split by time; if all its items have one time it is sorted piece by piece, by hash.
// Buckets that are too many for their items are merged into wider ones.
template <class Item, class Less>
class TimeLadder {
 public:
  explicit TimeLadder(Less less) : less_(std::move(less)) {}

  std::size_t size() const { return size_; }
  std::size_t bytes() const {
    std::size_t bytes = (sorted_.capacity() + heap_.capacity()) * sizeof(Item);
    for (const auto& [first, bucket] : buckets_) bytes += sizeof bucket + bucket.items.capacity() * sizeof(Item);
    for (const Node& node : spare_) bytes += sizeof(Bucket) + node.mapped().items.capacity() * sizeof(Item);
    return bytes;
  }

  void push(const Item& item) {
    ++size_;
    if (item.time <= front_last_) return push_front(item);
    bucket_of(item.time).items.push_back(item);
  }

  // The least item, if its time is at or before `through`; else nullptr. Good until the next call.
  const Item* front(EventTime through) {
    for (;;) {
      if (head_ == ordered_ && !rest_.empty()) order_more();
      if (head_ < ordered_ || !heap_.empty()) {
        const Item* least = least_in_front();
        return least->time <= through ? least : nullptr;
      }
      if (buckets_.empty() || buckets_.begin()->first > through) return nullptr;
      open_first_bucket(through);
    }
  }
  // The item that most likely comes `distance` after the front, for the caller to fetch ahead; nullptr if not known.
  const Item* ahead(std::size_t distance) const { return distance < ordered_ - head_ ? &sorted_[head_ + distance] : nullptr; }
  // Removes what front() returned.
  void pop() {
    --size_;
    if (front_stale_ != 0) --front_stale_;
    if (least_in_front() == heap_.data()) {
      std::pop_heap(heap_.begin(), heap_.end(), Later{less_});
      heap_.pop_back();
    } else {
      ++head_;
    }
  }

  // Calls f(item) for all items, in no promised order. f may change what Less does not look at.
  template <class F>
  void each(F f) {
    std::for_each(sorted_.begin() + static_cast<std::ptrdiff_t>(head_), sorted_.end(), std::ref(f));
    std::for_each(heap_.begin(), heap_.end(), std::ref(f));
    for (auto& [first, bucket] : buckets_) std::for_each(bucket.items.begin(), bucket.items.end(), std::ref(f));
  }
  // Removes the items for which keep(item) is false, and gives back all memory that is not needed.
  template <class Keep>
  void keep_only(Keep keep) {
    sorted_.erase(sorted_.begin(), sorted_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = front_stale_ = 0;
    if (!rest_.empty()) std::sort(sorted_.begin(), sorted_.end(), less_);
    keep_in(sorted_, keep);
    all_ordered();
    keep_in(heap_, keep);
    std::make_heap(heap_.begin(), heap_.end(), Later{less_});
    recent_ = nullptr;
    for (auto bucket = buckets_.begin(); bucket != buckets_.end();) {
      keep_in(bucket->second.items, keep);
      bucket->second.stale = 0;
      bucket = bucket->second.items.empty() ? buckets_.erase(bucket) : std::next(bucket);
    }
    spare_.clear();
  }

  // An item with this time is of no use any more. Now and then removes those for which keep(item) is false, and duplicates, so that there
  // are never more useless items than useful ones, but for a few.
  template <class Keep>
  void note_stale(EventTime time, Keep keep) {
    if (time <= front_last_) {
      if (++front_stale_ <= kFewStale || front_stale_ * 2 <= sorted_.size() - head_ + heap_.size()) return;
      sorted_.erase(sorted_.begin(), sorted_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
      remove_useless(sorted_, keep);
      all_ordered();
      remove_useless(heap_, keep);   // a sorted run is a heap
      front_stale_ = 0;
    } else {
      Bucket& bucket = bucket_of(time);
      if (++bucket.stale <= kFewStale || bucket.stale * 2 <= bucket.items.size()) return;
      remove_useless(bucket.items, keep);
      bucket.stale = 0;
    }
  }

 private:
  struct Bucket {
    EventTime last;            // inclusive; the first time is the key in the map
    std::vector<Item> items;
    std::size_t stale = 0;
  };
  struct Part {
    std::size_t end;      // in sorted_; it begins where the one before it ends
    unsigned bits;        // first bits of the hash that all its items share
  };
  using Buckets = std::map<EventTime, Bucket>;
  using Node = typename Buckets::node_type;
  struct Later {
    const Less& less;
    bool operator()(const Item& a, const Item& b) const { return less(b, a); }
  };

  static constexpr std::size_t kSortAtOnce = 4096;
  static constexpr std::size_t kPartSize = 1024;
  static constexpr std::size_t kMostParts = 256;
  static constexpr std::size_t kManyBuckets = 4096;
  static constexpr std::size_t kSparse = 8;          // items a bucket
  static constexpr std::size_t kFewStale = 64;
  static constexpr std::size_t kNearlyInOrder = 32;  // steps from the back
  static constexpr std::size_t kStepsPerItem = 4;    // of an insertion sort
  static constexpr std::size_t kFewDue = 4;          // less than one in so many

  static EventTime floor_to(EventTime time, int shift) { return event_time(micros(time) >> shift << shift); }

  const Item* least_in_front() const {
    if (heap_.empty()) [[likely]] return &sorted_[head_];
    if (head_ == ordered_ || less_(heap_.front(), sorted_[head_])) return heap_.data();
    return &sorted_[head_];
  }

  void push_front(const Item& item) {
    if (!rest_.empty()) return push_heap(item);
    if (head_ == sorted_.size() || (sorted_.size() == sorted_.capacity() && head_ * 2 > sorted_.size())) {
      sorted_.erase(sorted_.begin(), sorted_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
    const std::size_t least = sorted_.size() - head_ > kNearlyInOrder ? sorted_.size() - kNearlyInOrder : head_;
    std::size_t place = sorted_.size();
    while (place > least && less_(item, sorted_[place - 1])) --place;
    if (place == least && place != head_ && less_(item, sorted_[place - 1])) {
      push_heap(item);
    } else {
      sorted_.insert(sorted_.begin() + static_cast<std::ptrdiff_t>(place), item);
    }
    ordered_ = sorted_.size();
  }
  void push_heap(const Item& item) {
    heap_.push_back(item);
    std::push_heap(heap_.begin(), heap_.end(), Later{less_});
  }

  Bucket& bucket_of(EventTime time) {
    if (recent_ != nullptr && time >= recent_first_ && time <= recent_->last) [[likely]] return *recent_;
    auto next = buckets_.upper_bound(time);
    if (next != buckets_.begin()) {
      const auto found = std::prev(next);
      if (time <= found->second.last) return remember(found);
    }
    if (buckets_.size() > kManyBuckets && size_ < kSparse * buckets_.size() && shift_ < kWidestShift) {
      widen();
      return bucket_of(time);
    }
    EventTime first = std::max(floor_to(time, shift_), event_time(micros(front_last_) + 1));
    EventTime last = event_time(micros(floor_to(time, shift_)) | ((std::int64_t{1} << shift_) - 1));
    if (next != buckets_.end()) last = std::min(last, event_time(micros(next->first) - 1));
    if (next != buckets_.begin()) first = std::max(first, event_time(micros(std::prev(next)->second.last) + 1));
    return remember(insert_bucket(next, first, last));
  }
  Bucket& remember(typename Buckets::iterator bucket) {
    recent_ = &bucket->second;
    recent_first_ = bucket->first;
    return bucket->second;
  }

  typename Buckets::iterator insert_bucket(typename Buckets::iterator before, EventTime first, EventTime last) {
    if (spare_.empty()) return buckets_.emplace_hint(before, first, Bucket{last, {}, 0});
    Node node = std::move(spare_.back());
    spare_.pop_back();
    node.key() = first;
    node.mapped().last = last;
    node.mapped().stale = 0;
    return buckets_.insert(before, std::move(node));
  }
  void retire(Node node) {
    recent_ = nullptr;
    node.mapped().items.clear();
    if (spare_.size() < kMostParts) spare_.push_back(std::move(node));
  }

  // Moves what is due of the first bucket into the front, which is empty; a long bucket is split instead.
  void open_first_bucket(EventTime through) {
    Node node = buckets_.extract(buckets_.begin());
    recent_ = nullptr;
    Bucket& bucket = node.mapped();
    if (bucket.items.size() > kSortAtOnce && split_bucket(node.key(), bucket)) return retire(std::move(node));
    sorted_.clear();
    head_ = 0;
    EventTime greatest = node.key();
    std::size_t due = 0;
    for (const Item& item : bucket.items) {
      due += item.time <= through;
      greatest = std::max(greatest, item.time);
    }
    if (due != bucket.items.size() && due * kFewDue >= bucket.items.size()) {
      sorted_.reserve(due);
      std::erase_if(bucket.items, [&](const Item& item) {
        if (item.time > through) return false;
        sorted_.push_back(item);
        return true;
      });
      front_last_ = through;
      node.key() = event_time(micros(through) + 1);
      buckets_.insert(buckets_.begin(), std::move(node));
    } else {
      sorted_.swap(bucket.items);
      front_stale_ = bucket.stale;
      // Not the whole range of the bucket: what is added behind these items is better off in a bucket of its own.
      front_last_ = std::max(greatest, std::min(bucket.last, through == kPlusInfinity ? greatest : through));
      retire(std::move(node));
    }
    sort_front();
  }

  void all_ordered() {
    ordered_ = sorted_.size();
    rest_.clear();
  }
  // Sorts what comes next of a front whose items have one time.
  void order_more() {
    const auto at = [this](std::size_t place) { return sorted_.begin() + static_cast<std::ptrdiff_t>(place); };
    Part part = rest_.back();
    rest_.pop_back();
    while (part.end - ordered_ > kSortAtOnce && part.bits < 64) {
      const std::uint64_t bit = std::uint64_t{1} << (63 - part.bits++);
      const auto middle = std::partition(at(ordered_), at(part.end), [bit](const Item& item) { return (item.hash & bit) == 0; });
      if (middle == at(ordered_)) continue;
      if (middle != at(part.end)) rest_.push_back(part);
      part.end = static_cast<std::size_t>(middle - sorted_.begin());
    }
    std::sort(at(ordered_), at(part.end), less_);
    ordered_ = part.end;
  }

  // What came nearly in order needs a few steps an item only.
  void sort_front() {
    if (sorted_.size() > kSortAtOnce) {   // all at one time, or it would have been split
      ordered_ = 0;
      rest_.assign(1, {sorted_.size(), 0});
      return;
    }
    all_ordered();
    std::size_t steps_left = kStepsPerItem * sorted_.size();
    for (std::size_t i = 1; i < sorted_.size(); ++i) {
      const Item item = sorted_[i];
      std::size_t place = i;
      for (; place > 0 && less_(item, sorted_[place - 1]); --place) {
        sorted_[place] = sorted_[place - 1];
        if (steps_left-- == 0) {
          sorted_[place - 1] = item;
          return std::sort(sorted_.begin(), sorted_.end(), less_);
        }
      }
      sorted_[place] = item;
    }
  }

  // false: all items have one time.
  bool split_bucket(EventTime first, const Bucket& bucket) {
    const auto [least, greatest] = std::minmax_element(bucket.items.begin(), bucket.items.end(),
                                                       [](const Item& a, const Item& b) { return a.time < b.time; });
    // Unsigned, since the times may lie further apart than a signed number can say.
    const auto base = static_cast<std::uint64_t>(micros(least->time));
    const std::uint64_t span = static_cast<std::uint64_t>(micros(greatest->time)) - base;
    if (span == 0) return false;
    const std::size_t most = std::clamp<std::size_t>(bucket.items.size() / kPartSize, 2, kMostParts);
    int shift = 0;
    while ((span >> shift) >= most) ++shift;
    const std::size_t parts = (span >> shift) + 1;
    parts_.assign(parts, nullptr);
    const auto next = buckets_.begin();
    for (const Item& item : bucket.items) {
      const std::uint64_t part = (static_cast<std::uint64_t>(micros(item.time)) - base) >> shift;
      if (parts_[part] == nullptr) {
        const std::uint64_t start = base + (part << shift);
        const std::uint64_t stop = start + ((std::uint64_t{1} << shift) - 1);
        const EventTime from = part == 0 ? first : event_time(static_cast<std::int64_t>(start));
        const EventTime to = part + 1 == parts ? bucket.last : event_time(static_cast<std::int64_t>(stop));
        parts_[part] = &insert_bucket(next, from, to)->second;
      }
      parts_[part]->items.push_back(item);
    }
    return true;
  }

  // Merges buckets into wider ones.
  void widen() {
    recent_ = nullptr;
    shift_ = std::min(shift_ + 3, kWidestShift);
    for (auto bucket = buckets_.begin(); bucket != buckets_.end();) {
      const EventTime place = floor_to(bucket->first, shift_);
      auto other = std::next(bucket);
      while (other != buckets_.end() && floor_to(other->first, shift_) == place) {
        Bucket& merged = bucket->second;
        merged.items.insert(merged.items.end(), other->second.items.begin(), other->second.items.end());
        merged.stale += other->second.stale;
        merged.last = other->second.last;
        const auto taken = other++;
        retire(buckets_.extract(taken));
      }
      bucket = other;
    }
  }

  template <class Keep>
  void keep_in(std::vector<Item>& items, Keep& keep) {
    size_ -= std::erase_if(items, [&](const Item& item) { return !keep(item); });
    items.shrink_to_fit();
  }
  template <class Keep>
  void remove_useless(std::vector<Item>& items, Keep& keep) {
    const std::size_t before = items.size();
    std::sort(items.begin(), items.end(), less_);
    items.erase(std::unique(items.begin(), items.end(), [this](const Item& a, const Item& b) { return !less_(a, b); }), items.end());
    std::erase_if(items, [&](const Item& item) { return !keep(item); });
    size_ -= before - items.size();
  }

  static constexpr int kWidestShift = 60;

  Less less_;
  std::vector<Item> sorted_;               // the front; what is before head_ is gone
  std::size_t head_ = 0;
  std::size_t ordered_ = 0;                // what lies behind is to be sorted yet
  std::vector<Part> rest_;                 // that, the nearest last
  std::vector<Item> heap_;
  std::size_t front_stale_ = 0;
  EventTime front_last_ = kMinusInfinity;
  Buckets buckets_;
  std::vector<Node> spare_;                // with the memory of their items
  Bucket* recent_ = nullptr;
  EventTime recent_first_{};
  std::vector<Bucket*> parts_;
  int shift_ = 20;                         // new buckets are 2^shift_ µs wide: about a second at first
  std::size_t size_ = 0;
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// The queue between two tasks: a bounded ring with one producer and one consumer, and a second ring by which emptied batches go back.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <tidemark/core/batch.hpp>
#include <tidemark/core/detail/executor.hpp>
#include <tidemark/core/time.hpp>
#include <tidemark/operators/record_type.hpp>
#include <tidemark/operators/sink.hpp>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

// What travels between tasks, in order.
struct Element {
  enum class Kind : std::uint8_t { kBatch, kWatermark, kIdle, kActive, kBarrier, kEnd };
  Kind kind = Kind::kBatch;
  std::unique_ptr<BatchBase> batch;
  std::size_t bytes = 0;   // of the batch
  EventTime watermark{};
  CheckpointId checkpoint = 0;

  static Element of_batch(std::unique_ptr<BatchBase> batch) {
    Element element;
    element.bytes = batch->bytes();
    element.batch = std::move(batch);
    return element;
  }
  static Element of_watermark(EventTime time) {
    Element element;
    element.kind = Kind::kWatermark;
    element.watermark = time;
    return element;
  }
  static Element of_barrier(CheckpointId id) {
    Element element;
    element.kind = Kind::kBarrier;
    element.checkpoint = id;
    return element;
  }
  static Element of(Kind kind) {
    Element element;
    element.kind = kind;
    return element;
  }
};

// A ring of fixed size. push() and full() belong to the producer, front() and pop() to the consumer.
template <class T>
class SpscRing {
 public:
  explicit SpscRing(std::size_t capacity) : slots_(capacity) {}

  bool full() {
    if (tail_ - seen_head_ < slots_.size()) return false;
    seen_head_ = head_shared_.load(std::memory_order_acquire);
    return tail_ - seen_head_ >= slots_.size();
  }
  // Precondition: !full().
  void push(T value) {
    slots_[tail_ % slots_.size()] = std::move(value);
    tail_shared_.store(++tail_, std::memory_order_release);
  }
  // Null if empty. The consumer may take things out of the slot.
  T* front() {
    if (head_ == seen_tail_) {
      seen_tail_ = tail_shared_.load(std::memory_order_acquire);
      if (head_ == seen_tail_) return nullptr;
    }
    return &slots_[head_ % slots_.size()];
  }
  void pop() { head_shared_.store(++head_, std::memory_order_release); }

 private:
  std::vector<T> slots_;
  alignas(64) std::size_t tail_ = 0;        // producer's
  std::size_t seen_head_ = 0;
  alignas(64) std::size_t head_ = 0;        // consumer's
  std::size_t seen_tail_ = 0;
  alignas(64) std::atomic<std::size_t> tail_shared_{0};
  alignas(64) std::atomic<std::size_t> head_shared_{0};
};

using core_internal::Waker;

class Channel {
 public:
  static constexpr std::size_t kSlots = 64;

  Channel(const RecordType& type, std::size_t max_bytes) : type_(type), max_bytes_(max_bytes), ring_(kSlots), empties_(kSlots) {}

  // Both are told before the first element.
  void produced_by(Waker& worker) { producer_ = &worker; }
  void consumed_by(Waker& worker) { consumer_ = &worker; }
  const RecordType& type() const { return type_; }

  // --- producer ---
  // A batch of any size is let in when the queue is not over its bound, so that one larger than the bound can pass.
  bool has_room() { return !ring_.full() && bytes_.load(std::memory_order_relaxed) < max_bytes_; }
  // Precondition: has_room(). Call wake_consumer() after the last push of a step.
  void push(Element element) {
    if (element.batch) bytes_.fetch_add(element.bytes, std::memory_order_relaxed);
    ring_.push(std::move(element));
  }
  void wake_consumer() { consumer_->wake_if_asleep(); }
  // An empty batch: one that came back, or a new one.
  std::unique_ptr<BatchBase> empty_batch() {
    if (auto* returned = empties_.front()) {
      auto batch = std::move(*returned);
      empties_.pop();
      return batch;
    }
    return type_.make_batch();
  }

  // --- consumer ---
  // Null if nothing has arrived.
  Element* front() { return ring_.front(); }
  // Takes the front element out; the batch goes back by give_back().
  Element take() {
    Element element = std::move(*ring_.front());
    ring_.pop();
    if (element.batch) bytes_.fetch_sub(element.bytes, std::memory_order_relaxed);
    producer_->wake_if_asleep();
    return element;
  }
  void give_back(std::unique_ptr<BatchBase> batch) {
    batch->clear();
    if (!empties_.full()) empties_.push(std::move(batch));
  }

 private:
  const RecordType& type_;
  const std::size_t max_bytes_;
  SpscRing<Element> ring_;
  SpscRing<std::unique_ptr<BatchBase>> empties_;
  alignas(64) std::atomic<std::size_t> bytes_{0};
  Waker* producer_ = nullptr;
  Waker* consumer_ = nullptr;
};

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

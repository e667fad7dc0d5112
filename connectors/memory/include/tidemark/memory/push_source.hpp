#pragma once
// A source that the host feeds from its own threads, through a bounded queue.

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/check.hpp>
#include <tidemark/memory/detail/split_position.hpp>
#include <tidemark/operators/source.hpp>

namespace tidemark {
inline namespace v0 {
namespace memory_internal {

template <class T>
class PushQueue {
 public:
  explicit PushQueue(std::size_t capacity) : capacity_(capacity) { TIDEMARK_CHECK(capacity_ > 0, "a queue needs room"); }

  bool push(T&& record, bool wait) {
    std::unique_lock lock(mutex_);
    if (wait) room_.wait(lock, [this] { return closed_ || records_.size() < capacity_; });
    if (closed_ || records_.size() >= capacity_) return false;
    records_.push_back(std::move(record));
    return true;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    room_.notify_all();
  }
  // false: another reader has it.
  bool attach(std::uint64_t next) {
    const std::lock_guard lock(mutex_);
    if (attached_) return false;
    attached_ = true;
    next_ = next;
    return true;
  }
  void detach() {
    close();
    const std::lock_guard lock(mutex_);
    attached_ = false;
  }
  PollResult take(Batch<T>& out, std::size_t max_records) {
    const std::lock_guard lock(mutex_);
    const std::size_t n = std::min(max_records, records_.size());
    for (std::size_t i = 0; i < n; ++i) {
      out.values.push_back(std::move(records_.front()));
      out.origins.push_back({.split = 0, .position = next_++});
      records_.pop_front();
    }
    room_.notify_all();
    if (closed_ && records_.empty()) return PollResult::kEnd;
    return n == 0 ? PollResult::kNothingNow : PollResult::kRecords;
  }
  std::uint64_t next() const {
    const std::lock_guard lock(mutex_);
    return next_;
  }

 private:
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::deque<T> records_;
  std::uint64_t next_ = 0;
  bool closed_ = false;
  bool attached_ = false;
};

template <class T>
class PushReader final : public SplitReader<T> {
 public:
  explicit PushReader(std::shared_ptr<PushQueue<T>> queue) : queue_(std::move(queue)) {}
  // Nobody will take a record any more: a host that waits for room must not wait for ever.
  ~PushReader() override { queue_->detach(); }
  Result<PollResult> poll(Batch<T>& out, std::size_t max_records, std::vector<Refused>&) override { return queue_->take(out, max_records); }
  Bytes position() const override { return encode_position(queue_->next()); }
  std::chrono::milliseconds poll_again_after() const override { return std::chrono::milliseconds{1}; }

 private:
  std::shared_ptr<PushQueue<T>> queue_;
};

template <class T>
class PushedRecords final : public SourceBase {
 public:
  explicit PushedRecords(std::shared_ptr<PushQueue<T>> queue) : queue_(std::move(queue)) {}

  std::string describe() const override { return "records pushed by the host, not replayable"; }
  bool bounded() const override { return false; }
  bool replayable() const override { return false; }
  Result<std::vector<std::string>> splits(const IoContext&) override { return numbered_splits(1); }
  Result<std::unique_ptr<SplitReaderBase>> open_split(const IoContext&, const std::string& split, const Bytes& position) override {
    TIDEMARK_ASSIGN(const std::uint64_t number, split_number(split, 1));
    TIDEMARK_ASSIGN(const std::uint64_t next, decode_position(split, position, number, 1, UINT64_MAX));
    if (!queue_->attach(next)) {
      return Error{.code = ErrorCode::kSourceFailed,
                   .message = "a PushSource feeds one job, and another one reads from it",
                   .fix = "make a PushSource for each job"};
    }
    return std::unique_ptr<SplitReaderBase>(std::make_unique<PushReader<T>>(queue_));
  }

 private:
  std::shared_ptr<PushQueue<T>> queue_;
};

}  // namespace memory_internal

// One split, whose records the host pushes. Not replayable: records that were taken after the last checkpoint, and those in the queue,
// are lost if the
// process dies. Ends when the host closes it. Copies share the queue. All functions may be called from any thread.
template <class T>
class PushSource {
 public:
  // At most `capacity` records wait in the queue.
  explicit PushSource(std::size_t capacity = 10'000) : queue_(std::make_shared<memory_internal::PushQueue<T>>(capacity)) {}

  // What Graph::from takes. For one job.
  Source<T> source() const { return Source<T>(std::make_shared<memory_internal::PushedRecords<T>>(queue_)); }

  // Waits for room in the queue: never call it on a thread of the job. false: the source is closed, or the job that read from it is gone;
  // the record is lost.
  bool push(T record) { return queue_->push(std::move(record), true); }
  // false: there is no room, or the source is closed.
  bool try_push(T record) { return queue_->push(std::move(record), false); }
  // No record comes after this one: the split ends when the queue is empty.
  void close() { queue_->close(); }

 private:
  std::shared_ptr<memory_internal::PushQueue<T>> queue_;
};

}  // namespace v0
}  // namespace tidemark

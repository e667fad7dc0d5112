#pragma once
// A transactional sink that keeps its records in memory: what is committed is visible, nothing else is. It lives outside the runtime, as
// a file or a
// database would, so a test can let a job die, start another on the same state directory, and look at what was committed by both.

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <tidemark/core/bytes.hpp>
#include <tidemark/memory/detail/committed_epochs.hpp>
#include <tidemark/operators/sink.hpp>

namespace tidemark {
inline namespace v0 {
namespace memory_internal {

// The target of a MemorySink. Any thread.
template <class T>
class MemoryTarget {
 public:
  // Prepared output and whose it is; the key is the committable.
  Bytes prepare(const SinkIdentity& identity, CheckpointId epoch, std::vector<T> records) {
    Bytes name = identity.lineage + '/' + std::to_string(identity.attempt) + '/' + std::to_string(identity.subtask) + '/' +
        std::to_string(epoch);
    const std::lock_guard lock(mutex_);
    prepared_[name] = Prepared{identity.lineage, std::move(records)};
    return name;
  }

  Result<CheckpointId> newest_for(const std::string& lineage) const {
    const std::lock_guard lock(mutex_);
    return epochs_.newest_for(lineage);
  }

  CommittedEpochs::Mark mark() const {
    const std::lock_guard lock(mutex_);
    return epochs_.mark();
  }
  // `seen`: what the committer saw when it last looked.
  Status commit(const SinkIdentity& identity, const CommittedEpochs::Mark& seen, CheckpointId epoch, CheckpointId previous,
                const std::vector<Committable>& committables) {
    const std::lock_guard lock(mutex_);
    TIDEMARK_ASSIGN(const auto decision, epochs_.decide(identity, seen, epoch, previous));
    if (decision == CommittedEpochs::Decision::kHeldAlready) return {};
    std::size_t records = committed_.size();
    for (const Committable& committable : committables) {
      const auto prepared = prepared_.find(committable.bytes);
      if (prepared == prepared_.end()) {
        return Error{.code = ErrorCode::kSinkFailed,
                     .message = "the memory sink \"" + identity.sink + "\" no longer has the prepared output " + committable.bytes,
                     .why = "a MemorySink lives as long as its process; output that was prepared in another one is gone"};
      }
      records += prepared->second.records.size();
    }
    // Memory may be refused up to here, and not when a part of the epoch is visible.
    if (records > committed_.capacity()) committed_.reserve(std::max(records, 2 * committed_.capacity()));
    epochs_.taken(identity, epoch);
    for (const Committable& committable : committables) {
      auto prepared = prepared_.find(committable.bytes);
      for (T& record : prepared->second.records) committed_.push_back(std::move(record));
      prepared_.erase(prepared);
    }
    return {};
  }

  void discard(const std::string& lineage) {
    const std::lock_guard lock(mutex_);
    std::erase_if(prepared_, [&](const auto& entry) { return entry.second.lineage == lineage; });
  }

  std::vector<T> committed() const {
    const std::lock_guard lock(mutex_);
    return committed_;
  }
  CheckpointId newest() const {
    const std::lock_guard lock(mutex_);
    return epochs_.newest();
  }
  std::size_t prepared_records() const {
    const std::lock_guard lock(mutex_);
    std::size_t records = 0;
    for (const auto& entry : prepared_) records += entry.second.records.size();
    return records;
  }

 private:
  struct Prepared {
    std::string lineage;
    std::vector<T> records;
  };

  mutable std::mutex mutex_;
  std::map<Bytes, Prepared> prepared_;
  std::vector<T> committed_;
  CommittedEpochs epochs_;
};

template <class T>
class MemoryWriter final : public SinkWriter<T> {
 public:
  MemoryWriter(std::shared_ptr<MemoryTarget<T>> target, SinkIdentity identity) : target_(std::move(target)),
      identity_(std::move(identity)) {}

  Status write(const Batch<T>& batch) override {
    records_.insert(records_.end(), batch.values.begin(), batch.values.end());
    return {};
  }
  EpochSeal seal(CheckpointId epoch) override {
    if (records_.empty()) return [] { return Result<Bytes>(Bytes{}); };
    auto records = std::make_shared<std::vector<T>>(std::exchange(records_, {}));
    return [target = target_, identity = identity_, epoch, records] { return Result<Bytes>(target->prepare(identity, epoch,
        std::move(*records))); };
  }

 private:
  std::shared_ptr<MemoryTarget<T>> target_;
  SinkIdentity identity_;
  std::vector<T> records_;
};

template <class T>
class MemoryCommitter final : public SinkCommitter {
 public:
  MemoryCommitter(std::shared_ptr<MemoryTarget<T>> target, SinkIdentity identity)
      : target_(std::move(target)), identity_(std::move(identity)), seen_(target_->mark()) {}

  Result<CheckpointId> committed_epoch() override { return target_->newest_for(identity_.lineage); }
  Status commit(CheckpointId epoch, CheckpointId previous, const std::vector<Committable>& committables) override {
    const Status status = target_->commit(identity_, seen_, epoch, previous, committables);
    if (status.ok()) seen_ = target_->mark();
    return status;
  }
  Status discard_unlisted() override {
    target_->discard(identity_.lineage);
    return {};
  }

 private:
  std::shared_ptr<MemoryTarget<T>> target_;
  SinkIdentity identity_;
  CommittedEpochs::Mark seen_;
};

template <class T>
class TransactionalMemorySink final : public SinkBase {
 public:
  explicit TransactionalMemorySink(std::shared_ptr<MemoryTarget<T>> target) : target_(std::move(target)) {}

  std::string describe() const override { return "memory"; }
  SinkGuarantee guarantee() const override { return SinkGuarantee::kExactlyOnce; }
  Result<std::unique_ptr<SinkWriterBase>> open_writer(const IoContext&, const SinkIdentity& identity) override {
    return std::unique_ptr<SinkWriterBase>(std::make_unique<MemoryWriter<T>>(target_, identity));
  }
  Result<std::unique_ptr<SinkCommitter>> open_committer(const IoContext&, const SinkIdentity& identity) override {
    return std::unique_ptr<SinkCommitter>(std::make_unique<MemoryCommitter<T>>(target_, identity));
  }

 private:
  std::shared_ptr<MemoryTarget<T>> target_;
};

}  // namespace memory_internal

// Copies share the target, which lives as long as any of them or a job that writes to it. A target serves one sink of one lineage: of the
// jobs that
// start from one another's checkpoints. All functions may be called from any thread, also while a job runs.
template <class T>
class MemorySink {
 public:
  MemorySink() : target_(std::make_shared<memory_internal::MemoryTarget<T>>()) {}

  // What `to` takes.
  Sink<T> sink() const { return Sink<T>(std::make_shared<memory_internal::TransactionalMemorySink<T>>(target_)); }

  // The committed records, epoch by epoch. Within an epoch the records of one task are in its order, one task after the other.
  std::vector<T> committed() const { return target_->committed(); }
  // The newest committed epoch; 0: none.
  CheckpointId committed_epoch() const { return target_->newest(); }
  // How many records are prepared and not committed.
  std::size_t prepared_records() const { return target_->prepared_records(); }

 private:
  std::shared_ptr<memory_internal::MemoryTarget<T>> target_;
};

}  // namespace v0
}  // namespace tidemark

#pragma once
// The contract of a sink. Each task of the job has a writer of its own; one committer serves the whole sink.
//
// An epoch is all output between two completed checkpoints. At the barrier of checkpoint n the writer seals what it holds; the seal is
// finished on an I/O thread and yields a committable, a few bytes that name the prepared output (staged files, a prepared transaction). The
// manifest of n lists it. Only after the manifest is durable does the committer make the output visible. If the checkpoint fails, what was
// prepared stays prepared and the next manifest lists it.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/batch.hpp>
#include <tidemark/core/bytes.hpp>
#include <tidemark/core/status.hpp>
#include <tidemark/operators/source.hpp>

namespace tidemark {
inline namespace v0 {

using CheckpointId = std::uint64_t;   // 1, 2, ...; 0 stands for "none"

// Who writes: fields of names of staged files, transactions and markers.
struct SinkIdentity {
  std::string job;
  std::string lineage;          // 32 hex digits
  std::uint64_t attempt = 0;
  std::string sink;             // the user's name
  std::uint32_t subtask = 0;    // writers only
  std::uint64_t owner = 0;      // committers only; drawn anew at every start, so that two processes on copies of one directory differ
  // Committers only: names that the sink had in earlier releases. What the target holds under one of them in this lineage is its own.
  std::vector<std::string> formerly{};
};

// Finishes an epoch's output (flush, sync, prepare) on an I/O thread and gives the committable; empty: nothing to commit. Called once.
// An error fails the checkpoint and the attempt: the output cannot be prepared again.
using EpochSeal = std::function<Result<Bytes>()>;

class SinkWriterBase {
 public:
  virtual ~SinkWriterBase() = default;
  // Takes the records of a batch; on the task's thread. Buffers; must not block for more than a moment.
  virtual Status write_batch(const BatchBase& batch) = 0;
  // The barrier of `epoch`: everything written so far belongs to it, everything after to a later one. Constant time; the work is in the
  // seal.
  virtual EpochSeal seal(CheckpointId epoch) = 0;
};

template <class T>
class SinkWriter : public SinkWriterBase {
 public:
  virtual Status write(const Batch<T>& batch) = 0;
  Status write_batch(const BatchBase& batch) final { return write(static_cast<const Batch<T>&>(batch)); }
};

struct Committable {
  std::uint32_t subtask = 0;
  CheckpointId epoch = 0;      // of the seal; may be older than the checkpoint that commits it
  Bytes bytes;
};

// Makes prepared output visible. Called by one thread at a time, never by a worker; committers of different sinks may be called at the same
// time. While commit() does not return no further checkpoint begins; records go on, and a stop ends by its deadline (fault F45).
class SinkCommitter {
 public:
  virtual ~SinkCommitter() = default;
  // The newest epoch of this lineage that the target holds, under whichever of the sink's names; 0: none. An error if the target holds
  // another lineage's output (kSinkEpochMismatch).
  virtual Result<CheckpointId> committed_epoch() = 0;
  // The newest epoch that the target shows anything of: above committed_epoch() if a commit was cut off half-way. Recovery goes on from no
  // checkpoint before it, since what is visible would be written again (R3).
  virtual Result<CheckpointId> begun_epoch() { return committed_epoch(); }
  // Makes the committables of checkpoint `epoch` visible and records `epoch` in the target. `previous` is the completed checkpoint before
  // it, which the target must hold (R8), or hold `epoch` already: commit may be repeated any number of times with the same effect. An epoch
  // without committables is committed too. If another owner has committed to the target since this committer first looked at it, that is
  // an error (kSinkEpochMismatch) and nothing is committed: of two processes that go on in one lineage only one can (fault F08).
  virtual Status commit(CheckpointId epoch, CheckpointId previous, const std::vector<Committable>& committables) = 0;
  // After recovery has committed what the newest manifest lists: removes prepared output of this lineage that no manifest lists. Not called
  // at a start from an older one, whose newer ones list some of it.
  virtual Status discard_unlisted() { return {}; }
};

enum class SinkGuarantee : std::uint8_t { kExactlyOnce, kIdempotent, kAtLeastOnce };

class SinkBase {
 public:
  virtual ~SinkBase() = default;
  virtual std::string describe() const = 0;
  virtual SinkGuarantee guarantee() const = 0;
  virtual Result<std::unique_ptr<SinkWriterBase>> open_writer(const IoContext& io, const SinkIdentity& identity) = 0;
  virtual Result<std::unique_ptr<SinkCommitter>> open_committer(const IoContext& io, const SinkIdentity& identity) = 0;
};

// A handle to a sink of T, as `to` takes it. Copies share the sink.
template <class T>
class Sink {
 public:
  using Record = T;
  explicit Sink(std::shared_ptr<SinkBase> base) : base_(std::move(base)) {}
  const std::shared_ptr<SinkBase>& base() const { return base_; }

 private:
  std::shared_ptr<SinkBase> base_;
};

}  // namespace v0
}  // namespace tidemark

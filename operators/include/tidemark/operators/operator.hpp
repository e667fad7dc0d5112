#pragma once
// The operator contract: what a stage of a job takes, emits, remembers, and may rely on. It knows no runtime.
//
// A task runs a chain of operators on one thread at a time and hands the chain one element at a time: a batch, a watermark, a change of
// status, or the end of input, in the order in which they travelled. An operator hands what it emits to the next by a plain virtual call,
// one per batch.
//
// Back-pressure is a return value. Every receiver accepts the element that it is given; kMore says "there is work left below: give me
// nothing more until the task has called resume() on everybody who is pending". So
//   - an operator that emits at most one batch for a batch (map, filter) passes the answer on and need not be resumable;
//   - one that may emit without bound keeps a cursor, stops as soon as an emit answers kMore, returns kMore, says pending() == true, and
//   goes on in resume();
//   - the batch it was given stays alive and untouched until it is no longer pending.
// The task resumes the most downstream pending operator first, and takes a barrier only when nobody is pending: therefore a snapshot never
// sees a half-done element.

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/batch.hpp>
#include <tidemark/core/bytes.hpp>
#include <tidemark/core/hash.hpp>
#include <tidemark/core/job_failure.hpp>
#include <tidemark/core/log.hpp>
#include <tidemark/core/status.hpp>
#include <tidemark/operators/quarantine.hpp>
#include <tidemark/operators/sink.hpp>

namespace tidemark {
inline namespace v0 {

class StateBackend;

enum class [[nodiscard]] Progress : bool { kDone = false, kMore = true };
constexpr Progress operator|(Progress a, Progress b) { return Progress{static_cast<bool>(a) || static_cast<bool>(b)}; }

// The receiving end of an edge.
class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual Progress on_batch(BatchBase& batch) = 0;
  // Strictly ascending from call to call. kPlusInfinity: the end of all input, before on_end().
  virtual Progress on_watermark(EventTime watermark) = 0;
  // The stream is idle (no watermark is to be expected from it) or active again.
  virtual Progress on_status(bool idle) = 0;
  // Nothing but barriers follows.
  virtual Progress on_end() = 0;
};

// What the operators of a task share in a step.
struct StepBudget {
  // How much may be emitted before the thread is given back (a step stays under 2 ms). Refilled at each step.
  int batches = 0;
  // Whose call is under way, for messages about one that does not return: written by the task's thread, read by any.
  std::atomic<const Receiver*> at_work{nullptr};
};

// The sending end of an edge. Unconnected outlets swallow what they get.
class Outlet {
 public:
  void connect(Receiver* to, StepBudget* budget) {
    to_ = to;
    budget_ = budget;
  }
  bool connected() const { return to_ != nullptr; }
  // kMore: stop emitting and return. The receiver may change the batch, and may need it until the emitting operator is resumed.
  Progress emit(BatchBase& batch) {
    if (to_ == nullptr) return Progress::kDone;
    const Progress progress = call([&] { return to_->on_batch(batch); });
    return --budget_->batches <= 0 ? Progress::kMore : progress;
  }
  Progress watermark(EventTime t) { return to_ == nullptr ? Progress::kDone : call([&] { return to_->on_watermark(t); }); }
  Progress status(bool idle) { return to_ == nullptr ? Progress::kDone : call([&] { return to_->on_status(idle); }); }
  Progress end() { return to_ == nullptr ? Progress::kDone : call([&] { return to_->on_end(); }); }

 private:
  template <class Call>
  Progress call(Call receive) {
    const Receiver* from = budget_->at_work.load(std::memory_order_relaxed);
    budget_->at_work.store(to_, std::memory_order_relaxed);
    const Progress progress = receive();
    budget_->at_work.store(from, std::memory_order_relaxed);
    return progress;
  }

  Receiver* to_ = nullptr;
  StepBudget* budget_ = nullptr;
};

// What became of the records that an operator read (Q7): in = accepted + filtered + in_no_window + late + refused.
struct OperatorCounters {
  std::uint64_t records_in = 0;
  std::uint64_t records_out = 0;
  std::uint64_t filtered = 0;
  std::uint64_t in_no_window = 0;
  std::uint64_t late = 0;                    // wherever they went
  std::uint64_t late_for_some_windows = 0;
  std::uint64_t timers_after_end = 0;
  std::uint64_t quarantined[kQuarantineReasons] = {};
  std::uint64_t dropped[kQuarantineReasons] = {};
};

// What the task lends to an operator; outlives it.
struct OperatorContext {
  std::string job{};
  std::string name{};                        // of the operator
  std::uint32_t subtask = 0;
  std::uint32_t parallelism = 1;
  KeySpace key_space{};
  StateBackend* state = nullptr;             // of this operator in this task
  IoContext* io = nullptr;
  SinkIdentity identity{};                   // sinks
  QuarantinePolicy policy{};
  const std::vector<std::string>* split_names = nullptr;   // by the number in Origin: "source/split"
  std::uint32_t max_batch = 1000;            // records an operator puts into one batch
  bool deterministic = false;                // D4
};

// Outlets have fixed numbers: 0 the results, 1 quarantine, 2 late records, 3 and up side outputs.
inline constexpr std::size_t kMainOutlet = 0;
inline constexpr std::size_t kQuarantineOutlet = 1;
inline constexpr std::size_t kLateOutlet = 2;
inline constexpr std::size_t kFirstSideOutlet = 3;

// Call order: open() once, which registers all state; then, on a restore, load() (or load_rescaled()) and the rows of the state; then
// started(); then elements.
class Operator : public Receiver {
 public:
  explicit Operator(std::size_t outlets = 1) : outlets_(outlets) {}
  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;

  // An error refuses the start of the job.
  virtual Status open(OperatorContext& context) {
    context_ = &context;
    return {};
  }
  virtual Status started() { return {}; }

  virtual bool pending() const { return false; }
  virtual Progress resume() { return Progress::kDone; }

  // By default, what is no batch is handed on to every outlet.
  Progress on_watermark(EventTime watermark) override;
  Progress on_status(bool idle) override;
  Progress on_end() override;

  // Small state that is not keyed, for the manifest; equal state gives equal bytes. Keyed state is saved by the state backend. Throws
  // JobFailure if it has become too much.
  virtual void save(Bytes& out) const { (void)out; }
  virtual Status load(ByteView saved) {
    (void)saved;
    return {};
  }
  // Instead of load(), at another parallelism than that of the checkpoint (K5): what each instance of the operator had saved. An instance
  // takes what is now its own. By default they all had saved the same.
  virtual Status load_rescaled(std::span<const ByteView> saved) { return load(saved.front()); }
  // What it has saved is loaded after a drain too, when all watermarks but those of the splits themselves are +infinity (C9).
  virtual bool outlives_drain() const { return false; }
  // The last one that the operator was given, if it remembers that.
  virtual EventTime watermark() const { return kMinusInfinity; }
  // Sinks: closes the epoch at the barrier. Others: nothing.
  virtual EpochSeal seal(CheckpointId epoch) {
    (void)epoch;
    return {};
  }

  std::size_t outlet_count() const { return outlets_.size(); }
  Outlet& outlet(std::size_t index) { return outlets_[index]; }
  const OperatorCounters& counters() const { return counters_; }

 protected:
  const OperatorContext& context() const { return *context_; }
  OperatorCounters& count() { return counters_; }
  Outlet& main() { return outlets_[kMainOutlet]; }

 private:
  OperatorContext* context_ = nullptr;
  std::vector<Outlet> outlets_;
  OperatorCounters counters_;
};

// Implemented by the stage that gives a source's records their event time; the source's task tells it about its splits.
class SplitListener {
 public:
  virtual ~SplitListener() = default;
  // Before the first record: the numbers of the splits of this task.
  virtual void splits_assigned(const std::vector<std::uint32_t>& splits) = 0;
  // How many records the split may deliver until its next watermark is due (W4): a batch that ends there need not be cut.
  virtual std::uint32_t records_until_watermark(std::uint32_t split) const = 0;
  // The source waits and has nothing more at hand for this split (W4 b).
  virtual Progress split_waits(std::uint32_t split) = 0;
  // The last watermark that was handed on.
  virtual EventTime sent_watermark() const = 0;
  // At a restore, last: an operator below has had this watermark, so only greater ones are handed on.
  virtual void send_above(EventTime watermark) = 0;
  // The split is finished (W13, W14).
  virtual Progress split_ended(std::uint32_t split) = 0;
};

// The error for an exception that a user's function threw (fault F36). Call inside a catch block; rethrows what is not the user's, kTooMany
// with the operator and the record.
[[noreturn]] void fail_by_user_exception(const OperatorContext& context, const BatchBase* batch, std::size_t index);
// " at split "x" position 17", or nothing where the origin is unknown.
std::string describe_origin(const OperatorContext& context, const BatchBase& batch, std::size_t index);

}  // namespace v0
}  // namespace tidemark

#pragma once
// A task: one chain of operators of one subtask, stepped cooperatively by one worker. It takes one element at a time from its inputs (or
// polls its source), aligns barriers, and takes snapshots between batches.

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <tidemark/operators/operator.hpp>
#include <tidemark/operators/watermark_merger.hpp>
#include <tidemark/state/backend.hpp>
#include <tidemark/state/store.hpp>
#include "src/activity.hpp"
#include "src/channel.hpp"
#include "src/snapshot.hpp"
#include "src/snapshot_rows.hpp"
#include "src/source_head.hpp"
#include "src/worker.hpp"
#include "src/writers.hpp"

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

// Figures that other threads may read at any time; written by the task after each step.
struct TaskGauges {
  std::atomic<std::uint64_t> records_in{0};      // sources only
  std::atomic<std::uint64_t> records_out{0};     // sinks only
  std::atomic<std::uint64_t> late{0};
  std::atomic<std::uint64_t> quarantined{0};
  std::atomic<std::uint64_t> dropped{0};
  std::atomic<std::int64_t> watermark{kMinusInfinity.time_since_epoch().count()};
};

// What tells a stage that gives event time from all others, whatever stages a job has besides: the source whose chain it is in, and its
// place among those there.
std::string event_time_name(const std::string& source, std::size_t index);

class Task final : public Stepped {
 public:
  // An operator of the chain, with what the runtime knows of it.
  struct Link {
    std::unique_ptr<OperatorContext> context;
    std::unique_ptr<StateBackend> backend;      // null: has no state
    std::unique_ptr<Operator> op;
    std::size_t above = 0;                      // the link that feeds this one; the head's own index at the head
    bool sink = false;
  };
  struct Input {
    std::string name;
    std::shared_ptr<Channel> channel;
    const Task* from = nullptr;                 // who writes to it, and behind which link
    std::size_t from_link = 0;
    CheckpointId barrier = 0;                   // the last barrier that came
    bool waits = false;                         // for the barriers of the others
  };
  // What a task tells the coordinator. Any of these is called on the task's worker or on an I/O thread.
  struct Reports {
    SnapshotWork::Report on_snapshot;
    std::function<void(std::size_t task, bool cut_off)> on_ended;
    std::function<void(std::size_t task)> on_no_memory;   // on an I/O thread
    std::function<void()> on_memory_spent;      // what is dirty keeps memory from being given up
  };

  Task(std::string stage, std::size_t index, std::uint32_t subtask) : stage_(std::move(stage)), index_(index), subtask_(subtask) {}

  // --- building, before start ---
  std::vector<Link> links;                      // upstream first
  std::vector<Input> inputs;
  std::vector<std::unique_ptr<Writer>> writers;
  std::vector<std::unique_ptr<Operator>> tees;
  Operator* head = nullptr;
  SourceHead* source = nullptr;                 // the head, if it is one
  Waker* worker = nullptr;

  const std::string& stage() const { return stage_; }
  std::size_t index() const { return index_; }
  std::uint32_t subtask() const { return subtask_; }
  StepBudget& budget() { return budget_; }
  Activity& activity() { return activity_; }
  // `rows`: null if no checkpoint will be taken. `memory`: of all tasks; null: no bound.
  void begin(Reports reports, Jobs* io, std::unique_ptr<SnapshotRows> rows, MemoryBudget* memory);
  // The same inputs and operators in the same order.
  bool is_as_in(const TaskEntry& entry) const;
  // Precondition: is_as_in(entry).
  Status restore(const TaskEntry& entry);
  // What all tasks of the job had saved of each operator, in the order of their subtasks. Stages that give event time are here as
  // event_time_name() says.
  using SavedOperators = std::map<std::string, std::vector<const OperatorMeta*>>;
  // Instead of restore(), where the job has another parallelism or other stages than the checkpoint (K5, K10): first in all tasks, then
  // derive_inputs() in all. An operator that is not in `saved` starts empty.
  Status restore_by_name(const SavedOperators& saved);
  void derive_inputs();
  // Instead of restore(), from a checkpoint after a drain: splits go on with their own watermarks and operators with their lists, all else
  // begins anew.
  Status restore_drained(const SavedOperators& saved);

  // --- messages, from any thread ---
  // Sources: put barrier `id` into the stream; with `then_pause` read nothing more after it.
  void inject_barrier(CheckpointId id, bool then_pause);
  // Sources: end as if the input had ended here, behind the barriers injected so far. Where each split stands is kept.
  void drain();
  // The end of checkpoint `id` for this task's state.
  void settle(CheckpointId id, bool completed);

  // --- worker ---
  Step step() override;
  bool ready() override;
  std::chrono::milliseconds wait() const override;

  const TaskGauges& gauges() const { return gauges_; }
  std::string describe() const { return stage_ + "/" + std::to_string(subtask_); }

  // --- any thread, after begin ---
  // Whether it has a part behind a stage that gives event time, other than sinks, which wait for none: that of what was set aside hears
  // from everywhere, also from what branches off before there is event time.
  bool waits_for_event_time() const { return waits_for_event_time_; }

  // --- any thread: what goes on in a step that does not return (Activity) ---
  std::uint64_t step_under_way() const { return activity_.step(); }
  // As in: operator "counts" of task counts/1.
  std::string at_work() const;
  // As in: its last batch: split "numbers/0" position 17 to 1016. Empty: not known.
  std::string last_batch() const;

 private:
  struct Mail {
    enum class Kind : std::uint8_t { kBarrier, kDrain, kSettle } kind{};
    CheckpointId id = 0;
    bool flag = false;
  };
  // What is to be told to the head once nobody below is pending.
  struct Owed {
    std::optional<EventTime> watermark;
    std::optional<bool> idle;
    bool end = false;
  };

  void send(Mail letter);
  EventTime forwarded_watermark(std::size_t link) const;
  void find_event_time();
  bool delivers_nothing() const;
  void take_mail();
  bool writers_blocked();
  bool resume_pending();
  bool pay_owed();
  bool take_input();
  void handle(std::size_t input, Element element);
  bool barrier_complete() const;
  void take_barrier();
  void begin_snapshot(CheckpointId id);
  static EpochSeal seal_of(Link& link, CheckpointId id);
  bool encode_slice();
  bool disk_is_behind() const { return rows_ != nullptr && rows_->is_behind(); }
  void follow_growth();
  void give_up_memory();
  bool memory_is_short() const;
  void publish_gauges();
  bool any_pending() const;

  const std::string stage_;
  const std::size_t index_;
  const std::uint32_t subtask_;
  Reports reports_;
  Jobs* io_ = nullptr;
  std::unique_ptr<SnapshotRows> rows_;          // null: nothing is tracked
  MemoryBudget* memory_ = nullptr;

  StepBudget budget_;
  Activity activity_;
  WatermarkMerger merger_;
  std::size_t next_input_ = 0;
  std::unique_ptr<BatchBase> current_;          // in work below; goes back to its channel when nobody is pending
  std::size_t current_input_ = 0;
  Owed owed_;
  bool told_idle_ = false;
  bool ended_ = false;
  bool end_reported_ = false;
  bool paused_ = false;
  bool source_waits_ = false;
  bool memory_held_ = false;                    // the source was not read at the last step, for want of memory
  bool flushed_ = true;
  bool last_blocked_ = false;

  struct Barrier {
    CheckpointId id = 0;
    bool then_pause = false;
  };
  std::deque<Barrier> barriers_;                // to be taken when nobody is pending; sources may have more than one
  CheckpointId given_up_ = 0;                   // the newest checkpoint that was given up before its barrier was taken here
  std::shared_ptr<SnapshotWork> work_;          // the snapshot being encoded
  CheckpointId snapshot_ = 0;                   // frozen and not settled
  bool held_back_ = false;                      // sources were waiting for memory when it began
  std::uint64_t snapshots_begun_ = 0;

  std::mutex mail_mutex_;
  std::vector<Mail> mail_;
  std::atomic<bool> has_mail_{false};
  TaskGauges gauges_;
  unsigned steps_ = 0;
  std::vector<bool> has_event_time_;            // by link: what comes out of it
  bool waits_for_event_time_ = false;
};

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

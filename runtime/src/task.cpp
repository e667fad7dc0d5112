#include "src/task.hpp"

#include <algorithm>
#include <new>

#include <tidemark/core/check.hpp>
#include <tidemark/core/detail/planted.hpp>
#include <tidemark/core/detail/situations.hpp>
#include <tidemark/core/detail/thrown.hpp>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

namespace {

using core_internal::Situation;
using core_internal::sometimes;

// In a catch block.
Error threw_at_epoch(const std::string& sink) {
  return Error{.code = ErrorCode::kSinkFailed,
               .message = "sink \"" + sink + "\" threw while it prepared an epoch",
               .facts = {{"exception", core_internal::what_was_thrown()}}};
}

// A sink's part of a snapshot, on an I/O thread.
void finish_seal(SnapshotWork& work, EpochSeal& seal, CommittableEntry entry) {
  Result<Bytes> sealed = [&]() -> Result<Bytes> {
    try {
      return seal();
    } catch (const std::bad_alloc&) {
      throw;
    } catch (...) {
      return threw_at_epoch(entry.sink);
    }
  }();
  // Whatever the reason: what a writer has let go cannot be sealed again, and going on would lose it.
  Status finished = sealed.status();
  if (!sealed.ok() && sealed.error().code != ErrorCode::kSinkFailed) {
    Error error = sealed.error();
    error.code = ErrorCode::kSinkFailed;
    error.facts.insert(error.facts.begin(), {"sink", entry.sink + ", epoch " + std::to_string(entry.epoch)});
    finished = std::move(error);
  }
  work.finish(finished, [&](TaskSnapshot& into) {
    entry.bytes = std::move(*sealed);
    if (!entry.bytes.empty()) into.committables.push_back(std::move(entry));
  });
}

constexpr int kBatchesPerStep = 16;

// Encoded in a step, half a millisecond's worth: the longer a walk takes, the more entries are written before their turn, and each of those
// is a miss of the cache and a row out of order.
constexpr std::size_t kRowsPerSlice = 16'384;

using SavedInstances = Task::SavedOperators::mapped_type;

bool gives_time(const Task::Link& link) { return dynamic_cast<const SplitListener*>(link.op.get()) != nullptr; }

bool keeps_keys(const Task::Link& link) {
  return link.backend != nullptr && std::any_of(link.backend->components().begin(), link.backend->components().end(),
                                                [](const auto& component) { return !component->schema().key.empty(); });
}

// What all instances of a link had saved; null: the checkpoint does not know it. `stages`: how many stages of the task before it give event
// time, and then with it.
const SavedInstances* find_saved(const Task::SavedOperators& saved, const std::string& source, const Task::Link& link,
                                 std::size_t& stages) {
  const auto found = saved.find(gives_time(link) ? event_time_name(source, stages++) : link.context->name);
  return found == saved.end() ? nullptr : &found->second;
}

Status load_from_all(Operator& op, const SavedInstances& instances) {
  std::vector<ByteView> states;
  for (const OperatorMeta* meta : instances) states.push_back(meta->state);
  return op.load_rescaled(states);
}

}  // namespace

void Task::begin(Reports reports, Jobs* io, std::unique_ptr<SnapshotRows> rows, MemoryBudget* memory) {
  reports_ = std::move(reports);
  io_ = io;
  rows_ = std::move(rows);
  memory_ = memory;
  if (merger_.size() != inputs.size()) merger_ = WatermarkMerger{inputs.size()};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].from->delivers_nothing()) merger_.leave_out(i);
  }
  told_idle_ = merger_.idle();   // as it was told, too, before a restore
  find_event_time();
}

// But its end: a source task without a split, and a task below such ones. What has keys may have some of an earlier run, whose windows and
// timers are still to fire.
bool Task::delivers_nothing() const {
  if (std::any_of(links.begin(), links.end(), [](const Link& link) { return keeps_keys(link); })) return false;
  if (source != nullptr) return !source->has_splits();
  return std::all_of(inputs.begin(), inputs.end(), [](const Input& input) { return input.from->delivers_nothing(); });
}

bool Task::is_as_in(const TaskEntry& entry) const {
  return std::equal(inputs.begin(), inputs.end(), entry.inputs.begin(), entry.inputs.end(),
                    [](const Input& input, const InputEntry& saved) { return input.name == saved.channel; }) &&
         std::equal(links.begin(), links.end(), entry.operators.begin(), entry.operators.end(),
                    [](const Link& link, const OperatorMeta& saved) { return link.context->name == saved.operator_name; });
}

Status Task::restore(const TaskEntry& entry) {
  TIDEMARK_CHECK(is_as_in(entry), "task " + describe());
  merger_ = WatermarkMerger{inputs.size()};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const InputEntry& saved = entry.inputs[i];
    merger_.restore(i, {.watermark = saved.watermark, .idle = saved.idle, .finished = saved.finished});
  }
  for (std::size_t i = 0; i < links.size(); ++i) TIDEMARK_TRY(links[i].op->load(entry.operators[i].state));
  merger_.restore_output(entry.operators.front().watermark);
  told_idle_ = merger_.idle();
  ended_ = source != nullptr ? source->ended() : merger_.all_finished();
  return {};
}

Status Task::restore_by_name(const SavedOperators& saved) {
  // What all tasks of the head had passed on is the least; a keyed operator had one watermark in all its tasks.
  std::optional<EventTime> passed_on;
  std::vector<EventTime> below(links.size(), kMinusInfinity);   // what a link and the operators behind it have had
  std::size_t stage = 0;
  for (std::size_t i = 0; i < links.size(); ++i) {
    const SavedInstances* instances = find_saved(saved, stage_, links[i], stage);
    if (instances == nullptr) continue;   // new in the job: it starts empty
    if (i == 0) {
      for (const OperatorMeta* meta : *instances) passed_on = std::min(passed_on.value_or(kPlusInfinity), meta->watermark);
    }
    TIDEMARK_TRY(load_from_all(*links[i].op, *instances));
    for (std::size_t at = i;; at = links[at].above) {
      below[at] = std::max(below[at], links[i].op->watermark());
      if (links[at].above == at) break;
    }
  }
  merger_ = WatermarkMerger{inputs.size()};
  const bool keyed_head = links.front().op->watermark() != kMinusInfinity;
  merger_.restore_output(keyed_head ? below.front() : std::max(below.front(), passed_on.value_or(kMinusInfinity)));
  // A new source above an operator that is not new begins where that one stands. An end is sent again.
  for (std::size_t i = 0; i < links.size(); ++i) {
    auto* listener = dynamic_cast<SplitListener*>(links[i].op.get());
    if (listener != nullptr) listener->send_above(below[i]);
  }
  return {};
}

Status Task::restore_drained(const SavedOperators& saved) {
  std::size_t stage = 0;
  for (const Link& link : links) {
    const SavedInstances* instances = find_saved(saved, stage_, link, stage);
    if (instances == nullptr || !link.op->outlives_drain()) continue;
    TIDEMARK_TRY(load_from_all(*link.op, *instances));
  }
  return {};
}

std::string event_time_name(const std::string& source, std::size_t index) { return source + "/event_time-" + std::to_string(index); }

// An input's watermark is what the task above it has passed on. That may be less than what this task has had: the source is new, or what
// a union had passed on is not known. Then it counts as having come as far, and is waited for. Left out of the minimum, as W11 has it of
// an input that was idle, it would make records late that are not, and the tasks of an operator would differ in their watermarks (K5).
void Task::derive_inputs() {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const EventTime forwarded = inputs[i].from->forwarded_watermark(inputs[i].from_link);
    // +infinity never travels between tasks: an input that had ended will end again.
    merger_.restore(i, {.watermark = forwarded == kPlusInfinity ? merger_.output() : std::max(forwarded, merger_.output())});
  }
}

// What has gone out behind a link.
EventTime Task::forwarded_watermark(std::size_t link) const {
  if (source == nullptr) return merger_.output();
  for (;; link = links[link].above) {
    if (const auto* stage = dynamic_cast<const SplitListener*>(links[link].op.get())) return stage->sent_watermark();
    if (links[link].above == link) return kMinusInfinity;
  }
}

void Task::find_event_time() {
  has_event_time_.assign(links.size(), false);
  const bool comes = std::any_of(inputs.begin(), inputs.end(), [](const Input& input) {
    return input.from_link < input.from->has_event_time_.size() && input.from->has_event_time_[input.from_link];
  });
  for (std::size_t link = 0; link < links.size(); ++link) {
    const std::size_t above = links[link].above;
    has_event_time_[link] = gives_time(links[link]) || (above == link ? comes : has_event_time_[above]);
    waits_for_event_time_ |= has_event_time_[link] && !links[link].sink;
  }
}

void Task::send(Mail letter) {
  {
    const std::lock_guard lock(mail_mutex_);
    mail_.push_back(letter);
    has_mail_.store(true, std::memory_order_release);
  }
  worker->wake_if_asleep();
}

void Task::inject_barrier(CheckpointId id, bool then_pause) { send({Mail::Kind::kBarrier, id, then_pause}); }
void Task::drain() { send({.kind = Mail::Kind::kDrain}); }
void Task::settle(CheckpointId id, bool completed) { send({Mail::Kind::kSettle, id, completed}); }

void Task::take_mail() {
  if (!has_mail_.load(std::memory_order_acquire)) return;
  std::vector<Mail> mail;
  {
    const std::lock_guard lock(mail_mutex_);
    mail.swap(mail_);
    has_mail_.store(false, std::memory_order_relaxed);
  }
  for (const Mail& letter : mail) {
    if (letter.kind == Mail::Kind::kBarrier) {
      TIDEMARK_CHECK(source != nullptr && (barriers_.empty() || letter.id > barriers_.back().id), "barriers at sources ascend");
      barriers_.push_back({letter.id, letter.flag});
      continue;
    }
    if (letter.kind == Mail::Kind::kDrain) {
      source->drain();   // a barrier that came before is taken before anything more is read
      continue;
    }
    if (letter.id != snapshot_) {           // its barrier has not been taken here
      if (!letter.flag) given_up_ = std::max(given_up_, letter.id);
      continue;
    }
    snapshot_ = 0;
    if (work_) {                            // given up while encoding
      if (rows_ != nullptr) rows_->give_up();
      std::exchange(work_, nullptr)->finish(Error{.code = ErrorCode::kCheckpointFailed, .message = "the checkpoint was given up"});
    }
    if (rows_ != nullptr) {
      for (Link& link : links) {
        if (link.backend) link.backend->settle(letter.flag);
      }
      if (memory_ != nullptr) give_up_memory();
    }
  }
}

std::string Task::at_work() const {
  const Receiver* at_work = budget_.at_work.load(std::memory_order_relaxed);
  const auto link = std::find_if(links.begin(), links.end(), [&](const Link& each) { return each.op.get() == at_work; });
  return (link == links.end() ? "the edge" : "operator \"" + link->context->name + "\"") + " of task " + describe();
}

std::string Task::last_batch() const {
  const OperatorContext& context = *links.front().context;
  const Origin first = activity_.first();
  const Origin last = activity_.last();
  if (first.split >= context.split_names->size() || last.split >= context.split_names->size()) return {};
  const auto name = [&](const Origin& origin) { return "split \"" + (*context.split_names)[origin.split] + "\" position "; };
  std::string text = "its last batch: " + name(first) + std::to_string(first.position);
  if (first.split == last.split && first.position == last.position) return text;
  return text + " to " + (first.split == last.split ? "" : name(last)) + std::to_string(last.position);
}

Stepped::Step Task::step() {
  const Activity::Step under_way(activity_);
  budget_.at_work.store(head, std::memory_order_relaxed);
  take_mail();
  budget_.batches = kBatchesPerStep;
  const bool encoded = encode_slice();
  bool progress = false;
  last_blocked_ = writers_blocked();
  if (!last_blocked_) {
    progress = resume_pending() || pay_owed();
    if (!progress && !barriers_.empty() && !any_pending()) {
      take_barrier();
      progress = true;
    }
    if (!progress) {
      if (source == nullptr) {
        progress = take_input();
      } else if (!paused_) {
        memory_held_ = memory_is_short() && !source->draining();
        if (!memory_held_) {
          const SourceHead::Found found = source->read();
          progress = found == SourceHead::Found::kSomething;
          source_waits_ = found == SourceHead::Found::kNothingNow;
          ended_ = found == SourceHead::Found::kEnded;
        }
      }
    }
    if (ended_ && !end_reported_ && !progress) {
      end_reported_ = true;
      reports_.on_ended(index_, source != nullptr && source->cut_off());
    }
  }
  if (progress) {
    flushed_ = false;
  } else if (!last_blocked_ && !std::exchange(flushed_, true)) {
    for (auto& writer : writers) writer->flush();   // nothing more at hand: a quiet stream is not delayed
    progress = true;
  }
  if (progress && memory_ != nullptr) follow_growth();
  if (!progress || (++steps_ & 63U) == 0) {
    publish_gauges();
    // What a checkpoint under way will free is not known yet.
    if (memory_ != nullptr && snapshot_ == 0 && (memory_->take_pressure() || memory_->holds_back())) reports_.on_memory_spent();
  }
  return progress || encoded ? Step::kProgress : Step::kWaiting;
}

bool Task::ready() {
  if (has_mail_.load(std::memory_order_acquire) || (work_ && !disk_is_behind())) return true;
  if (last_blocked_) {
    for (auto& writer : writers) {
      if (writer->blocked() && writer->has_room()) return true;
    }
    return false;
  }
  for (Input& input : inputs) {
    if (!input.waits && input.channel->front() != nullptr) return true;
  }
  return false;
}

std::chrono::milliseconds Task::wait() const {
  // As it was at the step, and not as it is now: another task may have made room meanwhile, and wakes nobody.
  if (source != nullptr && memory_held_) return std::chrono::milliseconds{1};
  if (source != nullptr && source_waits_ && !paused_) return source->poll_again_after();
  return std::chrono::milliseconds{0};
}

bool Task::writers_blocked() {
  bool blocked = false;
  for (auto& writer : writers) blocked |= writer->blocked() && !writer->drain();
  return blocked;
}

bool Task::any_pending() const {
  return std::any_of(links.begin(), links.end(), [](const Link& link) { return link.op->pending(); });
}

bool Task::resume_pending() {
  // The most downstream first: those above wait for it.
  for (auto link = links.rbegin(); link != links.rend(); ++link) {
    if (!link->op->pending()) continue;
    budget_.at_work.store(link->op.get(), std::memory_order_relaxed);
    (void)link->op->resume();
    return true;
  }
  return false;
}

bool Task::pay_owed() {
  if (owed_.watermark) {
    const EventTime watermark = *std::exchange(owed_.watermark, std::nullopt);
    (void)head->on_watermark(watermark);
    return true;
  }
  if (owed_.idle) {
    const bool idle = *std::exchange(owed_.idle, std::nullopt);
    (void)head->on_status(idle);
    return true;
  }
  if (!owed_.end) return false;
  if (merger_.output() != kPlusInfinity) {
    merger_.end();
    (void)head->on_watermark(kPlusInfinity);
    return true;
  }
  owed_.end = false;
  ended_ = true;
  (void)head->on_end();
  return true;
}

bool Task::take_input() {
  if (current_) {   // everything below is done with it
    inputs[current_input_].channel->give_back(std::move(current_));
  }
  for (std::size_t tried = 0; tried < inputs.size(); ++tried) {
    const std::size_t input = next_input_;
    next_input_ = next_input_ + 1 == inputs.size() ? 0 : next_input_ + 1;
    if (inputs[input].waits || inputs[input].channel->front() == nullptr) continue;
    handle(input, inputs[input].channel->take());
    return true;
  }
  return false;
}

void Task::handle(std::size_t input, Element element) {
  std::optional<EventTime> risen;
  switch (element.kind) {
    case Element::Kind::kBatch:
      current_ = std::move(element.batch);
      current_input_ = input;
      activity_.take(*current_);
      (void)head->on_batch(*current_);
      return;
    case Element::Kind::kBarrier:
      if (planted(core_internal::Bug::kP08) && element.checkpoint == inputs[input].barrier) return;   // forwarded already
      TIDEMARK_CHECK(element.checkpoint > inputs[input].barrier, "barriers ascend");
      sometimes(Situation::kInputEndedBeforeBarrier, merger_.input(input).finished && !merger_.all_finished());
      inputs[input].barrier = element.checkpoint;
      inputs[input].waits = true;
      if (planted(core_internal::Bug::kP08)) {   // the first input's barrier counts for all
        for (Input& each : inputs) each.barrier = element.checkpoint;
      } else if (!barrier_complete()) {
        return;
      }
      for (Input& each : inputs) each.waits = false;
      barriers_.push_back({element.checkpoint, false});
      return;
    case Element::Kind::kWatermark: risen = merger_.on_watermark(input, element.watermark); break;
    case Element::Kind::kIdle: risen = merger_.on_status(input, true); break;
    case Element::Kind::kActive: risen = merger_.on_status(input, false); break;
    case Element::Kind::kEnd: risen = merger_.on_finished(input); break;
  }
  if (risen) owed_.watermark = *risen;
  if (merger_.idle() != told_idle_) {
    told_idle_ = merger_.idle();
    owed_.idle = told_idle_;
  }
  owed_.end = element.kind == Element::Kind::kEnd && merger_.all_finished();
  (void)pay_owed();
}

bool Task::barrier_complete() const {
  return std::all_of(inputs.begin(), inputs.end(), [](const Input& input) { return input.waits; });
}

void Task::take_barrier() {
  take_mail();   // the word of how the one before ended was sent before this barrier was
  const Barrier barrier = barriers_.front();
  barriers_.pop_front();
  // Nobody settles a checkpoint that was given up already; tasks below wait for its barrier all the same.
  if (barrier.id > given_up_) begin_snapshot(barrier.id);
  for (auto& writer : writers) writer->on_barrier(barrier.id);
  if (barrier.then_pause) paused_ = true;
}

// Of what the link's operator wrote, if it is a sink's.
EpochSeal Task::seal_of(Link& link, CheckpointId id) {
  try {
    return link.op->seal(id);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const BrokenInvariant&) {
    throw;
  } catch (const JobFailure&) {
    throw;
  } catch (...) {
    throw JobFailure(threw_at_epoch(link.context->name));
  }
}

void Task::begin_snapshot(CheckpointId id) {
  TIDEMARK_CHECK(snapshot_ == 0 && !work_, "checkpoint " + std::to_string(id) + " began before the one before it was settled");
  TaskSnapshot snapshot;
  snapshot.checkpoint = id;
  snapshot.task = index_;
  snapshot.number = snapshots_begun_++;
  snapshot.entry.task = stage_;
  snapshot.entry.subtask = subtask_;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const WatermarkMerger::Input& input = merger_.input(i);
    snapshot.entry.inputs.push_back(
        {.channel = inputs[i].name, .watermark = input.watermark, .idle = input.idle, .finished = input.finished});
  }
  for (Link& link : links) {
    OperatorMeta meta{.operator_name = link.context->name, .state = {}, .watermark = merger_.output()};
    link.op->save(meta.state);
    snapshot.entry.operators.push_back(std::move(meta));
    if (!link.backend || rows_ == nullptr) continue;
    link.backend->note_checkpoint(id);
    link.backend->freeze(*rows_);
    for (const auto& component : link.backend->components()) {
      if (!component->schema().timed && !component->schema().stamped) continue;
      snapshot.buckets.push_back({component->id(), component->dropped_through(), component->live_buckets()});
    }
  }
  if (source != nullptr) {
    for (SourceHead::Split& split : source->splits()) {
      snapshot.splits[split.number] = {
          .name = std::move(split.name), .position = std::move(split.position), .finished = split.finished, .progress = {}};
    }
  }
  snapshot_ = id;
  held_back_ = memory_ != nullptr && memory_->begin_part();
  work_ = std::make_shared<SnapshotWork>(std::move(snapshot), reports_.on_snapshot);
  if (rows_ != nullptr) rows_->begin(id, work_);
  for (Link& link : links) {
    budget_.at_work.store(link.op.get(), std::memory_order_relaxed);
    EpochSeal seal = seal_of(link, id);
    if (!seal) continue;
    work_->begin();
    io_->post([work = work_, seal = std::move(seal), entry = CommittableEntry{link.context->name, subtask_, id, {}},
               on_no_memory = reports_.on_no_memory, index = index_]() mutable {
      try {
        finish_seal(*work, seal, std::move(entry));
      } catch (const std::bad_alloc&) {
        on_no_memory(index);
      }
    });
  }
}

bool Task::encode_slice() {
  if (!work_ || disk_is_behind()) return false;
  bool done = true;
  if (rows_ != nullptr) {
    rows_->set_in_turn(true);
    for (Link& link : links) {
      if (link.backend && !link.backend->encode_some(kRowsPerSlice)) {
        done = false;
        break;
      }
    }
    rows_->set_in_turn(false);
    rows_->hand_over(done);
  }
  if (done) std::exchange(work_, nullptr)->finish({});
  return true;
}

// To look for what may go takes as long as the state is large, so not at every step. What a checkpoint under way will free is not known.
void Task::follow_growth() {
  const bool may_shrink = snapshot_ == 0 && (steps_ & 15U) == 0;
  for (Link& link : links) {
    if (link.backend) link.backend->follow_growth(may_shrink);
  }
  if (rows_ != nullptr) rows_->charge();
}

// What was written is clean now, and may go.
void Task::give_up_memory() {
  if (rows_ != nullptr) rows_->charge();   // most of them are written
  for (Link& link : links) {
    if (link.backend && (held_back_ || memory_->spent())) link.backend->shrink();
  }
  memory_->end_part();
}

// Only sources wait: whatever is under way, barriers among it, goes through.
bool Task::memory_is_short() const { return memory_ != nullptr && memory_->holds_back(); }

void Task::publish_gauges() {
  std::uint64_t in = 0, out = 0, late = 0, quarantined = 0, dropped = 0;
  for (const Link& link : links) {
    const OperatorCounters& counters = link.op->counters();
    if (link.op.get() == source) in += counters.records_in;
    if (link.sink) out += counters.records_in;
    late += counters.late;
    for (std::size_t reason = 0; reason < kQuarantineReasons; ++reason) {
      quarantined += counters.quarantined[reason];
      dropped += counters.dropped[reason];
    }
  }
  EventTime watermark = merger_.output();
  if (source != nullptr) {
    std::optional<EventTime> least;
    for (const Link& link : links) {
      const auto* listener = dynamic_cast<const SplitListener*>(link.op.get());
      if (listener != nullptr) least = std::min(least.value_or(kPlusInfinity), listener->sent_watermark());
    }
    watermark = source->ended() ? kPlusInfinity : least.value_or(kMinusInfinity);   // of no split nothing was ever sent
  }
  gauges_.records_in.store(in, std::memory_order_relaxed);
  gauges_.records_out.store(out, std::memory_order_relaxed);
  gauges_.late.store(late, std::memory_order_relaxed);
  gauges_.quarantined.store(quarantined, std::memory_order_relaxed);
  gauges_.dropped.store(dropped, std::memory_order_relaxed);
  gauges_.watermark.store(micros(watermark), std::memory_order_relaxed);
}

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

#include "src/control.hpp"

#include <algorithm>
#include <new>

#include <tidemark/checkpoint/layout.hpp>
#include <tidemark/core/check.hpp>
#include <tidemark/core/detail/planted.hpp>
#include <tidemark/core/detail/thrown.hpp>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

namespace {

std::vector<std::string> task_names(const BuiltJob& job) {
  std::vector<std::string> names;
  for (const auto& task : job.tasks) names.push_back(task->describe());
  return names;
}

CoordinatorOptions coordinator_options(const RuntimeOptions& options) {
  CoordinatorOptions made;
  made.interval = options.state_directory.empty() ? std::chrono::milliseconds{0} : options.checkpoint_every;
  made.timeout = options.checkpoint_timeout;
  made.tolerated_failures = options.tolerated_checkpoint_failures;
  return made;
}

// The values of a state over all tasks: the least dropped-through time, the union of live buckets.
void merge_buckets(std::vector<OperatorEntry>& operators, const std::vector<std::optional<TaskSnapshot>>& snapshots) {
  std::map<StateId, std::pair<EventTime, std::vector<EventTime>>> merged;
  for (const auto& snapshot : snapshots) {
    for (const BucketFacts& facts : snapshot->buckets) {
      auto [at, fresh] = merged.try_emplace(facts.id, facts.dropped_through, std::vector<EventTime>{});
      at->second.first = std::min(at->second.first, facts.dropped_through);
      at->second.second.insert(at->second.second.end(), facts.live.begin(), facts.live.end());
    }
  }
  for (OperatorEntry& entry : operators) {
    for (StateEntry& state : entry.states) {
      const auto found = merged.find(state.id);
      if (found == merged.end()) continue;
      auto& [dropped, live] = found->second;
      std::sort(live.begin(), live.end());
      live.erase(std::unique(live.begin(), live.end()), live.end());
      state.dropped_through = dropped;
      state.live_buckets = live;
    }
  }
}

std::string describe_commit(const CommittingSink& sink, CheckpointId epoch) {
  return "commit of epoch " + std::to_string(epoch) + " by sink \"" + sink.name + "\"";
}

Status commit_to(CommittingSink& sink, CheckpointId epoch, CheckpointId previous, const std::vector<Committable>& committables) {
  const auto failed = [&](Error error) {
    error.facts.insert(error.facts.begin(), {"sink", sink.name + ", epoch " + std::to_string(epoch)});
    return Status{std::move(error)};
  };
  try {
    const Status status = sink.committer->commit(epoch, previous, committables);
    return status.ok() ? status : failed(status.error());
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    return failed(Error{.code = ErrorCode::kSinkFailed,
                        .message = "a sink threw while it committed an epoch",
                        .facts = {{"exception", core_internal::what_was_thrown()}}});
  }
}

}  // namespace

Error no_memory(const std::string& where) {
  return Error{.code = ErrorCode::kResourcesExhausted,
               .message = "the system gave no more memory to " + where,
               .facts = {},
               .why = "what was being done stays half done; nothing more was written or committed",
               .fix = "raise the limits of the process on memory, or bound the state with `memory`, and start the job again"};
}

Error ended_before_it() {
  return Error{.code = ErrorCode::kJobNotRunning,
               .message = "the job ended before it had done what it was asked for",
               .fix = "see how it ended; its newest checkpoint is where the next start goes on"};
}

Control::Control(const RuntimeOptions& options, core_internal::Executor& executor, core_internal::Jobs& io, ControlFacts facts,
                 BuiltJob& job, OnEnd on_end)
    : options_(options),
      io_(io),
      facts_(std::move(facts)),
      job_(job),
      on_end_(std::move(on_end)),
      coordinator_(coordinator_options(options), task_names(job), facts_.next_checkpoint, facts_.completed, now()),
      snapshots_(job.tasks.size()),
      reports_(job.tasks.size()),
      watchdog_(options.step_warning, job.tasks.size() + facts_.sinks.size(), options.logger),
      runner_(executor.runner("control", *this)) {
  figures_.last_checkpoint = facts_.completed;
  completed_at_ = now();
  watchdog_.begin_look(now());
}

void Control::post(std::function<void()> message) {
  {
    const std::lock_guard lock(mutex_);
    if (!over_) {
      messages_.push(std::move(message));
      message = nullptr;
    }
  }
  if (message) {
    message();   // the job has ended, and so the message changes nothing
  } else {
    runner_->wake_if_asleep();
  }
}

bool Control::step() {
  try {
    if (const auto look = watchdog_.next_look(); look && *look <= now()) {
      look_for_hangs();
    } else if (const std::function<void()> message = next_message()) {
      message();
    } else if (const auto wakeup = coordinator_.next_wakeup(); wakeup && *wakeup <= now()) {
      carry_out(coordinator_.on_time(now()));
    } else {
      return false;
    }
    if (ended_) answer_late_messages();
  } catch (const std::bad_alloc&) {
    // What was begun stays half done, as if the process had died here: the next start goes by what is durable.
    end({JobState::kFailed, no_memory("the control thread")});
  }
  return true;
}

bool Control::ready() {
  const std::lock_guard lock(mutex_);
  return !messages_.empty();
}

std::optional<std::chrono::nanoseconds> Control::pause() const {
  auto wakeup = coordinator_.next_wakeup();
  if (const auto look = watchdog_.next_look(); look && (!wakeup || *look < *wakeup)) wakeup = look;
  if (!wakeup) return std::nullopt;
  return std::max(*wakeup - now(), SteadyTime::duration{0});
}

void Control::look_for_hangs() {
  const SteadyTime at = now();
  watchdog_.begin_look(at);
  std::size_t caller = 0;
  for (const auto& task : job_.tasks) {
    const std::uint64_t step = task->step_under_way();
    if (watchdog_.see(caller, step, at)) {
      const std::string batch = task->last_batch();
      std::string what = task->at_work();
      // What was read belongs to the step that hangs only if it goes on.
      if (task->step_under_way() == step) watchdog_.report(caller, at, std::move(what), batch.empty() ? "" : "; " + batch);
    }
    ++caller;
  }
  for (const CommittingSink& sink : facts_.sinks) {
    const CheckpointId epoch = in_commit(sink);
    if (watchdog_.see(caller, epoch, at)) watchdog_.report(caller, at, describe_commit(sink, epoch), "");
    ++caller;
  }
  show_hangs();
}

CheckpointId Control::in_commit(const CommittingSink& sink) const {
  const std::lock_guard lock(mutex_);
  return sink.in_commit;
}

void Control::set_in_commit(CommittingSink& sink, CheckpointId epoch) {
  const std::lock_guard lock(mutex_);
  sink.in_commit = epoch;
}

void Control::show_hangs() {
  if (std::exchange(hangs_shown_, watchdog_.changes()) == watchdog_.changes()) return;
  const std::lock_guard lock(mutex_);
  hangs_ = watchdog_.hangs();
}

// Empty: there is none.
std::function<void()> Control::next_message() {
  const std::lock_guard lock(mutex_);
  if (messages_.empty()) return {};
  std::function<void()> message = std::move(messages_.front());
  messages_.pop();
  return message;
}

void Control::answer_late_messages() {
  for (bool more = true; more;) {
    std::queue<std::function<void()>> late;
    {
      const std::lock_guard lock(mutex_);
      late.swap(messages_);
      more = !late.empty();
      over_ = !more;
    }
    for (; !late.empty(); late.pop()) late.front()();
  }
}

void Control::on_snapshot(TaskSnapshot snapshot, std::optional<Error> error) {
  post([this, report = std::make_shared<SnapshotReport>(std::move(snapshot), std::move(error))] {
    // The disk may be done with a later one first. Whoever acknowledges n must have told what was prepared before n.
    SnapshotReports& reports = reports_[report->first.task];
    reports.early.emplace(report->first.number, std::move(*report));
    for (auto next = reports.early.begin(); !ended_ && next != reports.early.end() && next->first == reports.taken;) {
      SnapshotReport taken = std::move(next->second);
      reports.early.erase(next);
      ++reports.taken;
      take_snapshot(std::move(taken.first), std::move(taken.second));
      next = reports.early.begin();
    }
  });
}

void Control::take_snapshot(TaskSnapshot snapshot, std::optional<Error> error) {
  // Prepared output stays prepared, whatever becomes of this checkpoint (C7); the oldest first, whichever task was slower.
  prepared_.insert(prepared_.end(), snapshot.committables.begin(), snapshot.committables.end());
  std::stable_sort(prepared_.begin(), prepared_.end(),
                   [](const CommittableEntry& a, const CommittableEntry& b) { return a.epoch < b.epoch; });
  const std::size_t task = snapshot.task;
  const CheckpointId id = snapshot.checkpoint;
  if (error || id != coordinator_.pending()) remove_row_files(snapshot);
  if (error && error->code == ErrorCode::kSinkFailed) return carry_out(coordinator_.on_task_failed(task, std::move(*error)));
  if (error) return carry_out(coordinator_.on_declined(task, id, std::move(*error)));
  if (id != coordinator_.pending()) return;
  snapshots_[task] = std::move(snapshot);
  carry_out(coordinator_.on_acknowledged(task, id));
}

void Control::on_task_ended(std::size_t task, bool cut_off) {
  post([this, task, cut_off] {
    if (!ended_) carry_out(coordinator_.on_task_ended(task, cut_off, now()));
  });
}

void Control::on_task_failed(std::size_t task, Error error, bool broken_invariant) {
  if (broken_invariant) writes_nothing_.store(true);
  post([this, task, error = std::move(error)]() mutable {
    if (!ended_) carry_out(coordinator_.on_task_failed(task, std::move(error)));
  });
}

void Control::on_memory_spent() {
  post([this] {
    if (!ended_) carry_out(coordinator_.on_checkpoint_wanted(now()));
  });
}

void Control::on_checked(Status status) {
  post([this, status = std::move(status)] {
    if (ended_) return;
    if (status.ok()) {
      facts_.being_checked = 0;
      return;
    }
    Error error = status.error();
    error.why = "the job was restored from checkpoint " + std::to_string(facts_.being_checked) + ", whose files were read whole only now";
    error.fix = "restore from a copy of that checkpoint, or start again from an older one with sinks of its own";
    carry_out(coordinator_.on_task_failed(0, std::move(error)));
  });
}

CheckpointAnswer Control::ask(std::string label, bool keeps, std::function<Result<CoordinatorActions>()> act) {
  auto request = std::make_shared<Request>();
  request->label = std::move(label);
  CheckpointAnswer answer = request->answer.get_future();
  post([this, request, keeps, act = std::move(act)] {
    if (ended_) return request->answer.set_value(ended_before_it());
    const Status allowed = keeps ? check_label(request->label) : Status{};
    if (!allowed.ok()) return request->answer.set_value(allowed);
    Result<CoordinatorActions> actions = act();
    if (!actions.ok()) return request->answer.set_value(actions.error());
    requests_.push_back(std::move(*request));
    carry_out(*std::move(actions));
  });
  return answer;
}

CheckpointAnswer Control::request_savepoint(std::string label) {
  return ask(label, true, [this, label] { return coordinator_.on_savepoint_requested(label, now()); });
}

CheckpointAnswer Control::request_stop(StopOptions options) {
  return ask(options.label, !options.label.empty(),
             [this, options] {
               Result<CoordinatorActions> actions = coordinator_.on_stop_requested(options.drain, options.label, now());
               const std::lock_guard lock(mutex_);
               figures_.stopping |= actions.ok();
               return actions;
             });
}

void Control::request_cancel() {
  post([this] {
    if (ended_) return;
    carry_out(coordinator_.on_cancelled());
  });
}

void Control::carry_out(CoordinatorActions actions) {
  for (CoordinatorAction& action : actions) {
    if (ended_) return;
    using Kind = CoordinatorAction::Kind;
    switch (action.kind) {
      case Kind::kBegin: begin(action); break;
      case Kind::kPublish: publish(action); break;
      case Kind::kCommit: commit(action); break;
      case Kind::kKeep: keep(action); break;
      case Kind::kCollectGarbage: collect_garbage(action.id); break;
      case Kind::kAbort: abort(action); break;
      case Kind::kDrain: drain(); break;
      case Kind::kFailAttempt: end({JobState::kFailed, std::move(action.error)}); break;
      case Kind::kFinished: end({JobState::kFinished, std::nullopt}); break;
      case Kind::kStopped: end({coordinator_.cancelled() ? JobState::kCancelled : JobState::kStopped, std::nullopt}); break;
    }
  }
}

void Control::begin(const CoordinatorAction& action) {
  begun_ = now();
  std::fill(snapshots_.begin(), snapshots_.end(), std::nullopt);
  for (auto& task : job_.tasks) {
    if (task->source != nullptr) task->inject_barrier(action.id, action.checkpoint_kind == CheckpointKind::kStop);
  }
}

void Control::drain() {
  for (auto& task : job_.tasks) {
    if (task->source != nullptr) task->drain();
  }
}

void Control::publish(const CoordinatorAction& action) {
  if (writes_nothing_.load()) return;   // the task's report of the broken invariant is on its way
  bool maybe_published = false;
  const Status status = facts_.checkpoints == nullptr ? Status{} : store_checkpoint(action, maybe_published);
  if (!status.ok()) {
    options_.logger.warning("checkpoint " + std::to_string(action.id) + " failed: " + status.error().message);
    return carry_out(coordinator_.on_publish_failed(action.id, maybe_published, status.error()));
  }
  for (auto& task : job_.tasks) task->settle(action.id, true);
  {
    const std::lock_guard lock(mutex_);
    completed_at_ = now();
    figures_.last_checkpoint = action.id;
    figures_.drained = action.drained;
    ++figures_.checkpoints;
    figures_.checkpoint_bytes = 0;
    for (const auto& snapshot : snapshots_) figures_.checkpoint_bytes += snapshot->bytes;
    figures_.checkpoint_duration = std::chrono::duration_cast<std::chrono::milliseconds>(completed_at_ - begun_);
  }
  carry_out(coordinator_.on_published(action.id));
}

Status Control::store_checkpoint(const CoordinatorAction& action, bool& maybe_published) {
  TIDEMARK_TRY(facts_.store->health());
  std::vector<RowFile> row_files;
  for (auto& snapshot : snapshots_) {
    auto& of_task = snapshot->row_files;
    std::stable_sort(of_task.begin(), of_task.end());
    for (const SnapshotFile& written : of_task) row_files.push_back(written.file);
  }
  TIDEMARK_TRY(facts_.store->ingest(row_files));
  TIDEMARK_ASSIGN(const std::string directory, facts_.checkpoints->begin(action.id));
  Manifest manifest = manifest_of(action);
  TIDEMARK_ASSIGN(manifest.files, facts_.store->link_into(directory));
  if (planted(core_internal::Bug::kP04) && action.previous != 0) TIDEMARK_TRY(facts_.checkpoints->remove(action.previous));   // too early
  if (planted(core_internal::Bug::kP05)) {   // before it is durable
    for (CommittingSink& sink : facts_.sinks) TIDEMARK_TRY(commit_to(sink, action.id, action.previous, prepared_for(sink)));
  }
  const auto outcome = facts_.checkpoints->publish(manifest);
  maybe_published = outcome.published == CheckpointStore::Published::kUnknown;
  TIDEMARK_TRY(outcome.status);
  facts_.store->set_dropped(dropped_rows(manifest));
  facts_.manifest.operators = std::move(manifest.operators);
  return {};
}

Manifest Control::manifest_of(const CoordinatorAction& action) const {
  Manifest manifest = facts_.manifest;
  manifest.checkpoint = action.id;
  manifest.previous = action.previous;
  manifest.finished = action.checkpoint_kind == CheckpointKind::kFinal && !action.drained;
  manifest.drained = action.drained;
  manifest.created = std::chrono::time_point_cast<std::chrono::milliseconds>(options_.clock->wall_now());
  manifest.committables = prepared_;
  merge_buckets(manifest.operators, snapshots_);
  for (const auto& snapshot : snapshots_) manifest.tasks.push_back(snapshot->entry);
  std::uint32_t number = 0;
  for (SourceEntry& source : manifest.sources) {
    for (SplitEntry& split : source.splits) {
      for (const auto& snapshot : snapshots_) {
        const auto found = snapshot->splits.find(number);
        if (found != snapshot->splits.end()) split = found->second;
      }
      ++number;
    }
  }
  return manifest;
}

void Control::commit(const CoordinatorAction& action) {
  if (writes_nothing_.load()) return;
  open_commits_ = facts_.sinks.size();
  if (open_commits_ == 0) return carry_out(coordinator_.on_committed(action.id, now()));
  for (CommittingSink& sink : facts_.sinks) {
    set_in_commit(sink, action.id);
    watchdog_.see(caller_of(sink), action.id, now());
    io_.post([this, &sink, epoch = action.id, previous = action.previous, mine = prepared_for(sink)] {
      run_commit(sink, epoch, previous, mine);
    });
  }
  prepared_.clear();
}

std::vector<Committable> Control::prepared_for(const CommittingSink& sink) const {
  std::vector<Committable> found;
  for (const CommittableEntry& entry : prepared_) {
    if (entry.sink == sink.name) found.push_back({entry.subtask, entry.epoch, entry.bytes});
  }
  return found;
}

// On a thread of the I/O pool.
void Control::run_commit(CommittingSink& sink, CheckpointId epoch, CheckpointId previous, const std::vector<Committable>& committables) {
  try {
    const bool begins = !writes_nothing_.load();   // else recovery commits
    const Status status = begins ? commit_to(sink, epoch, previous, committables) : Status{};
    set_in_commit(sink, 0);
    if (begins) post([this, &sink, epoch, status] { on_commit_ended(sink, epoch, status); });
  } catch (const std::bad_alloc&) {
    set_in_commit(sink, 0);
    on_task_failed(0, no_memory("the commit of sink \"" + sink.name + "\""), true);
  }
}

void Control::on_commit_ended(CommittingSink& sink, CheckpointId epoch, const Status& status) {
  if (ended_ || writes_nothing_.load()) return;
  watchdog_.see(caller_of(sink), 0, now());
  show_hangs();
  if (!status.ok()) return carry_out(coordinator_.on_commit_failed(epoch, status.error()));
  if (--open_commits_ == 0) carry_out(coordinator_.on_committed(epoch, now()));
}

std::vector<std::string> Control::commits_under_way() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> found;
  for (const CommittingSink& sink : facts_.sinks) {
    if (sink.in_commit != 0) found.push_back(describe_commit(sink, sink.in_commit));
  }
  return found;
}

Status Control::check_label(const std::string& label) const {
  if (facts_.checkpoints == nullptr) {
    return Error{.code = ErrorCode::kBadConfiguration,
                 .message = "this job keeps no savepoints",
                 .why = "it runs without a state directory",
                 .fix = "start it with one"};
  }
  TIDEMARK_TRY(facts_.checkpoints->check_label(label));
  if (std::any_of(requests_.begin(), requests_.end(), [&](const Request& request) { return request.label == label; })) {
    return Error{.code = ErrorCode::kBadName,
                 .message = "savepoint \"" + label + "\" is being taken already",
                 .fix = "wait for it, or choose another label"};
  }
  return {};
}

// What else became of the wish for a savepoint.
Error Control::not_kept(Error error, const CoordinatorAction& action) const {
  if (action.checkpoint_kind == CheckpointKind::kPeriodic) return error;
  error.facts.emplace_back("the job", "has ended after checkpoint " + std::to_string(action.id) + ", which was not kept as a savepoint");
  if (!error.fix.empty()) error.fix += "; ";
  error.fix += "copy " + checkpoint_path(facts_.checkpoints->directory(), action.id) + " before the job starts again";
  return error;
}

void Control::keep(const CoordinatorAction& action) {
  for (const std::string& label : action.labels) {
    const Status kept = facts_.checkpoints->keep(action.id, label);
    if (!kept.ok()) options_.logger.warning("savepoint " + label + " failed: " + kept.error().message);
    answer({label}, kept.ok() ? Result<CheckpointId>{action.id} : Result<CheckpointId>{not_kept(kept.error(), action)});
  }
}

void Control::answer(const std::vector<std::string>& labels, const Result<CheckpointId>& answer) {
  std::erase_if(requests_, [&](Request& request) {
    if (std::find(labels.begin(), labels.end(), request.label) == labels.end()) return false;
    request.answer.set_value(answer);
    return true;
  });
}

void Control::collect_garbage(CheckpointId committed) {
  if (facts_.checkpoints == nullptr) return;
  const auto directory = facts_.checkpoints->read();
  if (!directory.ok()) return options_.logger.warning("old checkpoints cannot be listed: " + directory.error().message);
  std::vector<CheckpointId> in_use;
  if (facts_.being_checked != 0) in_use.push_back(facts_.being_checked);
  const Deletions deletions = choose_deletions(*directory, {.lineage = facts_.manifest.lineage,
                                                            .attempt = facts_.manifest.attempt,
                                                            .committed = committed,
                                                            .in_use = std::move(in_use),
                                                            .retain = 2});
  if (const Status status = facts_.checkpoints->remove_all(deletions); !status.ok()) {
    options_.logger.warning("an old checkpoint cannot be removed: " + status.error().message);
  }
}

void Control::abort(const CoordinatorAction& action) {
  if (action.error) options_.logger.warning("checkpoint " + std::to_string(action.id) + " was given up: " + action.error->message);
  for (auto& task : job_.tasks) task->settle(action.id, false);
  if (facts_.checkpoints != nullptr) {
    if (const Status status = facts_.checkpoints->discard(action.id); !status.ok()) {
      options_.logger.warning("a checkpoint that was given up cannot be removed: " + status.error().message);
    }
    for (const auto& snapshot : snapshots_) {
      if (snapshot) remove_row_files(*snapshot);
    }
  }
  {
    const std::lock_guard lock(mutex_);
    ++figures_.failed_checkpoints;
  }
  if (action.error) answer(action.labels, *action.error);
  carry_out(coordinator_.on_abort_settled(action.id, now()));
}

// Of a checkpoint that will not be: they hold what the next one writes again.
void Control::remove_row_files(const TaskSnapshot& snapshot) {
  for (const SnapshotFile& written : snapshot.row_files) (void)options_.files->remove_file(written.file.path).ok();
}

void Control::end(JobResult result) {
  ended_ = true;
  writes_nothing_.store(true);
  const bool at_a_checkpoint = result.state == JobState::kStopped || result.state == JobState::kFinished;
  // One by one, since answering may fail and this be called again: none is answered twice.
  while (!requests_.empty()) {
    Request request = std::move(requests_.back());
    requests_.pop_back();
    if (request.label.empty() && at_a_checkpoint) {
      request.answer.set_value(coordinator_.last_completed());
    } else {
      request.answer.set_value(result.error ? *result.error : ended_before_it());
    }
  }
  on_end_(std::move(result));
  // Whoever did not return has done so by now.
  for (std::size_t caller = 0; caller < job_.tasks.size() + facts_.sinks.size(); ++caller) watchdog_.see(caller, 0, now());
  show_hangs();
}

void Control::fill(JobSnapshot& snapshot) const {
  const std::lock_guard lock(mutex_);
  snapshot.last_checkpoint = figures_.last_checkpoint;
  snapshot.stopping = figures_.stopping;
  snapshot.drained = figures_.drained;
  snapshot.checkpoints = figures_.checkpoints;
  snapshot.failed_checkpoints = figures_.failed_checkpoints;
  snapshot.checkpoint_bytes = figures_.checkpoint_bytes;
  snapshot.checkpoint_duration = figures_.checkpoint_duration;
  const SteadyTime at = now();
  snapshot.since_checkpoint = std::chrono::duration_cast<std::chrono::milliseconds>(at - completed_at_);
  for (const Watchdog::Hang& hang : hangs_) {
    snapshot.hangs.push_back({hang.what, std::chrono::duration_cast<std::chrono::milliseconds>(at - hang.since)});
  }
}

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

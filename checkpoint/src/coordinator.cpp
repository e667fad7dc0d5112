#include <tidemark/checkpoint/coordinator.hpp>

#include <algorithm>
#include <utility>

#include <tidemark/core/check.hpp>

namespace tidemark {
inline namespace v0 {

using Action = CoordinatorAction;

std::string_view to_string(Action::Kind kind) {
  switch (kind) {
    case Action::Kind::kBegin: return "begin";
    case Action::Kind::kPublish: return "publish";
    case Action::Kind::kCommit: return "commit";
    case Action::Kind::kKeep: return "keep";
    case Action::Kind::kCollectGarbage: return "collect garbage";
    case Action::Kind::kAbort: return "abort";
    case Action::Kind::kDrain: return "drain";
    case Action::Kind::kFailAttempt: return "fail attempt";
    case Action::Kind::kFinished: return "finished";
    case Action::Kind::kStopped: return "stopped";
  }
  return "unknown";
}

Coordinator::Coordinator(CoordinatorOptions options, std::vector<std::string> tasks, CheckpointId next, CheckpointId completed,
                         SteadyTime now)
    : options_(options),
      tasks_(std::move(tasks)),
      acknowledged_(tasks_.size(), false),
      ended_(tasks_.size(), false),
      running_(tasks_.size()),
      next_(next),
      completed_(completed),
      due_(now + options.interval) {
  TIDEMARK_CHECK(!tasks_.empty(), "a job without tasks");
  TIDEMARK_CHECK(next > completed, "checkpoint " + std::to_string(next) + " cannot follow " + std::to_string(completed));
}

CoordinatorActions Coordinator::on_time(SteadyTime now) {
  CoordinatorActions actions;
  if (phase_ == Phase::kCollecting && now - begun_ >= options_.timeout) {
    std::string names;
    for (const std::string& name : missing()) names += (names.empty() ? "" : ", ") + name;
    abort(Error{.code = ErrorCode::kCheckpointFailed,
                .message = "checkpoint " + std::to_string(pending_) + " timed out",
                .facts = {{"limit", std::to_string(options_.timeout.count()) + " ms"}, {"without an answer", names}},
                .why = "",
                .fix = ""},
          actions);
  }
  begin_if_due(now, actions);
  return actions;
}

CoordinatorActions Coordinator::on_acknowledged(std::size_t task, CheckpointId id) {
  TIDEMARK_CHECK(task < tasks_.size(), "there is no task " + std::to_string(task));
  TIDEMARK_CHECK(id < next_, "task " + tasks_[task] + " acknowledged checkpoint " + std::to_string(id) + ", which never began");
  CoordinatorActions actions;
  if (!is_pending(id, Phase::kCollecting) || acknowledged_[task]) return actions;
  acknowledged_[task] = true;
  if (--missing_ > 0) return actions;
  phase_ = Phase::kPublishing;
  actions.push_back({.kind = Action::Kind::kPublish,
                     .id = id,
                     .previous = completed_,
                     .checkpoint_kind = kind_,
                     .drained = kind_ == CheckpointKind::kFinal && cut_off_});
  return actions;
}

CoordinatorActions Coordinator::on_declined(std::size_t task, CheckpointId id, Error error) {
  TIDEMARK_CHECK(task < tasks_.size() && id < next_, "a report on checkpoint " + std::to_string(id) + ", which never began");
  CoordinatorActions actions;
  if (!is_pending(id, Phase::kCollecting)) return actions;
  error.facts.emplace_back("task", tasks_[task]);
  abort(std::move(error), actions);
  return actions;
}

CoordinatorActions Coordinator::on_task_ended(std::size_t task, bool cut_off, SteadyTime now) {
  TIDEMARK_CHECK(task < tasks_.size() && !ended_[task], "task " + std::to_string(task) + " ended twice");
  ended_[task] = true;
  cut_off_ |= cut_off;
  --running_;
  CoordinatorActions actions;
  begin_if_due(now, actions);
  return actions;
}

CoordinatorActions Coordinator::on_task_failed(std::size_t task, Error error) {
  TIDEMARK_CHECK(task < tasks_.size(), "there is no task " + std::to_string(task));
  CoordinatorActions actions;
  fail(std::move(error), actions);
  return actions;
}

CoordinatorActions Coordinator::on_published(CheckpointId id) {
  CoordinatorActions actions;
  if (phase_ == Phase::kOver) return actions;
  TIDEMARK_CHECK(is_pending(id, Phase::kPublishing), "checkpoint " + std::to_string(id) + " was published unasked");
  if (ending_ == Ending::kCancel) {
    completed_ = id;
    finish(Action::Kind::kStopped, actions);
    return actions;
  }
  phase_ = Phase::kCommitting;
  actions.push_back({.kind = Action::Kind::kCommit, .id = id, .previous = completed_, .checkpoint_kind = kind_});
  return actions;
}

CoordinatorActions Coordinator::on_publish_failed(CheckpointId id, bool maybe_published, Error error) {
  CoordinatorActions actions;
  if (phase_ == Phase::kOver) return actions;
  TIDEMARK_CHECK(is_pending(id, Phase::kPublishing), "checkpoint " + std::to_string(id) + " was published unasked");
  if (maybe_published) {
    fail(std::move(error), actions);
  } else {
    abort(std::move(error), actions);
  }
  return actions;
}

CoordinatorActions Coordinator::on_committed(CheckpointId id, SteadyTime now) {
  CoordinatorActions actions;
  if (phase_ == Phase::kOver) return actions;
  TIDEMARK_CHECK(is_pending(id, Phase::kCommitting), "checkpoint " + std::to_string(id) + " was committed unasked");
  completed_ = id;
  failures_ = 0;
  last_failure_.reset();
  pending_ = 0;
  phase_ = Phase::kIdle;
  due_ = std::max(begun_ + options_.interval, now + options_.min_pause);
  if (!labels_.empty()) {
    actions.push_back({.kind = Action::Kind::kKeep, .id = id, .checkpoint_kind = kind_, .labels = std::exchange(labels_, {})});
  }
  actions.push_back({.kind = Action::Kind::kCollectGarbage, .id = id, .checkpoint_kind = kind_});
  if (kind_ == CheckpointKind::kFinal && !cut_off_) {
    finish(Action::Kind::kFinished, actions);
  } else if (kind_ != CheckpointKind::kPeriodic || ending_ == Ending::kCancel) {
    finish(Action::Kind::kStopped, actions);
  } else {
    begin_if_due(now, actions);
  }
  return actions;
}

CoordinatorActions Coordinator::on_commit_failed(CheckpointId id, Error error) {
  CoordinatorActions actions;
  if (phase_ == Phase::kOver) return actions;
  TIDEMARK_CHECK(is_pending(id, Phase::kCommitting), "checkpoint " + std::to_string(id) + " was committed unasked");
  fail(std::move(error), actions);
  return actions;
}

CoordinatorActions Coordinator::on_abort_settled(CheckpointId id, SteadyTime now) {
  CoordinatorActions actions;
  if (phase_ == Phase::kOver) return actions;
  TIDEMARK_CHECK(is_pending(id, Phase::kAborting), "checkpoint " + std::to_string(id) + " was aborted unasked");
  pending_ = 0;
  phase_ = Phase::kIdle;
  due_ = std::max(begun_ + options_.interval, now + options_.min_pause);
  if (ending_ == Ending::kCancel) {
    finish(Action::Kind::kStopped, actions);
  } else if (failures_ > options_.tolerated_failures) {
    Error error = *last_failure_;
    error.facts.emplace_back("failed checkpoints in a row", std::to_string(failures_));
    fail(std::move(error), actions);
  } else {
    begin_if_due(now, actions);
  }
  return actions;
}

CoordinatorActions Coordinator::on_checkpoint_wanted(SteadyTime now) {
  CoordinatorActions actions;
  if (phase_ != Phase::kIdle || ending_ != Ending::kNone || all_ended()) return actions;
  if (failures_ > 0 && now < due_) return actions;   // one that fails is not tried again any sooner
  begin(CheckpointKind::kPeriodic, now, actions);
  return actions;
}

CoordinatorActions Coordinator::on_savepoint_requested(std::string label, SteadyTime now) {
  CoordinatorActions actions;
  wish(std::move(label));
  begin_if_due(now, actions);
  return actions;
}

Result<CoordinatorActions> Coordinator::on_stop_requested(bool drain, const std::string& label, SteadyTime now) {
  if (drain && ending_ == Ending::kStop) {
    return Error{.code = ErrorCode::kJobNotRunning,
                 .message = "the job is stopping already, and was told not to drain",
                 .fix = "start it again from the checkpoint with which it stops, and drain it then"};
  }
  CoordinatorActions actions;
  // At the end of the input there is nothing left to stop or to drain: the job finishes.
  if (ending_ == Ending::kNone && !all_ended()) {
    ending_ = drain ? Ending::kDrain : Ending::kStop;
    if (drain) actions.push_back({.kind = Action::Kind::kDrain});
  }
  if (!label.empty()) wish(label);
  begin_if_due(now, actions);
  return actions;
}

CoordinatorActions Coordinator::on_cancelled() {
  CoordinatorActions actions;
  if (phase_ == Phase::kOver || (phase_ == Phase::kCommitting && kind_ != CheckpointKind::kPeriodic)) return actions;
  ending_ = Ending::kCancel;
  if (phase_ == Phase::kCollecting) {
    abort(Error{.code = ErrorCode::kCheckpointFailed, .message = "the job was cancelled", .facts = {}, .why = "", .fix = ""}, actions);
  } else if (phase_ == Phase::kIdle || phase_ == Phase::kCommitting) {
    finish(Action::Kind::kStopped, actions);
  }
  return actions;
}

std::vector<std::string> Coordinator::missing() const {
  std::vector<std::string> names;
  if (phase_ != Phase::kCollecting) return names;
  for (std::size_t task = 0; task < tasks_.size(); ++task) {
    if (!acknowledged_[task]) names.push_back(tasks_[task]);
  }
  return names;
}

std::optional<SteadyTime> Coordinator::next_wakeup() const {
  if (phase_ == Phase::kCollecting) return begun_ + options_.timeout;
  const bool periodic = options_.interval.count() > 0 && ending_ == Ending::kNone;
  // After a failure the last checkpoint of a job is tried again, at the pace of the others.
  const bool again = failures_ > 0 && (all_ended() || ending_ == Ending::kStop);
  if (phase_ == Phase::kIdle && (periodic || again)) return due_;
  return std::nullopt;
}

void Coordinator::begin_if_due(SteadyTime now, CoordinatorActions& actions) {
  if (phase_ != Phase::kIdle || ending_ == Ending::kCancel) return;
  // The last one is tried at once, whatever became of the one before it, and then at the pace of the others.
  const bool may_repeat = failures_ == 0 || kind_ == CheckpointKind::kPeriodic || now >= due_;
  if (all_ended()) {
    if (may_repeat) begin(CheckpointKind::kFinal, now, actions);
  } else if (ending_ == Ending::kStop) {
    if (may_repeat) begin(CheckpointKind::kStop, now, actions);
  } else if (ending_ == Ending::kNone && (!wishes_.empty() || (options_.interval.count() > 0 && now >= due_))) {
    begin(CheckpointKind::kPeriodic, now, actions);
  }
}

void Coordinator::begin(CheckpointKind kind, SteadyTime now, CoordinatorActions& actions) {
  pending_ = next_++;
  kind_ = kind;
  labels_ = std::exchange(wishes_, {});
  begun_ = now;
  phase_ = Phase::kCollecting;
  acknowledged_.assign(tasks_.size(), false);
  missing_ = tasks_.size();
  actions.push_back({.kind = Action::Kind::kBegin, .id = pending_, .checkpoint_kind = kind});
}

void Coordinator::wish(std::string label) {
  // Nothing is read after the last checkpoint of a job, so it stands for the moment of the wish even if it began before.
  const bool last = kind_ != CheckpointKind::kPeriodic && phase_ != Phase::kIdle && phase_ != Phase::kAborting;
  (last ? labels_ : wishes_).push_back(std::move(label));
}

void Coordinator::abort(Error error, CoordinatorActions& actions) {
  ++failures_;
  last_failure_ = error;
  phase_ = Phase::kAborting;
  std::vector<std::string> given_up = std::exchange(labels_, {});
  if (kind_ != CheckpointKind::kPeriodic) {   // the last one is tried again
    wishes_.insert(wishes_.begin(), given_up.begin(), given_up.end());
    given_up.clear();
  }
  actions.push_back({.kind = Action::Kind::kAbort,
                     .id = pending_,
                     .checkpoint_kind = kind_,
                     .error = std::move(error),
                     .labels = std::move(given_up)});
}

void Coordinator::fail(Error error, CoordinatorActions& actions) {
  if (phase_ == Phase::kOver) return;
  actions.push_back({.kind = Action::Kind::kFailAttempt, .id = pending_, .checkpoint_kind = kind_, .error = std::move(error)});
  phase_ = Phase::kOver;
}

void Coordinator::finish(Action::Kind kind, CoordinatorActions& actions) {
  actions.push_back({.kind = kind, .id = completed_, .checkpoint_kind = kind_});
  phase_ = Phase::kOver;
}

bool Coordinator::is_pending(CheckpointId id, Phase phase) const { return phase_ == phase && pending_ == id; }

bool Coordinator::all_ended() const { return running_ == 0; }

}  // namespace v0
}  // namespace tidemark

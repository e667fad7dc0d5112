#include "src/reconcile.hpp"

#include <algorithm>
#include <utility>

namespace tidemark {
inline namespace v0 {
namespace checkpoint_internal {

namespace {

Error mismatch(std::string message, std::string checkpoint, std::string job, std::string why, std::string fix) {
  return Error{.code = ErrorCode::kStateMismatch,
               .message = std::move(message),
               .facts = {{"checkpoint", std::move(checkpoint)}, {"job", std::move(job)}},
               .why = std::move(why),
               .fix = std::move(fix)};
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string schema_text(const StateEntry& state) {
  std::string text = state.kind + " of " + state.key;
  if (!state.value.empty()) text += " to " + state.value;
  if (!state.parameters.empty()) text += ", " + state.parameters;
  return text;
}

std::string address(const OperatorEntry& entry, const StateEntry& state) { return entry.name + "/" + state.name; }

Error orphan(const std::string& what, const std::string& owner, const std::string& why) {
  return Error{.code = ErrorCode::kStateMismatch,
               .message = "the checkpoint holds " + what + ", which the job no longer has",
               .facts = {},
               .why = why,
               .fix = "bring it back under its old name, or give it up with --drop-state " + owner};
}

class Reconciler {
 public:
  Reconciler(const Manifest& manifest, const JobFacts& job, const std::vector<std::string>& drop_state, RecoveryPlan& plan)
      : manifest_(manifest), job_(job), drop_state_(drop_state), plan_(plan) {}

  Status run() {
    plan_.next_state_id = manifest_.next_state_id;
    plan_.discarded_states = manifest_.discarded_states;
    TIDEMARK_TRY(check_key_space());
    for (const OperatorEntry& entry : job_.operators) TIDEMARK_TRY(match_operator(entry));
    for (const OperatorEntry& entry : manifest_.operators) TIDEMARK_TRY(account_for_operator(entry));
    TIDEMARK_TRY(match_sources());
    TIDEMARK_TRY(account_for_sinks());
    for (const std::string& name : drop_state_) {
      // Not refused: a service restarts with the flags it was once started with.
      if (find_operator(manifest_.operators, name) == nullptr) {
        plan_.warnings.push_back("--drop-state names " + name + ", of which the checkpoint holds nothing");
      }
    }
    return {};
  }

 private:
  Status check_key_space() {
    if (manifest_.hash != kKeyHashName) {
      return mismatch("the checkpoint was written with another hash of keys", manifest_.hash, kKeyHashName, "",
                      "run the release that wrote it");
    }
    if (manifest_.key_groups != job_.key_groups) {
      return mismatch("the number of key groups has changed", std::to_string(manifest_.key_groups), std::to_string(job_.key_groups),
                      "it is fixed for the life of a job's state", "set it back to " + std::to_string(manifest_.key_groups));
    }
    if (job_.seed && *job_.seed != manifest_.seed) {
      return mismatch("the seed of the hash of keys has changed", std::to_string(manifest_.seed), std::to_string(*job_.seed),
                      "it is fixed for the life of a job's state", "leave the seed to the checkpoint");
    }
    return {};
  }

  Status match_operator(const OperatorEntry& wanted) {
    const OperatorEntry* stored = find_operator(manifest_.operators, wanted.name);
    if (stored != nullptr && contains(drop_state_, wanted.name)) stored = nullptr;
    OperatorEntry entry = wanted;
    for (StateEntry& state : entry.states) {
      const StateEntry* old = stored == nullptr ? nullptr : find_state(*stored, state.name);
      if (old == nullptr || has_fired(*old)) {
        TIDEMARK_TRY(give_number(state));
        plan_.added.push_back(address(entry, state));
        continue;
      }
      if (old->fingerprint != state.fingerprint) {
        return mismatch("state " + address(entry, state) + " has another schema", schema_text(*old), schema_text(state),
                        "the stored bytes would be misread",
                        "change the type or the parameters back, give the new state a new name, or give the old one up with --drop-state " +
                            entry.name);
      }
      state.id = old->id;
      state.dropped_through = old->dropped_through;
      state.live_buckets = old->live_buckets;
      plan_.restored.push_back(address(entry, state));
    }
    plan_.operators.push_back(std::move(entry));
    return {};
  }

  // After a drain nothing waits for its time any more. Such a state begins empty under a new number, since of the old one every bucket, up
  // to +infinity, counts as dropped.
  bool has_fired(const StateEntry& stored) const { return manifest_.drained && stored.timed; }

  // No state of the checkpoint is left behind unsaid.
  Status account_for_operator(const OperatorEntry& stored) {
    const bool dropped = contains(drop_state_, stored.name);
    const OperatorEntry* wanted = find_operator(job_.operators, stored.name);
    for (const StateEntry& state : stored.states) {
      if (has_fired(state)) {
        plan_.discarded_states.push_back(state.id);
        continue;
      }
      if (!dropped && wanted != nullptr && find_state(*wanted, state.name) != nullptr) continue;
      if (!dropped) {
        return orphan("state " + address(stored, state), stored.name, "what it has counted would be lost");
      }
      plan_.discarded_states.push_back(state.id);
      plan_.dropped.push_back(address(stored, state));
    }
    return {};
  }

  Status match_sources() {
    for (const SourceEntry& stored : manifest_.sources) {
      const std::string name = "source " + stored.operator_name;
      const bool dropped = contains(drop_state_, stored.operator_name);
      if (dropped) {
        plan_.dropped.push_back(name);
      } else if (contains(job_.sources, stored.operator_name)) {
        plan_.restored.push_back(name);
      } else {
        return orphan(name, stored.operator_name, "what it has not yet delivered would be lost");
      }
    }
    for (const std::string& wanted : job_.sources) {
      const bool stored = std::any_of(manifest_.sources.begin(), manifest_.sources.end(),
                                      [&](const SourceEntry& source) { return source.operator_name == wanted; });
      if (!stored || contains(drop_state_, wanted)) plan_.added.push_back("source " + wanted);
    }
    return {};
  }

  Status account_for_sinks() {
    for (const std::string& stored : manifest_.sinks) {
      if (contains(job_.sinks, stored)) continue;
      const bool pending = std::any_of(plan_.recommit.begin(), plan_.recommit.end(),
                                       [&](const CommittableEntry& committable) { return committable.sink == stored; });
      if (pending && !contains(drop_state_, stored)) {
        return orphan("output of sink " + stored + " that is not yet committed", stored, "that output would be lost");
      }
      plan_.dropped.push_back("sink " + stored);
    }
    const auto is_dropped = [&](const CommittableEntry& committable) { return !contains(job_.sinks, committable.sink); };
    plan_.recommit.erase(std::remove_if(plan_.recommit.begin(), plan_.recommit.end(), is_dropped), plan_.recommit.end());
    for (const std::string& wanted : job_.sinks) {
      if (!contains(manifest_.sinks, wanted)) plan_.added.push_back("sink " + wanted);
    }
    return {};
  }

  Status give_number(StateEntry& state) {
    if (plan_.next_state_id == 0xFFFF) {
      return mismatch("this lineage has used up its numbers of states", "65534 states", "one more", "numbers are never given twice",
                      "start a new lineage with --from none");
    }
    state.id = plan_.next_state_id++;
    return {};
  }

  const Manifest& manifest_;
  const JobFacts& job_;
  const std::vector<std::string>& drop_state_;
  RecoveryPlan& plan_;
};

}  // namespace

Status reconcile(const Manifest& manifest, const JobFacts& job, const std::vector<std::string>& drop_state, RecoveryPlan& plan) {
  return Reconciler{manifest, job, drop_state, plan}.run();
}

Status start_empty(const JobFacts& job, RecoveryPlan& plan) {
  Manifest nothing;
  nothing.key_groups = job.key_groups;
  nothing.seed = job.seed.value_or(0);
  return reconcile(nothing, job, {}, plan);
}

}  // namespace checkpoint_internal
}  // namespace v0
}  // namespace tidemark

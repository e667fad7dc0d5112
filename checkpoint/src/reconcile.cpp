#include "src/reconcile.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include <tidemark/core/detail/planted.hpp>
#include <tidemark/state/component.hpp>

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

std::string states_text(const OperatorEntry& entry) {
  std::string text;
  for (const StateEntry& state : entry.states) text += (text.empty() ? "" : "; ") + state.name + ": " + schema_of(state).text();
  return text.empty() ? "no state" : text;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "nothing" : text;
}

std::string address(const OperatorEntry& entry, const StateEntry& state) { return entry.name + "/" + state.name; }

// Between states of one kind, time and parameters a migration may change the value.
bool differ_in_value_alone(const StateEntry& a, const StateEntry& b) {
  return a.kind == b.kind && a.key == b.key && a.entry == b.entry && a.parameters == b.parameters && a.timed == b.timed &&
         a.stamped == b.stamped;
}

bool is_list(const StateEntry& state) { return state.kind == kOperatorList; }

Error another_schema(const std::string& state, const std::string& owner, const StateEntry& stored, const StateEntry& wanted) {
  std::string why = "the stored bytes would be misread";
  std::string fix =
      "change the type back, register what becomes of the old values with migrate(), or give the state up with --drop-state " + owner;
  if (is_list(stored) && is_list(wanted)) {
    why = "a list without a key is a part of the manifest, and migrations are for rows";
    fix = "change the type back, or give the list up with --drop-state " + owner;
  } else if (!differ_in_value_alone(stored, wanted)) {
    fix = "change it back, or give the operator a new name and add --drop-state " + owner;
    if (stored.kind != wanted.kind) {
      why = "the operator keeps another kind of state now";
    } else if (stored.key != wanted.key) {
      why = "a key's schema never changes: its bytes decide which key groups its rows are in";
    } else if (stored.entry != wanted.entry) {
      why = "the schema of a map's keys never changes: they are part of its rows' keys";
    } else if (stored.stamped != wanted.stamped) {
      why = "only rows of a state with a ttl say when they were written";
    } else {
      why = "the window changed; slices of the old kind cannot be read as the new kind";
    }
  }
  return mismatch("state " + state + " has another schema", schema_of(stored).text(), schema_of(wanted).text(), std::move(why),
                  std::move(fix));
}

class Reconciler {
 public:
  Reconciler(const RenamedManifest& renamed, const JobFacts& job, const std::vector<std::string>& drop_state, RecoveryPlan& plan)
      : manifest_(*renamed.manifest), former_(renamed.former), job_(job), drop_state_(drop_state), plan_(plan) {}

  Status run() {
    plan_.next_state_id = manifest_.next_state_id;
    plan_.discarded_states = manifest_.discarded_states;
    TIDEMARK_TRY(check_key_space());
    for (const OperatorEntry& entry : job_.operators) TIDEMARK_TRY(match_operator(entry));
    for (const OperatorEntry& entry : manifest_.operators) TIDEMARK_TRY(account_for_operator(entry));
    match_sources();
    account_for_sinks();
    if (!orphaned_.empty()) return refuse_orphans();
    for (const std::string& name : drop_state_) {
      // Not refused: a service restarts with the flags it was once started with.
      if (contains(job_.sinks, name)) {
        plan_.warnings.push_back("--drop-state names " + name + ", a sink that the job still has: nothing of it is given up");
      } else if (!is_stored(name)) {
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

  // `name`: of an operator, a source or a sink, or "operator/state".
  bool is_stored(const std::string& name) const {
    return std::any_of(manifest_.operators.begin(), manifest_.operators.end(), [&](const OperatorEntry& entry) {
      return entry.name == name || std::any_of(entry.states.begin(), entry.states.end(),
                                               [&](const StateEntry& state) { return address(entry, state) == name; });
    });
  }
  // The user gives up what has this name.
  bool is_dropped(const std::string& name) const { return contains(drop_state_, name); }
  bool is_dropped(const OperatorEntry& stored, const StateEntry& state) const {
    return is_dropped(stored.name) || is_dropped(address(stored, state));
  }
  std::string with_former_name(std::string text, const std::string& name) const {
    const auto found = former_.find(name);
    return found == former_.end() ? text : std::move(text) + " (formerly " + found->second + ")";
  }

  Status match_operator(const OperatorEntry& wanted) {
    const OperatorEntry* stored = find_operator(manifest_.operators, wanted.name);
    if (stored != nullptr && stored->kind != wanted.kind) {
      return mismatch("operator " + wanted.name + " is of another kind", stored->kind, wanted.kind,
                      "what it had saved beside its states would be misread",
                      "give it a new name, and give up what the old one had with --drop-state " + wanted.name);
    }
    OperatorEntry entry = wanted;
    for (StateEntry& state : entry.states) {
      const StateEntry* old = stored == nullptr ? nullptr : find_state(*stored, state.name);
      if (old == nullptr || has_fired(*old) || is_dropped(*stored, *old)) {
        TIDEMARK_TRY(give_number(state));
        plan_.added.push_back(address(entry, state));
        continue;
      }
      TIDEMARK_TRY(take_over(*old, entry, state));
    }
    plan_.operators.push_back(std::move(entry));
    return {};
  }

  // After a drain nothing waits for its time any more, and all that expires has expired. Such a state begins empty under a new number,
  // since of the old one every bucket, up to +infinity, counts as dropped.
  bool has_fired(const StateEntry& stored) const { return manifest_.drained && (stored.timed || stored.stamped); }

  // The state goes on, if its stored values can be read or made readable (K9).
  Status take_over(const StateEntry& old, const OperatorEntry& entry, StateEntry& state) {
    const std::string name = address(entry, state);
    std::string report = with_former_name(name, entry.name);
    if (old.fingerprint != state.fingerprint && !is_read_as_it_is(old, name, state)) {
      auto steps = steps_between(old, entry, state);
      if (!steps) return another_schema(name, entry.name, old, state);
      plan_.migrations.push_back({name, old.id, old.stamped, *std::move(steps)});
      report += " (migrated)";
    }
    state.id = old.id;
    state.dropped_through = old.dropped_through;
    state.live_buckets = old.live_buckets;
    plan_.restored.push_back(std::move(report));
    return {};
  }
  bool is_read_as_it_is(const StateEntry& old, const std::string& name, const StateEntry& state) const {
    const auto reads = job_.past.reads.find(name);
    return reads != job_.past.reads.end() && differ_in_value_alone(old, state) && reads->second(old.value);
  }
  std::optional<std::vector<Migration>> steps_between(const StateEntry& old, const OperatorEntry& entry, const StateEntry& state) const {
    const auto steps = job_.past.migrations.find(entry.name);
    if (steps == job_.past.migrations.end() || !differ_in_value_alone(old, state)) return std::nullopt;
    const auto parts = job_.past.parts.find(address(entry, state));
    if (parts == job_.past.parts.end()) return migration_path(steps->second, old.value, state.value);
    auto step = migration_of_parts(steps->second, old.value, parts->second);
    return step ? std::optional{std::vector{*std::move(step)}} : std::nullopt;
  }

  // No state of the checkpoint is left behind unsaid.
  Status account_for_operator(const OperatorEntry& stored) {
    const OperatorEntry* wanted = find_operator(job_.operators, stored.name);
    for (const StateEntry& state : stored.states) {
      if (has_fired(state)) {
        plan_.discarded_states.push_back(state.id);
        continue;
      }
      const bool dropped = is_dropped(stored, state);
      if (!dropped && wanted != nullptr && find_state(*wanted, state.name) != nullptr) continue;
      if (dropped) {
        plan_.discarded_states.push_back(state.id);
        plan_.dropped.push_back(address(stored, state));
      } else if (wanted == nullptr) {
        orphan(address(stored, state), stored.name);
      } else {
        return mismatch("operator " + stored.name + " keeps other state than the checkpoint has of it", states_text(stored),
                        states_text(*wanted), "what state " + address(stored, state) + " has counted would be lost",
                        "build the operator as it was, give it a new name and add --drop-state " + stored.name +
                            ", or give this state alone up with --drop-state " + address(stored, state));
      }
    }
    return {};
  }

  void match_sources() {
    for (const SourceEntry& stored : manifest_.sources) {
      if (stored.operator_name.empty()) continue;   // an earlier run has dropped it
      const std::string name = "source " + stored.operator_name;
      if (is_dropped(stored.operator_name)) {
        plan_.dropped.push_back(name);
      } else if (contains(job_.sources, stored.operator_name)) {
        plan_.restored.push_back(with_former_name(name, stored.operator_name));
      } else {
        orphan(name, stored.operator_name);
      }
    }
    for (const std::string& wanted : job_.sources) {
      const bool stored = std::any_of(manifest_.sources.begin(), manifest_.sources.end(),
                                      [&](const SourceEntry& source) { return source.operator_name == wanted; });
      if (!stored || is_dropped(wanted)) plan_.added.push_back("source " + wanted);
    }
  }

  void account_for_sinks() {
    for (const std::string& stored : manifest_.sinks) {
      if (contains(job_.sinks, stored)) continue;
      const bool pending = std::any_of(plan_.recommit.begin(), plan_.recommit.end(),
                                       [&](const CommittableEntry& committable) { return committable.sink == stored; });
      if (!is_dropped(stored) && pending) {
        orphan("output of sink " + stored + " that is not yet committed", stored);
        continue;
      }
      plan_.dropped.push_back("sink " + stored);
    }
    const auto is_orphan = [&](const CommittableEntry& committable) { return !contains(job_.sinks, committable.sink); };
    plan_.recommit.erase(std::remove_if(plan_.recommit.begin(), plan_.recommit.end(), is_orphan), plan_.recommit.end());
    for (const std::string& wanted : job_.sinks) {
      if (!contains(manifest_.sinks, wanted)) {
        plan_.added.push_back("sink " + wanted);
      } else if (former_.contains(wanted)) {
        plan_.restored.push_back(with_former_name("sink " + wanted, wanted));
      }
    }
  }

  void orphan(std::string what, const std::string& owner) {
    orphaned_.push_back(std::move(what));
    const std::string flag = "--drop-state " + owner;
    if (!contains(flags_, flag)) flags_.push_back(flag);
  }
  Status refuse_orphans() const {
    std::string flags;
    for (const std::string& flag : flags_) flags += (flags.empty() ? "" : " ") + flag;
    return Error{.code = ErrorCode::kStateMismatch,
                 .message = "the checkpoint holds what the job no longer has: " + joined(orphaned_),
                 .facts = {{"matched", joined(plan_.restored)}, {"new", joined(plan_.added)}, {"orphaned", joined(orphaned_)}},
                 .why = "what it has counted, or not yet delivered, would be lost",
                 .fix = "bring it back under its old name, say what it is called now with formerly(), or give it up with " + flags};
  }

  Status give_number(StateEntry& state) {
    if (plan_.next_state_id == 0xFFFF) {
      return mismatch("this lineage has used up its numbers of states", "65534 states", "one more", "numbers are never given twice",
                      "start a new lineage with --from none");
    }
    state.id = planted(core_internal::Bug::kP11) ? plan_.next_state_id : plan_.next_state_id++;   // one prefix for all
    return {};
  }

  const Manifest& manifest_;
  const std::map<std::string, std::string>& former_;
  const JobFacts& job_;
  const std::vector<std::string>& drop_state_;
  RecoveryPlan& plan_;
  std::vector<std::string> orphaned_;
  std::vector<std::string> flags_;        // that would give them up
};

}  // namespace

Status reconcile(const RenamedManifest& renamed, const JobFacts& job, const std::vector<std::string>& drop_state, RecoveryPlan& plan) {
  return Reconciler{renamed, job, drop_state, plan}.run();
}

Status start_empty(const JobFacts& job, RecoveryPlan& plan) {
  Manifest nothing;
  nothing.key_groups = job.key_groups;
  nothing.seed = job.seed.value_or(0);
  return reconcile({std::make_shared<const Manifest>(std::move(nothing)), {}}, job, {}, plan);
}

}  // namespace checkpoint_internal
}  // namespace v0
}  // namespace tidemark

#include "src/job_start.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <span>

#include <tidemark/checkpoint/layout.hpp>
#include <tidemark/core/check.hpp>
#include <tidemark/core/names.hpp>
#include <tidemark/core/version.hpp>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

namespace {

std::string draw_lineage(Random& random) {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(random.next()),
                static_cast<unsigned long long>(random.next()));
  return text;
}

Status check_options(const RuntimeOptions& options, const KeySpace& space) {
  const auto refuse = [](std::string message, std::string fix) {
    return Error{.code = ErrorCode::kBadConfiguration, .message = std::move(message), .fix = std::move(fix)};
  };
  TIDEMARK_TRY(check_name("job", options.job_name));
  if (options.parallelism < 1 || options.parallelism > space.groups) {
    return refuse("parallelism " + std::to_string(options.parallelism) + " is not between 1 and the number of key groups, " +
                      std::to_string(space.groups),
                  "choose a parallelism in that range (K2)");
  }
  if (options.max_batch < 1 || options.max_batch > 65536)
    return refuse("max_batch must lie between 1 and 65536", "leave it at its default of 1000");
  if (options.checkpoint_timeout.count() <= 0) return refuse("checkpoint_timeout must be positive", "the default is ten minutes");
  if (options.checkpoint_every.count() < 0) return refuse("checkpoint_every must not be negative", "zero means: only the final checkpoint");
  // The clock counts nanoseconds.
  if (std::max(options.checkpoint_every, options.checkpoint_timeout) > std::chrono::years{100}) {
    return refuse("checkpoint_every and checkpoint_timeout must not exceed a hundred years", "zero means: only the final checkpoint");
  }
  if (options.step_warning.count() < 0) return refuse("step_warning must not be negative", "zero means: nothing is watched");
  if (options.memory != 0 && options.state_directory.empty())
    return refuse("memory is bounded, but there is no state directory for what leaves it", "set state_directory, or memory to 0");
  const bool restores = options.from.kind != RestoreFrom::Kind::kLatest && options.from.kind != RestoreFrom::Kind::kNone;
  if (options.state_directory.empty() && (restores || options.fork_lineage)) {
    return refuse("a start from a checkpoint needs a state directory for the checkpoints that follow", "give one; it may be empty");
  }
  if (options.queue_bytes == 0) return refuse("queue_bytes must be positive", "leave it at its default of 256 KiB");
  return {};
}

// `restored`: the directory of the checkpoint.
Status commit_again(const RuntimeOptions& options, const std::string& restored, const RecoveryPlan& plan,
                    std::vector<CommittingSink>& sinks) {
  if (plan.completed == 0) return {};   // a new lineage
  // The manifest is there, but whoever wrote it may have failed before it was to last: output must not outlive it.
  if (restored.starts_with(join_path(options.state_directory, ""))) {
    TIDEMARK_TRY(options.files->sync_directory(restored));
    TIDEMARK_TRY(options.files->sync_directory(parent_path(restored)));
  }
  for (CommittingSink& sink : sinks) {
    if (std::find(plan.manifest->sinks.begin(), plan.manifest->sinks.end(), sink.name) == plan.manifest->sinks.end()) {
      // New in the job, or back in it: what was committed meanwhile had no output of this sink.
      TIDEMARK_ASSIGN(const CheckpointId held, sink.committer->committed_epoch());
      TIDEMARK_TRY(sink.committer->commit(plan.manifest->checkpoint, held, {}));
    } else {
      std::vector<Committable> mine;
      for (const CommittableEntry& entry : plan.recommit) {
        if (entry.sink == sink.name) mine.push_back({entry.subtask, entry.epoch, entry.bytes});
      }
      TIDEMARK_TRY(sink.committer->commit(plan.manifest->checkpoint, plan.manifest->previous, mine));
    }
    if (plan.newest) TIDEMARK_TRY(sink.committer->discard_unlisted());
  }
  return {};
}

bool gives_up(const RecoveryPlan& plan, const SourceEntry& source) {
  return std::find(plan.dropped.begin(), plan.dropped.end(), "source " + source.operator_name) != plan.dropped.end();
}

// The splits of all sources, numbered as the manifest has them, so that numbers in saved state keep their meaning.
Result<std::vector<JobSplit>> find_splits(const GraphData& graph, const RecoveryPlan& plan, const IoContext& io) {
  std::vector<JobSplit> splits;
  std::vector<NodeId> known;
  const auto source_named = [&](const std::string& name) -> std::optional<NodeId> {
    for (NodeId node = 0; node < graph.nodes.size(); ++node) {
      if (graph.nodes[node].kind == NodeKind::kSource && graph.nodes[node].name == name) return node;
    }
    return std::nullopt;
  };
  if (plan.manifest != nullptr) {
    for (const SourceEntry& entry : plan.manifest->sources) {
      const auto node = gives_up(plan, entry) ? std::nullopt : source_named(entry.operator_name);
      if (node) known.push_back(*node);
      for (const SplitEntry& split : entry.splits) {
        // Of a source that was dropped the numbers stay taken, and so they do in the manifests to come: there it has no name.
        splits.push_back({node.value_or(static_cast<NodeId>(graph.nodes.size())), split.name, split.position, split.finished});
      }
    }
  }
  for (NodeId node = 0; node < graph.nodes.size(); ++node) {
    if (graph.nodes[node].kind != NodeKind::kSource || std::find(known.begin(), known.end(), node) != known.end()) continue;
    auto named = graph.nodes[node].source->splits(io);
    if (!named.ok()) {
      Error error = named.error();
      error.facts.insert(error.facts.begin(), {"source", graph.nodes[node].name});
      return error;
    }
    for (std::string& name : *named) splits.push_back({node, std::move(name), {}, false});
  }
  return splits;
}

// How the job's memory is dealt out. Measured parts of what is not hot tables: blocks, indexes and filters of the store, of which those of
// fresh row files are pinned; rows on their way to disk, once as they are and once more while they are sorted; what a row file needs while
// it is written, a quarter of its rows at the most; queues.
struct MemoryPlan {
  std::size_t hot = 0;
  std::size_t blocks = std::size_t{32} << 20;
  RowPieces rows{.bytes = std::size_t{8} << 20, .file_bytes = std::size_t{8} << 20, .in_flight = 3};   // of a task
};

Result<MemoryPlan> plan_memory(const RuntimeOptions& options, std::size_t tasks, std::size_t channels) {
  MemoryPlan plan;
  tasks = std::max<std::size_t>(tasks, 1);
  if (options.memory == 0) {
    // While the disk is behind, records change entries before their turn, and rows that come in any order cost more to sort and to read.
    plan.rows.in_flight = std::clamp<std::size_t>(16 / tasks, plan.rows.in_flight, 8);
    return plan;
  }
  plan.blocks = options.memory / 4;
  plan.rows.bytes = std::clamp(options.memory / 64 / tasks, std::size_t{64} << 10, plan.rows.bytes);
  plan.rows.file_bytes = std::clamp(options.memory / 4 / tasks, std::size_t{256} << 10, plan.rows.file_bytes);
  const std::size_t rows = plan.rows.bytes * plan.rows.in_flight * 2 + plan.rows.file_bytes / 4;
  const std::size_t rest = plan.blocks + rows * tasks + options.queue_bytes * channels;
  if (rest > options.memory / 4 * 3) {
    return Error{.code = ErrorCode::kBadConfiguration,
                 .message = "a memory of " + std::to_string(options.memory) + " bytes is too little for this job",
                 .facts = {{"tasks", std::to_string(tasks)},
                           {"queues of " + std::to_string(options.queue_bytes) + " bytes", std::to_string(channels)}},
                 .why = "less than a quarter would be left for state",
                 .fix = "raise the memory, or lower the parallelism or queue_bytes"};
  }
  plan.hot = options.memory - rest;
  return plan;
}

StoreOptions store_options_of(const RuntimeOptions& options, const MemoryPlan& memory, bool restores) {
  StoreOptions made{.block_cache_bytes = memory.blocks, .logger = options.logger, .executor = options.executor};
  if ((options.memory != 0 || restores) && options.executor == nullptr) made.reading_threads = 1;
  if (options.memory == 0) made.files_to_merge = StoreOptions::kFilesToMergeInMemory;
  if (options.files_to_merge != 0) made.files_to_merge = static_cast<int>(options.files_to_merge);
  return made;
}

// Lets the states hold as much memory together as the plan gives, and read the store.
void attach_states(PreparedJob& prepared, const MemoryPlan& plan) {
  std::size_t accounts = 0;
  for (auto& task : prepared.job.tasks) {
    for (Task::Link& link : task->links) accounts += link.backend ? link.backend->accounts() : 0;
  }
  if (plan.hot > 0 && accounts > 0) prepared.memory = std::make_unique<MemoryBudget>(plan.hot, accounts);
  for (auto& task : prepared.job.tasks) {
    for (Task::Link& link : task->links) {
      if (link.backend) link.backend->attach(prepared.facts.store.get(), prepared.memory.get());
    }
  }
}

// Rewrites the rows of the states whose schema has changed, before anybody reads them.
Status migrate_states(const RuntimeOptions& options, const RecoveryPlan& plan, const std::string& stored, const std::string& rows_directory,
                      StateStore& store) {
  if (plan.migrations.empty()) return {};
  TIDEMARK_ASSIGN(const std::unique_ptr<StoredRows> rows, open_stored_rows(*options.files, stored, plan.manifest->files,
                                                                           dropped_rows(*plan.manifest),
                                                                           {.logger = options.logger, .executor = options.executor}));
  for (const StateMigration& state : plan.migrations) {
    TIDEMARK_TRY(migrate_rows(*options.files, *rows, store, state.id, state.stamped, state.name, state.steps, rows_directory));
  }
  return {};
}

// Before anything is loaded. `added`: the states that the checkpoint does not know, as RecoveryPlan has them.
void announce_checkpoint(BuiltJob& job, CheckpointId restored, const std::vector<std::string>& added) {
  for (auto& task : job.tasks) {
    for (Task::Link& link : task->links) {
      if (!link.backend) continue;
      link.backend->note_checkpoint(restored);
      for (const auto& component : link.backend->components()) {
        const std::string name = link.context->name + "/" + component->schema().name;
        if (std::find(added.begin(), added.end(), name) != added.end()) component->begin_new();
      }
    }
  }
}

// States that read their rows when they need them are told so; of the others every row goes to the task that owns its key group.
// `operators`: the job's, as RecoveryPlan has them.
Status restore_states(StateStore& store, BuiltJob& job, const std::vector<OperatorEntry>& operators, const KeySpace& space,
                      std::uint32_t parallelism) {
  std::map<StateId, std::span<const EventTime>> live_buckets;
  for (const OperatorEntry& entry : operators) {
    for (const StateEntry& state : entry.states) live_buckets[state.id] = state.live_buckets;
  }
  struct Owner {
    bool timed = false;
    std::vector<StateComponent*> components;   // by subtask
  };
  std::map<StateId, Owner> owners;
  for (auto& task : job.tasks) {
    for (Task::Link& link : task->links) {
      if (!link.backend) continue;
      for (const auto& component : link.backend->components()) {
        if (component->restores_lazily(live_buckets[component->id()])) continue;
        Owner& owner = owners[component->id()];
        owner.timed = component->schema().timed;
        owner.components.resize(parallelism);
        owner.components[task->subtask()] = component.get();
      }
    }
  }
  for (const auto& [id, owner] : owners) {
    Bytes prefix;
    append_u16_big_endian(prefix, id);
    TIDEMARK_TRY(store.scan(prefix, [&, &owner = owner](ByteView key, ByteView value) -> Status {
      key.remove_prefix(sizeof(StateId));
      ByteView rest = key;
      EventTime bucket;
      std::uint64_t hash = 0;
      if ((owner.timed && !take_time_big_endian(rest, bucket)) || !take_u64_big_endian(rest, hash)) {
        return Error{.code = ErrorCode::kCheckpointCorrupt, .message = "a row of the state store has no readable key"};
      }
      return owner.components[space.task_of_group(space.group_of(hash), parallelism)]->restore_row(key, value);
    }));
  }
  return {};
}

// The entry of each task, in their order; empty if the job has other tasks than the checkpoint.
std::vector<const TaskEntry*> entries_of(const BuiltJob& job, const Manifest& manifest) {
  std::vector<const TaskEntry*> entries;
  for (const auto& task : job.tasks) {
    const auto entry = std::find_if(manifest.tasks.begin(), manifest.tasks.end(),
                                    [&](const TaskEntry& each) { return each.task == task->stage() && each.subtask == task->subtask(); });
    if (entry == manifest.tasks.end() || !task->is_as_in(*entry)) return {};
    entries.push_back(&*entry);
  }
  return entries.size() == manifest.tasks.size() ? entries : std::vector<const TaskEntry*>{};
}

// What all tasks had saved of each operator, as Task::SavedOperators says. Stages without a name of the user's are numbered by kind, so a
// number may mean another stage now. Nothing of them is saved but the watermarks of event-time stages, which are found by their source, and
// what unions have passed on, which is not needed: who reads from them waits for them (Task::derive_inputs).
Task::SavedOperators saved_operators(const Manifest& manifest) {
  std::vector<const TaskEntry*> entries;
  for (const TaskEntry& entry : manifest.tasks) entries.push_back(&entry);
  std::stable_sort(entries.begin(), entries.end(), [](const TaskEntry* a, const TaskEntry* b) { return a->subtask < b->subtask; });
  const auto is_numbered = [&](const OperatorMeta& meta, std::string_view kind) {   // whatever users call their own stages
    return meta.operator_name.starts_with(kind) && find_operator(manifest.operators, meta.operator_name) == nullptr;
  };
  Task::SavedOperators saved;
  for (const TaskEntry* entry : entries) {
    std::size_t stage = 0;
    for (const OperatorMeta& meta : entry->operators) {
      if (is_numbered(meta, "union-")) continue;
      saved[is_numbered(meta, "event_time-") ? event_time_name(entry->task, stage++) : meta.operator_name].push_back(&meta);
    }
  }
  return saved;
}

// After a drain all watermarks but those of the splits themselves are +infinity: but for these and for lists, the job begins as at a fresh
// start.
Status restore_what_outlives_a_drain(BuiltJob& job, const Manifest& manifest) {
  const Task::SavedOperators saved = saved_operators(manifest);
  for (auto& task : job.tasks) TIDEMARK_TRY(task->restore_drained(saved));
  return {};
}

// Whole key groups have moved with their rows; what operators save besides is dealt anew (K5).
Status restore_by_name(BuiltJob& job, const Manifest& manifest) {
  const Task::SavedOperators saved = saved_operators(manifest);
  for (auto& task : job.tasks) TIDEMARK_TRY(task->restore_by_name(saved));
  for (auto& task : job.tasks) task->derive_inputs();
  return {};
}

Status restore_tasks(BuiltJob& job, const RecoveryPlan& plan) {
  const Manifest& manifest = *plan.manifest;
  if (manifest.drained) return restore_what_outlives_a_drain(job, manifest);
  const bool begins_a_source_anew =
      std::any_of(manifest.sources.begin(), manifest.sources.end(), [&](const SourceEntry& source) { return gives_up(plan, source); });
  const std::vector<const TaskEntry*> entries = entries_of(job, manifest);
  if (entries.empty() || begins_a_source_anew) return restore_by_name(job, manifest);
  for (std::size_t i = 0; i < entries.size(); ++i) TIDEMARK_TRY(job.tasks[i]->restore(*entries[i]));
  return {};
}

Status open_committers(const GraphData& graph, const BuildOptions& options, Random& random, std::vector<CommittingSink>& sinks) {
  const std::uint64_t owner = random.next();
  for (const Node& node : graph.nodes) {
    if (node.kind != NodeKind::kSink) continue;
    const SinkIdentity identity{
        .job = options.job, .lineage = options.lineage, .attempt = options.attempt, .sink = node.name, .subtask = 0, .owner = owner,
        .formerly = node.formerly};
    TIDEMARK_ASSIGN(auto committer, node.sink->open_committer(*options.io, identity));
    sinks.push_back({node.name, std::move(committer)});
  }
  return {};
}

Result<RecoveryOptions> recovery_options(const RuntimeOptions& options, const std::string& named) {
  RecoveryOptions made;
  made.from = options.from.kind == RestoreFrom::Kind::kLatest       ? RecoveryOptions::From::kLatest
              : options.from.kind == RestoreFrom::Kind::kNone       ? RecoveryOptions::From::kNone
              : options.from.kind == RestoreFrom::Kind::kCheckpoint ? RecoveryOptions::From::kId
                                                                    : RecoveryOptions::From::kNamed;
  made.id = options.from.checkpoint;
  if (made.from == RecoveryOptions::From::kNamed) {
    TIDEMARK_ASSIGN(Manifest manifest, load_manifest_in(*options.files, named));
    made.named = std::make_shared<const Manifest>(std::move(manifest));
  }
  made.allow_drained = options.allow_drained;
  made.fork_lineage = options.fork_lineage;
  made.drop_state = options.drop_state;
  return made;
}

}  // namespace

Result<PreparedJob> prepare_job(const Graph& graph, const RuntimeOptions& options, IoContext& io) {
  PreparedJob prepared;
  prepared.checkpoints = !options.state_directory.empty();
  BuildOptions build{.job = options.job_name,
                     .lineage = {},
                     .attempt = 1,
                     .parallelism = options.parallelism,
                     .key_space = {},
                     .max_batch = options.max_batch,
                     .queue_bytes = options.queue_bytes,
                     .deterministic = options.deterministic,
                     .checkpoints = prepared.checkpoints,
                     .io = &io};
  TIDEMARK_TRY(graph.check());
  TIDEMARK_TRY(check_options(options, build.key_space));
  TIDEMARK_ASSIGN(JobFacts job, describe_job(graph, build));
  job.seed = options.deterministic ? std::optional<std::uint64_t>{0} : options.key_seed;

  // What the directory holds, and what the sinks' targets hold.
  RecoveryPlan plan;
  std::string restored;   // the directory of the checkpoint to restore
  if (prepared.checkpoints) {
    TIDEMARK_TRY(make_directories(*options.files, options.state_directory));
    TIDEMARK_ASSIGN(prepared.facts.checkpoints, CheckpointStore::open(*options.files, options.state_directory));
    TIDEMARK_ASSIGN(const DirectoryFacts directory, prepared.facts.checkpoints->read());
    if (options.from.kind == RestoreFrom::Kind::kDirectory) restored = options.from.name;
    if (options.from.kind == RestoreFrom::Kind::kSavepoint) {
      TIDEMARK_ASSIGN(restored, find_savepoint(*options.files, options.state_directory, options.from.name));
    }
    TIDEMARK_ASSIGN(const RecoveryOptions recovery, recovery_options(options, restored));
    const std::string lineage = lineage_to_ask(directory, recovery);
    // If nothing there can be used, that is the reason to give, and not whose output the targets hold.
    if (lineage.empty()) TIDEMARK_TRY(plan_recovery(directory, job, recovery, {}).status());
    build.lineage = lineage.empty() ? draw_lineage(*options.random) : lineage;
    build.attempt = next_attempt(directory, recovery);
    TIDEMARK_TRY(open_committers(graph.data(), build, *options.random, prepared.facts.sinks));
    std::vector<SinkPosition> positions;
    for (CommittingSink& sink : prepared.facts.sinks) {
      // Also refuses a target that holds another lineage's output.
      TIDEMARK_ASSIGN(const CheckpointId begun, sink.committer->begun_epoch());
      positions.push_back({sink.name, begun});
    }
    TIDEMARK_ASSIGN(plan, plan_recovery(directory, job, recovery, positions));
    if (restored.empty() && plan.manifest != nullptr) restored = checkpoint_path(options.state_directory, plan.manifest->checkpoint);
  } else {
    build.lineage = draw_lineage(*options.random);
    plan.seed = job.seed;
    TIDEMARK_TRY(open_committers(graph.data(), build, *options.random, prepared.facts.sinks));
    for (CommittingSink& sink : prepared.facts.sinks) TIDEMARK_TRY(sink.committer->committed_epoch().status());
  }
  for (const std::string& warning : plan.warnings) options.logger.warning(warning);
  const Manifest* manifest = plan.manifest.get();
  prepared.report = {.restored_checkpoint = manifest == nullptr ? 0 : manifest->checkpoint,
                     .lineage = build.lineage,
                     .attempt = build.attempt,
                     .restored = plan.restored,
                     .added = plan.added,
                     .dropped = plan.dropped};
  // What this lineage wrote in place is read to its end while the job runs, all else before.
  const bool check_later = manifest != nullptr && options.verify == RuntimeOptions::Verify::kLazily && !plan.verify_all &&
                           restored == checkpoint_path(options.state_directory, manifest->checkpoint);
  if (manifest != nullptr) {
    TIDEMARK_TRY(check_later ? check_checkpoint_in(*options.files, restored, *manifest)
                             : verify_checkpoint_in(*options.files, restored, *manifest));
  }
  const auto mark_lineage = [&] { return prepared.facts.checkpoints->mark_lineage(manifest->checkpoint, options.job_name, build.lineage); };
  if (plan.answer == RecoveryPlan::Answer::kAlreadyFinished || plan.answer == RecoveryPlan::Answer::kDrained) {
    TIDEMARK_TRY(mark_lineage());
    TIDEMARK_TRY(commit_again(options, restored, plan, prepared.facts.sinks));
    TIDEMARK_TRY(plan.refusal);
    prepared.already_finished = true;
    return prepared;
  }

  build.key_space.seed = plan.seed ? *plan.seed : options.random->next();
  TIDEMARK_ASSIGN(std::vector<JobSplit> splits, find_splits(graph.data(), plan, io));
  TIDEMARK_ASSIGN(prepared.job, build_job(graph, build, std::move(splits), plan.operators));
  std::size_t channels = 0;
  for (const auto& task : prepared.job.tasks) channels += task->inputs.size();
  TIDEMARK_ASSIGN(const MemoryPlan memory, plan_memory(options, prepared.job.tasks.size(), channels));
  prepared.row_pieces = memory.rows;
  if (prepared.checkpoints) {
    if (manifest != nullptr) TIDEMARK_TRY(mark_lineage());
    TIDEMARK_TRY(prepared.facts.checkpoints->make_live(build.attempt));
    const std::string live = live_store_path(options.state_directory, build.attempt);
    const StoreOptions store_options = store_options_of(options, memory, manifest != nullptr);
    if (manifest != nullptr) {
      TIDEMARK_ASSIGN(prepared.facts.store,
                      restore_store(*options.files, store_in(restored), manifest->files, live, store_options));
      prepared.facts.store->set_dropped(dropped_rows(*manifest));
      if (check_later) {
        prepared.facts.being_checked = manifest->checkpoint;
        prepared.unchecked_directory = store_in(restored);
        prepared.unchecked = manifest->files;
      }
    } else {
      TIDEMARK_ASSIGN(prepared.facts.store, create_store(*options.files, live, store_options));
    }
    prepared.rows_directory = live_rows_path(options.state_directory, build.attempt);
    if (manifest != nullptr) {
      TIDEMARK_TRY(migrate_states(options, plan, store_in(restored), prepared.rows_directory, *prepared.facts.store));
    }
    attach_states(prepared, memory);
  }
  if (manifest != nullptr) {
    announce_checkpoint(prepared.job, manifest->checkpoint, plan.added);
    TIDEMARK_TRY(restore_tasks(prepared.job, plan));
    TIDEMARK_TRY(restore_states(*prepared.facts.store, prepared.job, plan.operators, build.key_space, options.parallelism));
  }
  for (auto& task : prepared.job.tasks) {
    for (Task::Link& link : task->links) TIDEMARK_TRY(link.op->started());
  }
  // Only now, when nothing can be refused any more, may committed output change.
  TIDEMARK_TRY(commit_again(options, restored, plan, prepared.facts.sinks));

  Manifest& constant = prepared.facts.manifest;
  constant.job = options.job_name;
  constant.lineage = build.lineage;
  constant.attempt = build.attempt;
  constant.key_groups = build.key_space.groups;
  constant.seed = build.key_space.seed;
  constant.tidemark_version = kVersion;
  constant.operators = plan.operators;
  constant.next_state_id = plan.next_state_id;
  constant.discarded_states = plan.discarded_states;
  constant.sinks = job.sinks;
  for (const JobSplit& split : prepared.job.splits) {
    const bool dropped = split.source == graph.data().nodes.size();
    const std::string name = dropped ? std::string{} : graph.data().nodes[split.source].name;
    if (constant.sources.empty() || constant.sources.back().operator_name != name) constant.sources.push_back({name, {}});
    constant.sources.back().splits.emplace_back();   // each checkpoint says where it is
  }
  for (const std::string& source : job.sources) {   // that has no split keeps to that, as splits are looked for at a fresh start alone
    const bool listed = std::any_of(constant.sources.begin(), constant.sources.end(),
                                    [&](const SourceEntry& entry) { return entry.operator_name == source; });
    if (!listed) constant.sources.push_back({source, {}});
  }
  prepared.facts.next_checkpoint = plan.next_checkpoint;
  prepared.facts.completed = plan.completed;
  return prepared;
}

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

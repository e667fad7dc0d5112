#include "trial.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <tidemark/checkpoint/checkpoint_store.hpp>
#include <tidemark/memory/detail/split_position.hpp>

#include "../proof/judge.hpp"
#include "simulation.hpp"

namespace tidemark::simulation {

namespace {

using namespace std::chrono_literals;
using Kind = Misfortune::Kind;
using proof::Output;
using proof::Tree;

constexpr const char* kState = "/state";
constexpr const char* kOut = "/out";
constexpr const char* kForkState = "/fork";
constexpr const char* kForkOut = "/fork-out";
constexpr std::size_t kWhoInALine = 16;

bool is_request(Kind kind) { return kind != Kind::kCut && kind != Kind::kFailure; }

class Trial {
 public:
  Trial(const Plan& plan, bool print_trace) : plan_(plan), expected_(plan.job.model(plan.input)), world_(plan.seed) {
    if (print_trace) world_.print_trace();
    if (plan.job.memory != 0) world_.leave_out_reads();
  }

  Outcome run() {
    for (const ProcessPlan& process : plan_.processes) {
      if (ended_ || !outcome_.problem.empty()) break;
      live(process);
    }
    if (!ended_) complain("it ended before the end of the input");
    if (outcome_.problem.empty() && finished_) fork_a_savepoint();
    outcome_.trace = world_.trace();
    return std::move(outcome_);
  }

 private:
  // The first problem is the one that counts.
  void complain(const std::string& problem) {
    if (outcome_.problem.empty()) outcome_.problem = problem;
  }

  void live(const ProcessPlan& process) {
    befall(process);
    const std::optional<JobResult> result = run_process(process);
    if (world_.cut()) {
      outcome_.last_lines.insert(world_.trace().back().substr(kWhoInALine));
      seen_.add(proof::seen_in(world_.disk().tree()));
      if (process.variant != proof::Variant::kV1) {
        ++outcome_.power_losses;
        world_.lose_power(process.variant, process.crash_seed);
      }
    }
    const Tree tree = world_.disk().tree();
    expect_whole_checkpoints();
    const bool drained = result && result->state == JobState::kStopped && newest() != nullptr && newest()->drained;
    if (drained) expect_a_refusal(process);
    const bool refused = ended_;
    const bool ran_out = result && (result->state == JobState::kFinished || result->state == JobState::kAlreadyFinished);
    const bool done = ran_out || drained || refused;
    seen_.add(proof::seen_in(tree));
    proof::Verdict verdict = proof::judge(expected_of_now(), seen_, seen_.committed, tree);
    if (!done) {   // it is not complete, and what was visible and not yet lasting may come back with a later process
      verdict.lost = verdict.late_changed = 0;
      verdict.problem.clear();
    }
    if (!verdict.ok()) complain("the output is wrong:" + verdict.describe());
    // What could not be removed, or whose removal a loss of power has undone, is left to the next start.
    if (result && result->state == JobState::kFinished && !world_.failed() && !world_.cut()) {
      if (const std::string left = proof::leftover(tree, restored_); !left.empty()) complain(left);
    }
    ended_ = done;
    finished_ = ran_out;
  }
  // What a drained checkpoint holds is all there will be.
  const Output& expected_of_now() {
    const auto manifest = newest();
    if (manifest == nullptr || !manifest->drained) return expected_;
    expected_of_drain_ = plan_.job.model(read_by(*manifest));
    return expected_of_drain_;
  }
  payments::Splits read_by(const Manifest& manifest) {
    payments::Splits read;
    for (const SourceEntry& source : manifest.sources) {
      for (const SplitEntry& split : source.splits) {
        const auto& records = plan_.input[read.size()];
        const auto next = memory_internal::decode_position(split.name, split.position, 0, 1, records.size());
        if (!next.ok()) complain(next.error().describe());
        read.emplace_back(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(next.ok() ? *next : 0));
      }
    }
    return read;
  }

  void befall(const ProcessPlan& process) {
    world_.let_live();
    request_.reset();
    for (const std::size_t number : process.misfortunes) {
      const Misfortune& misfortune = plan_.misfortunes[number];
      if (misfortune.kind == Kind::kCut) world_.cut_after(misfortune.after, misfortune.text);
      if (misfortune.kind == Kind::kFailure) world_.fail_after(misfortune.after, misfortune.text);
      if (is_request(misfortune.kind)) request_ = misfortune;
    }
  }

  // One process. What has become of the job, unless the process was cut off or did not come up.
  std::optional<JobResult> run_process(const ProcessPlan& process) {
    auto runtime = Runtime::start(plan_.job.graph(plan_.input, plan_.pace, kOut), options_of(process, kState));
    if (!runtime.ok()) {
      // A process died between the checkpoint of a drain and its answer. This start has committed what that one had not.
      ended_ = runtime.error().code == ErrorCode::kDrained && newest() != nullptr && newest()->drained;
      if (!world_.cut() && !world_.failed() && !ended_) complain(runtime.error().describe());
      return std::nullopt;
    }
    restored_ = (*runtime)->start_report().restored_checkpoint;
    if (restored_ < seen_.committed) {   // I3, I4
      complain("epoch " + std::to_string(seen_.committed) + " was committed, and checkpoint " + std::to_string(restored_) + " restored");
    }
    std::optional<CheckpointAnswer> answer;
    last_ = restored_ == 0 ? nullptr : manifest_of(restored_);
    const auto result = world_.run(**runtime, [&] {
      compare_watermarks((*runtime)->snapshot().last_checkpoint);
      if (request_ && request_->after-- == 0) answer = ask(**runtime, std::exchange(request_, std::nullopt)->kind);
    });
    const JobSnapshot figures = (*runtime)->snapshot();
    outcome_.checkpoints += figures.checkpoints;
    outcome_.failed_checkpoints += figures.failed_checkpoints;
    if (world_.stuck()) complain("the job neither ends nor goes on");
    if (!result) return result;
    // Whatever has become of the job, whoever asked has an answer.
    if (answer && answer->wait_for(0s) != std::future_status::ready) complain("whoever asked for a checkpoint has no answer");
    if (result->state == JobState::kFailed && !world_.failed()) complain(result->error->describe());
    return result;
  }
  RuntimeOptions options_of(const ProcessPlan& process, const char* state) {
    RuntimeOptions options = world_.options();
    options.state_directory = state;
    options.parallelism = process.parallelism;
    options.workers = process.workers;
    options.memory = plan_.job.memory;
    options.checkpoint_every = process.checkpoint_every;
    options.files_to_merge = process.files_to_merge;
    options.checkpoint_timeout = 5ms;   // the disk is sometimes slower than that
    options.tolerated_checkpoint_failures = 100;
    options.max_batch = 10;
    options.queue_bytes = 1 << 10;
    return options;
  }
  std::optional<CheckpointAnswer> ask(Runtime& runtime, Kind kind) {
    switch (kind) {
      case Kind::kSavepoint: return runtime.request_savepoint("savepoint-" + std::to_string(++savepoints_));
      case Kind::kStop: return runtime.request_stop();
      case Kind::kDrainedStop: return runtime.request_stop({.drain = true});
      default: runtime.request_cancel(); return std::nullopt;
    }
  }

  // Every checkpoint that looks complete is so to the last byte (I4), and only names of the layout are there.
  void expect_whole_checkpoints() {
    const auto facts = read_state_directory(world_.disk(), kState);
    if (!facts.ok()) return complain(facts.error().describe());
    for (const FoundCheckpoint& found : facts->checkpoints) {
      if (!found.damage.ok()) complain(found.damage.error().describe());
      if (found.manifest == nullptr) continue;
      const Status whole = verify_checkpoint_in(world_.disk(), checkpoint_path(kState, found.id), *found.manifest);
      if (!whole.ok()) complain(whole.error().describe());
    }
    if (!facts->unknown.empty()) complain(facts->unknown.front() + " is no name of the layout");
  }
  std::shared_ptr<const Manifest> manifest_of(CheckpointId id) {
    auto manifest = load_manifest(world_.disk(), kState, id);
    return manifest.ok() ? std::make_shared<const Manifest>(*std::move(manifest)) : nullptr;
  }
  std::shared_ptr<const Manifest> newest() {
    const auto facts = read_state_directory(world_.disk(), kState);
    return facts.ok() && !facts->checkpoints.empty() ? facts->checkpoints.back().manifest : nullptr;
  }

  // No watermark of a checkpoint is below that of the checkpoint before it, be it of this process or the one that it restored (C3, I7).
  void compare_watermarks(CheckpointId now) {
    if (last_ != nullptr && now <= last_->checkpoint) return;
    if (now == 0) return;
    const auto next = manifest_of(now);
    if (next == nullptr) return;
    if (last_ != nullptr && last_->tasks.size() == next->tasks.size() && !next->finished) {
      for (std::size_t i = 0; i < next->tasks.size(); ++i) compare_watermarks(last_->tasks[i], next->tasks[i]);
    }
    last_ = next;
  }
  void compare_watermarks(const TaskEntry& before, const TaskEntry& after) {
    const auto fell = [&](const std::string& what, EventTime from, EventTime to) {
      if (to < from) {
        complain("the watermark of " + what + " of " + after.task + " fell from " + std::to_string(micros(from)) + " to " +
                 std::to_string(micros(to)));
      }
    };
    for (std::size_t i = 0; i < std::min(before.inputs.size(), after.inputs.size()); ++i) {
      if (before.inputs[i].channel == after.inputs[i].channel) {
        fell("input " + after.inputs[i].channel, before.inputs[i].watermark, after.inputs[i].watermark);
      }
    }
    for (std::size_t i = 0; i < std::min(before.operators.size(), after.operators.size()); ++i) {
      if (before.operators[i].operator_name == after.operators[i].operator_name) {
        fell("operator " + after.operators[i].operator_name, before.operators[i].watermark, after.operators[i].watermark);
      }
    }
  }

  // Nothing goes on after a drain by itself (C9).
  void expect_a_refusal(const ProcessPlan& process) {
    ++outcome_.drains;
    world_.let_live();
    const auto runtime = Runtime::start(plan_.job.graph(plan_.input, plan_.pace, kOut), options_of(process, kState));
    if (runtime.ok() || runtime.error().code != ErrorCode::kDrained) complain("a start after a drain is not refused");
  }

  // A job of a lineage of its own goes on from a savepoint. What it writes, and what the original had committed up to there, is all.
  void fork_a_savepoint() {
    const auto facts = read_state_directory(world_.disk(), kState);
    if (!facts.ok() || facts->savepoints.empty()) return;
    const std::string savepoint = savepoint_path(kState, facts->savepoints.front());
    const auto manifest = load_manifest_in(world_.disk(), savepoint);
    if (!manifest.ok()) return complain(manifest.error().describe());
    if (manifest->drained || manifest->finished) return;
    ++outcome_.forks;
    world_.let_live();
    RuntimeOptions options = options_of(plan_.processes.front(), kForkState);
    options.from = {.kind = RestoreFrom::Kind::kDirectory, .name = savepoint};
    options.fork_lineage = true;
    {
      auto runtime = Runtime::start(plan_.job.graph(plan_.input, plan_.pace, kForkOut), options);
      if (!runtime.ok()) return complain(savepoint + ": " + runtime.error().describe());
      const auto result = world_.run(**runtime);
      if (!result || result->state != JobState::kFinished) return complain(savepoint + ": the job does not reach its end");
    }
    const Tree whole = proof::with_fork(world_.disk().tree(), manifest->checkpoint, "fork-out");
    const proof::Verdict verdict = proof::judge(expected_, {}, 0, whole);
    if (!verdict.ok()) complain("the output from " + savepoint + " on is wrong:" + verdict.describe());
  }

  const Plan& plan_;
  const Output expected_;
  Output expected_of_drain_;
  Simulation world_;
  Outcome outcome_;
  proof::Seen seen_;
  std::optional<Misfortune> request_;
  std::shared_ptr<const Manifest> last_;   // the newest that was compared
  CheckpointId restored_ = 0;              // by the process of now
  int savepoints_ = 0;
  bool ended_ = false;
  bool finished_ = false;                  // with the output of all records
};

}  // namespace

Outcome try_plan(const Plan& plan, bool print_trace) { return Trial(plan, print_trace).run(); }

Changes shrink(std::uint64_t seed, Changes changes) {
  const auto fails = [&](const Changes& with) { return !try_plan(*plan_of(seed, with)).problem.empty(); };
  const auto less = [&](const Changes& with) {
    if (!fails(with)) return false;
    changes = with;
    return true;
  };
  for (bool smaller = true; smaller;) {
    smaller = false;
    const Plan plan = *plan_of(seed, changes);
    for (std::size_t processes = 1; processes < plan.processes.size() && !smaller; ++processes) {
      Changes fewer = changes;
      fewer.processes = processes;
      smaller = less(fewer);
    }
    const Plan shorter = *plan_of(seed, changes);
    for (const ProcessPlan& process : shorter.processes) {
      for (const std::size_t number : process.misfortunes) {
        Changes fewer = changes;
        fewer.without.insert(number);
        smaller = less(fewer) || smaller;
      }
    }
    const std::size_t records = shorter.input.front().size();
    for (const std::size_t fewer_records : {std::size_t{1}, records / 4, records / 2, records - records / 4}) {
      if (fewer_records == 0 || fewer_records >= records) continue;
      Changes fewer = changes;
      fewer.records = fewer_records;
      if (less(fewer)) {
        smaller = true;
        break;
      }
    }
  }
  return changes;
}

}  // namespace tidemark::simulation

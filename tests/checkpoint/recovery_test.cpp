// What a start does with a state directory (C6, K9, K10; reliability R3; faults F10, F17-F19, F49).

#include <gmock/gmock.h>

#include <tidemark/checkpoint/recovery.hpp>

#include "sample_manifest.hpp"

namespace tidemark {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Answer = RecoveryPlan::Answer;
using From = RecoveryOptions::From;
using test_support::sample_manifest;

FoundCheckpoint complete(Manifest manifest) {
  const CheckpointId id = manifest.checkpoint;
  return {.id = id, .manifest = std::make_shared<const Manifest>(std::move(manifest)), .damage = {}};
}
FoundCheckpoint complete(CheckpointId id) { return complete(sample_manifest(id)); }
FoundCheckpoint incomplete(CheckpointId id) { return {.id = id, .manifest = nullptr, .damage = {}}; }
FoundCheckpoint damaged(CheckpointId id, ErrorCode code = ErrorCode::kCheckpointCorrupt) {
  return {.id = id,
          .manifest = nullptr,
          .damage = Error{.code = code, .message = "manifest " + std::to_string(id) + " is bad", .facts = {}, .why = "", .fix = ""}};
}

DirectoryFacts holding(std::vector<FoundCheckpoint> checkpoints) {
  return {.ever_completed = !checkpoints.empty(), .checkpoints = std::move(checkpoints), .live = {1, 3}, .unknown = {}};
}

// The job that wrote the sample.
JobFacts sample_job() {
  const Manifest manifest = sample_manifest();
  JobFacts job;
  job.job = manifest.job;
  job.key_groups = manifest.key_groups;
  job.operators = manifest.operators;
  for (OperatorEntry& entry : job.operators) {
    for (StateEntry& state : entry.states) {
      state.id = 0;
      state.dropped_through = kMinusInfinity;
      state.live_buckets.clear();
    }
  }
  job.sources = {"source"};
  job.sinks = {"out"};
  return job;
}

RecoveryPlan planned(const DirectoryFacts& directory, const JobFacts& job, const RecoveryOptions& options = {},
                     const std::vector<SinkPosition>& sinks = {}) {
  const Result<RecoveryPlan> plan = plan_recovery(directory, job, options, sinks);
  EXPECT_TRUE(plan.ok()) << plan.error().describe();
  return plan.ok() ? *plan : RecoveryPlan{};
}

Error refused(const DirectoryFacts& directory, const JobFacts& job, const RecoveryOptions& options = {},
              const std::vector<SinkPosition>& sinks = {}) {
  const Result<RecoveryPlan> plan = plan_recovery(directory, job, options, sinks);
  EXPECT_FALSE(plan.ok()) << "a plan where a refusal was due";
  return plan.ok() ? Error{} : plan.error();
}

RecoveryOptions from_id(CheckpointId id) {
  RecoveryOptions options;
  options.from = From::kId;
  options.id = id;
  return options;
}

RecoveryOptions named(Manifest manifest) {
  RecoveryOptions options;
  options.from = From::kNamed;
  options.named = std::make_shared<const Manifest>(std::move(manifest));
  return options;
}

RecoveryOptions fork(RecoveryOptions options) {
  options.fork_lineage = true;
  return options;
}

DirectoryFacts copied(DirectoryFacts directory) {
  directory.copied = true;
  return directory;
}

Manifest of_another_lineage(CheckpointId id) {
  Manifest manifest = sample_manifest(id);
  manifest.lineage = "fedcba9876543210fedcba9876543210";
  return manifest;
}

// Which checkpoint is chosen: a table.
TEST(Recovery, F19ChoosesTheCheckpointByTheTable) {
  struct Case {
    const char* what;
    DirectoryFacts directory;
    RecoveryOptions options;
    std::vector<SinkPosition> sinks;
    std::optional<CheckpointId> restored;   // 0: fresh start; none: refused
    ErrorCode code;
  };
  const RecoveryOptions latest;
  RecoveryOptions none;
  none.from = From::kNone;
  const DirectoryFacts absent;
  const DirectoryFacts only_savepoints{.ever_completed = false, .checkpoints = {}, .savepoints = {"a"}, .live = {}, .unknown = {}};
  const DirectoryFacts foreign{.ever_completed = false, .checkpoints = {}, .live = {}, .unknown = {"thesis.doc"}};
  const DirectoryFacts killed_before_the_first{.ever_completed = false, .checkpoints = {incomplete(1)}, .live = {1}, .unknown = {}};
  const DirectoryFacts manifests_gone{.ever_completed = true, .checkpoints = {incomplete(6), incomplete(7)}, .live = {1}, .unknown = {}};
  const auto corrupt = ErrorCode::kCheckpointCorrupt;
  const std::vector<Case> cases{
      {"nothing there", absent, latest, {}, 0, {}},
      {"nothing there, --from none", absent, none, {}, 0, {}},
      {"nothing there, --from 3", absent, from_id(3), {}, std::nullopt, ErrorCode::kRestoreRefused},
      {"killed before the first checkpoint", killed_before_the_first, latest, {}, 0, {}},
      {"a directory with other things (F19)", foreign, latest, {}, std::nullopt, ErrorCode::kRestoreRefused},
      {"... with consent", foreign, none, {}, 0, {}},
      {"every manifest is gone (F17)", manifests_gone, latest, {}, std::nullopt, ErrorCode::kRestoreRefused},
      {"... with consent", manifests_gone, none, {}, 0, {}},
      {"the newest", holding({complete(6), complete(7)}), latest, {}, 7, {}},
      {"what is newer and incomplete is ignored (C6)", holding({complete(6), complete(7), incomplete(8), incomplete(9)}), latest, {},
       7, {}},
      {"a sink that has committed it", holding({complete(7)}), latest, {{"out", 7}}, 7, {}},
      {"a sink that has not (the crash between the two)", holding({complete(7)}), latest, {{"out", 6}}, 7, {}},
      {"a sink that is past it: the directory is an old copy (F10)", holding({complete(7)}), latest, {{"out", 10}}, std::nullopt,
       ErrorCode::kSinkEpochMismatch},
      {"newest bad, sinks unknown (F18)", holding({complete(6), damaged(7)}), latest, {}, std::nullopt, corrupt},
      {"newest bad, no sink past the older", holding({complete(6), damaged(7)}), latest, {{"out", 6}}, 6, {}},
      {"newest bad, a sink past the older", holding({complete(6), damaged(7)}), latest, {{"out", 7}}, std::nullopt, corrupt},
      {"two bad, none past the older", holding({complete(5), damaged(6), damaged(7)}), latest, {{"out", 5}}, 5, {}},
      {"newest unreadable for now, no sink past the older (F14)", holding({complete(6), damaged(7, ErrorCode::kStorageFailed)}),
       latest, {{"out", 6}}, std::nullopt, ErrorCode::kStorageFailed},
      {"... with the older by wish", holding({complete(6), damaged(7, ErrorCode::kStorageFailed)}), from_id(6), {{"out", 6}}, 6, {}},
      {"all bad (F19)", holding({damaged(6), damaged(7)}), latest, {{"out", 0}}, std::nullopt, corrupt},
      {"all bad, with consent", holding({damaged(6), damaged(7)}), none, {}, 0, {}},
      {"newest of a newer release: never an older one", holding({complete(6), damaged(7, ErrorCode::kRestoreRefused)}), latest,
       {{"out", 6}}, std::nullopt, ErrorCode::kRestoreRefused},
      {"an older one by wish", holding({complete(6), complete(7)}), from_id(6), {{"out", 6}}, 6, {}},
      {"an older one by wish that a sink is past (D28)", holding({complete(6), complete(7)}), from_id(6), {{"out", 7}}, std::nullopt,
       ErrorCode::kSinkEpochMismatch},
      {"a bad one by wish", holding({complete(6), damaged(7)}), from_id(7), {}, std::nullopt, corrupt},
      {"an incomplete one by wish", holding({complete(6), incomplete(7)}), from_id(7), {}, std::nullopt, ErrorCode::kRestoreRefused},
      {"savepoints and nothing else (F19)", only_savepoints, latest, {}, std::nullopt, ErrorCode::kRestoreRefused},
      {"... with consent", only_savepoints, none, {}, 0, {}},
      {"a savepoint in a directory without checkpoints", absent, named(sample_manifest(7)), {{"out", 7}}, 7, {}},
      {"a savepoint beside newer checkpoints that no sink has committed", holding({complete(7), complete(8)}),
       named(sample_manifest(7)), {{"out", 7}}, 7, {}},
      {"a savepoint that a sink is past (F10)", absent, named(sample_manifest(7)), {{"out", 8}}, std::nullopt,
       ErrorCode::kSinkEpochMismatch},
      {"a savepoint in a directory of another lineage", holding({complete(of_another_lineage(3))}), named(sample_manifest(7)), {},
       std::nullopt, ErrorCode::kForeignLineage},
      {"... though it is to be forked", holding({complete(of_another_lineage(3))}), fork(named(sample_manifest(7))), {}, std::nullopt,
       ErrorCode::kForeignLineage},
      {"a fork of the newest in the directory of the original (C10)", holding({complete(7)}), fork(latest), {}, std::nullopt,
       ErrorCode::kForeignLineage},
      {"... or of an older one", holding({complete(6), complete(7)}), fork(from_id(6)), {}, std::nullopt, ErrorCode::kForeignLineage},
      {"... or of a savepoint", holding({complete(8)}), fork(named(sample_manifest(7))), {}, std::nullopt, ErrorCode::kForeignLineage},
      {"a fork in a copy of the directory", copied(holding({complete(6), complete(7)})), fork(from_id(6)), {}, 6, {}},
      {"a fork where there are no checkpoints", absent, fork(named(sample_manifest(7))), {}, 7, {}},
      {"a savepoint in a directory that holds its lineage too", holding({complete(6), complete(of_another_lineage(9))}),
       named(sample_manifest(7)), {{"out", 7}}, 7, {}},
      {"nothing to fork", absent, fork(latest), {}, std::nullopt, ErrorCode::kRestoreRefused},
      {"a fresh start that is to fork", holding({complete(7)}), fork(none), {}, std::nullopt, ErrorCode::kRestoreRefused},
      {"a fresh start onto a target that holds the output", holding({complete(7)}), none, {{"out", 7}}, std::nullopt,
       ErrorCode::kSinkEpochMismatch},
  };
  for (const Case& one : cases) {
    const Result<RecoveryPlan> plan = plan_recovery(one.directory, sample_job(), one.options, one.sinks);
    ASSERT_EQ(plan.ok(), one.restored.has_value()) << one.what << ": " << (plan.ok() ? "" : plan.error().describe());
    if (!plan.ok()) {
      EXPECT_EQ(plan.error().code, one.code) << one.what;
      EXPECT_FALSE(plan.error().message.empty()) << one.what;
      continue;
    }
    EXPECT_EQ(plan->answer, *one.restored == 0 ? Answer::kFreshStart : Answer::kRestore) << one.what;
    EXPECT_EQ(plan->manifest == nullptr ? 0 : plan->manifest->checkpoint, *one.restored) << one.what;
  }
}

TEST(Recovery, GoesOnWithEverythingThatTheCheckpointSays) {
  const RecoveryPlan plan = planned(holding({complete(6), complete(7), incomplete(9)}), sample_job());
  EXPECT_EQ(plan.lineage, sample_manifest().lineage);
  EXPECT_EQ(plan.seed, sample_manifest().seed);
  EXPECT_EQ(plan.attempt, 4U);            // above the manifests' and the live directories'
  EXPECT_EQ(plan.next_checkpoint, 10U);   // above the incomplete one (C5)
  EXPECT_EQ(plan.completed, 7U);
  EXPECT_EQ(plan.recommit, sample_manifest().committables);
  EXPECT_EQ(plan.operators, sample_manifest().operators);
  EXPECT_EQ(plan.next_state_id, 5);
  EXPECT_THAT(plan.discarded_states, ElementsAre(2));
  EXPECT_THAT(plan.restored, ElementsAre("per_user/panes", "per_user/seen", "source source"));
  EXPECT_THAT(plan.added, IsEmpty());
  EXPECT_THAT(plan.dropped, IsEmpty());
  EXPECT_THAT(plan.warnings, IsEmpty());
  EXPECT_FALSE(plan.verify_all);
}

TEST(Recovery, F18WarnsAndVerifiesEveryByteWhenItFallsBack) {
  const RecoveryPlan plan = planned(holding({complete(6), damaged(7)}), sample_job(), {}, {{"out", 6}});
  EXPECT_THAT(plan.warnings, ElementsAre(AllOf(HasSubstr("checkpoint 7"), HasSubstr("manifest 7 is bad"), HasSubstr("checkpoint 6"))));
  EXPECT_TRUE(plan.verify_all);
  EXPECT_TRUE(planned(holding({complete(6), complete(7)}), sample_job(), from_id(6)).verify_all);
  EXPECT_FALSE(planned(holding({complete(6), complete(7)}), sample_job(), from_id(7)).verify_all);
}

TEST(Recovery, AsksTheSinksInTheNameOfTheLineageThatIsRestored) {
  const std::string ours = sample_manifest().lineage;
  EXPECT_EQ(lineage_to_ask(holding({complete(6), damaged(7)}), {}), ours);
  EXPECT_EQ(lineage_to_ask(holding({damaged(7)}), {}), "");
  EXPECT_EQ(lineage_to_ask({}, {}), "");
  EXPECT_EQ(lineage_to_ask(holding({complete(7)}), from_id(6)), "");
  EXPECT_EQ(lineage_to_ask(holding({complete(7)}), fork({})), "");
  EXPECT_EQ(lineage_to_ask({}, named(sample_manifest())), ours);
  EXPECT_EQ(lineage_to_ask({}, fork(named(sample_manifest()))), "");
}

TEST(Recovery, NumbersEveryStateAtAFreshStart) {
  JobFacts job = sample_job();
  job.seed = 42;
  const RecoveryPlan plan = planned({}, job);
  EXPECT_EQ(plan.lineage, "");
  EXPECT_EQ(plan.seed, 42U);
  EXPECT_EQ(plan.attempt, 1U);
  EXPECT_EQ(plan.next_checkpoint, 1U);
  EXPECT_EQ(plan.operators[1].states[0].id, 1);
  EXPECT_EQ(plan.operators[1].states[1].id, 2);
  EXPECT_EQ(plan.next_state_id, 3);
  EXPECT_THAT(plan.added, ElementsAre("per_user/panes", "per_user/seen", "source source", "sink out"));
}

// The numbers of checkpoints and attempts are not used again, whatever is given up.
TEST(Recovery, CountsOnAtAFreshStartInAUsedDirectory) {
  RecoveryOptions none;
  none.from = From::kNone;
  const RecoveryPlan plan = planned(holding({complete(7), incomplete(8)}), sample_job(), none);
  EXPECT_EQ(plan.attempt, 4U);
  EXPECT_EQ(plan.next_checkpoint, 9U);
}

TEST(Recovery, CommitsWhatAFinishedJobHasLeftPending) {
  Manifest manifest = sample_manifest();
  manifest.finished = true;
  const RecoveryPlan plan = planned(holding({complete(manifest)}), sample_job());
  EXPECT_EQ(plan.answer, Answer::kAlreadyFinished);
  EXPECT_EQ(plan.recommit.size(), 2U);
}

TEST(Recovery, GoesOnAtAnotherParallelism) {   // K5
  JobFacts job = sample_job();
  for (OperatorEntry& entry : job.operators) entry.parallelism = 5;
  const RecoveryPlan plan = planned(holding({complete(7)}), job);
  EXPECT_EQ(plan.answer, Answer::kRestore);
  EXPECT_EQ(plan.restored, planned(holding({complete(7)}), sample_job()).restored);
  for (const OperatorEntry& entry : plan.operators) EXPECT_EQ(entry.parallelism, 5U);   // what the next manifest says
}

// A savepoint in an empty directory, on another machine say.
TEST(Recovery, CountsOnFromASavepointAndVerifiesEveryByteOfIt) {   // R3, C5
  const RecoveryPlan plan = planned({}, sample_job(), named(sample_manifest(7)), {{"out", 7}});
  EXPECT_EQ(plan.lineage, sample_manifest().lineage);
  EXPECT_EQ(plan.next_checkpoint, 8U);
  EXPECT_EQ(plan.attempt, 4U);   // the manifest's is 3
  EXPECT_EQ(plan.completed, 7U);
  EXPECT_EQ(plan.recommit, sample_manifest().committables);
  EXPECT_TRUE(plan.verify_all);
  EXPECT_EQ(planned(holding({complete(7), incomplete(11)}), sample_job(), named(sample_manifest(7))).next_checkpoint, 12U);
}

TEST(Recovery, BeginsWhatWaitsOnTimeAnewAfterADrain) {   // C9
  Manifest manifest = sample_manifest();
  manifest.drained = true;
  RecoveryOptions allowed;
  allowed.allow_drained = true;
  JobFacts job = sample_job();
  const RecoveryPlan plan = planned(holding({complete(manifest)}), job, allowed);
  EXPECT_EQ(plan.operators[1].states[0].id, 5);   // the slices; their old number is never used again
  EXPECT_EQ(plan.operators[1].states[0].dropped_through, kMinusInfinity);
  EXPECT_THAT(plan.operators[1].states[0].live_buckets, IsEmpty());
  EXPECT_EQ(plan.operators[1].states[1].id, 4);   // what is kept for a key whatever the time
  EXPECT_THAT(plan.discarded_states, ElementsAre(2, 1));
  EXPECT_EQ(plan.next_state_id, 6);
  // Nothing is lost with a timed state that the job no longer has.
  job.operators[1].states.erase(job.operators[1].states.begin());
  EXPECT_THAT(planned(holding({complete(manifest)}), job, allowed).discarded_states, ElementsAre(2, 1));
}

TEST(Recovery, BeginsStateWhoseEntriesExpireAnewAfterADrain) {   // C9, K8: at +infinity all of them have
  Manifest manifest = sample_manifest();
  manifest.drained = true;
  manifest.operators[1].states[1].stamped = true;
  manifest.operators[1].states[1].dropped_through = kPlusInfinity;
  JobFacts job = sample_job();
  job.operators[1].states[1].stamped = true;
  RecoveryOptions allowed;
  allowed.allow_drained = true;
  const RecoveryPlan plan = planned(holding({complete(manifest)}), job, allowed);
  EXPECT_EQ(plan.operators[1].states[1].id, 6);
  EXPECT_EQ(plan.operators[1].states[1].dropped_through, kMinusInfinity);
  EXPECT_THAT(plan.discarded_states, ElementsAre(2, 1, 4));
}

TEST(Recovery, RefusesAMapWhoseKeysHaveChangedAndATimeToLiveThatCameOrWent) {   // K9
  Manifest manifest = sample_manifest();
  StateEntry& stored = manifest.operators[1].states[1];
  stored.kind = "map";
  stored.entry = "u8";
  JobFacts job = sample_job();
  StateEntry& wanted = job.operators[1].states[1];
  wanted.kind = "map";
  wanted.entry = "string";
  wanted.fingerprint = stored.fingerprint + 1;
  const auto refusal = [&] { return plan_recovery(holding({complete(manifest)}), job, {}, {}).error(); };
  EXPECT_THAT(refusal().why, HasSubstr("a map's keys never changes"));
  EXPECT_THAT(refusal().facts[0].second, HasSubstr("map of string by u8 to bool"));
  EXPECT_THAT(refusal().facts[1].second, HasSubstr("map of string by string to bool"));
  wanted.entry = stored.entry;
  wanted.stamped = true;
  wanted.parameters = "expiring";
  EXPECT_THAT(refusal().why, HasSubstr("only rows of a state with a ttl say when they were written"));
}

TEST(Recovery, RefusesADrainedCheckpointUnlessAsked) {   // C9
  Manifest manifest = sample_manifest();
  manifest.drained = true;
  const RecoveryPlan refused_plan = planned(holding({complete(manifest)}), sample_job());
  EXPECT_EQ(refused_plan.answer, Answer::kDrained);
  EXPECT_EQ(refused_plan.refusal.error().code, ErrorCode::kDrained);
  EXPECT_EQ(refused_plan.recommit, manifest.committables);   // whoever drained it may have died before that was committed
  EXPECT_EQ(refused(copied(holding({complete(manifest)})), sample_job(), fork({})).code, ErrorCode::kDrained);
  RecoveryOptions allowed;
  allowed.allow_drained = true;
  EXPECT_EQ(planned(holding({complete(manifest)}), sample_job(), allowed).answer, Answer::kRestore);
}

TEST(Recovery, ForksIntoANewLineageAndLeavesPendingOutputToTheOriginal) {
  const RecoveryPlan plan = planned(copied(holding({complete(7)})), sample_job(), fork({}));
  EXPECT_EQ(plan.answer, Answer::kRestore);
  EXPECT_EQ(plan.lineage, "");
  EXPECT_EQ(plan.completed, 0U);          // its targets hold nothing yet (R8)
  EXPECT_EQ(plan.next_checkpoint, 8U);
  EXPECT_EQ(plan.seed, sample_manifest().seed);   // K1
  EXPECT_THAT(plan.recommit, IsEmpty());
  EXPECT_TRUE(plan.verify_all);
  EXPECT_EQ(refused(copied(holding({complete(7)})), sample_job(), fork({}), {{"out", 3}}).code, ErrorCode::kSinkEpochMismatch);
}

// Refusals name both sides and the remedy.
TEST(Recovery, F49RefusesAJobThatDiffersFromTheCheckpoint) {
  struct Case {
    const char* what;
    void (*change)(JobFacts&);
    ErrorCode code;
    std::vector<std::string> says;
  };
  const std::vector<Case> cases{
      {"another job", [](JobFacts& job) { job.job = "frauds"; }, ErrorCode::kForeignLineage, {"clicks", "frauds"}},
      {"key groups", [](JobFacts& job) { job.key_groups = 64; }, ErrorCode::kStateMismatch, {"128", "64"}},
      {"seed", [](JobFacts& job) { job.seed = 5; }, ErrorCode::kStateMismatch, {"5", "1234605616436508552"}},
      {"two operators gone: all that is needed is said at once (K10)",
       [](JobFacts& job) {
         job.operators.erase(job.operators.begin() + 1);
         job.sources = {"other"};
       },
       ErrorCode::kStateMismatch,
       {"orphaned", "per_user/panes, per_user/seen, source source", "--drop-state per_user --drop-state source", "source other"}},
      {"schema (K9)",
       [](JobFacts& job) {
         job.operators[1].states[0].fingerprint = 1;
         job.operators[1].states[0].value = "struct{u64,f64}";
       },
       ErrorCode::kStateMismatch, {"per_user/panes", "struct{u64,u64}", "struct{u64,f64}"}},
      {"key (K9)",
       [](JobFacts& job) {
         job.operators[1].states[0].fingerprint = 1;
         job.operators[1].states[0].key = "string";
       },
       ErrorCode::kStateMismatch, {"slices of u64", "slices of string", "a key's schema never changes"}},
      {"window's size (K11)",
       [](JobFacts& job) {
         job.operators[1].states[0].fingerprint = 1;
         job.operators[1].states[0].parameters = "tumbling(90s,0s)";
       },
       ErrorCode::kStateMismatch, {"tumbling(60s,0s)", "tumbling(90s,0s)", "the window changed"}},
      {"window's kind (K11)",
       [](JobFacts& job) {
         job.operators[1].states[0].name = "slices";
         job.operators[1].states[0].parameters = "sliding(60s,10s,0s)";
       },
       ErrorCode::kStateMismatch, {"panes: slices of u64", "slices: slices of u64", "tumbling(60s,0s)", "sliding(60s,10s,0s)"}},
      {"operator gone (K10)", [](JobFacts& job) { job.operators.erase(job.operators.begin() + 1); }, ErrorCode::kStateMismatch,
       {"per_user/panes", "--drop-state per_user"}},
      {"operator of another kind (K6)", [](JobFacts& job) { job.operators[1].kind = "list"; }, ErrorCode::kStateMismatch,
       {"per_user is of another kind", "window", "list", "new name", "--drop-state per_user"}},
      {"state gone", [](JobFacts& job) { job.operators[1].states.pop_back(); }, ErrorCode::kStateMismatch,
       {"per_user/seen", "--drop-state per_user", "--drop-state per_user/seen"}},
      {"source gone", [](JobFacts& job) { job.sources = {"other"}; }, ErrorCode::kStateMismatch, {"source source", "--drop-state source"}},
      {"sink gone with output pending", [](JobFacts& job) { job.sinks = {}; }, ErrorCode::kStateMismatch, {"sink out", "--drop-state out"}},
  };
  for (const Case& one : cases) {
    JobFacts job = sample_job();
    one.change(job);
    const Error error = refused(holding({complete(7)}), job);
    EXPECT_EQ(error.code, one.code) << one.what;
    for (const std::string& part : one.says) EXPECT_THAT(error.describe(), HasSubstr(part)) << one.what;
  }
}

TEST(Recovery, DropsTheStateThatItIsToldToDrop) {
  JobFacts job = sample_job();
  job.operators.erase(job.operators.begin() + 1);
  RecoveryOptions options;
  options.drop_state = {"per_user", "never_there"};
  const RecoveryPlan plan = planned(holding({complete(7)}), job, options);
  EXPECT_THAT(plan.dropped, ElementsAre("per_user/panes", "per_user/seen"));
  EXPECT_THAT(plan.discarded_states, ElementsAre(2, 1, 4));   // their rows are dead, their numbers used
  EXPECT_EQ(plan.next_state_id, 5);
  EXPECT_THAT(plan.warnings, ElementsAre(HasSubstr("never_there")));
}

TEST(Recovery, StartsDroppedStateOfALivingOperatorUnderANewNumber) {
  RecoveryOptions options;
  options.drop_state = {"per_user"};
  JobFacts job = sample_job();
  job.operators[1].states[0].fingerprint = 1;   // that would be refused otherwise
  const RecoveryPlan plan = planned(holding({complete(7)}), job, options);
  EXPECT_EQ(plan.operators[1].states[0].id, 5);
  EXPECT_EQ(plan.operators[1].states[0].dropped_through, kMinusInfinity);
  EXPECT_EQ(plan.operators[1].states[1].id, 6);
  EXPECT_EQ(plan.next_state_id, 7);
  EXPECT_THAT(plan.discarded_states, ElementsAre(2, 1, 4));
  EXPECT_THAT(plan.added, ElementsAre("per_user/panes", "per_user/seen"));
}

TEST(Recovery, DropsASingleStateOfAnOperatorAndKeepsTheOthers) {
  RecoveryOptions options;
  options.drop_state = {"per_user/seen"};
  JobFacts job = sample_job();
  const RecoveryPlan again = planned(holding({complete(7)}), job, options);
  EXPECT_EQ(again.operators[1].states[0].id, 1);
  EXPECT_EQ(again.operators[1].states[1].id, 5);   // starts empty
  job.operators[1].states.pop_back();
  const RecoveryPlan plan = planned(holding({complete(7)}), job, options);
  EXPECT_THAT(plan.restored, ElementsAre("per_user/panes", "source source"));
  EXPECT_THAT(plan.dropped, ElementsAre("per_user/seen"));
  EXPECT_THAT(plan.discarded_states, ElementsAre(2, 4));
  EXPECT_THAT(plan.warnings, IsEmpty());
}

// K9: what the job says about its past decides. The fingerprint of the sample's state "panes" is of another schema here.
struct ValueChange {
  const char* what;
  std::vector<std::pair<const char*, const char*>> migrations;
  void (*change)(StateEntry& wanted);
  bool (*reads)(std::string_view);
  int steps;   // to be applied; -1: refused
};

TEST(Recovery, MigratesAValueWhereRegisteredStepsLeadToItAndRefusesAllElse) {
  const char* stored = "struct{u64,u64}";
  const auto value_changed = [](StateEntry& wanted) { wanted.value = "struct{u64,f64}"; };
  const auto reads_stored = [](std::string_view schema) { return schema == "struct{u64,u64}"; };
  const std::vector<ValueChange> cases{
      {"no step", {}, value_changed, nullptr, -1},
      {"one step", {{stored, "struct{u64,f64}"}}, value_changed, nullptr, 1},
      {"two steps", {{"mid", "struct{u64,f64}"}, {stored, "mid"}}, value_changed, nullptr, 2},
      {"a step from elsewhere", {{"struct{u64}", "struct{u64,f64}"}}, value_changed, nullptr, -1},
      {"a step to elsewhere", {{stored, "mid"}}, value_changed, nullptr, -1},
      {"the codec reads it", {}, value_changed, reads_stored, 0},
      {"the codec reads something else", {}, value_changed, [](std::string_view schema) { return schema == "u8"; }, -1},
      {"the key changed as well", {{stored, "struct{u64,f64}"}},
       [](StateEntry& wanted) { wanted.value = "struct{u64,f64}", wanted.key = "i64"; }, reads_stored, -1},
      {"the window changed as well (K11)", {{stored, "struct{u64,f64}"}},
       [](StateEntry& wanted) { wanted.value = "struct{u64,f64}", wanted.parameters = "tumbling(90s,0s)"; }, reads_stored, -1},
      {"the kind changed as well", {{stored, "struct{u64,f64}"}},
       [](StateEntry& wanted) { wanted.value = "struct{u64,f64}", wanted.kind = "value"; }, reads_stored, -1},
      {"only the window changed", {}, [](StateEntry& wanted) { wanted.parameters = "tumbling(90s,0s)"; }, reads_stored, -1},
  };
  for (const ValueChange& one : cases) {
    JobFacts job = sample_job();
    one.change(job.operators[1].states[0]);
    job.operators[1].states[0].fingerprint = 1;
    for (const auto& [from, to] : one.migrations) job.past.migrations["per_user"].push_back({.from = from, .to = to, .convert = nullptr});
    if (one.reads != nullptr) job.past.reads["per_user/panes"] = one.reads;
    const Result<RecoveryPlan> plan = plan_recovery(holding({complete(7)}), job, {}, {});
    ASSERT_EQ(plan.ok(), one.steps >= 0) << one.what;
    if (!plan.ok()) {
      EXPECT_EQ(plan.error().code, ErrorCode::kStateMismatch) << one.what;
      EXPECT_THAT(plan.error().describe(), AllOf(HasSubstr("tumbling(60s,0s)"), HasSubstr(stored))) << one.what;
      continue;
    }
    EXPECT_EQ(plan->migrations.size(), one.steps > 0 ? 1U : 0U) << one.what;
    EXPECT_EQ(plan->operators[1].states[0].id, 1) << one.what;   // its rows keep their keys
    EXPECT_EQ(plan->operators[1].states[0].dropped_through, event_time(-60'000'000)) << one.what;
    if (one.steps == 0) continue;
    EXPECT_EQ(plan->migrations[0].steps.size(), static_cast<std::size_t>(one.steps)) << one.what;
    EXPECT_EQ(plan->migrations[0].id, 1) << one.what;
    EXPECT_EQ(plan->restored.front(), "per_user/panes (migrated)") << one.what;
  }
}

// The sample's operator "per_user" as it is called now.
JobFacts renamed_job(std::vector<std::string> formerly) {
  JobFacts job = sample_job();
  job.operators[1].name = "per_account";
  job.past.formerly["per_account"] = std::move(formerly);
  return job;
}

TEST(Recovery, TakesUpARenamedOperatorUnderItsNewName) {   // K10
  const RecoveryPlan plan = planned(holding({complete(7)}), renamed_job({"still_older", "per_user"}));
  EXPECT_THAT(plan.restored, ElementsAre("per_account/panes (formerly per_user)", "per_account/seen (formerly per_user)", "source source"));
  EXPECT_THAT(plan.added, IsEmpty());
  EXPECT_EQ(plan.operators[1].states[0].id, 1);
  // The whole manifest speaks of the job's names, so whoever restores from it finds them.
  const Manifest old = sample_manifest();
  EXPECT_EQ(plan.manifest->operators[1].name, "per_account");
  EXPECT_EQ(plan.manifest->tasks[1].task, "per_account");
  EXPECT_EQ(plan.manifest->tasks[0], old.tasks[0]);
  EXPECT_EQ(plan.manifest->files, old.files);
}

TEST(Recovery, TakesUpARenamedSourceUnderItsNewName) {   // K10
  Manifest manifest = sample_manifest();
  manifest.tasks[1].inputs[0].channel = "source:0/1";
  manifest.tasks[1].inputs[1].channel = "sourcery:0/1";
  JobFacts job = sample_job();
  job.operators[0].name = "payments";
  job.sources = {"payments"};
  job.past.formerly["payments"] = {"source"};
  const RecoveryPlan plan = planned(holding({complete(manifest)}), job);
  EXPECT_THAT(plan.restored, ElementsAre("per_user/panes", "per_user/seen", "source payments (formerly source)"));
  EXPECT_EQ(plan.manifest->sources[0].operator_name, "payments");
  EXPECT_EQ(plan.manifest->tasks[0].task, "payments");
  EXPECT_EQ(plan.manifest->tasks[0].operators[0].operator_name, "payments");
  EXPECT_EQ(plan.manifest->tasks[1].inputs[0].channel, "payments:0/1");
  EXPECT_EQ(plan.manifest->tasks[1].inputs[1].channel, "sourcery:0/1");
}

TEST(Recovery, LetsAFormerNameBeWhereTheCheckpointHasThePresentOneAlone) {   // the call may stay in the code
  JobFacts job = sample_job();
  job.past.formerly["per_user"] = {"ages_ago", "out"};   // "out" is a sink
  EXPECT_THAT(planned(holding({complete(7)}), job).restored, ElementsAre("per_user/panes", "per_user/seen", "source source"));
}

TEST(Recovery, RefusesTwoClaimsToOneNameUnlessOneIsGivenUp) {   // K10
  Manifest manifest = sample_manifest();
  manifest.operators.push_back(manifest.operators[1]);
  manifest.operators.back().name = "per_login";
  manifest.operators.back().states = {manifest.operators[1].states[1]};
  manifest.operators.back().states[0].id = 3;
  const DirectoryFacts directory = holding({complete(manifest)});
  const Error error = refused(directory, renamed_job({"per_user", "per_login"}));
  EXPECT_EQ(error.code, ErrorCode::kStateMismatch);
  EXPECT_THAT(error.describe(),
              AllOf(HasSubstr("\"per_account\" has two claims"), HasSubstr("\"per_user\" and \"per_login\""),
                    HasSubstr("--drop-state per_login")));
  JobFacts merged = sample_job();
  merged.past.formerly["per_user"] = {"per_login"};
  EXPECT_THAT(refused(directory, merged).describe(), HasSubstr("two claims"));
  RecoveryOptions options;
  options.drop_state = {"per_login"};
  const RecoveryPlan plan = planned(directory, renamed_job({"per_user", "per_login"}), options);
  EXPECT_THAT(plan.restored,
              ElementsAre("per_account/panes (formerly per_user)", "per_account/seen (formerly per_user)", "source source"));
  EXPECT_THAT(plan.dropped, ElementsAre("per_login/seen"));
  EXPECT_THAT(plan.warnings, IsEmpty());
}

// The sample's job, whose sink is called "lines" now.
JobFacts with_renamed_sink() {
  JobFacts job = sample_job();
  job.operators[2].name = "lines";
  job.sinks = {"lines"};
  job.past.formerly["lines"] = {"ages_ago", "out"};
  return job;
}

TEST(Recovery, CommitsUnderASinksPresentNameWhatItHadPreparedUnderAFormerOne) {   // K10
  const RecoveryPlan plan = planned(holding({complete(7)}), with_renamed_sink(), {}, {{"lines", 6}});
  EXPECT_THAT(plan.restored, ElementsAre("per_user/panes", "per_user/seen", "source source", "sink lines (formerly out)"));
  EXPECT_THAT(plan.dropped, IsEmpty());
  EXPECT_THAT(plan.manifest->sinks, ElementsAre("lines"));
  ASSERT_EQ(plan.recommit.size(), 2U);
  for (const CommittableEntry& entry : plan.recommit) EXPECT_EQ(entry.sink, "lines");
}

TEST(Recovery, KnowsThePositionOfARenamedSink) {   // C6, fault F18
  const DirectoryFacts directory = holding({complete(6), damaged(7)});
  EXPECT_EQ(planned(directory, with_renamed_sink(), {}, {{"lines", 6}}).manifest->checkpoint, 6U);
  EXPECT_THAT(refused(directory, with_renamed_sink(), {}, {{"lines", 7}}).describe(), HasSubstr("sink lines has committed epoch 7"));
  EXPECT_THAT(refused(directory, with_renamed_sink(), {}, {}).describe(), HasSubstr("sink out may have committed past it"));
}

TEST(Recovery, LeavesAFormerNameOfASinkToTheSinkThatStillHasIt) {   // K10
  JobFacts job = with_renamed_sink();
  Manifest manifest = sample_manifest();
  manifest.operators.push_back({.name = "lines", .kind = "sink", .parallelism = 2, .states = {}});
  manifest.sinks.push_back("lines");
  EXPECT_THAT(refused(holding({complete(manifest)}), job).describe(), HasSubstr("\"lines\" has two claims"));
}

TEST(Recovery, MigratesARenamedOperator) {
  JobFacts job = renamed_job({"per_user"});
  job.operators[1].states[0].value = "struct{u64,f64}";
  job.operators[1].states[0].fingerprint = 1;
  job.past.migrations["per_account"] = {{.from = "struct{u64,u64}", .to = "struct{u64,f64}", .convert = nullptr}};
  EXPECT_EQ(planned(holding({complete(7)}), job).restored.front(), "per_account/panes (formerly per_user) (migrated)");
}

TEST(Recovery, DropsASourceAndASinkThatItIsToldToDrop) {
  JobFacts job = sample_job();
  job.sources = {"other"};
  job.sinks = {"elsewhere"};
  RecoveryOptions options;
  options.drop_state = {"source", "out"};
  const RecoveryPlan plan = planned(holding({complete(7)}), job, options);
  EXPECT_THAT(plan.dropped, ElementsAre("source source", "sink out"));
  EXPECT_THAT(plan.added, ElementsAre("source other", "sink elsewhere"));
  EXPECT_THAT(plan.recommit, IsEmpty());
}

TEST(Recovery, StartsNewStateEmptyAndReportsIt) {   // K10
  JobFacts job = sample_job();
  job.operators[1].states.push_back({.id = 0,
                                     .name = "fresh",
                                     .kind = "value",
                                     .key = "u64",
                                     .value = "u64",
                                     .parameters = "",
                                     .timed = false,
                                     .fingerprint = 9,
                                     .dropped_through = kMinusInfinity,
                                     .live_buckets = {}});
  job.sinks.push_back("audit");
  const RecoveryPlan plan = planned(holding({complete(7)}), job);
  EXPECT_THAT(plan.added, ElementsAre("per_user/fresh", "sink audit"));
  EXPECT_EQ(plan.operators[1].states[2].id, 5);
}

TEST(Recovery, VerifiesEveryByteFirstInADirectoryThatWasCopiedAndSaysSo) {   // R3
  DirectoryFacts directory = holding({complete(6), complete(7)});
  EXPECT_FALSE(planned(directory, sample_job()).verify_all);
  directory.copied = true;
  const RecoveryPlan plan = planned(directory, sample_job());
  EXPECT_TRUE(plan.verify_all);
  EXPECT_THAT(plan.warnings, ElementsAre(AllOf(HasSubstr("copied"), HasSubstr("every byte of checkpoint 7"))));
  // That is known of a savepoint anyway, and of nothing there is nothing to read.
  EXPECT_THAT(planned(directory, sample_job(), named(sample_manifest(5))).warnings, IsEmpty());
  directory.checkpoints.clear();
  directory.ever_completed = false;
  EXPECT_THAT(planned(directory, sample_job()).warnings, IsEmpty());
}

TEST(Recovery, LetsASinkGoThatHasNothingPending) {
  Manifest manifest = sample_manifest();
  manifest.committables.clear();
  JobFacts job = sample_job();
  job.sinks = {};
  EXPECT_THAT(planned(holding({complete(manifest)}), job).dropped, ElementsAre("sink out"));
}

}  // namespace
}  // namespace tidemark

// The coordinator's decisions as tables (C5, C8, C9; faults F06, F47, F48; lessons D07, D13-D19).

#include <set>
#include <sstream>

#include <gmock/gmock.h>

#include <tidemark/checkpoint/coordinator.hpp>
#include <tidemark/core/check.hpp>

namespace tidemark {
namespace {

using namespace std::chrono_literals;
using Kind = CoordinatorAction::Kind;
using Phase = Coordinator::Phase;

constexpr SteadyTime kStart{};

Error failure(const char* what) { return Error{.code = ErrorCode::kStorageFailed, .message = what, .facts = {}, .why = "", .fix = ""}; }

Coordinator coordinator(CoordinatorOptions options = {.interval = 10s, .min_pause = 1s, .timeout = 60s, .tolerated_failures = 2}) {
  return Coordinator{options, {"source", "window", "sink"}, 5, 4, kStart};
}

// "begin 5, publish 5 after 4"
std::string text(const CoordinatorActions& actions) {
  std::ostringstream out;
  for (const CoordinatorAction& action : actions) {
    out << (out.tellp() > 0 ? ", " : "") << to_string(action.kind) << " " << action.id;
    if (action.previous != 0) out << " after " << action.previous;
    if (action.kind == Kind::kBegin && action.checkpoint_kind == CheckpointKind::kFinal) out << " (final)";
    if (action.kind == Kind::kBegin && action.checkpoint_kind == CheckpointKind::kStop) out << " (stop)";
    if (action.drained) out << " (drained)";
    for (const std::string& label : action.labels) out << " \"" << label << "\"";
  }
  return out.str();
}

CoordinatorActions acknowledge_all(Coordinator& coordinator, CheckpointId id) {
  EXPECT_EQ(text(coordinator.on_acknowledged(2, id)), "");
  EXPECT_EQ(text(coordinator.on_acknowledged(0, id)), "");
  return coordinator.on_acknowledged(1, id);
}

void complete(Coordinator& coordinator, CheckpointId id, SteadyTime now) {
  acknowledge_all(coordinator, id);
  (void)coordinator.on_published(id);
  (void)coordinator.on_committed(id, now);
}

TEST(Coordinator, BeginsBeforeItsTimeWhenMemoryRunsOut) {
  Coordinator c = coordinator();
  EXPECT_EQ(text(c.on_checkpoint_wanted(kStart + 2s)), "begin 5");
  EXPECT_EQ(text(c.on_checkpoint_wanted(kStart + 3s)), "") << "one is under way";
  complete(c, 5, kStart + 4s);
  EXPECT_EQ(c.next_wakeup(), kStart + 12s) << "the interval counts from the last begin";
}

TEST(Coordinator, DoesNotRepeatAFailedCheckpointSoonerBecauseMemoryRunsOut) {
  Coordinator c = coordinator();
  (void)c.on_time(kStart + 10s);
  (void)c.on_declined(0, 5, failure("disk full"));
  (void)c.on_abort_settled(5, kStart + 11s);
  EXPECT_EQ(text(c.on_checkpoint_wanted(kStart + 12s)), "");
  EXPECT_EQ(c.next_wakeup(), kStart + 20s);
}

TEST(Coordinator, TakesACheckpointForMemoryAlsoWhereOnlyTheFinalOneIsWanted) {
  Coordinator c = coordinator({.interval = 0s});
  EXPECT_EQ(text(c.on_checkpoint_wanted(kStart + 2s)), "begin 5");
  (void)c.on_declined(0, 5, failure("disk full"));
  (void)c.on_abort_settled(5, kStart + 3s);
  EXPECT_EQ(text(c.on_checkpoint_wanted(kStart + 4s)), "begin 6") << "there is no pace that it could wait for";
  complete(c, 6, kStart + 5s);
  EXPECT_EQ(c.next_wakeup(), std::nullopt);
}

TEST(Coordinator, TakesNoCheckpointForMemoryOnceTheLastOneIsWantedOrTheJobIsOver) {
  for (const bool drain : {false, true}) {
    Coordinator c = coordinator();
    (void)c.on_stop_requested(drain, "", kStart + 1s);
    EXPECT_EQ(text(c.on_checkpoint_wanted(kStart + 2s)), "");
  }
  Coordinator c = coordinator();
  (void)c.on_cancelled();
  EXPECT_EQ(text(c.on_checkpoint_wanted(kStart + 2s)), "");
}

TEST(Coordinator, TakesACheckpointFromBeginToGarbageCollection) {
  Coordinator c = coordinator();
  EXPECT_EQ(c.next_wakeup(), kStart + 10s);
  EXPECT_EQ(text(c.on_time(kStart + 9999ms)), "");
  EXPECT_EQ(text(c.on_time(kStart + 10s)), "begin 5");
  EXPECT_THAT(c.missing(), ::testing::ElementsAre("source", "window", "sink"));
  EXPECT_EQ(text(acknowledge_all(c, 5)), "publish 5 after 4");
  EXPECT_EQ(c.last_completed(), 4U);
  EXPECT_EQ(text(c.on_published(5)), "commit 5 after 4");
  EXPECT_EQ(c.last_completed(), 4U);
  EXPECT_EQ(text(c.on_committed(5, kStart + 12s)), "collect garbage 5");
  EXPECT_EQ(c.last_completed(), 5U);
  EXPECT_EQ(c.next_wakeup(), kStart + 20s);
}

// Fault F47.
TEST(Coordinator, F47HasOnePendingAtMostAndPausesBetween) {
  Coordinator c = coordinator();
  (void)c.on_time(kStart + 10s);
  EXPECT_EQ(text(c.on_time(kStart + 30s)), "");
  acknowledge_all(c, 5);
  EXPECT_EQ(text(c.on_time(kStart + 31s)), "");
  (void)c.on_published(5);
  EXPECT_EQ(text(c.on_time(kStart + 32s)), "");
  EXPECT_EQ(text(c.on_committed(5, kStart + 33s)), "collect garbage 5");
  EXPECT_EQ(c.next_wakeup(), kStart + 34s);   // the pause, since the interval has long passed
  EXPECT_EQ(text(c.on_time(kStart + 34s)), "begin 6");
}

TEST(Coordinator, F47GivesUpACheckpointWhoseTasksAreTooSlowAndNamesThem) {
  Coordinator c = coordinator();
  (void)c.on_time(kStart + 10s);
  (void)c.on_acknowledged(1, 5);
  EXPECT_EQ(c.next_wakeup(), kStart + 70s);
  const CoordinatorActions actions = c.on_time(kStart + 70s);
  EXPECT_EQ(text(actions), "abort 5");
  EXPECT_THAT(actions[0].error->describe(),
              ::testing::AllOf(::testing::HasSubstr("source, sink"), ::testing::Not(::testing::HasSubstr("window"))));
  // Nothing new begins until its I/O has ended.
  EXPECT_EQ(text(c.on_time(kStart + 200s)), "");
  EXPECT_EQ(text(c.on_abort_settled(5, kStart + 201s)), "");
  EXPECT_EQ(text(c.on_time(kStart + 202s)), "begin 6");   // the number 5 is not used again (C5)
  EXPECT_EQ(text(acknowledge_all(c, 6)), "publish 6 after 4");
}

TEST(Coordinator, F48IgnoresStragglers) {
  Coordinator c = coordinator();
  (void)c.on_time(kStart + 10s);
  (void)c.on_declined(0, 5, failure("full"));
  EXPECT_EQ(text(c.on_acknowledged(1, 5)), "");
  EXPECT_EQ(text(c.on_declined(1, 5, failure("full"))), "");
  (void)c.on_abort_settled(5, kStart + 12s);
  EXPECT_EQ(text(c.on_time(kStart + 20s)), "begin 6");
  EXPECT_EQ(text(c.on_acknowledged(0, 5)), "");
  EXPECT_EQ(text(c.on_declined(0, 5, failure("full"))), "");
  EXPECT_EQ(text(c.on_acknowledged(0, 4)), "");   // of an earlier attempt
  EXPECT_EQ(text(c.on_acknowledged(0, 6)), "");
  EXPECT_EQ(text(c.on_acknowledged(0, 6)), "");   // twice
  EXPECT_EQ(text(c.on_acknowledged(1, 6)), "");
  EXPECT_EQ(text(c.on_acknowledged(2, 6)), "publish 6 after 4");
}

TEST(Coordinator, CallsAReportOnACheckpointThatNeverBeganADefect) {
  Coordinator c = coordinator();
  EXPECT_THROW((void)c.on_acknowledged(0, 5), BrokenInvariant);
  (void)c.on_time(kStart + 10s);
  EXPECT_THROW((void)c.on_acknowledged(0, 6), BrokenInvariant);
  EXPECT_THROW((void)c.on_acknowledged(3, 5), BrokenInvariant);
  EXPECT_THROW((void)c.on_published(5), BrokenInvariant);
  EXPECT_THROW((void)c.on_committed(5, kStart), BrokenInvariant);
  EXPECT_THROW((void)c.on_abort_settled(5, kStart), BrokenInvariant);
}

TEST(Coordinator, FailsTheAttemptAfterTooManyFailuresInARow) {
  Coordinator c = coordinator();
  SteadyTime now = kStart;
  for (CheckpointId id = 5; id <= 7; ++id) {
    now += 10s;
    ASSERT_EQ(text(c.on_time(now)), "begin " + std::to_string(id));
    acknowledge_all(c, id);
    EXPECT_EQ(text(c.on_publish_failed(id, false, failure("disk full"))), "abort " + std::to_string(id));
    EXPECT_EQ(text(c.on_abort_settled(id, now)), id < 7 ? "" : "fail attempt 0");
  }
  EXPECT_EQ(c.phase(), Phase::kOver);
  EXPECT_EQ(c.next_wakeup(), std::nullopt);
}

TEST(Coordinator, ForgetsFailuresAtASuccess) {
  Coordinator c = coordinator();
  SteadyTime now = kStart;
  CheckpointId id = 5;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 2; ++i, ++id) {
      (void)c.on_time(now += 10s);
      (void)c.on_declined(1, id, failure("disk full"));
      EXPECT_EQ(text(c.on_abort_settled(id, now)), "");
    }
    (void)c.on_time(now += 10s);
    complete(c, id++, now);
    EXPECT_EQ(c.failures_in_a_row(), 0U);
  }
}

// Lesson D07: the rename happened but an error came back.
TEST(Coordinator, LeavesItToRecoveryWhetherADoubtfulCheckpointHolds) {
  Coordinator c = coordinator();
  (void)c.on_time(kStart + 10s);
  acknowledge_all(c, 5);
  EXPECT_EQ(text(c.on_publish_failed(5, true, failure("sync failed"))), "fail attempt 5");
}

TEST(Coordinator, LeavesAFailedCommitToRecovery) {
  Coordinator c = coordinator();
  (void)c.on_time(kStart + 10s);
  acknowledge_all(c, 5);
  (void)c.on_published(5);
  EXPECT_EQ(text(c.on_commit_failed(5, failure("no broker"))), "fail attempt 5");
}

TEST(Coordinator, DoesNothingMoreOnceATaskHasFailed) {
  Coordinator c = coordinator();
  (void)c.on_time(kStart + 10s);
  EXPECT_EQ(text(c.on_task_failed(1, failure("threw"))), "fail attempt 5");
  EXPECT_EQ(text(c.on_task_failed(2, failure("threw"))), "");
  EXPECT_EQ(text(c.on_acknowledged(0, 5)), "");
  EXPECT_EQ(text(c.on_published(5)), "");
  EXPECT_EQ(text(c.on_committed(5, kStart)), "");
  EXPECT_EQ(text(c.on_abort_settled(5, kStart)), "");
  EXPECT_EQ(text(*c.on_stop_requested(false, "", kStart)), "");
  EXPECT_EQ(text(c.on_cancelled()), "");
  EXPECT_EQ(text(c.on_time(kStart + 100s)), "");
}

// C8.
TEST(Coordinator, EndsTheJobWithAFinalCheckpointOnceEveryTaskHasEnded) {
  Coordinator c = coordinator();
  EXPECT_EQ(text(c.on_task_ended(0, false, kStart)), "");
  EXPECT_EQ(text(c.on_task_ended(2, false, kStart)), "");
  EXPECT_EQ(text(c.on_task_ended(1, false, kStart)), "begin 5 (final)");
  EXPECT_EQ(text(acknowledge_all(c, 5)), "publish 5 after 4");
  EXPECT_EQ(text(c.on_published(5)), "commit 5 after 4");
  EXPECT_EQ(text(c.on_committed(5, kStart)), "collect garbage 5, finished 5");
}

TEST(Coordinator, TakesTheFinalCheckpointAfterThePendingOne) {
  Coordinator c = coordinator();
  (void)c.on_time(kStart + 10s);
  for (const std::size_t task : {0U, 1U, 2U}) EXPECT_EQ(text(c.on_task_ended(task, false, kStart + 11s)), "");
  acknowledge_all(c, 5);
  (void)c.on_published(5);
  EXPECT_EQ(text(c.on_committed(5, kStart + 12s)), "collect garbage 5, begin 6 (final)");
}

TEST(Coordinator, TriesTheFinalCheckpointAgainAndThenFails) {
  Coordinator c = coordinator({.interval = 0s, .min_pause = 1s, .timeout = 60s, .tolerated_failures = 1});
  EXPECT_EQ(c.next_wakeup(), std::nullopt);
  for (const std::size_t task : {0U, 1U, 2U}) (void)c.on_task_ended(task, false, kStart);
  (void)c.on_declined(0, 5, failure("disk full"));
  EXPECT_EQ(text(c.on_abort_settled(5, kStart)), "");
  EXPECT_EQ(c.next_wakeup(), kStart + 1s);
  EXPECT_EQ(text(c.on_time(kStart + 1s)), "begin 6 (final)");
  (void)c.on_declined(0, 6, failure("disk full"));
  const CoordinatorActions actions = c.on_abort_settled(6, kStart + 2s);
  EXPECT_EQ(text(actions), "fail attempt 0");   // never finished
  EXPECT_THAT(actions[0].error->describe(), ::testing::HasSubstr("disk full"));
}

// C9.
TEST(Coordinator, BeginsTheLastCheckpointOfAStopAtOnceAlthoughThePeriodicOneBeforeItFailed) {
  Coordinator c = coordinator();
  (void)c.on_time(kStart + 10s);
  (void)c.on_declined(0, 5, failure("disk full"));
  (void)c.on_abort_settled(5, kStart + 11s);
  EXPECT_EQ(text(*c.on_stop_requested(false, "", kStart + 12s)), "begin 6 (stop)");
  (void)c.on_declined(0, 6, failure("disk full"));
  EXPECT_EQ(text(c.on_abort_settled(6, kStart + 13s)), "") << "again, but at the pace of the others";
  EXPECT_EQ(c.next_wakeup(), kStart + 22s);
}

TEST(Coordinator, StopsAfterACheckpointThatBeginsAtOnce) {
  Coordinator c = coordinator();
  EXPECT_EQ(text(*c.on_stop_requested(false, "", kStart + 1s)), "begin 5 (stop)");
  EXPECT_EQ(text(*c.on_stop_requested(false, "", kStart + 2s)), "");
  EXPECT_EQ(text(acknowledge_all(c, 5)), "publish 5 after 4");
  (void)c.on_published(5);
  EXPECT_EQ(text(c.on_committed(5, kStart + 3s)), "collect garbage 5, stopped 5");
}

TEST(Coordinator, F06StopsAfterThePendingCheckpointAndOneMore) {
  Coordinator c = coordinator();
  (void)c.on_time(kStart + 10s);
  EXPECT_EQ(text(*c.on_stop_requested(false, "", kStart + 11s)), "");
  acknowledge_all(c, 5);
  (void)c.on_published(5);
  EXPECT_EQ(text(c.on_committed(5, kStart + 12s)), "collect garbage 5, begin 6 (stop)");
}

TEST(Coordinator, TriesTheLastCheckpointOfAStopAgain) {
  Coordinator c = coordinator();
  (void)c.on_stop_requested(false, "", kStart + 1s);
  (void)c.on_declined(0, 5, failure("disk full"));
  EXPECT_EQ(text(c.on_abort_settled(5, kStart + 2s)), "");
  EXPECT_EQ(c.next_wakeup(), kStart + 11s);
  EXPECT_EQ(text(c.on_time(kStart + 11s)), "begin 6 (stop)");
}

TEST(Coordinator, MarksTheLastCheckpointOfADrain) {
  Coordinator c = coordinator();
  EXPECT_EQ(text(*c.on_stop_requested(true, "", kStart)), "drain 0");
  EXPECT_EQ(text(*c.on_stop_requested(false, "", kStart)), "");   // the first request decided
  EXPECT_EQ(text(c.on_time(kStart + 10s)), "");   // the end is near: no periodic ones any more
  for (const std::size_t task : {0U, 1U}) (void)c.on_task_ended(task, task == 0, kStart + 11s);
  EXPECT_EQ(text(c.on_task_ended(2, false, kStart + 11s)), "begin 5 (final)");
  EXPECT_EQ(text(acknowledge_all(c, 5)), "publish 5 after 4 (drained)");
  (void)c.on_published(5);
  EXPECT_EQ(text(c.on_committed(5, kStart + 12s)), "collect garbage 5, stopped 5");
}

TEST(Coordinator, FinishesAJobThatIsToldToDrainAtItsEnd) {
  // When so many of its tasks have ended: all, or the source alone.
  for (const std::size_t ended : {3U, 1U}) {
    Coordinator c = coordinator();
    for (std::size_t task = 0; task < ended; ++task) (void)c.on_task_ended(task, false, kStart);
    (void)c.on_stop_requested(true, "", kStart);
    for (std::size_t task = ended; task < 3; ++task) (void)c.on_task_ended(task, false, kStart);
    EXPECT_EQ(text(acknowledge_all(c, 5)), "publish 5 after 4");   // not drained: its input did end
    (void)c.on_published(5);
    EXPECT_EQ(text(c.on_committed(5, kStart)), "collect garbage 5, finished 5");
  }
}

TEST(Coordinator, RefusesToDrainAJobThatIsStoppingWithout) {
  Coordinator c = coordinator();
  (void)c.on_stop_requested(false, "", kStart);
  const auto refused = c.on_stop_requested(true, "kept", kStart);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kJobNotRunning);
  acknowledge_all(c, 5);
  (void)c.on_published(5);
  EXPECT_EQ(text(c.on_committed(5, kStart)), "collect garbage 5, stopped 5");   // its label went with it
}

// C10.
TEST(Coordinator, TakesASavepointAtOnceAndTheJobGoesOn) {
  Coordinator c = coordinator();
  EXPECT_EQ(text(c.on_savepoint_requested("a", kStart + 1s)), "begin 5");
  EXPECT_EQ(text(acknowledge_all(c, 5)), "publish 5 after 4");
  EXPECT_EQ(text(c.on_published(5)), "commit 5 after 4");   // its epoch is committed like any other
  EXPECT_EQ(text(c.on_committed(5, kStart + 2s)), "keep 5 \"a\", collect garbage 5");
  EXPECT_EQ(c.phase(), Phase::kIdle);
  EXPECT_EQ(c.next_wakeup(), kStart + 11s);
  EXPECT_EQ(text(c.on_time(kStart + 11s)), "begin 6");
  complete(c, 6, kStart + 12s);
}

TEST(Coordinator, TakesASavepointThoughThereAreNoPeriodicCheckpoints) {
  Coordinator c = coordinator({.interval = 0s, .min_pause = 0s, .timeout = 60s, .tolerated_failures = 0});
  EXPECT_EQ(text(c.on_savepoint_requested("a", kStart)), "begin 5");
  complete(c, 5, kStart);
  EXPECT_EQ(c.next_wakeup(), std::nullopt);
}

// What was read between the barrier and the request would be missing in the pending one.
TEST(Coordinator, TakesASavepointThatIsAskedForDuringACheckpointWithTheNextOne) {
  Coordinator c = coordinator();
  (void)c.on_time(kStart + 10s);
  EXPECT_EQ(text(c.on_savepoint_requested("a", kStart + 11s)), "");
  EXPECT_EQ(text(c.on_savepoint_requested("b", kStart + 11s)), "");
  acknowledge_all(c, 5);
  (void)c.on_published(5);
  EXPECT_EQ(text(c.on_committed(5, kStart + 12s)), "collect garbage 5, begin 6");
  acknowledge_all(c, 6);
  (void)c.on_published(6);
  EXPECT_EQ(text(c.on_committed(6, kStart + 13s)), "keep 6 \"a\" \"b\", collect garbage 6");
}

TEST(Coordinator, GivesASavepointUpWithItsCheckpoint) {
  Coordinator c = coordinator();
  (void)c.on_savepoint_requested("a", kStart + 1s);
  EXPECT_EQ(text(c.on_declined(0, 5, failure("disk full"))), "abort 5 \"a\"");
  EXPECT_EQ(text(c.on_abort_settled(5, kStart + 2s)), "");
  EXPECT_EQ(text(c.on_time(kStart + 11s)), "begin 6");
  acknowledge_all(c, 6);
  (void)c.on_published(6);
  EXPECT_EQ(text(c.on_committed(6, kStart + 12s)), "collect garbage 6");
}

TEST(Coordinator, KeepsTheLastCheckpointOfAStopHoweverOftenItIsTried) {
  Coordinator c = coordinator();
  EXPECT_EQ(text(*c.on_stop_requested(false, "a", kStart + 1s)), "begin 5 (stop)");
  EXPECT_EQ(text(*c.on_stop_requested(false, "b", kStart + 2s)), "");
  EXPECT_EQ(text(c.on_savepoint_requested("c", kStart + 2s)), "");
  EXPECT_EQ(text(c.on_declined(0, 5, failure("disk full"))), "abort 5");
  (void)c.on_abort_settled(5, kStart + 2s);
  EXPECT_EQ(text(c.on_time(kStart + 11s)), "begin 6 (stop)");
  acknowledge_all(c, 6);
  (void)c.on_published(6);
  EXPECT_EQ(text(c.on_committed(6, kStart + 12s)), "keep 6 \"a\" \"b\" \"c\", collect garbage 6, stopped 6");
}

TEST(Coordinator, KeepsTheLastCheckpointOfADrainAndOfAFinishedJob) {
  for (const bool drain : {true, false}) {
    Coordinator c = coordinator();
    if (drain) {
      EXPECT_EQ(text(*c.on_stop_requested(true, "a", kStart)), "drain 0");
    } else {
      (void)c.on_task_ended(0, false, kStart);
      (void)c.on_task_ended(1, false, kStart);
    }
    for (const std::size_t task : {0U, 1U, 2U}) {
      if (drain || task == 2) (void)c.on_task_ended(task, drain, kStart);
    }
    if (!drain) {
      EXPECT_EQ(text(c.on_savepoint_requested("a", kStart)), "");
    }
    acknowledge_all(c, 5);
    (void)c.on_published(5);
    EXPECT_EQ(text(c.on_committed(5, kStart)), std::string{"keep 5 \"a\", collect garbage 5, "} + (drain ? "stopped 5" : "finished 5"));
  }
}

// Fault F06: a second stop ends now, in whatever phase the first one is.
TEST(Coordinator, F06IsCancelledInEveryPhaseWithoutTakingBackWhatIsDurable) {
  Coordinator idle = coordinator();
  EXPECT_EQ(text(idle.on_cancelled()), "stopped 4");

  Coordinator collecting = coordinator();
  (void)collecting.on_stop_requested(false, "", kStart);
  EXPECT_EQ(text(collecting.on_cancelled()), "abort 5");
  EXPECT_EQ(text(collecting.on_abort_settled(5, kStart)), "stopped 4");

  Coordinator publishing = coordinator();
  (void)publishing.on_stop_requested(false, "", kStart);
  acknowledge_all(publishing, 5);
  EXPECT_EQ(text(publishing.on_cancelled()), "");
  Coordinator not_published = publishing;
  EXPECT_EQ(text(publishing.on_published(5)), "stopped 5");   // recovery commits it
  EXPECT_EQ(text(not_published.on_publish_failed(5, false, failure("disk full"))), "abort 5");
  EXPECT_EQ(text(not_published.on_abort_settled(5, kStart)), "stopped 4");

  Coordinator committing = coordinator();
  (void)committing.on_time(kStart + 10s);
  acknowledge_all(committing, 5);
  (void)committing.on_published(5);
  EXPECT_EQ(text(committing.on_cancelled()), "stopped 4");
  EXPECT_TRUE(committing.cancelled());
  EXPECT_EQ(text(committing.on_committed(5, kStart + 10s)), "");
}

// The end has to wait for that commit in any case, and a job that has reached it was not cut off.
TEST(Coordinator, F06IsNotCancelledAnyMoreWhileTheSinksCommitItsLastCheckpoint) {
  Coordinator stopping = coordinator();
  (void)stopping.on_stop_requested(false, "", kStart);
  acknowledge_all(stopping, 5);
  (void)stopping.on_published(5);
  EXPECT_EQ(text(stopping.on_cancelled()), "");
  EXPECT_FALSE(stopping.cancelled());
  EXPECT_EQ(text(stopping.on_committed(5, kStart)), "collect garbage 5, stopped 5");

  Coordinator finishing = coordinator();
  for (const std::size_t task : {0, 1, 2}) (void)finishing.on_task_ended(task, false, kStart);
  acknowledge_all(finishing, 5);
  (void)finishing.on_published(5);
  EXPECT_EQ(text(finishing.on_cancelled()), "");
  EXPECT_EQ(text(finishing.on_committed(5, kStart)), "collect garbage 5, finished 5");
}

TEST(Coordinator, TakesNoCheckpointOfItsOwnAccordWhenTheIntervalIsZero) {
  Coordinator c = coordinator({.interval = 0s, .min_pause = 0s, .timeout = 60s, .tolerated_failures = 0});
  EXPECT_EQ(text(c.on_time(kStart + 1000h)), "");
  EXPECT_EQ(text(*c.on_stop_requested(false, "", kStart)), "begin 5 (stop)");
}

// Fault F48: two checkpoints x three tasks x abort, in every order that can happen.
class EveryOrder {
 public:
  struct World {
    Coordinator coordinator{{.interval = 1s, .min_pause = 0s, .timeout = 5s, .tolerated_failures = 9}, {"a", "b", "c"}, 1, 0, kStart};
    SteadyTime now = kStart;
    unsigned used = 0;                       // events that have happened
    std::set<std::size_t> acknowledged[3];   // by checkpoint
    bool begun[3] = {};
    bool aborted[3] = {};
    bool published[3] = {};
    bool committed[3] = {};
  };

  std::size_t explore(const World& world) {
    std::ostringstream key;
    key << world.used << "/" << static_cast<int>(world.coordinator.phase()) << "/" << world.coordinator.pending() << "/"
        << world.now.time_since_epoch().count();
    for (const CheckpointId id : {1U, 2U})
      key << world.acknowledged[id].size() << world.aborted[id] << world.published[id] << world.committed[id];
    for (const std::string& name : world.coordinator.missing()) key << name;
    if (!seen_.insert(key.str()).second) return 0;
    std::size_t worlds = 1;
    for (unsigned event = 0; event < 16; ++event) {
      if ((world.used >> event & 1U) != 0) continue;
      World next = world;
      next.used |= 1U << event;
      if (happen(next, event)) worlds += explore(next);
    }
    return worlds;
  }
  bool completed_second = false;

 private:
  // false: the event cannot happen here.
  bool happen(World& world, unsigned event) {
    Coordinator& c = world.coordinator;
    const CheckpointId pending = c.pending();
    if (event < 6) {   // task `event % 3` acknowledges checkpoint 1 or 2, as soon as it has begun and however late
      const CheckpointId id = event / 3 + 1;
      if (!world.begun[id]) return false;
      world.acknowledged[id].insert(event % 3);
      return apply(world, c.on_acknowledged(event % 3, id));
    }
    switch (event) {
      case 6: return world.begun[1] && apply(world, c.on_declined(1, 1, failure("declined")));
      case 7: return world.begun[2] && apply(world, c.on_declined(2, 2, failure("declined")));
      case 8:
      case 9:
      case 10: world.now += 2s; return apply(world, c.on_time(world.now));
      case 11: world.now += 5s; return apply(world, c.on_time(world.now));
      case 12:
      case 13:
        if (c.phase() != Phase::kAborting) return false;
        return apply(world, c.on_abort_settled(pending, world.now));
      default:
        if (c.phase() == Phase::kPublishing) {
          world.published[pending] = true;
          if (!apply(world, c.on_published(pending))) return false;
          return apply(world, c.on_committed(pending, world.now));
        }
        return false;
    }
  }

  bool apply(World& world, const CoordinatorActions& actions) {
    for (const CoordinatorAction& action : actions) {
      if (action.id > 2) return false;   // beyond what is explored
      switch (action.kind) {
        case Kind::kBegin:
          EXPECT_FALSE(world.begun[action.id]);
          for (const CheckpointId id : {1U, 2U}) EXPECT_TRUE(!world.begun[id] || world.aborted[id] || world.committed[id]) << "two pending";
          world.begun[action.id] = true;
          break;
        case Kind::kPublish:
          EXPECT_EQ(world.acknowledged[action.id].size(), 3U);
          EXPECT_FALSE(world.aborted[action.id]);
          EXPECT_EQ(action.previous, action.id == 2 && world.committed[1] ? 1U : 0U);
          break;
        case Kind::kCommit: EXPECT_TRUE(world.published[action.id]); break;
        case Kind::kCollectGarbage:
          world.committed[action.id] = true;
          completed_second |= action.id == 2;
          break;
        case Kind::kAbort:
          EXPECT_FALSE(world.published[action.id]);
          EXPECT_FALSE(world.aborted[action.id]);
          world.aborted[action.id] = true;
          break;
        default: ADD_FAILURE() << to_string(action.kind);
      }
    }
    return true;
  }

  std::set<std::string> seen_;
};

TEST(Coordinator, F48CompletesACheckpointByItsOwnAcknowledgementsOnlyInEveryOrder) {
  EveryOrder order;
  const std::size_t worlds = order.explore({});
  EXPECT_GT(worlds, 1000U);
  EXPECT_TRUE(order.completed_second);
}

}  // namespace
}  // namespace tidemark

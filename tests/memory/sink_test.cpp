#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tidemark/memory/callback.hpp>
#include <tidemark/memory/memory_sink.hpp>

#include "io_context.hpp"

namespace tidemark::memory_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Batch<int> batch_of(std::vector<int> values) {
  Batch<int> batch;
  batch.values.assign(values.begin(), values.end());
  return batch;
}

// One attempt of a job with one writer, against a sink that outlives it.
class Attempt {
 public:
  Attempt(const MemorySink<int>& sink, std::string lineage, std::uint64_t attempt) : Attempt(sink.sink(), std::move(lineage), attempt) {}
  Attempt(const Sink<int>& sink, std::string lineage, std::uint64_t attempt)
      : identity_{.job = "job", .lineage = std::move(lineage), .attempt = attempt, .sink = "out", .subtask = 0, .owner = attempt},
        writer_(*sink.base()->open_writer(io_, identity_)),
        committer_(*sink.base()->open_committer(io_, identity_)) {}

  void write(std::vector<int> values) { EXPECT_TRUE(writer_->write_batch(batch_of(std::move(values))).ok()); }
  Committable seal(CheckpointId epoch) { return {.subtask = 0, .epoch = epoch, .bytes = *writer_->seal(epoch)()}; }
  SinkCommitter& committer() { return *committer_; }

 private:
  IoContext io_ = io_context();
  SinkIdentity identity_;
  std::unique_ptr<SinkWriterBase> writer_;
  std::unique_ptr<SinkCommitter> committer_;
};

ErrorCode code_of(const Status& status) { return status.ok() ? ErrorCode{} : status.error().code; }

TEST(MemorySink, ShowsNothingBeforeTheCommit) {
  MemorySink<int> sink;
  Attempt job(sink, "a", 1);
  job.write({1, 2});
  EXPECT_THAT(sink.committed(), IsEmpty());
  const Committable first = job.seal(1);
  job.write({3});
  EXPECT_THAT(sink.committed(), IsEmpty());
  EXPECT_EQ(sink.prepared_records(), 2u);
  EXPECT_TRUE(job.committer().commit(1, 0, {first}).ok());
  EXPECT_THAT(sink.committed(), ElementsAre(1, 2));
  EXPECT_EQ(sink.committed_epoch(), 1u);
  EXPECT_EQ(sink.prepared_records(), 0u);
}

TEST(MemorySink, HasNothingToCommitForAnEpochWithoutRecords) {
  MemorySink<int> sink;
  Attempt job(sink, "a", 1);
  EXPECT_EQ(job.seal(1).bytes, "");
  EXPECT_TRUE(job.committer().commit(1, 0, {}).ok());
  EXPECT_EQ(*job.committer().committed_epoch(), 1u);
}

// R8
TEST(MemorySink, TakesAnEpochOnceHoweverOftenItIsCommitted) {
  MemorySink<int> sink;
  Attempt job(sink, "a", 1);
  job.write({1});
  const Committable first = job.seal(1);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(job.committer().commit(1, 0, {first}).ok());
  EXPECT_THAT(sink.committed(), ElementsAre(1));
}

// R8
TEST(MemorySink, RefusesToSkipAnEpochOrToGoBack) {
  MemorySink<int> sink;
  Attempt job(sink, "a", 1);
  job.write({1});
  const Committable first = job.seal(1);
  job.write({2});
  const Committable second = job.seal(2);
  EXPECT_EQ(code_of(job.committer().commit(2, 1, {second})), ErrorCode::kSinkEpochMismatch);
  EXPECT_TRUE(job.committer().commit(1, 0, {first}).ok());
  EXPECT_TRUE(job.committer().commit(2, 1, {second}).ok());
  EXPECT_EQ(code_of(job.committer().commit(1, 0, {first})), ErrorCode::kSinkEpochMismatch);
  EXPECT_EQ(code_of(job.committer().commit(4, 3, {})), ErrorCode::kSinkEpochMismatch);
  EXPECT_THAT(sink.committed(), ElementsAre(1, 2));
}

TEST(MemorySink, F08RefusesToGoOnWhereAnotherOwnerHasCommittedMeanwhile) {
  MemorySink<int> sink;
  Attempt paused(sink, "a", 1);
  EXPECT_TRUE(paused.committer().commit(1, 0, {}).ok());
  Attempt successor(sink, "a", 2);
  EXPECT_TRUE(successor.committer().commit(2, 1, {}).ok());
  EXPECT_EQ(code_of(paused.committer().commit(2, 1, {})), ErrorCode::kSinkEpochMismatch);
  EXPECT_EQ(code_of(paused.committer().commit(3, 2, {})), ErrorCode::kSinkEpochMismatch);
  EXPECT_TRUE(successor.committer().commit(3, 2, {}).ok());
}

// The checkpoint of epoch 1 failed: what was prepared for it is listed by the next one.
TEST(MemorySink, CommitsWhatAnEarlierEpochPrepared) {
  MemorySink<int> sink;
  Attempt job(sink, "a", 1);
  job.write({1});
  const Committable first = job.seal(1);
  job.write({2});
  const Committable second = job.seal(2);
  EXPECT_TRUE(job.committer().commit(2, 0, {first, second}).ok());
  EXPECT_THAT(sink.committed(), ElementsAre(1, 2));
}

TEST(MemorySink, F04LetsALaterAttemptCommitWhatTheManifestListsAndDropsTheRest) {
  MemorySink<int> sink;
  Committable listed;
  {
    Attempt crashed(sink, "a", 1);
    crashed.write({1});
    listed = crashed.seal(1);
    crashed.write({2});
    (void)crashed.seal(2);
    crashed.write({3});
  }
  Attempt next(sink, "a", 2);
  EXPECT_EQ(*next.committer().committed_epoch(), 0u);
  EXPECT_TRUE(next.committer().commit(1, 0, {listed}).ok());
  EXPECT_TRUE(next.committer().discard_unlisted().ok());
  EXPECT_EQ(sink.prepared_records(), 0u);
  next.write({2, 3});
  EXPECT_TRUE(next.committer().commit(2, 1, {next.seal(2)}).ok());
  EXPECT_THAT(sink.committed(), ElementsAre(1, 2, 3));
}

TEST(MemorySink, RefusesAnotherLineage) {
  MemorySink<int> sink;
  Attempt first(sink, "a", 1);
  EXPECT_TRUE(first.committer().commit(1, 0, {}).ok());
  Attempt other(sink, "b", 1);
  EXPECT_EQ(code_of(other.committer().committed_epoch().status()), ErrorCode::kSinkEpochMismatch);
  EXPECT_EQ(code_of(other.committer().commit(2, 1, {})), ErrorCode::kSinkEpochMismatch);
}

TEST(MemorySink, ChangesNothingWhenPreparedOutputIsGone) {
  MemorySink<int> sink;
  Attempt job(sink, "a", 1);
  job.write({1});
  const Committable first = job.seal(1);
  const Committable unknown{.subtask = 1, .epoch = 1, .bytes = "a/1/1/1"};
  EXPECT_EQ(code_of(job.committer().commit(1, 0, {first, unknown})), ErrorCode::kSinkFailed);
  EXPECT_THAT(sink.committed(), IsEmpty());
  EXPECT_TRUE(job.committer().commit(1, 0, {first}).ok());
  EXPECT_THAT(sink.committed(), ElementsAre(1));
}

TEST(CallbackSink, CallsTheFunctionForEveryRecord) {
  std::vector<int> seen;
  const auto sink = callback_sink<int>([&seen](const int& value) { seen.push_back(value); });
  EXPECT_EQ(sink.base()->guarantee(), SinkGuarantee::kAtLeastOnce);
  Attempt job(sink, "a", 1);
  job.write({1, 2});
  job.write({3});
  EXPECT_THAT(seen, ElementsAre(1, 2, 3));
  EXPECT_EQ(job.seal(1).bytes, "");
  EXPECT_TRUE(job.committer().commit(1, 0, {}).ok());
}

TEST(CallbackSink, CallsAFunctionThatTakesBatchesOncePerBatch) {
  std::vector<std::size_t> sizes;
  Attempt job(callback_sink<int>([&sizes](const Batch<int>& batch) { sizes.push_back(batch.size()); }), "a", 1);
  job.write({1, 2});
  job.write({3});
  EXPECT_THAT(sizes, ElementsAre(2, 1));
}

TEST(CallbackSink, GivesEachTaskAFunctionOfItsOwn) {
  std::vector<int> sums(2);
  const auto sink = callback_sink_by_task<int>([&sums](std::uint32_t subtask) {
    return [&sum = sums[subtask]](const int& value) { sum += value; };
  });
  const IoContext io = io_context();
  SinkIdentity identity;
  auto zero = *sink.base()->open_writer(io, identity);
  identity.subtask = 1;
  auto one = *sink.base()->open_writer(io, identity);
  EXPECT_TRUE(zero->write_batch(batch_of({1, 2})).ok());
  EXPECT_TRUE(one->write_batch(batch_of({10})).ok());
  EXPECT_THAT(sums, ElementsAre(3, 10));
}

}  // namespace
}  // namespace tidemark::memory_test

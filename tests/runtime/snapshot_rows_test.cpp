// Rows of a checkpoint on their way to row files: which files they make, and that the store gets all of them.

#include <algorithm>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/core/file_system.hpp>
#include <tidemark/state/store.hpp>

#include "src/snapshot_rows.hpp"
#include "../support/temporary_directory.hpp"

namespace tidemark {
namespace {

using namespace runtime_internal;
using Rows = std::map<Bytes, Bytes>;

Bytes key_of(int i) {
  Bytes key;
  append_u16_big_endian(key, 0);
  append_u64_big_endian(key, static_cast<std::uint64_t>(i));
  return key;
}

class RowsOfASnapshot : public ::testing::Test {
 protected:
  static constexpr std::size_t kPieces = 3;
  SnapshotRows& rows(std::size_t piece_bytes, std::size_t file_bytes) {
    rows_ = std::make_unique<SnapshotRows>(SnapshotRows::Options{.io = io_.get(),
                                                                 .files = &files,
                                                                 .stem = directory / "task",
                                                                 .pieces = {piece_bytes, file_bytes, kPieces},
                                                                 .memory = &memory,
                                                                 .on_caught_up = [] {}});
    return *rows_;
  }
  // The snapshot, when all parts of it are done.
  void begin(CheckpointId id) {
    done_ = {};
    work_ = std::make_shared<SnapshotWork>(TaskSnapshot{}, [this](TaskSnapshot snapshot, std::optional<Error> error) {
      done_.set_value({std::move(snapshot), std::move(error)});
    });
    rows_->begin(id, work_);
  }
  std::pair<TaskSnapshot, std::optional<Error>> finish(const Status& status = {}) {
    work_->finish(status);
    auto outcome = done_.get_future().get();
    std::sort(outcome.first.row_files.begin(), outcome.first.row_files.end());
    return outcome;
  }
  // As the store has them, which took the files in their order.
  Rows stored(const TaskSnapshot& snapshot) {
    auto store = create_store(files, directory / "live", {});
    EXPECT_TRUE(store.ok());
    std::vector<RowFile> row_files;
    for (const SnapshotFile& written : snapshot.row_files) row_files.push_back(written.file);
    EXPECT_TRUE((*store)->ingest(row_files).ok());
    Rows rows;
    EXPECT_TRUE((*store)->scan({}, [&](ByteView key, ByteView value) {
      rows.emplace(key, value);
      return Status{};
    }).ok());
    return rows;
  }

  // No thread of the pool writes until then.
  void hold_io(const std::shared_future<void>& until) {
    for (int i = 0; i < kThreads; ++i) io_->post([until] { until.wait(); });
  }

  FileSystem& files = posix_file_system();
  test_support::TemporaryDirectory directory;
  MemoryBudget memory{1 << 20, 1};

 private:
  static constexpr int kThreads = 2;
  std::unique_ptr<Jobs> io_ = core_internal::thread_jobs("io", kThreads);
  std::unique_ptr<SnapshotRows> rows_;
  std::shared_ptr<SnapshotWork> work_;
  std::promise<std::pair<TaskSnapshot, std::optional<Error>>> done_;
};

TEST_F(RowsOfASnapshot, MakeOneFileIfTheyAreFew) {
  SnapshotRows& out = rows(1 << 20, 1 << 20);
  begin(1);
  out.put(key_of(5), "early");
  out.set_in_turn(true);
  for (int i = 0; i < 5; ++i) out.put(key_of(i), "turn");
  out.hand_over(true);
  const auto [snapshot, error] = finish();
  EXPECT_FALSE(error);
  EXPECT_EQ(snapshot.row_files.size(), 1U);
  EXPECT_EQ(stored(snapshot).size(), 6U);
}

// Who encodes in steps stops then, so that no more than a piece comes to lie in memory at once.
TEST_F(RowsOfASnapshot, AreEnoughForAStepWhenTheyMakeAPiece) {
  CheckpointId checkpoint = 0;
  for (const std::size_t piece : {std::size_t{4096}, std::size_t{5} << 20}) {
    const std::size_t enough = std::max(piece, std::size_t{2} << 20);   // small pieces are gathered
    SnapshotRows& out = rows(piece, std::size_t{8} << 20);
    begin(++checkpoint);
    for (const bool in_turn : {true, false}) {
      out.set_in_turn(in_turn);
      for (int i = 0; i < 4; ++i) {
        EXPECT_FALSE(out.is_full());
        out.put(key_of(i), std::string(enough / 4, 'x'));
      }
      EXPECT_TRUE(out.is_full());
      out.hand_over(false);
      EXPECT_FALSE(out.is_full());
    }
    out.hand_over(true);
    EXPECT_FALSE(finish().second);
  }
}

TEST_F(RowsOfASnapshot, BeyondThoseThatPiecesAreToTakeAreChargedToTheMemoryOfTheJobUntilTheyAreWritten) {
  SnapshotRows& out = rows(4096, 1 << 20);
  begin(1);
  for (int i = 0; i < 100; ++i) {
    out.charge();
    EXPECT_EQ(memory.used() > 0, i * 1100 > 4096 * 3) << i << " before their turn";
    out.put(key_of(i), std::string(1082, 'x'));   // 1,100 bytes with what a row takes besides
  }
  std::promise<void> go_on;
  hold_io(go_on.get_future().share());
  out.hand_over(true);
  out.charge();
  EXPECT_GT(memory.used(), 90'000U);
  go_on.set_value();
  EXPECT_FALSE(finish().second);
  out.charge();
  EXPECT_EQ(memory.used(), 0U);
}

// What comes in its turn stays in one file, however small the pieces are; what comes before it would make that file overlap all others.
TEST_F(RowsOfASnapshot, ThatWereEncodedBeforeTheirTurnGoToFilesOfTheirOwn) {
  SnapshotRows& out = rows(4096, 1 << 20);
  begin(1);
  Rows expected;
  for (int i = 0; i < 4000; ++i) {
    out.set_in_turn(true);
    out.put(key_of(i), "turn " + std::to_string(i));
    expected[key_of(i)] = "turn " + std::to_string(i);
    out.set_in_turn(false);
    if (i % 40 == 0) {
      out.put(key_of(100'000 - i), "early");
      expected[key_of(100'000 - i)] = "early";
    }
    out.hand_over(false);
  }
  out.hand_over(true);
  const auto [snapshot, error] = finish();
  EXPECT_FALSE(error);
  const auto in_turn = [](const SnapshotFile& written) { return !written.early; };
  EXPECT_EQ(std::count_if(snapshot.row_files.begin(), snapshot.row_files.end(), in_turn), 1);
  EXPECT_GT(snapshot.row_files.size(), 1U);
  EXPECT_EQ(stored(snapshot), expected);
}

TEST_F(RowsOfASnapshot, MakeAsManyFilesAsTheirOrderAsksFor) {
  SnapshotRows& out = rows(2048, 1 << 20);
  begin(1);
  Rows expected;
  out.set_in_turn(true);
  for (int round = 0; round < 3; ++round) {   // three states, whose numbers descend
    for (int i = 0; i < 1000; ++i) {
      const Bytes key = key_of((2 - round) * 1000 + i);
      out.put(key, std::to_string(round));
      expected[key] = std::to_string(round);
      out.hand_over(false);
    }
  }
  out.hand_over(true);
  const auto [snapshot, error] = finish();
  EXPECT_FALSE(error);
  EXPECT_EQ(snapshot.row_files.size(), 3U);
  EXPECT_EQ(stored(snapshot), expected);
}

TEST_F(RowsOfASnapshot, AreBehindWhileAsManyPiecesAreOnTheirWayAsThereMayBe) {
  SnapshotRows& out = rows(1, 1 << 20);
  std::promise<void> disk;
  hold_io(disk.get_future().share());
  begin(1);
  out.set_in_turn(true);
  for (std::size_t i = 0; i < kPieces; ++i) {
    EXPECT_FALSE(out.is_behind()) << i;
    out.put(key_of(static_cast<int>(i)), "turn");
    out.hand_over(false);
  }
  EXPECT_TRUE(out.is_behind());
  out.hand_over(true);
  disk.set_value();
  EXPECT_EQ(stored(finish().first).size(), kPieces);
  EXPECT_FALSE(out.is_behind());
}

TEST_F(RowsOfASnapshot, LeaveNoFileIfTheCheckpointIsGivenUp) {
  SnapshotRows& out = rows(1024, 4096);
  begin(1);
  out.set_in_turn(true);
  for (int i = 0; i < 500; ++i) {
    out.put(key_of(i), "turn");
    out.hand_over(false);
  }
  out.give_up();
  const auto [snapshot, error] = finish(Error{.code = ErrorCode::kCheckpointFailed, .message = "given up"});
  EXPECT_TRUE(error);
  // Complete ones are the control thread's.
  for (const SnapshotFile& written : snapshot.row_files) (void)files.remove_file(written.file.path).ok();
  const auto left = files.list(directory.path());
  ASSERT_TRUE(left.ok());
  EXPECT_TRUE(left->empty());

  begin(2);   // and the next one holds nothing of it
  out.put(key_of(1), "new");
  out.hand_over(true);
  EXPECT_EQ(stored(finish().first), (Rows{{key_of(1), "new"}}));
}

}  // namespace
}  // namespace tidemark

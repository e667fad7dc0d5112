// A machine whose time of day jumps (fault F23): whatever it says, a job takes the same steps, writes the same output and keeps the same
// checkpoints, since only the date in a manifest is told from it.

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <tidemark/checkpoint/checkpoint_store.hpp>

#include "../runtime/payments.hpp"
#include "watched.hpp"

namespace tidemark::simulation {
namespace {

using namespace payments;
using namespace std::chrono_literals;
using WallTime = std::chrono::system_clock::time_point;

const Splits kSplits = make_payments(23, 3, 200);

// Whoever asks for the time of day gets the next of these, over and over; time-outs have the clock of the world.
class JumpingClock final : public Clock {
 public:
  JumpingClock(const Clock& world, std::vector<Duration> jumps) : world_(world), jumps_(std::move(jumps)) {}

  std::chrono::steady_clock::time_point steady_now() const override { return world_.steady_now(); }
  WallTime wall_now() const override { return world_.wall_now() + jumps_[asked_++ % jumps_.size()]; }
  std::size_t asked() const { return asked_; }

 private:
  const Clock& world_;
  std::vector<Duration> jumps_;
  mutable std::size_t asked_ = 0;
};

struct Life {
  std::vector<std::string> trace;
  std::vector<std::vector<CheckpointId>> kept;   // after each process
  std::map<CheckpointId, WallTime> dates;        // of the checkpoints that were there then
  std::vector<Line> lines, late;
  std::uint64_t failed_checkpoints = 0;
  std::size_t asked = 0;                         // how often, for the time of day
};

// A job in five processes, four of which die: in the middle of a checkpoint, of a commit, of a deletion, and in a start.
Life live(std::vector<Duration> jumps) {
  Life life;
  Simulation world{23};
  const MemorySink<Line> lines;
  const MemorySink<Line> late;
  const JumpingClock clock{*world.options().clock, std::move(jumps)};
  struct Death {
    std::size_t after;
    const char* line;
  };
  for (const Death& death : {Death{3, "rename /state/checkpoints/"}, Death{4, "commit lines "}, Death{5, "remove_file /state/checkpoints/"},
                             Death{6, "start "}, Death{0, ""}}) {
    world.let_live();
    if (death.after != 0) world.cut_after(death.after, death.line);
    RuntimeOptions options = world.options();
    options.clock = &clock;
    options.parallelism = 2;
    options.checkpoint_every = 2ms;
    options.checkpoint_timeout = 5ms;   // the disk is sometimes slower than that
    options.tolerated_checkpoint_failures = 100;
    options.max_batch = 10;
    std::optional<JobResult> result;
    {
      auto runtime = Runtime::start(make_graph(paced(memory_source(kSplits), {.records = 3, .pause = 2ms}),
                                               watched(world, "lines", lines.sink()), watched(world, "late", late.sink())),
                                    options);
      if (runtime.ok()) {
        result = world.run(**runtime);
        life.failed_checkpoints += (*runtime)->snapshot().failed_checkpoints;
      }
    }
    EXPECT_EQ(world.cut(), death.after != 0) << death.line;
    EXPECT_FALSE(world.stuck());
    EXPECT_EQ(result && result->state == JobState::kFinished, death.after == 0);
    const auto found = read_state_directory(world.disk(), "/state");
    life.kept.emplace_back();
    for (const FoundCheckpoint& checkpoint : found->checkpoints) {
      life.kept.back().push_back(checkpoint.id);
      if (checkpoint.manifest != nullptr) life.dates[checkpoint.id] = checkpoint.manifest->created;
    }
  }
  life.trace = world.trace();
  life.lines = sorted(lines.committed());
  life.late = sorted(late.committed());
  life.asked = clock.asked();
  return life;
}

bool ascend(const std::map<CheckpointId, WallTime>& dates) {
  return std::is_sorted(dates.begin(), dates.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
}

TEST(ClockThatJumps, F23ChangesNeitherAStepNorTheOutputNorWhichCheckpointsAreKept) {
  const Life quiet = live({Duration{0}});
  const Expected expected = model(kSplits);
  EXPECT_EQ(quiet.lines, expected.lines);
  EXPECT_EQ(quiet.late, expected.late);
  EXPECT_GT(quiet.asked, 20u);
  EXPECT_GT(quiet.failed_checkpoints, 0u);
  EXPECT_GT(quiet.kept.back().front(), 1u) << "old checkpoints are deleted";
  EXPECT_TRUE(ascend(quiet.dates));

  const Duration to_1970 = -std::chrono::duration_cast<Duration>(std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}.time_since_epoch());
  for (const auto& jumps : std::vector<std::vector<Duration>>{{1h, -1h}, {0h, to_1970}, {to_1970, 1h, 0h, -1h, 24h * 36500}}) {
    const Life life = live(jumps);
    EXPECT_FALSE(ascend(life.dates)) << "the clock has jumped between two checkpoints";
    EXPECT_EQ(life.lines, expected.lines);
    EXPECT_EQ(life.late, expected.late);
    EXPECT_EQ(life.kept, quiet.kept);
    EXPECT_EQ(life.failed_checkpoints, quiet.failed_checkpoints);
    const auto differs = std::mismatch(life.trace.begin(), life.trace.end(), quiet.trace.begin(), quiet.trace.end());
    EXPECT_TRUE(differs.first == life.trace.end() && differs.second == quiet.trace.end())
        << (differs.first == life.trace.end() ? "nothing" : *differs.first) << " instead of "
        << (differs.second == quiet.trace.end() ? "nothing" : *differs.second);
  }
}

}  // namespace
}  // namespace tidemark::simulation

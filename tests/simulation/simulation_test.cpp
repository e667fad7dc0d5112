// The whole runtime on one thread, driven by a seed, in virtual time: whatever the order in which its loops and jobs take their turns, and
// wherever its process is cut off, the committed output is that of the model (promises 1, 2; faults F01, F03, F04; K5).

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <iostream>
#include <set>

#include <tidemark/checkpoint/checkpoint_store.hpp>

#include "../runtime/payments.hpp"
#include "simulation.hpp"

namespace tidemark::payments {
void PrintTo(const Line& line, std::ostream* out) { *out << line.key << ": " << line.text; }
}  // namespace tidemark::payments

namespace tidemark::simulation {
namespace {

using namespace payments;
using namespace std::chrono_literals;

#if defined(__SANITIZE_ADDRESS__)
constexpr std::uint64_t kSeeds = 20;   // instrumented code is slow
#else
constexpr std::uint64_t kSeeds = 150;
#endif

const Splits kSplits = make_payments(31, 3, 200);
const Expected kExpected = model(kSplits);

// Calls test(seed) for the seed in TIDEMARK_SEED, or for as many as TIDEMARK_SEEDS says. The command that repeats a failure is printed
// with it. How many there were.
template <class Test>
std::uint64_t for_each_seed(std::uint64_t seeds, Test test) {
  std::uint64_t first = 0;
  if (const char* count = std::getenv("TIDEMARK_SEEDS")) seeds = std::strtoull(count, nullptr, 10);
  if (const char* one = std::getenv("TIDEMARK_SEED")) {
    first = std::strtoull(one, nullptr, 10);
    seeds = 1;
  }
  const auto began = std::chrono::steady_clock::now();
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    test(seed);
    if (!testing::Test::HasFailure()) continue;
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    ADD_FAILURE() << "repeat it with: TIDEMARK_SEED=" << seed << " " << program_invocation_name
                  << " --gtest_filter=" << info->test_suite_name() << "." << info->name();
    return seed - first + 1;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::cout << seeds << " seeds, " << static_cast<double>(seeds) / took.count() << " per second\n";
  return seeds;
}

std::uint32_t one_to(std::uint32_t most, Random& random) { return 1 + static_cast<std::uint32_t>(random.next() % most); }

// The payments job in a world of its own, whose processes come and go.
class PaymentsWorld {
 public:
  explicit PaymentsWorld(std::uint64_t seed) : of_two_sources_(seed % 2 == 1), choice_(~seed), world(seed) {}

  // A process that is let live.
  void live(std::uint32_t parallelism) {
    world.let_live();
    EXPECT_TRUE(run(parallelism, parallelism)) << "it ended before the end of the input";
  }
  // Process after process, each at a parallelism of its own (K5). Some are cut off, anywhere or at a chosen kind of step (faults F01, F03,
  // F04), some meet a step of the disk that fails (F11-F14), some are asked for something (F06), some all of that; the last one is let
  // live.
  void live_on(int processes) {
    for (bool done = false; !done && !testing::Test::HasFailure();) {
      world.let_live();
      request_ = Request::kNone;
      if (--processes > 0) draw_a_fate();
      const std::uint32_t parallelism = one_to(4, choice_);
      done = run(parallelism, one_to(parallelism, choice_));
      EXPECT_TRUE(done || processes > 0) << "it ended before the end of the input";
      if (world.cut()) last_lines.insert(world.trace().back().substr(kWhoInALine));
      expect_whole_checkpoints();
      expect_nothing_but_output_of_the_model();
    }
  }
  void expect_the_output_of_the_model() const {
    EXPECT_EQ(sorted(lines_.committed()), kExpected.lines);
    EXPECT_EQ(sorted(late_.committed()), kExpected.late);
  }

 private:
  enum class Request : std::uint8_t { kNone, kSavepoint, kStop, kCancel };
  static constexpr std::size_t kWhoInALine = 16;

  void draw_a_fate() {
    static constexpr const char* kLines[] = {"commit ", "committed ",     "rename", "link",
                                             "remove",  "sync_directory", "start",  "tidemark-store"};
    static constexpr const char* kSteps[] = {"append", "sync", "rename", "link", "remove", "/rows/", "/store/", "/checkpoints/"};
    if (one_to(3, choice_) == 1) world.cut_after(one_to(2500, choice_));
    if (one_to(3, choice_) == 1) world.cut_after(one_to(one_to(12, choice_), choice_), kLines[one_to(std::size(kLines), choice_) - 1]);
    if (one_to(3, choice_) == 1) world.fail_after(one_to(1500, choice_));
    if (one_to(3, choice_) == 1) world.fail_after(one_to(40, choice_), kSteps[one_to(std::size(kSteps), choice_) - 1]);
    if (one_to(4, choice_) == 1) {
      request_ = static_cast<Request>(one_to(3, choice_));
      turns_to_request_ = one_to(1500, choice_);
    }
  }
  // One process. Whether the job is done.
  bool run(std::uint32_t parallelism, std::uint32_t workers) {
    auto runtime = start(parallelism, workers);
    if (!runtime.ok()) {
      EXPECT_TRUE(world.cut() || world.failed()) << runtime.error().describe();
      return false;
    }
    std::optional<CheckpointAnswer> answer;
    const auto result = world.run(**runtime, [&] {
      if (request_ == Request::kNone || turns_to_request_-- != 0) return;
      if (request_ == Request::kSavepoint) answer = (*runtime)->request_savepoint("savepoint-" + std::to_string(++savepoints_));
      if (request_ == Request::kStop) answer = (*runtime)->request_stop();
      if (request_ == Request::kCancel) (*runtime)->request_cancel();
    });
    const JobSnapshot figures = (*runtime)->snapshot();
    checkpoints += figures.checkpoints;
    failed_checkpoints += figures.failed_checkpoints;
    if (!result) return false;
    // Whatever has become of the job, whoever asked has an answer.
    EXPECT_TRUE(!answer || answer->wait_for(0s) == std::future_status::ready);
    EXPECT_TRUE(result->state != JobState::kFailed || world.failed()) << result->error->describe();
    return result->state == JobState::kFinished || result->state == JobState::kAlreadyFinished;
  }
  Result<std::unique_ptr<Runtime>> start(std::uint32_t parallelism, std::uint32_t workers) {
    RuntimeOptions options = world.options();
    options.parallelism = parallelism;
    options.workers = workers;
    options.checkpoint_every = std::chrono::milliseconds{one_to(4, choice_)};
    options.checkpoint_timeout = 5ms;   // the disk is sometimes slower than that
    options.tolerated_checkpoint_failures = 100;
    options.max_batch = 10;
    options.queue_bytes = 1 << 10;
    return Runtime::start(graph(world.watch("lines", lines_.sink()), world.watch("late", late_.sink())), options);
  }
  Graph graph(const Sink<Line>& lines, const Sink<Line>& late) const {
    const auto source = [](Splits splits) { return paced(memory_source(std::move(splits)), {.records = 15, .pause = 1ms}); };
    if (!of_two_sources_) return make_graph(source(kSplits), lines, late);
    return make_graph_of_two(source({kSplits[0], kSplits[1]}), source({kSplits[2]}), lines, late);
  }
  // Every checkpoint that looks complete is so to the last byte (invariant I4), and only names of the layout are there.
  void expect_whole_checkpoints() {
    const std::string directory = world.options().state_directory;
    if (*world.disk().kind(directory) == FileKind::kAbsent) return;
    const auto facts = read_state_directory(world.disk(), directory);
    ASSERT_TRUE(facts.ok()) << facts.error().describe();
    for (const FoundCheckpoint& found : facts->checkpoints) {
      ASSERT_TRUE(found.damage.ok()) << found.damage.error().describe();
      if (found.manifest == nullptr) continue;
      const Status whole = verify_checkpoint_in(world.disk(), checkpoint_path(directory, found.id), *found.manifest);
      ASSERT_TRUE(whole.ok()) << whole.error().describe();
    }
    EXPECT_TRUE(facts->unknown.empty()) << facts->unknown.front();
  }
  // At any time (invariant I2).
  void expect_nothing_but_output_of_the_model() const {
    const auto lines = sorted(lines_.committed());
    const auto late = sorted(late_.committed());
    EXPECT_TRUE(std::includes(kExpected.lines.begin(), kExpected.lines.end(), lines.begin(), lines.end()));
    EXPECT_TRUE(std::includes(kExpected.late.begin(), kExpected.late.end(), late.begin(), late.end()));
  }

  const bool of_two_sources_;
  SeededRandom choice_;   // of what is done to the job; the world's own decides about turns alone
  Request request_ = Request::kNone;
  std::uint32_t turns_to_request_ = 0;
  int savepoints_ = 0;
  MemorySink<Line> lines_;
  MemorySink<Line> late_;

 public:
  Simulation world;
  std::uint64_t checkpoints = 0;
  std::uint64_t failed_checkpoints = 0;
  std::set<std::string> last_lines;   // of the processes that were cut off, from who on
};

TEST(Simulation, OfOneSeedGivesOneTraceToTheByte) {
  for_each_seed(kSeeds / 10, [](std::uint64_t seed) {
    PaymentsWorld one(seed);
    one.live_on(4);
    PaymentsWorld other(seed);
    other.live_on(4);
    const auto& trace = one.world.trace();
    const auto differs = std::mismatch(trace.begin(), trace.end(), other.world.trace().begin(), other.world.trace().end());
    if (differs.first != trace.end()) ADD_FAILURE() << "was: " << *differs.first;
    if (differs.second != other.world.trace().end()) ADD_FAILURE() << "is:  " << *differs.second;
  });
}

TEST(Simulation, OfManySeedsGivesManyTracesAndOneOutput) {
  std::set<std::vector<std::string>> traces;
  std::uint64_t checkpoints = 0;
  for_each_seed(kSeeds, [&](std::uint64_t seed) {
    PaymentsWorld job(seed);
    const auto parallelism = static_cast<std::uint32_t>(1 + seed % 4);
    job.live(parallelism);
    job.expect_the_output_of_the_model();
    checkpoints += job.checkpoints;
    EXPECT_TRUE(traces.insert(job.world.trace()).second) << "the trace of another seed";
  });
  EXPECT_TRUE(traces.size() == 1 || checkpoints > 3 * traces.size()) << checkpoints;
}

TEST(Simulation, OfAJobThatIsCutOffAgainAndAgainEndsWithTheOutputOfTheModel) {
  std::set<std::string> last_lines;
  std::uint64_t failed_checkpoints = 0;
  const std::uint64_t seeds = for_each_seed(kSeeds, [&](std::uint64_t seed) {
    PaymentsWorld job(seed);
    job.live_on(8);
    job.expect_the_output_of_the_model();
    last_lines.merge(job.last_lines);
    failed_checkpoints += job.failed_checkpoints;
  });
  if (seeds < 150) return;
  // Sometimes a checkpoint fails and its job goes on, and a process dies in each of these places.
  EXPECT_GT(failed_checkpoints, 0U);
  for (const char* place : {"start ", "worker ", "tidemark-io ", "tidemark-store ", "control        rename", "control        commit lines",
                            "control        committed lines", "control        remove", "start          commit"}) {
    EXPECT_TRUE(std::any_of(last_lines.begin(), last_lines.end(), [&](const auto& line) { return line.starts_with(place); })) << place;
  }
}

}  // namespace
}  // namespace tidemark::simulation

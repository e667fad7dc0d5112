#include "world.hpp"

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <utility>
#include <vector>

#include <tidemark/checkpoint/layout.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/core/hash.hpp>
#include <tidemark/core/random.hpp>

#include "../support/faulty_file_system.hpp"
#include "logged_file_system.hpp"

namespace tidemark::proof {

namespace {

using namespace std::chrono_literals;

constexpr double kPace = 5000;   // records of a split in a second, so that the unbroken run has a few checkpoints
constexpr auto kEvery = 6ms;     // from one of them to the next
constexpr auto kLongest = 60s;   // a job that takes longer hangs

// Time passes, and no file has the hour in it.
class ClockWithoutDate final : public Clock {
 public:
  std::chrono::steady_clock::time_point steady_now() const override { return system_clock().steady_now(); }
  std::chrono::system_clock::time_point wall_now() const override { return {}; }
};
const ClockWithoutDate kClock{};

void must(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.error().describe());
}

RuntimeOptions options_of(const Scenario& scenario, const std::string& root, FileSystem& files) {
  RuntimeOptions options;
  options.state_directory = root + "/state";
  options.parallelism = scenario.parallelism;
  options.workers = 1;
  options.memory = scenario.memory;
  options.max_batch = 20;
  options.files_to_merge = scenario.files_to_merge;
  options.tolerated_checkpoint_failures = 0;
  options.logger = Logger::silent();
  options.files = &files;
  options.clock = &kClock;
  return options;
}

std::vector<std::string> earlier_attempts(const std::string& state) {
  std::vector<std::string> directories;
  const std::string live = all_live_path(state);
  if (!std::filesystem::is_directory(live)) return directories;
  for (const auto& entry : std::filesystem::directory_iterator(live)) directories.push_back(entry.path().string());
  return directories;
}

std::string problem_of(const std::optional<JobResult>& result) {
  if (!result) return "it does not end";
  if (result->error) return result->error->describe();
  return result->state == JobState::kCancelled ? "it was cancelled" : "";
}

}  // namespace

World::World(const Tree& tree) {
  const std::string memory = "/dev/shm";
  const std::string parent = std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path().string();
  root_ = join_path(parent, "tidemark-proof-" + std::to_string(system_random().next()));
  must(posix_file_system().make_directory(root_));
  must(write_tree(tree, root_));
}

World::~World() { (void)remove_tree(posix_file_system(), root_).ok(); }

Tree World::tree() const {
  Result<Tree> tree = read_tree(root_);
  must(tree.status());
  return *std::move(tree);
}

World::Run World::record(const Scenario& scenario, Log& log) {
  test_support::FaultyFileSystem faulty(posix_file_system());
  if (scenario.one_fails) {
    faulty.inject({.steps = static_cast<test_support::Steps>(test_support::Step::kCreate), .first = 1, .on_path_with = "/.manifest."});
  }
  LoggedFileSystem files(faulty, root_);
  RuntimeOptions options = options_of(scenario, root_, files);
  if (scenario.one_fails) options.tolerated_checkpoint_failures = 1;
  options.checkpoint_every = kEvery;
  Run run;
  {
    auto runtime = Runtime::start(scenario.graph(input_of(scenario), kPace, root_ + "/out"), options);
    if (!runtime.ok()) return {.problem = runtime.error().describe()};
    if (scenario.savepoint) {
      const bool taken = (*runtime)->request_savepoint("one").get().ok();
      const bool stopped = (*runtime)->request_stop({.label = "two"}).get().ok();
      run.ended_early = !taken || !stopped;
    }
    run.problem = problem_of((*runtime)->wait_for(kLongest));
    run.checkpoints = (*runtime)->snapshot().checkpoints;
    run.failed = (*runtime)->snapshot().failed_checkpoints;
  }
  log = files.take_log();
  return run;
}

World::Run World::recover(const Scenario& scenario, std::size_t crashes, Log* log, const Start& start) {
  const std::string state = join_path(root_, start.state);
  WatchedFileSystem watched(posix_file_system(), earlier_attempts(state));
  LoggedFileSystem logged(watched, root_);
  SameLocksFileSystem plain(watched, start.state);
  FileSystem& files = log != nullptr ? static_cast<FileSystem&>(logged) : plain;
  RuntimeOptions options = options_of(scenario, root_, files);
  options.state_directory = state;
  options.from = start.from;
  options.fork_lineage = start.fork_lineage;
  SeededRandom random(hash_bytes(start.state, crashes));
  options.random = &random;
  options.checkpoint_every = 0ms;
  options.parallelism = scenario.parallelism_after;
  Run run;
  {
    auto runtime = Runtime::start(scenario.graph(input_of(scenario), 0, join_path(root_, start.out)), options);
    if (!runtime.ok()) return {.problem = runtime.error().describe(), .refused = runtime.error().code};
    run.restored = (*runtime)->start_report().restored_checkpoint;
    const std::optional<JobResult> result = (*runtime)->wait_for(kLongest);
    run.problem = problem_of(result);
    run.checkpoints = (*runtime)->snapshot().checkpoints;
    run.at_rest = result && result->state == JobState::kFinished;
  }
  if (watched.looked_back() && run.problem.empty()) run.problem = "a file of an earlier attempt was read";
  if (log != nullptr) *log = logged.take_log();
  return run;
}

void World::copy_directory(const std::string& from, const std::string& to) {
  std::filesystem::copy(join_path(root_, from), join_path(root_, to), std::filesystem::copy_options::recursive);
}

std::string World::try_savepoints(const Scenario& scenario) {
  SameLocksFileSystem files(posix_file_system());
  for (const char* label : {"one", "two"}) {
    const std::string savepoint = root_ + "/state/savepoints/" + label;
    if (!std::filesystem::exists(savepoint)) continue;
    RuntimeOptions options = options_of(scenario, root_, files);
    options.state_directory = root_ + "/fork-" + label;
    options.from = {.kind = RestoreFrom::Kind::kDirectory, .name = savepoint};
    options.fork_lineage = true;
    {
      const auto runtime = Runtime::start(scenario.graph(input_of(scenario), 0, options.state_directory + "-out"), options);
      if (!runtime.ok()) return std::string{"savepoint "} + label + ": " + runtime.error().describe();
    }
    must(remove_tree(posix_file_system(), options.state_directory));
    must(remove_tree(posix_file_system(), options.state_directory + "-out"));
  }
  return "";
}

}  // namespace tidemark::proof

#include "plan.hpp"

#include <algorithm>
#include <iterator>

#include <tidemark/core/random.hpp>

namespace tidemark::simulation {

namespace {

using Kind = Misfortune::Kind;

// What the turning points of a checkpoint, a commit and a recovery have in the trace.
constexpr const char* kLines[] = {"rename",         "link",          "remove", "sync_directory", "start ", "tidemark-store",
                                  "rename /state/", "rename_new /out/", "/out/.", "manifest",       "/checkpoints/"};
constexpr const char* kSteps[] = {"append", "sync", "rename", "link", "remove", "/rows/", "/store/", "/checkpoints/", "/out/"};
constexpr std::size_t kMostProcesses = 6;

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}
  std::size_t one_to(std::size_t most) { return 1 + random_.next() % most; }
  bool one_in(std::size_t times) { return one_to(times) == 1; }
  template <class T, std::size_t N>
  const T& of(const T (&these)[N]) {
    return these[one_to(N) - 1];
  }

 private:
  SeededRandom random_;
};

std::vector<Misfortune> misfortunes(Draw& draw) {
  std::vector<Misfortune> drawn;
  if (draw.one_in(3)) drawn.push_back({.kind = Kind::kCut, .after = draw.one_to(draw.one_to(1600))});
  if (draw.one_in(2)) drawn.push_back({.kind = Kind::kCut, .after = draw.one_to(draw.one_to(12)), .text = draw.of(kLines)});
  if (draw.one_in(4)) drawn.push_back({.kind = Kind::kFailure, .after = draw.one_to(1000)});
  if (draw.one_in(4)) drawn.push_back({.kind = Kind::kFailure, .after = draw.one_to(40), .text = draw.of(kSteps)});
  if (draw.one_in(4)) {
    static constexpr Kind kRequests[] = {Kind::kSavepoint, Kind::kSavepoint, Kind::kStop, Kind::kStop, Kind::kDrainedStop, Kind::kCancel};
    drawn.push_back({.kind = draw.of(kRequests), .after = draw.one_to(draw.one_to(800))});
  }
  return drawn;
}

}  // namespace

std::optional<Plan> plan_of(std::uint64_t seed, const Changes& changes) {
  Draw draw(~seed);   // the seed itself decides about turns
  Plan plan{.seed = seed, .job = proof::scenarios()[draw.one_to(proof::scenarios().size()) - 1]};
  if (!changes.job.empty()) {
    const auto& jobs = proof::scenarios();
    const auto found = std::find_if(jobs.begin(), jobs.end(), [&](const proof::Scenario& job) { return job.name == changes.job; });
    if (found == jobs.end()) return std::nullopt;
    plan.job = *found;
  }
  // Few, for many seeds; and sometimes many.
  static constexpr std::size_t kRecords[] = {20, 30, 50, 50, 100, 100, 160, 400};
  static constexpr double kPaces[] = {4'000, 15'000, 40'000};
  static constexpr proof::Variant kOnlyKilled[] = {proof::Variant::kV1};
  const bool evicts = plan.job.memory != 0;
  const std::size_t records = evicts ? 400 : draw.of(kRecords);   // of few all would fit
  plan.input = payments::make_payments(seed, plan.job.splits, changes.records.value_or(records), plan.job.disorder);
  plan.pace = draw.of(kPaces);
  const bool loses_power = draw.one_in(2);
  const std::size_t processes = draw.one_to(kMostProcesses);
  for (std::size_t i = 0; i < processes; ++i) {
    ProcessPlan process{.parallelism = static_cast<std::uint32_t>(draw.one_to(4))};
    process.workers = static_cast<std::uint32_t>(draw.one_to(process.parallelism));
    // More tasks than one need more memory, and then all fits.
    if (evicts || plan.job.one_task) process.parallelism = process.workers = 1;
    process.checkpoint_every = std::chrono::milliseconds{draw.one_to(4)};
    for (const Misfortune& misfortune : misfortunes(draw)) {
      process.misfortunes.push_back(plan.misfortunes.size());
      plan.misfortunes.push_back(misfortune);
    }
    process.variant = loses_power ? draw.of(proof::kVariants) : draw.of(kOnlyKilled);
    process.crash_seed = draw.one_to(SIZE_MAX);
    plan.processes.push_back(process);
  }
  // Of few files all jobs have enough; as many as in production only long ones have.
  static constexpr std::uint32_t kFilesToMerge[] = {2, 3, 8, 0};
  for (ProcessPlan& process : plan.processes) process.files_to_merge = draw.of(kFilesToMerge);
  if (changes.processes) plan.processes.resize(std::clamp<std::size_t>(*changes.processes, 1, processes));
  plan.processes.back().misfortunes.clear();
  for (ProcessPlan& process : plan.processes) {
    std::erase_if(process.misfortunes, [&](std::size_t number) { return changes.without.contains(number); });
  }
  return plan;
}

std::string command_of(std::uint64_t seed, const Changes& changes) {
  std::string command = "simulate --seed " + std::to_string(seed);
  if (!changes.job.empty()) command += " --job " + changes.job;
  if (changes.records) command += " --records " + std::to_string(*changes.records);
  if (changes.processes) command += " --processes " + std::to_string(*changes.processes);
  for (const std::size_t number : changes.without) {
    command += (number == *changes.without.begin() ? " --without " : ",") + std::to_string(number);
  }
  return command + " --trace";
}

}  // namespace tidemark::simulation

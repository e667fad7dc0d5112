// The simulation as a program: many worlds, one for each seed. Its last line has the numbers; it ends with 1 if anything failed. A failure
// is made as small as it can be, and is printed with the command that repeats it.

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include <tidemark/core/detail/situations.hpp>

#include "trial.hpp"

namespace {

using namespace tidemark;
using namespace tidemark::simulation;
using core_internal::kSituations;

constexpr const char* kUsage =
    "usage: simulate [--seeds N] [--from SEED] [--job NAME] [--jobs-in-parallel K] [--until-failure] [--situations]\n"
    "       simulate --seed SEED [--job NAME] [--records N] [--processes N] [--without N,N...] [--trace]     what a failure prints\n";
constexpr std::uint64_t kRunTwice = 100;     // one seed of so many
constexpr unsigned kLongestSeconds = 120;    // for one seed, shrinking included; a world that takes longer hangs
constexpr std::uint64_t kMostShrunk = 5;     // failures of one process

struct Arguments {
  std::uint64_t seeds = 1000;
  std::uint64_t from = 0;
  std::uint64_t in_parallel = 1;
  bool one = false;
  bool trace = false;
  bool until_failure = false;   // and that one as it is
  bool situations = false;      // all of detail/situations.hpp must be met
  Changes changes{};
};

std::optional<std::uint64_t> number_of(const std::string& text) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<Arguments> parse(int argc, char** argv) {
  Arguments arguments;
  const std::vector<std::string> words(argv + 1, argv + argc);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& name = words[i];
    if (name == "--trace") {
      arguments.trace = true;
      continue;
    }
    if (name == "--until-failure") {
      arguments.until_failure = true;
      continue;
    }
    if (name == "--situations") {
      if (!core_internal::kLooksForSituations) return std::nullopt;   // the preset `planted` does
      arguments.situations = true;
      continue;
    }
    if (++i == words.size()) return std::nullopt;
    const std::string& value = words[i];
    if (name == "--job") {
      arguments.changes.job = value;
      continue;
    }
    if (name == "--without") {
      for (std::size_t begin = 0; begin <= value.size();) {
        const std::size_t end = std::min(value.find(',', begin), value.size());
        const auto one = number_of(value.substr(begin, end - begin));
        if (!one) return std::nullopt;
        arguments.changes.without.insert(*one);
        begin = end + 1;
      }
      continue;
    }
    const auto number = number_of(value);
    if (!number) return std::nullopt;
    if (name == "--seed") {
      arguments.one = true;
      arguments.from = *number;
      arguments.seeds = 1;
    } else if (name == "--seeds") {
      arguments.seeds = *number;
    } else if (name == "--from") {
      arguments.from = *number;
    } else if (name == "--jobs-in-parallel" && *number > 0) {
      arguments.in_parallel = *number;
    } else if (name == "--records") {
      arguments.changes.records = *number;
    } else if (name == "--processes") {
      arguments.changes.processes = *number;
    } else {
      return std::nullopt;
    }
  }
  if (!plan_of(0, arguments.changes)) return std::nullopt;
  return arguments;
}

void report(std::uint64_t seed, const Changes& changes, const std::string& problem) {
  std::fprintf(stderr, "FAILED: seed %llu, job %s: %s\n  %s\n", static_cast<unsigned long long>(seed),
               plan_of(seed, changes)->job.name, problem.c_str(), command_of(seed, changes).c_str());
}

// How far a process has come, for the one that waits for it.
struct Progress {
  std::uint64_t next = 0;   // seed
  std::uint64_t tried = 0;
  std::uint64_t failed = 0;
  std::uint32_t situations = 0;   // met
};

// Whether this seed's world is as it must be; otherwise it is reported.
bool try_seed(std::uint64_t seed, const Changes& changes, bool may_shrink) {
  const Plan plan = *plan_of(seed, changes);
  const Outcome outcome = try_plan(plan);
  if (!outcome.problem.empty()) {
    const Changes smallest = may_shrink ? shrink(seed, changes) : changes;
    report(seed, smallest, try_plan(*plan_of(seed, smallest)).problem);
    return false;
  }
  if (seed % kRunTwice != 0 || try_plan(plan).trace == outcome.trace) return true;
  report(seed, changes, "a second run has another trace");
  return false;
}

// From progress.next on, as many seeds apart as there are processes.
void try_seeds(const Arguments& arguments, Progress& progress) {
  for (; progress.next < arguments.from + arguments.seeds; progress.next += arguments.in_parallel) {
    if (arguments.until_failure && progress.failed > 0) return;
    alarm(kLongestSeconds);
    const bool passed = try_seed(progress.next, arguments.changes, !arguments.until_failure && progress.failed < kMostShrunk);
    progress.failed += passed ? 0 : 1;
    progress.situations |= core_internal::met_situations();
    ++progress.tried;
  }
}

// Processes of their own: what a world does to its process, such as a broken invariant that aborts it, is the failure of one seed.
class Workers {
 public:
  explicit Workers(const Arguments& arguments) : arguments_(arguments) {
    void* shared = mmap(nullptr, arguments.in_parallel * sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
      std::perror("mmap");
      std::_Exit(2);
    }
    progress_ = static_cast<Progress*>(shared);
    for (std::uint64_t i = 0; i < arguments.in_parallel; ++i) {
      progress_[i] = {.next = arguments.from + i};
      children_.push_back(spawn(i));
    }
  }

  int run() {
    const auto began = std::chrono::steady_clock::now();
    for (std::size_t left = children_.size(); left > 0;) {
      int status = 0;
      const pid_t ended = waitpid(-1, &status, WNOHANG);
      if (ended == 0) {
        usleep(200'000);
        say_how_far(began);
        continue;
      }
      const auto i = static_cast<std::uint64_t>(std::find(children_.begin(), children_.end(), ended) - children_.begin());
      if (WIFEXITED(status)) {
        --left;
        continue;
      }
      Progress& progress = progress_[i];
      report(progress.next, arguments_.changes, WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status)));
      progress.next += arguments_.in_parallel;
      ++progress.failed;
      ++progress.tried;
      children_[i] = spawn(i);
    }
    const bool all_met = !arguments_.situations || report_missing();
    std::printf("seeds %llu · failed %llu", static_cast<unsigned long long>(sum().tried), static_cast<unsigned long long>(sum().failed));
    if (arguments_.situations) std::printf(" · sometimes %d of %zu reached", std::popcount(sum().situations), std::size(kSituations));
    std::printf("\n");
    return sum().failed == 0 && all_met ? 0 : 1;
  }

 private:
  pid_t spawn(std::uint64_t i) {
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child != 0) return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);   // nobody would hear of what it finds
    try_seeds(arguments_, progress_[i]);
    std::fflush(nullptr);
    std::_Exit(0);
  }
  Progress sum() const {
    Progress sum;
    for (std::uint64_t i = 0; i < arguments_.in_parallel; ++i) {
      sum.tried += progress_[i].tried;
      sum.failed += progress_[i].failed;
      sum.situations |= progress_[i].situations;
    }
    return sum;
  }
  // Whether nothing is missing.
  bool report_missing() const {
    bool all = true;
    for (std::size_t i = 0; i < std::size(kSituations); ++i) {
      if ((sum().situations >> i & 1U) != 0) continue;
      std::printf("never reached: %s\n", kSituations[i]);
      all = false;
    }
    return all;
  }
  void say_how_far(std::chrono::steady_clock::time_point began) {
    const Progress now = sum();
    if (now.tried < said_ + 1000) return;
    said_ = now.tried;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    std::fprintf(stderr, "%llu of %llu seeds, %.0f per second, failed %llu\n", static_cast<unsigned long long>(now.tried),
                 static_cast<unsigned long long>(arguments_.seeds), static_cast<double>(now.tried) / took.count(),
                 static_cast<unsigned long long>(now.failed));
  }

  const Arguments arguments_;
  Progress* progress_ = nullptr;
  std::vector<pid_t> children_;
  std::uint64_t said_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const std::optional<Arguments> arguments = parse(argc, argv);
  if (!arguments) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (!arguments->one) return Workers(*arguments).run();
  const Outcome outcome = try_plan(*plan_of(arguments->from, arguments->changes), arguments->trace);
  if (!outcome.problem.empty()) report(arguments->from, arguments->changes, outcome.problem);
  std::printf("seeds 1 · failed %d\n", outcome.problem.empty() ? 0 : 1);
  return outcome.problem.empty() ? 0 : 1;
}

// Runs random jobs as processes of their own and does to them what machines and people do: kills, freezes, stops and starves them, and
// starts them again. What they have committed is compared with the model after every death.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <tidemark/checkpoint/checkpoint_store.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/core/random.hpp>

#include "../proof/judge.hpp"
#include "../proof/tree.hpp"
#include "trends.hpp"
#include "victim.hpp"

namespace tidemark::torture {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kLongestJob = 120s;
constexpr std::size_t kLeastMemory[] = {std::size_t{1} << 20, std::size_t{4} << 20, std::size_t{12} << 20};   // by parallelism
constexpr std::size_t kMuchMemory = std::size_t{64} << 20;
constexpr auto kLongestStop = 20s;   // from SIGTERM to the end of the process
// Growth over the run beyond which the exit status is 1, in runs of at least ten minutes.
const std::map<std::string, double> kMostGrowth{{"memory", 0.05}, {"descriptors", 0.05}, {"disk", 0.10}, {"checkpoint", 0.25}};

struct Settings {
  double minutes = 1;
  std::uint64_t seed = 1;
  std::uint64_t first = 0;            // job
  std::string directory = ".";
  std::uint64_t at_least = 0;         // kills
};

struct Counts {
  std::uint64_t jobs = 0;
  std::uint64_t kills = 0;
  std::uint64_t frozen = 0;
  std::uint64_t stops = 0;
  std::uint64_t full_disks = 0;
  std::uint64_t lost = 0;
  std::uint64_t doubled = 0;
  std::uint64_t late_changed = 0;
  std::string problem{};
};

// A small disk of its own for a job, where this user may have one: that can be full.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& directory) : directory_(directory) {
    mounted_ = ::mount("tmpfs", directory_.c_str(), "tmpfs", 0, "size=96m") == 0;
  }
  ~SmallDisk() {
    if (mounted_) (void)::umount2(directory_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  void fill() const {
    const int file = ::open(filler().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return;
    const std::vector<char> block(1 << 16);
    while (::write(file, block.data(), block.size()) > 0) {
    }
    ::close(file);
  }
  void free() const { (void)::unlink(filler().c_str()); }

 private:
  std::string filler() const { return directory_ + "/filler"; }
  std::string directory_;
  bool mounted_ = false;
};

std::optional<double> resident_mib(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::strtod(line.c_str() + 6, nullptr) / 1024;
  }
  return std::nullopt;
}
std::optional<double> descriptors(pid_t process) {
  DIR* directory = ::opendir(("/proc/" + std::to_string(process) + "/fd").c_str());
  if (directory == nullptr) return std::nullopt;
  double count = -2;   // "." and ".."
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}
double bytes_in(const std::string& directory) {
  double bytes = 0;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(directory, error)) {
    if (entry.is_regular_file(error)) bytes += static_cast<double>(entry.file_size(error));
  }
  return bytes;
}
// The checkpoint that the next start goes on from. 0: there is none.
CheckpointId newest_checkpoint(const std::string& state_directory) {
  CheckpointId newest = 0;
  const auto facts = read_state_directory(posix_file_system(), state_directory);
  if (!facts.ok()) return newest;
  for (const FoundCheckpoint& found : facts->checkpoints) newest = found.manifest == nullptr ? newest : found.id;
  return newest;
}
std::vector<double> numbers_in(const std::string& path) {
  std::ifstream file(path);
  return {std::istream_iterator<double>(file), {}};
}

// The figures of one job.
struct Means {
  void add(double value) {
    sum += value;
    ++count;
  }
  double sum = 0;
  double count = 0;
};

class Torturer {
 public:
  explicit Torturer(Settings settings) : settings_(std::move(settings)) {}

  int run() {
    const auto until = started_ + std::chrono::duration<double>(settings_.minutes * 60);
    for (std::uint64_t number = settings_.first; SteadyClock::now() < until && counts_.problem.empty(); ++number) {
      torture(number);
      if (++counts_.jobs % 20 == 0) std::fprintf(stderr, "%s\n", summary().c_str());
    }
    bool growing = false;
    std::string trends;
    for (const auto& [name, limit] : kMostGrowth) {
      const Trend trend = trends_[name].trend();
      char text[80];
      std::snprintf(text, sizeof text, " %s %+.1f%%±%.1f", name.c_str(), trend.growth * 100, trend.uncertainty * 100);
      trends += text;
      growing = growing || (settings_.minutes >= 10 && trend.exceeds(limit));
    }
    if (!counts_.problem.empty()) std::fprintf(stderr, "%s\n", counts_.problem.c_str());
    std::printf("%s · growth over the run:%s\n", summary().c_str(), trends.c_str());
    const bool enough = counts_.kills >= settings_.at_least;
    if (!enough) std::fprintf(stderr, "fewer than %llu kills\n", static_cast<unsigned long long>(settings_.at_least));
    return counts_.problem.empty() && !growing && enough ? 0 : 1;
  }

 private:
  std::string summary() const {
    const double minutes = std::chrono::duration<double>(SteadyClock::now() - started_).count() / 60;
    char text[300];
    std::snprintf(text, sizeof text, "minutes %.1f · jobs %llu · kills %llu · frozen %llu · stops %llu · full disks %llu · lost %llu · "
                                     "doubled %llu · late changed %llu",
                  minutes, static_cast<unsigned long long>(counts_.jobs), static_cast<unsigned long long>(counts_.kills),
                  static_cast<unsigned long long>(counts_.frozen), static_cast<unsigned long long>(counts_.stops),
                  static_cast<unsigned long long>(counts_.full_disks), static_cast<unsigned long long>(counts_.lost),
                  static_cast<unsigned long long>(counts_.doubled), static_cast<unsigned long long>(counts_.late_changed));
    return text;
  }

  // One job from its beginning to the end of its input.
  void torture(std::uint64_t number) {
    random_.emplace(settings_.seed * 1'000'003 + number);
    const auto& scenarios = proof::scenarios();
    const std::string home = settings_.directory + "/torture-" + std::to_string(::getpid()) + "-" + std::to_string(number);
    job_ = {.scenario = &scenarios[number % scenarios.size()], .seed = random_->next(), .directory = home + "/disk"};
    figures_ = home + "/figures";
    fs::create_directories(job_.directory);
    fs::permissions(job_.directory, fs::perms::owner_all);
    const bool small = below(3) == 0;
    {
      std::optional<SmallDisk> disk;
      if (small) disk.emplace(job_.directory);
      disk_ = disk && disk->mounted() ? &*disk : nullptr;
      expected_ = job_.scenario->model(input_of(job_));
      seen_ = {};
      figures_of_job_.clear();
      const SteadyClock::time_point begin = SteadyClock::now();
      while (counts_.problem.empty() && !live_once()) {
        if (SteadyClock::now() - begin > kLongestJob) complain("it does not come to its end");
      }
      if (counts_.problem.empty()) judge_the_end();
      if (!counts_.problem.empty()) {
        counts_.problem += "\nagain: torture --seed " + std::to_string(settings_.seed) + " --first " + std::to_string(number) +
                           " (scenario " + job_.scenario->name + "); what it left: " + home;
        if (disk_ != nullptr) fs::copy(job_.directory, home + "/left", fs::copy_options::recursive);
        return;
      }
    }
    const double now = std::chrono::duration<double>(SteadyClock::now() - started_).count();
    for (const double ms : numbers_in(figures_)) figures_of_job_["checkpoint"].add(ms);
    for (const auto& [name, means] : figures_of_job_) trends_[name].add(job_.scenario->name, now, means.sum / means.count);
    fs::remove_all(home);
  }

  // One process, from its start to its death. true: the input has ended.
  bool live_once() {
    const auto parallelism = job_.scenario->one_task ? 1 : 1 + static_cast<std::uint32_t>(below(3));
    const std::size_t memory = job_.scenario->memory > 0 ? kLeastMemory[parallelism - 1] : kMuchMemory * below(2);
    const Life life{.parallelism = parallelism, .memory = memory, .figures = figures_};
    restored_ = newest_checkpoint(job_.directory + "/state");
    const pid_t process = begin(life);
    if (process < 0) return complain("no process: " + std::string(std::strerror(errno)));

    bool disk_was_full = false;
    std::optional<int> status;
    const SteadyClock::time_point begin = SteadyClock::now();
    const auto wait = [&](std::chrono::milliseconds time) {
      const auto until = SteadyClock::now() + time;
      while (!status && SteadyClock::now() < until) {
        std::this_thread::sleep_for(10ms);
        int now = 0;
        if (::waitpid(process, &now, WNOHANG) == process) {
          status = now;
        } else if (SteadyClock::now() - begin > 200ms) {
          if (const auto mib = resident_mib(process)) figures_of_job_["memory"].add(*mib);
          if (const auto count = descriptors(process)) figures_of_job_["descriptors"].add(*count);
        }
      }
    };
    bool killed = false;
    const auto kill = [&] {
      ::kill(process, SIGKILL);
      killed = true;
    };
    wait(std::chrono::milliseconds{1 + below(below(4) == 0 ? 40 : 900)});
    const std::uint64_t choice = below(20);
    if (status) {
    } else if (choice < 3) {
      ++counts_.stops;
      ::kill(process, SIGTERM);
      wait(kLongestStop);
      if (!status) complain("it does not stop");
    } else if (choice < 6) {
      ++counts_.frozen;
      ::kill(process, SIGSTOP);
      wait(std::chrono::milliseconds{50 + below(300)});
      ::kill(process, SIGCONT);
      wait(std::chrono::milliseconds{below(300)});
    } else if (choice < 11 && disk_ != nullptr) {
      ++counts_.full_disks;
      disk_was_full = true;
      disk_->fill();
      wait(std::chrono::milliseconds{50 + below(300)});
      if (below(2) == 0) disk_->free();   // and it goes on by itself
      wait(std::chrono::milliseconds{below(300)});
    }
    if (!status) {
      kill();
      int now = 0;
      ::waitpid(process, &now, 0);
      status = now;
    }
    if (disk_was_full) disk_->free();
    counts_.kills += killed ? 1 : 0;

    figures_of_job_["disk"].add(bytes_in(job_.directory + "/state"));
    look_at_output();
    if (WIFSIGNALED(*status)) return killed ? false : complain("it died of signal " + std::to_string(WTERMSIG(*status)));
    if (WEXITSTATUS(*status) == kFailed && !disk_was_full) return complain("it failed");
    at_rest_ = WEXITSTATUS(*status) == kInputEnded;
    return at_rest_ || WEXITSTATUS(*status) == kHadEnded;
  }

  // A program of its own and no fork alone, which would have the memory of this one too.
  pid_t begin(const Life& life) const {
    std::vector<std::string> words{"torture", "live", "--scenario", job_.scenario->name, "--job-seed", std::to_string(job_.seed),
                                   "--job-directory", job_.directory, "--parallelism", std::to_string(life.parallelism), "--memory",
                                   std::to_string(life.memory), "--figures", life.figures};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::fflush(nullptr);
    // Inherited, so that a SIGTERM that comes before live() waits for it.
    sigset_t terminate;
    sigset_t before;
    sigemptyset(&terminate);
    sigaddset(&terminate, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &terminate, &before);
    const pid_t process = ::fork();
    if (process == 0) {
      ::execv("/proc/self/exe", arguments.data());
      ::_exit(kFailed);
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return process;
  }

  // What is visible is part of what there will be, and none of it goes away.
  void look_at_output() {
    proof::Tree tree;
    const auto out = proof::read_tree(job_.directory + "/out");
    if (!out.ok()) return;   // no process has come so far as to make it
    for (const auto& [path, contents] : *out) tree["out/" + path] = contents;
    for (const auto& [path, contents] : seen_.results) {
      const auto found = tree.find(path);
      if (found == tree.end() || *found->second != *contents) complain(path + ", which was visible, was withdrawn");
    }
    seen_.add(proof::seen_in(tree));
    for (const auto& [sink, lines] : proof::output_of(tree)) {
      std::vector<std::string> extra;
      const auto& all = expected_[sink];
      std::set_difference(lines.begin(), lines.end(), all.begin(), all.end(), std::back_inserter(extra));
      if (extra.empty()) continue;
      (sink.starts_with("late") ? counts_.late_changed : counts_.doubled) += extra.size();
      complain("sink " + sink + " has \"" + extra.front() + "\", which it should not, or not once more");
    }
  }

  void judge_the_end() {
    const auto tree = proof::read_tree(job_.directory);
    if (!tree.ok()) return (void)complain(tree.error().describe());
    const proof::Verdict verdict = proof::judge(expected_, seen_, seen_.committed, *tree);
    counts_.lost += verdict.lost;
    counts_.doubled += verdict.doubled;
    counts_.late_changed += verdict.late_changed;
    if (!verdict.ok()) complain("at the end:" + verdict.describe());
    if (const std::string left = proof::leftover(*tree, restored_); at_rest_ && !left.empty()) complain("at the end " + left);
  }

  bool complain(const std::string& what) {
    if (counts_.problem.empty()) counts_.problem = what;
    return false;
  }
  std::uint64_t below(std::uint64_t end) { return random_->next() % end; }

  const Settings settings_;
  const SteadyClock::time_point started_ = SteadyClock::now();
  Counts counts_;
  std::map<std::string, Trends> trends_;

  // Of the job under way.
  std::optional<SeededRandom> random_;
  Job job_;
  std::string figures_;
  SmallDisk* disk_ = nullptr;
  proof::Output expected_;
  proof::Seen seen_;
  CheckpointId restored_ = 0;   // by its last process
  bool at_rest_ = false;        // that one has tidied up
  std::map<std::string, Means> figures_of_job_;
};

}  // namespace
}  // namespace tidemark::torture

int main(int argc, char** argv) {
  using namespace tidemark::torture;
  Settings settings;
  CLI::App app{"Random jobs as real processes, killed, frozen, stopped and starved of disk at random moments"};
  app.add_option("--minutes", settings.minutes, "How long; growth is judged from ten on")->capture_default_str();
  app.add_option("--seed", settings.seed, "Of the choices; their moments are the machine's")->capture_default_str();
  app.add_option("--first", settings.first, "Number of the first job")->capture_default_str();
  app.add_option("--directory", settings.directory, "On the disk to be used")->capture_default_str();
  app.add_option("--at-least", settings.at_least, "Kills, or the exit status is 1")->capture_default_str();

  CLI::App& victim = *app.add_subcommand("live", "One process of a job, as this program starts them")->group("");
  Job job;
  Life life;
  std::string scenario;
  victim.add_option("--scenario", scenario)->required();
  victim.add_option("--job-seed", job.seed)->required();
  victim.add_option("--job-directory", job.directory)->required();
  victim.add_option("--parallelism", life.parallelism)->required();
  victim.add_option("--memory", life.memory)->required();
  victim.add_option("--figures", life.figures)->required();
  CLI11_PARSE(app, argc, argv);

  if (!victim.parsed()) return Torturer{settings}.run();
  for (const auto& known : tidemark::proof::scenarios()) {
    if (known.name == scenario) job.scenario = &known;
  }
  if (job.scenario == nullptr) {
    std::fprintf(stderr, "there is no scenario \"%s\"\n", scenario.c_str());
    return kFailed;
  }
  return live(job, life);
}

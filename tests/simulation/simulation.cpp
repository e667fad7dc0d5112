#include "simulation.hpp"

#include <algorithm>
#include <cstdio>

#include <tidemark/core/check.hpp>

namespace tidemark::simulation {

using core_internal::Loop;

namespace {
constexpr std::size_t kLongestTrace = 2'000'000;   // lines; a run of a test has some thousands

}  // namespace

class Simulation::Runner final : public core_internal::LoopRunner {
 public:
  Runner(Simulation& world, std::string name, Loop& loop) : world_(world), name_(std::move(name)), loop_(loop) {
    world_.runners_.push_back(this);
  }
  ~Runner() override {
    join();
    std::erase(world_.runners_, this);
  }

  void start() override { started_ = true; }
  // Of a loop that was told to end. It may wait for others first: for a commit under way.
  void join() override {
    while (started_ && !loop_.ended()) {
      if (awake_) {
        step();
      } else {
        TIDEMARK_CHECK(world_.go_on(), name_ + " is waited for, and nothing goes on");
      }
    }
  }
  bool is_current() const override { return in_step_; }
  void wake_if_asleep() override { awake_ = true; }

  bool can_step() const { return started_ && !in_step_ && !loop_.ended() && (awake_ || (wake_at_ && *wake_at_ <= world_.clock_.now)); }
  // When the loop goes on by itself.
  std::optional<std::chrono::nanoseconds> wake_at() const {
    return started_ && !in_step_ && !loop_.ended() && !awake_ ? wake_at_ : std::nullopt;
  }
  void step() {
    world_.as(name_, "step", [this] {
      in_step_ = true;
      awake_ = true;
      const bool progress = loop_.step();
      in_step_ = false;
      // As a thread goes to sleep: it looks once more, and what comes after that must wake it.
      if (progress || loop_.ended() || loop_.ready()) return;
      awake_ = false;
      const auto pause = loop_.pause();
      wake_at_ = pause ? std::optional{world_.clock_.now + *pause} : std::nullopt;
    });
  }

 private:
  Simulation& world_;
  const std::string name_;
  Loop& loop_;
  bool started_ = false;
  bool in_step_ = false;
  bool awake_ = true;
  std::optional<std::chrono::nanoseconds> wake_at_;
};

class Simulation::Queue final : public core_internal::Jobs {
 public:
  Queue(Simulation& world, std::string name) : world_(world), name_(std::move(name)) { world_.queues_.push_back(this); }
  ~Queue() override {
    join();
    std::erase(world_.queues_, this);
  }

  void join() override {
    while (!jobs_.empty()) run(world_.random_.next() % jobs_.size());
  }
  bool is_current() const override { return running_; }
  void add_choices(std::vector<Choice>& found) {
    for (std::size_t job = 0; job < jobs_.size(); ++job) {
      if (jobs_[job].at <= world_.clock_.now) found.push_back({.queue = this, .job = job});
    }
  }
  // When the next job may run that may not yet.
  std::optional<std::chrono::nanoseconds> next_at() const {
    std::optional<std::chrono::nanoseconds> next;
    for (const Job& job : jobs_) {
      if (!next || job.at < *next) next = job.at;
    }
    return next;
  }
  void run(std::size_t index) {
    const Job job = std::move(jobs_[index]);
    jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(index));
    const bool before = std::exchange(running_, true);
    world_.as(name_, "job " + std::to_string(job.number), job.work);
    running_ = before;
  }

 private:
  struct Job {
    std::uint64_t number = 0;
    std::chrono::nanoseconds at{};
    std::function<void()> work;
  };
  // The disk is slow for some of them, for as long as a few checkpoints take.
  void post_shared(std::function<void()> job) override {
    const bool slow = world_.random_.next() % 8 == 0;
    const std::chrono::microseconds wait{slow ? world_.random_.next() % 8000 : 0};
    jobs_.push_back({++posted_, world_.clock_.now + wait, std::move(job)});
  }

  Simulation& world_;
  const std::string name_;
  std::vector<Job> jobs_;
  bool running_ = false;
  std::uint64_t posted_ = 0;
};

Simulation::Simulation(std::uint64_t seed)
    : random_(seed), logged_(disk_, ""), files_(logged_, [this](const std::string& step) { return note_disk_step(step); }) {}
Simulation::~Simulation() { TIDEMARK_CHECK(runners_.empty() && queues_.empty(), "a Runtime outlives its world"); }

RuntimeOptions Simulation::options() {
  RuntimeOptions options;
  options.state_directory = "/state";
  options.logger = Logger::silent();
  options.files = &files_;
  options.clock = &clock_;
  options.random = &random_;
  options.executor = this;
  options.step_warning = {};   // nobody hangs in a world of one thread, and a watchdog would keep one going that is stuck
  return options;
}

std::unique_ptr<core_internal::LoopRunner> Simulation::runner(std::string name, Loop& loop) {
  return std::make_unique<Runner>(*this, std::move(name), loop);
}
std::unique_ptr<core_internal::Jobs> Simulation::jobs(const char* name, int) { return std::make_unique<Queue>(*this, name); }
void Simulation::cut_after(std::size_t lines, std::string with) { death_ = {lines, std::move(with)}; }

void Simulation::fail_after(std::size_t steps, std::string with) { failure_ = {steps, std::move(with)}; }

void Simulation::let_live() {
  death_ = failure_ = {};
  cut_ = failed_ = false;
}

void Simulation::lose_power(proof::Variant variant, std::uint64_t seed) {
  for (const proof::Operation& operation : logged_.take_log()) lasting_.apply(operation);
  const proof::Tree left = lasting_.crash(variant, seed);
  lasting_ = proof::Disk(left);
  disk_.hold(left);
}

std::optional<JobResult> Simulation::run(Runtime& runtime, const std::function<void()>& between) {
  while (runtime.snapshot().state == JobState::kRunning) {
    if (cut()) return std::nullopt;
    between();
    stuck_ = !go_on() || trace_.size() > kLongestTrace;
    if (stuck_) return std::nullopt;
  }
  if (cut()) return std::nullopt;
  return runtime.wait();
}

std::vector<Simulation::Choice> Simulation::choices() const {
  std::vector<Choice> found;
  for (Runner* runner : runners_) {
    if (runner->can_step()) found.push_back({.runner = runner});
  }
  for (Queue* queue : queues_) queue->add_choices(found);
  return found;
}

bool Simulation::pass_time() {
  std::optional<std::chrono::nanoseconds> next;
  const auto take = [&](std::optional<std::chrono::nanoseconds> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  for (const Runner* runner : runners_) take(runner->wake_at());
  for (const Queue* queue : queues_) take(queue->next_at());
  if (next) clock_.now = *next;
  return next.has_value();
}

bool Simulation::go_on() {
  std::vector<Choice> found = choices();
  if (found.empty() && pass_time()) found = choices();
  if (found.empty()) return false;
  const Choice& chosen = found[random_.next() % found.size()];
  if (chosen.runner != nullptr) {
    chosen.runner->step();
  } else {
    chosen.queue->run(chosen.job);
  }
  return true;
}

template <class Work>
void Simulation::as(const std::string& who, const std::string& what, Work work) {
  const std::string before = std::exchange(who_, who);
  (void)note(what).ok();
  work();
  who_ = before;
}

Status Simulation::note(const std::string& what) {
  if (cut()) return Error{.code = ErrorCode::kStorageFailed, .message = "the process is dead"};
  char head[64];
  const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(clock_.now - VirtualClock{}.now);
  std::snprintf(head, sizeof head, "%6zu %8lld %-14s ", trace_.size(), static_cast<long long>(passed.count()), who_.c_str());
  trace_.push_back(head + what);
  if (prints_) std::puts(trace_.back().c_str());
  cut_ = death_.due_with(trace_.back());
  return {};
}

Status Simulation::note_disk_step(const std::string& what) {
  if (leaves_out_reads_ && !cut() && what.starts_with("read ") && what.find("/live/") != std::string::npos) return {};
  TIDEMARK_TRY(note(what));
  if (!failure_.due_with(what)) return {};
  failed_ = true;
  (void)note("which is refused").ok();
  return Error{.code = ErrorCode::kStorageFailed, .message = "refused: " + what};
}

}  // namespace tidemark::simulation

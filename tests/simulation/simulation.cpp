#include "simulation.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <gtest/gtest.h>

#include <tidemark/core/check.hpp>

namespace tidemark::simulation {

using core_internal::Loop;

namespace {
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::size_t kLongestTrace = 2'000'000;   // lines; a run of a test has some thousands

// Bounded by time as sources of the world are: they have a few records, and then for a while none.
class PacedReader final : public SplitReaderBase {
 public:
  PacedReader(const Clock& clock, Pace pace, std::unique_ptr<SplitReaderBase> under)
      : clock_(clock), pace_(pace), next_(clock.steady_now()), under_(std::move(under)) {}
  Result<PollResult> poll_into(BatchBase& out, std::size_t max_records, std::vector<Refused>& refused) override {
    const auto now = clock_.steady_now();
    if (now < next_) return PollResult::kNothingNow;
    next_ = now + pace_.pause;
    return under_->poll_into(out, std::min(max_records, pace_.records), refused);
  }
  Bytes position() const override { return under_->position(); }
  std::chrono::milliseconds poll_again_after() const override { return pace_.pause; }

 private:
  const Clock& clock_;
  const Pace pace_;
  SteadyTime next_;
  std::unique_ptr<SplitReaderBase> under_;
};

class PacedSource final : public SourceBase {
 public:
  PacedSource(Pace pace, std::shared_ptr<SourceBase> under) : pace_(pace), under_(std::move(under)) {}
  std::string describe() const override { return under_->describe(); }
  bool bounded() const override { return under_->bounded(); }
  Result<std::vector<std::string>> splits(const IoContext& io) override { return under_->splits(io); }
  Result<std::unique_ptr<SplitReaderBase>> open_split(const IoContext& io, const std::string& split, const Bytes& position) override {
    TIDEMARK_ASSIGN(auto reader, under_->open_split(io, split, position));
    return std::unique_ptr<SplitReaderBase>(std::make_unique<PacedReader>(io.clock, pace_, std::move(reader)));
  }

 private:
  const Pace pace_;
  std::shared_ptr<SourceBase> under_;
};

}  // namespace

std::shared_ptr<SourceBase> paced(std::shared_ptr<SourceBase> source, Pace pace) {
  return std::make_shared<PacedSource>(pace, std::move(source));
}

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
  // Only for a loop that was told to end and needs nobody else for it.
  void join() override {
    while (started_ && !loop_.ended()) {
      step();
      TIDEMARK_CHECK(awake_ || loop_.ended(), name_ + " is waited for, and waits for others");
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
    world_.as(name_, "job " + std::to_string(job.number), job.work);
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
  std::uint64_t posted_ = 0;
};

class Simulation::WatchedCommitter final : public SinkCommitter {
 public:
  WatchedCommitter(Simulation& world, std::string name, std::unique_ptr<SinkCommitter> under)
      : world_(world), name_(std::move(name)), under_(std::move(under)) {}
  Result<CheckpointId> committed_epoch() override { return under_->committed_epoch(); }
  Status commit(CheckpointId epoch, CheckpointId previous, const std::vector<Committable>& committables) override {
    const std::string what = name_ + " " + std::to_string(epoch);
    TIDEMARK_TRY(world_.note("commit " + what));
    TIDEMARK_TRY(under_->commit(epoch, previous, committables));
    return world_.note("committed " + what);
  }
  Status discard_unlisted() override {
    TIDEMARK_TRY(world_.note("discard " + name_));
    return under_->discard_unlisted();
  }

 private:
  Simulation& world_;
  std::string name_;
  std::unique_ptr<SinkCommitter> under_;
};

class Simulation::WatchedSink final : public SinkBase {
 public:
  WatchedSink(Simulation& world, std::string name, std::shared_ptr<SinkBase> under)
      : world_(world), name_(std::move(name)), under_(std::move(under)) {}
  std::string describe() const override { return under_->describe(); }
  SinkGuarantee guarantee() const override { return under_->guarantee(); }
  Result<std::unique_ptr<SinkWriterBase>> open_writer(const IoContext& io, const SinkIdentity& identity) override {
    return under_->open_writer(io, identity);
  }
  Result<std::unique_ptr<SinkCommitter>> open_committer(const IoContext& io, const SinkIdentity& identity) override {
    TIDEMARK_ASSIGN(auto committer, under_->open_committer(io, identity));
    return std::unique_ptr<SinkCommitter>(std::make_unique<WatchedCommitter>(world_, name_, std::move(committer)));
  }

 private:
  Simulation& world_;
  std::string name_;
  std::shared_ptr<SinkBase> under_;
};

Simulation::Simulation(std::uint64_t seed)
    : random_(seed), files_(disk_, [this](const std::string& step) { return note_disk_step(step); }) {}
Simulation::~Simulation() { TIDEMARK_CHECK(runners_.empty() && queues_.empty(), "a Runtime outlives its world"); }

RuntimeOptions Simulation::options() {
  RuntimeOptions options;
  options.state_directory = "/state";
  options.logger = Logger::silent();
  options.files = &files_;
  options.clock = &clock_;
  options.random = &random_;
  options.executor = this;
  return options;
}

std::unique_ptr<core_internal::LoopRunner> Simulation::runner(std::string name, Loop& loop) {
  return std::make_unique<Runner>(*this, std::move(name), loop);
}
std::unique_ptr<core_internal::Jobs> Simulation::jobs(const char* name, int) { return std::make_unique<Queue>(*this, name); }
std::shared_ptr<SinkBase> Simulation::watched(std::string name, std::shared_ptr<SinkBase> sink) {
  return std::make_shared<WatchedSink>(*this, std::move(name), std::move(sink));
}

void Simulation::cut_after(std::size_t lines, std::string with) { death_ = {lines, std::move(with)}; }

void Simulation::fail_after(std::size_t steps, std::string with) { failure_ = {steps, std::move(with)}; }

void Simulation::let_live() {
  death_ = failure_ = {};
  cut_ = failed_ = false;
}

std::optional<JobResult> Simulation::run(Runtime& runtime, const std::function<void()>& between) {
  while (runtime.snapshot().state == JobState::kRunning) {
    if (cut()) return std::nullopt;
    between();
    if (!go_on() || trace_.size() > kLongestTrace) {
      ADD_FAILURE() << "the job neither ends nor goes on, after " << (trace_.empty() ? "nothing" : trace_.back());
      return std::nullopt;
    }
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
  if (std::getenv("TIDEMARK_TRACE") != nullptr) std::puts(trace_.back().c_str());
  cut_ = death_.due_with(trace_.back());
  return {};
}

Status Simulation::note_disk_step(const std::string& what) {
  TIDEMARK_TRY(note(what));
  if (!failure_.due_with(what)) return {};
  failed_ = true;
  (void)note("which is refused").ok();
  return Error{.code = ErrorCode::kStorageFailed, .message = "refused: " + what};
}

}  // namespace tidemark::simulation

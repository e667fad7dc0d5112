// What a job does with more than it can take: a sink that is slow or hangs, bursts, one key with nearly all records, records of a hundred
// megabytes, a million timers at one instant, a window that fires for ten million keys. Each case is a job with checkpoints in a process of
// its own, and a small stream beside it says how long a record waits for its turn meanwhile.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <tidemark/file/lines.hpp>
#include <tidemark/file/pace.hpp>
#include <tidemark/memory/callback.hpp>
#include <tidemark/memory/generator.hpp>
#include <tidemark/memory/push_source.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "peer_workload.hpp"
#include "scratch_directory.hpp"

namespace {

using namespace tidemark;
using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

struct Settings {
  std::string directory;
  std::uint64_t keys = 10'000'000;       // of the window
  std::uint64_t timers = 1'000'000;
  std::size_t giant_mb = 100;
  std::size_t memory_mib = 0;            // of the window's job
  double seconds = 6;                    // that a sink is slow, or hangs
};

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

std::int64_t now_ns() { return SteadyClock::now().time_since_epoch().count(); }
double ms_since(std::int64_t ns) { return static_cast<double>(now_ns() - ns) / 1e6; }

// Any thread.
class Latencies {
 public:
  void add(double ms) {
    const std::lock_guard lock(mutex_);
    ms_.push_back(ms);
  }
  // The greatest of the first `share` of the sorted ones.
  double percentile(double share) {
    const std::lock_guard lock(mutex_);
    if (ms_.empty()) return 0;
    std::sort(ms_.begin(), ms_.end());
    return ms_[std::min(ms_.size() - 1, static_cast<std::size_t>(share * static_cast<double>(ms_.size())))];
  }

 private:
  std::mutex mutex_;
  std::vector<double> ms_;
};

std::string figure(const char* name, double value, int digits = 1) {
  char text[64];
  std::snprintf(text, sizeof text, " %s=%.*f", name, digits, value);
  return text;
}

// One job of a case.
class Job {
 public:
  Job(std::string name, const Settings& settings, std::uint32_t parallelism) : name_(std::move(name)) {
    options.job_name = "overload_bench";
    options.state_directory = settings.directory + "/state";
    options.parallelism = parallelism;
    options.workers = parallelism;
  }

  Graph graph;
  RuntimeOptions options;
  // While it is set checkpoints are counted, and the small stream is measured.
  std::atomic<bool> overloaded{true};

  // Runs the job until over(figures of the moment, without the small stream), which is asked every two milliseconds.
  void run(const std::function<bool(const JobSnapshot&)>& over) {
    PushSource<std::int64_t> probes;
    std::atomic<std::uint64_t> probes_out{0};
    graph.from("probes", probes.source()).to("probe_sink", callback_sink<std::int64_t>([&](const std::int64_t& sent) {
      if (sent != 0) probe_latencies_.add(ms_since(sent));
      ++probes_out;
    }));
    auto runtime = Runtime::start(std::move(graph), options);
    if (!runtime.ok()) fail(name_ + ": " + runtime.error().describe());
    const std::int64_t begin = now_ns();
    std::int64_t completed_at = begin;
    JobSnapshot snapshot;
    while (!(*runtime)->wait_for(2ms)) {
      const std::uint64_t completed = snapshot.checkpoints;
      const bool counts = overloaded;
      snapshot = (*runtime)->snapshot();
      longest_gap_ms_ = std::max(longest_gap_ms_, ms_since(completed_at));
      if (snapshot.checkpoints > completed) completed_at = now_ns();
      if (counts) checkpoints_ += snapshot.checkpoints - completed;
      snapshot.records_out -= std::min<std::uint64_t>(snapshot.records_out, probes_out);
      if (over(snapshot)) break;
      (void)probes.try_push(overloaded ? now_ns() : 0);
    }
    seconds_ = ms_since(begin) / 1000;
    failed_checkpoints_ = snapshot.failed_checkpoints;
    peak_mib_ = peer::peak_memory_mib();
    probes.close();
    (*runtime)->request_stop();
    const JobResult result = (*runtime)->wait();
    if (result.error) fail(name_ + ": " + result.error->describe());
    std::filesystem::remove_all(options.state_directory);
  }

  double seconds() const { return seconds_; }

  // `figures`: of the case.
  void print(const std::string& figures) {
    std::string line = "RESULT case=" + name_ + figures + figure("seconds", seconds_, 2);
    line += " checkpoints=" + std::to_string(checkpoints_) + " failed_checkpoints=" + std::to_string(failed_checkpoints_);
    line += figure("longest_gap_ms", longest_gap_ms_, 0) + figure("probe_p99_ms", probe_latencies_.percentile(0.99)) +
            figure("probe_max_ms", probe_latencies_.percentile(1)) + figure("peak_mib", peak_mib_, 0);
    if (options.memory > 0) line += " budget_mib=" + std::to_string(options.memory >> 20);
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  }

 private:
  std::string name_;
  Latencies probe_latencies_;
  double seconds_ = 0;
  double longest_gap_ms_ = 0;            // between two completed checkpoints
  double peak_mib_ = 0;
  std::uint64_t checkpoints_ = 0;        // completed while overloaded
  std::uint64_t failed_checkpoints_ = 0;
};

constexpr std::uint64_t kEndless = ~std::uint64_t{0} >> 1;

// Counts and passes on, behind an exchange.
template <class T>
struct Counted {
  void operator()(const T& record, std::uint64_t& count, ProcessContext<std::uint64_t>&, Collector<T>& out) {
    ++count;
    out(record);
  }
};

// A fast source before a sink that takes `per_record` for each one. Then the sink is fast: how long until what waited is written?
template <class T, class Make>
void slow_sink(const char* name, const Settings& settings, std::chrono::microseconds per_record, Make make) {
  Job job(name, settings, 2);
  std::atomic<std::uint64_t> made{0};
  std::atomic<std::uint64_t> written{0};
  std::atomic<bool> slow{true};
  const auto counted = [&made, make](std::uint64_t i) {
    ++made;
    return make(i);
  };
  job.graph.from("records", generator_source<T>("records", kEndless, counted, {.splits = 2}))
      .key_by([](const T& record) -> std::uint64_t { return peer::mix(record.key % 100'000); })
      .template process<T>("counts", Counted<T>{})
      .to("out", callback_sink<T>([&](const Batch<T>& batch) {
            if (slow) std::this_thread::sleep_for(per_record * batch.size());
            written += batch.size();
          }));
  std::uint64_t most_waiting = 0;
  std::uint64_t made_when_slow = 0;
  double slow_rate = 0;
  std::int64_t fast_since = 0;
  const std::int64_t begin = now_ns();
  job.run([&](const JobSnapshot&) {
    const std::uint64_t done = written;
    if (fast_since == 0) {
      most_waiting = std::max(most_waiting, made - done);
      if (ms_since(begin) < settings.seconds * 1000) return false;
      slow_rate = static_cast<double>(done) / settings.seconds;
      made_when_slow = made;
      fast_since = now_ns();
      slow = false;
      job.overloaded = false;
      return false;
    }
    return done >= made_when_slow;
  });
  job.print(figure("record_bytes", static_cast<double>(make(0).bytes()), 0) + figure("records_per_s", slow_rate, 0) +
            figure("most_waiting", static_cast<double>(most_waiting), 0) + figure("drain_ms", ms_since(fast_since)));
}

struct Tiny {
  std::uint64_t key = 0;
  static std::size_t bytes() { return sizeof(Tiny); }
};
struct Note {
  std::uint64_t key = 0;
  std::string text{};
  std::size_t bytes() const { return sizeof(Note) + text.size(); }
};

void slow_sinks(const Settings& settings) {
  slow_sink<Tiny>("slow_sink", settings, 5us, [](std::uint64_t i) { return Tiny{i}; });
  peer::reset_peak_memory();
  slow_sink<Note>("slow_sink_large", settings, 5ms, [](std::uint64_t i) { return Note{i, std::string(std::size_t{1} << 20, 'x')}; });
}

// The sink hangs in a call. Checkpoints time out meanwhile; how long from its return to the first one that completes?
void stuck_sink(const Settings& settings) {
  Job job("stuck_sink", settings, 2);
  job.options.checkpoint_timeout = 2s;
  job.options.tolerated_checkpoint_failures = 1000;
  std::atomic<std::uint64_t> made{0};
  std::atomic<std::uint64_t> written{0};
  std::atomic<bool> stuck{false};
  const auto make = [&made](std::uint64_t i) {
    ++made;
    return Tiny{i};
  };
  job.graph.from("records", generator_source<Tiny>("records", kEndless, make, {.splits = 2}))
      .key_by([](const Tiny& record) -> std::uint64_t { return peer::mix(record.key % 100'000); })
      .process<Tiny>("counts", Counted<Tiny>{})
      .to("out", callback_sink<Tiny>([&](const Batch<Tiny>& batch) {
            while (stuck) std::this_thread::sleep_for(1ms);
            written += batch.size();
          }));
  enum class Phase { kBefore, kStuck, kAfter } phase = Phase::kBefore;
  job.overloaded = false;
  std::int64_t since = now_ns();
  std::uint64_t most_waiting = 0;
  std::uint64_t checkpoints = 0;
  double recovery_ms = 0;
  job.run([&](const JobSnapshot& now) {
    if (phase == Phase::kBefore && ms_since(since) > 2000) {
      job.overloaded = stuck = true;
      phase = Phase::kStuck;
      since = now_ns();
    } else if (phase == Phase::kStuck) {
      const std::uint64_t done = written;
      most_waiting = std::max(most_waiting, made - done);
      checkpoints = now.checkpoints;
      if (ms_since(since) < settings.seconds * 1000) return false;
      job.overloaded = stuck = false;
      phase = Phase::kAfter;
      since = now_ns();
    } else if (phase == Phase::kAfter && now.checkpoints > checkpoints && recovery_ms == 0) {
      recovery_ms = ms_since(since);
    }
    return phase == Phase::kAfter && recovery_ms > 0 && ms_since(since) > 1000;
  });
  job.print(figure("stuck_s", settings.seconds) + figure("most_waiting", static_cast<double>(most_waiting), 0) +
            figure("recovery_ms", recovery_ms));
}

struct Sent {
  std::uint64_t key = 0;
  std::int64_t ns = 0;
  bool burst = false;
};

// A thousand records a second, and now and then a million at once.
void burst(const Settings& settings) {
  constexpr std::uint64_t kBursts = 3;
  constexpr std::uint64_t kBurst = 1'000'000;
  Job job("burst", settings, 2);
  PushSource<Sent> source;
  Latencies calm;
  Latencies of_bursts;
  std::atomic<std::int64_t> calm_from{0};
  job.graph.from("records", source.source())
      .key_by([](const Sent& record) { return record.key; })
      .process<Sent>("counts", Counted<Sent>{})
      .to("out", callback_sink<Sent>([&](const Sent& record) {
            if (record.burst) return of_bursts.add(ms_since(record.ns));
            if (record.ns >= calm_from) calm.add(ms_since(record.ns));
          }));
  std::atomic<bool> done{false};
  std::thread host([&] {
    std::uint64_t number = 0;
    for (std::uint64_t round = 0; round <= kBursts; ++round) {
      for (int i = 0; i < 1500; ++i) {
        (void)source.push({peer::mix(++number % 100'000), now_ns(), false});
        std::this_thread::sleep_for(1ms);
      }
      if (round == kBursts) break;
      const std::int64_t at_once = now_ns();
      for (std::uint64_t i = 0; i < kBurst; ++i) (void)source.push({peer::mix(++number % 100'000), at_once, true});
      calm_from = now_ns() + 500'000'000;   // behind it latency is to return
    }
    done = true;
    source.close();
  });
  job.run([&](const JobSnapshot&) { return done.load(); });
  host.join();
  job.print(" bursts=" + std::to_string(kBursts) + " burst_records=" + std::to_string(kBurst) +
            figure("burst_max_ms", of_bursts.percentile(1)) + figure("calm_p99_ms", calm.percentile(0.99)));
}

// Nine of ten records have one key, or none has: as fast as it goes, then at a steady rate, where the others' latency is measured.
void skew(const Settings& settings) {
  constexpr std::uint64_t kRecords = 4'000'000;
  constexpr std::uint64_t kHot = 7;
  constexpr double kRate = 400'000;
  struct Figures {
    double records_per_s = 0;
    double others_p99_ms = 0;
  };
  const auto key_of = [](std::uint64_t i, bool skewed) { return skewed && i % 10 != 0 ? kHot : 100 + peer::mix(i) % 100'000; };
  const auto run = [&](const char* name, bool skewed) {
    Figures figures;
    {
      Job job(name, settings, 2);
      std::atomic<std::uint64_t> written{0};
      job.graph.from("records", generator_source<Tiny>("records", kRecords, [&](std::uint64_t i) { return Tiny{key_of(i, skewed)}; }))
          .key_by([](const Tiny& record) { return record.key; })
          .process<Tiny>("counts", Counted<Tiny>{})
          .to("out", callback_sink<Tiny>([&](const Batch<Tiny>& batch) { written += batch.size(); }));
      job.run([&](const JobSnapshot&) { return written == kRecords; });
      figures.records_per_s = static_cast<double>(kRecords) / job.seconds();
    }
    Job job(name, settings, 2);
    Latencies others;
    std::atomic<std::uint64_t> written{0};
    const auto make = [&](std::uint64_t i) { return Sent{key_of(i, skewed), now_ns(), false}; };
    job.graph.from("records", paced(generator_source<Sent>("records", kRecords / 2, make), Pace::records_per_second(kRate)))
        .key_by([](const Sent& record) { return record.key; })
        .process<Sent>("counts", Counted<Sent>{})
        .to("out", callback_sink<Sent>([&](const Batch<Sent>& batch) {
              for (const Sent& record : batch.values) {
                if (record.key != kHot) others.add(ms_since(record.ns));
              }
              written += batch.size();
            }));
    job.run([&](const JobSnapshot&) { return written == kRecords / 2; });
    figures.others_p99_ms = others.percentile(0.99);
    job.print(figure("records_per_s", figures.records_per_s, 0) + figure("rate", kRate, 0) +
              figure("others_p99_ms", figures.others_p99_ms, 2) + figure("others_max_ms", others.percentile(1)));
    return figures;
  };
  const Figures even = run("skew_none", false);
  const Figures skewed = run("skew", true);
  std::printf("RESULT case=skew speed_ratio=%.2f others_p99_ratio=%.2f\n", skewed.records_per_s / even.records_per_s,
              skewed.others_p99_ms / even.others_p99_ms);
}

// One record among small ones, through an exchange, into the state of its key, and out into a file.
void giant_record(const Settings& settings) {
  constexpr std::uint64_t kRecords = 500'000;
  const std::size_t giant = settings.giant_mb * 1'000'000;
  struct KeepLongest {
    void operator()(const Note& note, std::string& longest, ProcessContext<std::uint64_t>&, Collector<std::string>& out) {
      if (note.text.size() > longest.size()) longest = note.text;
      out(note.text);
    }
  };
  Job job("giant_record", settings, 2);
  const std::string results = settings.directory + "/results";
  job.graph
      .from("notes", paced(generator_source<Note>("notes", kRecords,
                                                  [giant](std::uint64_t i) {
                                                    return Note{peer::mix(i % 1000), std::string(i == kRecords / 4 ? giant : 10, 'x')};
                                                  }),
                           Pace::records_per_second(100'000)))
      .key_by(&Note::key)
      .process<std::string>("longest", KeepLongest{})
      .to("out", lines_sink(results));
  const double before_mib = peer::peak_memory_mib();
  job.run([&](const JobSnapshot& now) { return now.records_out >= kRecords; });
  std::size_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(results)) {
    if (file.path().extension() == ".txt") bytes += file.file_size();
  }
  if (bytes != giant + 1 + (kRecords - 1) * 11) fail("giant_record: the results have " + std::to_string(bytes) + " bytes");
  const double record_mib = static_cast<double>(giant) / static_cast<double>(1 << 20);
  job.print(figure("record_mib", record_mib) + figure("peak_in_records", (peer::peak_memory_mib() - before_mib) / record_mib));
}

// What fires at once, from the record whose watermark says so: how long, and how many a second.
class Firing {
 public:
  Firing(Job& job, std::uint64_t outputs) : job_(job), outputs_(outputs) { job_.overloaded = false; }
  void begin() {
    begin_ = now_ns();
    job_.overloaded = true;
  }
  void count(std::size_t outputs) {
    seen_ += outputs;
    if (seen_ < outputs_ || over_) return;   // the last record is alone in a window of its own, which fires at the end
    seconds_ = ms_since(begin_) / 1000;
    over_ = true;
  }
  bool over() const { return over_; }
  std::string figures() const {
    return " outputs=" + std::to_string(outputs_) + figure("firing_s", seconds_, 2) +
           figure("outputs_per_s", static_cast<double>(outputs_) / seconds_, 0);
  }

 private:
  Job& job_;
  const std::uint64_t outputs_;
  std::atomic<std::int64_t> begin_{0};
  std::uint64_t seen_ = 0;
  double seconds_ = 0;
  std::atomic<bool> over_{false};
};

constexpr EventTime kInstant = event_time(3'600'000'000);

// A record for each key at times before kInstant, and one behind it.
auto records_before_the_instant(Graph& graph, std::uint64_t keys, Firing& firing) {
  const auto make = [keys, &firing](std::uint64_t i) {
    if (i == keys) firing.begin();
    return i;
  };
  return graph.from("records", generator_source<std::uint64_t>("records", keys + 1, make))
      .with_event_time([keys](const std::uint64_t& i) { return i < keys ? event_time(static_cast<std::int64_t>(i)) : kInstant; }, {})
      .key_by([](const std::uint64_t& i) { return peer::mix(i); });
}

void timers(const Settings& settings) {
  struct AtTheInstant {
    void operator()(const std::uint64_t&, std::uint64_t& count, ProcessContext<std::uint64_t>& context, Collector<std::uint64_t>&) {
      if (++count == 1) context.set_timer(kInstant - 1us);
    }
    void on_timer(const Timer&, std::uint64_t& count, ProcessContext<std::uint64_t>&, Collector<std::uint64_t>& out) { out(count); }
  };
  Job job("timers", settings, 1);
  Firing firing(job, settings.timers);
  job.options.checkpoint_every = 100ms;
  records_before_the_instant(job.graph, settings.timers, firing)
      .process<std::uint64_t>("at_the_instant", AtTheInstant{})
      .to("out", callback_sink<std::uint64_t>([&](const Batch<std::uint64_t>& batch) { firing.count(batch.size()); }));
  job.run([&](const JobSnapshot&) { return firing.over(); });
  job.print(firing.figures());
}

void window(const Settings& settings) {
  using Count = WindowResult<std::uint64_t, std::uint64_t>;
  Job job("window", settings, 1);
  job.options.memory = settings.memory_mib << 20;
  Firing firing(job, settings.keys);
  records_before_the_instant(job.graph, settings.keys, firing)
      .window(tumbling(3600s))
      .aggregate("counts", count())
      .to("out", callback_sink<Count>([&](const Batch<Count>& batch) { firing.count(batch.size()); }));
  job.run([&](const JobSnapshot&) { return firing.over(); });
  job.print(firing.figures());
}

struct Case {
  const char* name;
  void (*run)(const Settings&);
};
constexpr Case kCases[] = {{"slow_sink", slow_sinks}, {"stuck_sink", stuck_sink}, {"burst", burst}, {"skew", skew},
                           {"giant_record", giant_record}, {"timers", timers}, {"window", window}};

// In a process of its own, so that its peak memory is its own.
bool run_alone(const Case& one, Settings settings) {
  settings.directory += std::string("/") + one.name;
  std::filesystem::create_directory(settings.directory);
  const pid_t child = ::fork();
  if (child == 0) {
    one.run(settings);
    std::exit(0);
  }
  int status = 0;
  const bool waited = child > 0 && ::waitpid(child, &status, 0) == child;
  std::filesystem::remove_all(settings.directory);
  return waited && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings{.directory = "build"};
  std::vector<std::string> names;
  for (const Case& each : kCases) names.emplace_back(each.name);
  std::vector<std::string> only = names;
  CLI::App app{"What a job does with more than it can take"};
  app.add_option("--only", only, "Cases; by default all")->check(CLI::IsMember(names));
  app.add_option("--seconds", settings.seconds, "How long a sink is slow, or hangs")->capture_default_str();
  app.add_option("--keys", settings.keys, "Keys that the window fires for")->capture_default_str();
  app.add_option("--memory", settings.memory_mib, "MiB that the window's job may use; 0: no bound")->capture_default_str();
  app.add_option("--timers", settings.timers, "Timers at one instant")->capture_default_str();
  app.add_option("--giant", settings.giant_mb, "Megabytes of the giant record")->capture_default_str();
  app.add_option("--state", settings.directory, "A fresh folder in it holds the files, and is removed afterwards")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const ScratchDirectory scratch(settings.directory, "overload_bench");
  settings.directory = scratch.path();
  bool all = true;
  for (const Case& each : kCases) {
    if (std::find(only.begin(), only.end(), each.name) == only.end()) continue;
    std::fprintf(stderr, "%s\n", each.name);
    all &= run_alone(each, settings);
  }
  return all ? 0 : 1;
}

// Runs one of the peer workloads as a Tidemark job and as a hand-written loop, checks what both give, and sets their speeds side by side.

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "peer_job.hpp"
#include "peer_workload.hpp"
#include "scratch_directory.hpp"

namespace peer {
namespace {

struct Arguments {
  Workload workload;
  std::uint64_t events = 0;
  bool checkpoints = false;
  JobOptions job;
  std::string state = "build";
  std::uint64_t repeat = 1;
  bool loop_runs = true;
  bool job_runs = true;
};

void print_help() {
  std::cout << "usage: peer_workloads WORKLOAD N MODE PARALLELISM [options]\n"
               "\n"
               "Runs the hand-written loop of a workload and then the same work as a Tidemark job, checks the outputs of both, and "
               "prints a RESULT\n"
               "line for each. Exit status 1: wrong outputs, or the job failed.\n"
               "\n"
               "  WORKLOAD       " << workload_names() << "\n"
               "  N              number of events\n"
               "  MODE           none (no checkpoints) or eo1s (exactly-once checkpoints to disk, one a second)\n"
               "  PARALLELISM    tasks per stage, and splits of the source\n"
               "\n"
               "  --keys K       number of keys                               --size S    size of windows, ms; "
               "how far velocity looks back\n"
               "  --rate R       events per second of event time              --slide S   slide of windows, ms; must divide the size\n"
               "  --disorder D   how far events are out of order, ms          --gap G     gap of sessions, ms\n"
               "                 With one of these the answer expected is the loop's.\n"
               "  --workers W    threads for the tasks (default: as many as the parallelism, but no more than there are cores)\n"
               "  --max-batch B  records in a batch (default: 1000)\n"
               "  --repeat R     run loop and job by turns R times; the lines are those of the pair with the median ratio (default: 1)\n"
               "  --only WHICH   loop or job: no ratio then\n"
               "  --state DIR    eo1s keeps its checkpoints in a fresh directory in DIR and removes it afterwards (default: build)\n";
}

[[noreturn]] void refuse(const std::string& why) {
  std::cerr << "peer_workloads: " << why << " (--help explains)\n";
  std::exit(2);
}

std::uint64_t number(const std::string& text, const std::string& name, std::uint64_t least) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least) {
    refuse(name + " must be a number of at least " + std::to_string(least) + ", not '" + text + "'");
  }
  return value;
}

Arguments parse(const std::vector<std::string>& words) {
  Arguments arguments;
  std::vector<std::string> positional;
  std::map<std::string, std::string> options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!words[i].starts_with("--")) {
      positional.push_back(words[i]);
    } else if (const auto equals = words[i].find('='); equals != std::string::npos) {
      options[words[i].substr(0, equals)] = words[i].substr(equals + 1);
    } else if (i + 1 < words.size()) {
      options[words[i]] = words[i + 1];
      ++i;
    } else {
      refuse(words[i] + " needs a value");
    }
  }
  if (positional.size() != 4) refuse("WORKLOAD, N, MODE and PARALLELISM are needed");
  const auto found = find_workload(positional[0]);
  if (!found) refuse("there is no workload '" + positional[0] + "'");
  Workload& workload = arguments.workload = *found;
  arguments.events = number(positional[1], "N", 2);
  if (positional[2] != "none" && positional[2] != "eo1s") refuse("MODE is none or eo1s");
  arguments.checkpoints = positional[2] == "eo1s";
  arguments.job.parallelism = static_cast<std::uint32_t>(number(positional[3], "PARALLELISM", 1));

  const auto milliseconds = [](std::chrono::milliseconds& value) {
    return [&value](std::uint64_t given) { value = std::chrono::milliseconds(given); };
  };
  const auto reshape = [&](const std::string& name, std::uint64_t least, const std::function<void(std::uint64_t)>& set) {
    const auto option = options.extract(name);
    if (option.empty()) return;
    set(number(option.mapped(), name, least));
    workload.reshaped = true;
  };
  reshape("--keys", 1, [&](std::uint64_t value) { workload.shape.keys = value; });
  reshape("--rate", 1, [&](std::uint64_t value) { workload.shape.rate = value; });
  reshape("--disorder", 0, [&](std::uint64_t value) { workload.shape.disorder_ms = value; });
  const bool tumbling = workload.size == workload.slide;
  reshape("--size", 1, milliseconds(workload.size));
  if (tumbling) workload.slide = workload.size;
  reshape("--slide", 1, milliseconds(workload.slide));
  reshape("--gap", 1, milliseconds(workload.gap));
  if (workload.work == Work::kWindow && workload.size % workload.slide != workload.size.zero()) refuse("--slide must divide --size");
  if (workload.work == Work::kVelocity && workload.shape.disorder_ms > 0) refuse("the loop of velocity needs events in order");

  for (const auto& [name, value] : options) {
    if (name == "--workers") {
      arguments.job.workers = static_cast<std::uint32_t>(number(value, name, 0));
    } else if (name == "--max-batch") {
      arguments.job.max_batch = static_cast<std::uint32_t>(number(value, name, 1));
    } else if (name == "--repeat") {
      arguments.repeat = number(value, name, 1);
    } else if (name == "--only" && (value == "loop" || value == "job")) {
      arguments.loop_runs = value == "loop";
      arguments.job_runs = value == "job";
    } else if (name == "--state") {
      arguments.state = value;
    } else {
      refuse("there is no option " + name + " " + value);
    }
  }
  return arguments;
}

std::string hex(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

std::string result_line(const Arguments& arguments, bool is_job, const Outcome& outcome) {
  const std::uint64_t half = arguments.events - arguments.events / 2;
  char figures[256];
  std::snprintf(figures, sizeof figures, "seconds=%.3f events_per_s=%.0f second_half_events_per_s=%.0f cpu_seconds=%.3f", outcome.seconds,
                static_cast<double>(arguments.events) / outcome.seconds, static_cast<double>(half) / outcome.second_half_seconds,
                    outcome.cpu_seconds);
  char memory[32];
  std::snprintf(memory, sizeof memory, "%.0f", outcome.max_rss_mib);
  return std::string("RESULT engine=") + (is_job ? "tidemark" : "loop") + " workload=" + arguments.workload.name +
         " backend=" + (is_job && arguments.workload.work != Work::kPass ? "hot" : "-") + " mode=" + (is_job &&
             arguments.checkpoints ? "eo1s" : "none") +
         " parallelism=" + std::to_string(is_job ? arguments.job.parallelism : 1) + " n=" + std::to_string(arguments.events) + " " +
             figures +
         " checkpoints=" + std::to_string(outcome.checkpoints) + " outputs=" + std::to_string(outcome.answer.outputs) +
         " hash=" + hex(outcome.answer.hash) + " final=" + (outcome.answer.final ? hex(*outcome.answer.final) : "-") +
             " max_rss_mib=" + memory;
}

// Where the order of a key's outputs is open, what its last output was takes the place of the hash over all.
bool is_right(const Answer& answer, const Answer& expected, bool order_is_open) {
  if (answer.outputs != expected.outputs) return false;
  return order_is_open ? answer.final == expected.final : answer.hash == expected.hash;
}

struct Pair {
  Outcome loop;
  Outcome job;
  double ratio() const { return loop.seconds / job.seconds; }
};

int run(const Arguments& arguments) {
  auto expected = published_answer(arguments.workload, arguments.events);
  const bool order_is_open = arguments.workload.work == Work::kTotal && arguments.job.parallelism > 1;
  if (!expected && !arguments.loop_runs) refuse("no published answer for this shape or N: the loop is needed");
  bool right = true;
  const auto check = [&](const char* engine, const Answer& answer, bool open) {
    if (is_right(answer, *expected, open)) return;
    right = false;
    std::cerr << "peer_workloads: the " << engine << " is wrong: outputs=" << answer.outputs << " hash=" << hex(answer.hash)
              << " final=" << hex(answer.final.value_or(0)) << ", expected outputs=" << expected->outputs << " hash=" << hex(expected->hash)
              << " final=" << hex(expected->final.value_or(0)) << "\n";
  };

  std::vector<Pair> pairs;
  for (std::uint64_t i = 0; i < arguments.repeat; ++i) {
    Pair pair;
    if (arguments.loop_runs) {
      pair.loop = run_loop(arguments.workload, arguments.events);
      if (!expected) expected = pair.loop.answer;
      check("loop", pair.loop.answer, false);
    }
    if (arguments.job_runs) {
      JobOptions options = arguments.job;
      std::optional<ScratchDirectory> directory;
      if (arguments.checkpoints) options.state_directory = directory.emplace(arguments.state, "peer_workloads") / "state";
      const auto outcome = run_job(arguments.workload, arguments.events, options);
      if (!outcome.ok()) {
        std::cerr << "peer_workloads: " << outcome.error().describe() << "\n";
        return 1;
      }
      pair.job = *outcome;
      check("job", pair.job.answer, order_is_open);
    }
    pairs.push_back(pair);
  }

  const bool both = arguments.loop_runs && arguments.job_runs;
  const auto faster = [&](const Pair& a, const Pair& b) {
    if (both) return a.ratio() < b.ratio();
    return a.loop.seconds + a.job.seconds > b.loop.seconds + b.job.seconds;
  };
  std::sort(pairs.begin(), pairs.end(), faster);
  const Pair& median = pairs[pairs.size() / 2];
  if (arguments.loop_runs) std::cout << result_line(arguments, false, median.loop) << "\n";
  if (arguments.job_runs) {
    std::cout << result_line(arguments, true, median.job);
    char ratios[96] = "";
    if (both && pairs.size() == 1) std::snprintf(ratios, sizeof ratios, " ratio_to_loop=%.2f", median.ratio());
    if (both && pairs.size() > 1) {
      std::snprintf(ratios, sizeof ratios, " ratio_to_loop=%.2f ratio_least=%.2f ratio_greatest=%.2f repeat=%zu", median.ratio(),
          pairs.front().ratio(),
                    pairs.back().ratio(), pairs.size());
    }
    std::cout << ratios << "\n";
  }
  return right ? 0 : 1;
}

}  // namespace
}  // namespace peer

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (std::find(words.begin(), words.end(), "--help") != words.end()) {
    peer::print_help();
    return 0;
  }
  return peer::run(peer::parse(words));
}

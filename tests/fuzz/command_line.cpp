// Z5: any words on a command line. They are refused as such, or carried out; the options that were understood are understood again.

#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include <tidemark/cli/cli.hpp>
#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/memory/memory_source.hpp>
#include <tidemark/operators/stream.hpp>

#include "fuzz.hpp"
#include "src/duration.hpp"

namespace tidemark::fuzz {
namespace {

// What the program says goes nowhere: only what is broken is of interest.
class Silence {
 public:
  Silence() {
    stdout = nowhere();
    stderr = nowhere();
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  ~Silence() {
    stdout = output_;
    stderr = errors_;
  }

 private:
  static FILE* nowhere() {
    static FILE* const file = std::fopen("/dev/null", "w");
    return file;
  }
  FILE* output_ = stdout;
  FILE* errors_ = stderr;
};

struct Options {
  std::string path = "default";
  std::string mode = "fast";
  std::uint64_t count = 7;
  double rate = 1.5;
  bool loud = false;
  std::chrono::milliseconds every{1000};

  bool operator==(const Options&) const = default;
  std::vector<std::string> words() const {
    std::vector<std::string> words{"own", "--path=" + path, "--mode=" + mode, "--count", std::to_string(count)};
    char text[64];
    std::snprintf(text, sizeof text, "%.17g", rate);
    words.insert(words.end(), {std::string{"--rate="} + text, "--every", cli_internal::duration_text(every)});
    if (loud) words.push_back("--loud");
    return words;
  }
};

Graph job() {
  Graph graph;
  graph.from("numbers", memory_source(std::vector<std::int64_t>{1})).to("sink", MemorySink<std::int64_t>{}.sink());
  return graph;
}

struct Outcome {
  int code = 0;
  bool carried_out = false;   // the program's own verb
  Options options;
};

// A program with a job, whose graph is refused where it would be run, and a verb of its own with an option of each type.
Outcome carry_out(const std::vector<std::string>& words) {
  std::vector<const char*> arguments{"program"};
  for (const std::string& word : words) arguments.push_back(word.c_str());
  Outcome outcome;
  Options of_job;
  Cli cli("program", "A job.");
  cli.option("--input", of_job.path, "input").required();
  CliOptions& own = cli.verb("own", "a verb", [&] {
    outcome.carried_out = true;
    return 0;
  });
  own.option("--path", outcome.options.path, "path");
  own.option("--mode", outcome.options.mode, "mode", {"fast", "slow"});
  own.option("--count", outcome.options.count, "count");
  own.option("--rate", outcome.options.rate, "rate");
  own.option("--loud", outcome.options.loud, "loud");
  own.option("--every", outcome.options.every, "every");
  const bool plan = !words.empty() && words.front() == "plan";
  const Silence silence;
  outcome.code = cli.run(static_cast<int>(arguments.size()), arguments.data(), [&]() -> Result<Graph> {
    if (plan) return job();
    return Error{.code = ErrorCode::kUsage, .message = "no job is run here"};
  });
  return outcome;
}

}  // namespace

// Each line is a word. Verbs that look at a directory are given one that is not there.
void run(ByteView input) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at <= input.size() && words.size() < 16;) {
    const std::size_t end = std::min(input.find('\n', at), input.size());
    std::string word{input.substr(at, end - at)};
    std::erase(word, '\0');
    std::replace(word.begin(), word.end(), '/', '_');   // no path leads anywhere
    if (word == "gc") word = "ls";                       // the one verb of these that writes
    words.push_back(std::move(word));
    at = end + 1;
  }
  const Outcome outcome = carry_out(words);
  require(outcome.code >= 0 && outcome.code <= 3, "an exit code is one of those that are documented", std::to_string(outcome.code));
  if (!outcome.carried_out) return;
  require(outcome.code == 0, "a verb that was carried out gives its own exit code");
  require(outcome.options.mode == "fast" || outcome.options.mode == "slow", "a choice is one of those that there are");
  require(outcome.options.every.count() >= 0, "a duration is not negative");
  if (std::isnan(outcome.options.rate)) return;
  const Outcome again = carry_out(outcome.options.words());
  require(again.carried_out && again.options == outcome.options, "options that are written out are read again");
}

}  // namespace tidemark::fuzz

#pragma once
// The command line of every job: run, plan, savepoint, stop, status, checkpoints, state, version. Only here does Tidemark install signal
// handlers, and only `run` opens a socket: SOCKET in the state directory, by which the job answers the others.
//
//   int main(int argc, char** argv) { return tidemark::cli_main(argc, argv, build_job); }
//
// or, with options of the job's own:
//
//   Cli cli("fraud_detection", "Finds suspicious card transactions.");
//   cli.option("--transactions", path, "CSV of card transactions").required();
//   return cli.run(argc, argv, [&] { return build_job(path); });
//
// Results go to standard output, talk to standard error. Exit codes: 0 done or ended by `stop`, 1 the job failed, 2 usage, 3 the restore
// was refused, 130 ended by Ctrl-C, 143 by SIGTERM (both also after the final checkpoint of the first signal; a second one ends the job at
// once).

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include <tidemark/core/status.hpp>
#include <tidemark/operators/graph.hpp>

namespace tidemark {
inline namespace v0 {

// Called once, after the options have their values.
using BuildJob = std::function<Result<Graph>()>;

// Options of a job, or of another verb. The variables outlive Cli::run(); what they hold before is the default.
class CliOptions {
 public:
  // What option() returns, to say more about it.
  class Option {
   public:
    // Without it the verb ends with a usage error.
    Option& required();

   private:
    friend class CliOptions;
    Option(CliOptions& owner, std::size_t index) : owner_(owner), index_(index) {}
    CliOptions& owner_;
    std::size_t index_;
  };

  CliOptions();
  ~CliOptions();
  CliOptions(const CliOptions&) = delete;
  CliOptions& operator=(const CliOptions&) = delete;

  // A flag without dashes in front is a positional argument. Durations are written 500ms, 30s, 5min, 1h.
  Option option(std::string flag, std::string& value, std::string help, std::vector<std::string> choices = {});
  Option option(std::string flag, std::uint64_t& value, std::string help);
  Option option(std::string flag, double& value, std::string help);
  Option option(std::string flag, bool& value, std::string help);
  Option option(std::string flag, std::chrono::milliseconds& value, std::string help);

 private:
  friend class Cli;
  struct Entry;
  std::vector<Entry> entries_;
};

// Its own options are those of the job, for `run` and `plan`.
class Cli : public CliOptions {
 public:
  // `name` is the job's: in every manifest, and the default of its state directory. `description`: one sentence for --help.
  Cli(std::string name, std::string description);
  ~Cli();

  // One more verb, such as "explain", or "demo fraud" below "demo". Its options are declared on the result, which lives as long as this;
  // `action` returns the exit code.
  CliOptions& verb(std::string words, std::string help, std::function<int()> action);

  // Parses, carries out the verb, and returns the exit code. `build` returns Graph or Result<Graph>.
  template <class Build>
  int run(int argc, const char* const* argv, Build build) {
    static_assert(std::is_invocable_v<Build&>, "run() needs a function without parameters that returns the job's Graph");
    return carry_out(argc, argv, BuildJob([build = std::move(build)]() mutable -> Result<Graph> { return build(); }));
  }
  // For a program without a job: all verbs but `run` and `plan`.
  int run(int argc, const char* const* argv);

 private:
  int carry_out(int argc, const char* const* argv, BuildJob build);

  struct Declared;
  std::unique_ptr<Declared> declared_;
};

// For jobs without options of their own. The job's name is that of the program.
int cli_main(int argc, const char* const* argv, BuildJob build);

}  // namespace v0
}  // namespace tidemark

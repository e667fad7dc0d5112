// The one file that includes CLI11.

#include <tidemark/cli/cli.hpp>

#include <cstdio>
#include <cstdlib>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <tidemark/core/file_system.hpp>
#include <tidemark/core/names.hpp>
#include <tidemark/core/version.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "src/checkpoints_verb.hpp"
#include "src/duration.hpp"
#include "src/run_verb.hpp"

namespace tidemark {
inline namespace v0 {

using namespace cli_internal;

namespace {

CLI::Option* add_duration(CLI::App& app, const std::string& flag, std::chrono::milliseconds& value, const std::string& help) {
  auto* option = app.add_option_function<std::string>(
      flag,
      [&value, flag](const std::string& text) {
        const auto parsed = parse_duration(text);
        if (!parsed) throw CLI::ValidationError(flag, "\"" + text + "\" is no duration; write 500ms, 30s, 5min or 1h");
        value = *parsed;
      },
      help);
  option->default_str(duration_text(value));
  option->type_name("DURATION");
  return option;
}

}  // namespace

struct Cli::Declared {
  struct Entry {
    std::function<CLI::Option*(CLI::App&)> add;
    bool required = false;
  };
  std::string name;
  std::string description;
  std::vector<Entry> options;
};

Cli::Cli(std::string name, std::string description) : declared_(std::make_unique<Declared>(Declared{std::move(name), std::move(description), {}})) {}
Cli::~Cli() = default;

Cli::Option& Cli::Option::required() {
  cli_.declared_->options[index_].required = true;
  return *this;
}

Cli::Option Cli::option(std::string flag, std::string& value, std::string help, std::vector<std::string> choices) {
  declared_->options.push_back({[=, &value](CLI::App& app) {
                                  CLI::Option* option = app.add_option(flag, value, help)->capture_default_str();
                                  if (!choices.empty()) option->check(CLI::IsMember(choices));
                                  return option;
                                },
                                false});
  return {*this, declared_->options.size() - 1};
}
Cli::Option Cli::option(std::string flag, std::uint64_t& value, std::string help) {
  declared_->options.push_back({[=, &value](CLI::App& app) { return app.add_option(flag, value, help)->capture_default_str(); }, false});
  return {*this, declared_->options.size() - 1};
}
Cli::Option Cli::option(std::string flag, double& value, std::string help) {
  declared_->options.push_back({[=, &value](CLI::App& app) { return app.add_option(flag, value, help)->capture_default_str(); }, false});
  return {*this, declared_->options.size() - 1};
}
Cli::Option Cli::option(std::string flag, bool& value, std::string help) {
  declared_->options.push_back({[=, &value](CLI::App& app) { return app.add_flag(flag, value, help); }, false});
  return {*this, declared_->options.size() - 1};
}
Cli::Option Cli::option(std::string flag, std::chrono::milliseconds& value, std::string help) {
  declared_->options.push_back({[=, &value](CLI::App& app) { return add_duration(app, flag, value, help); }, false});
  return {*this, declared_->options.size() - 1};
}

namespace {

// The verbs, and where their flags put their values.
class CommandLine {
 public:
  CommandLine(const std::string& name, const std::string& description) : app_(description, name), run_name_(name) {
    app_.require_subcommand(1);
    run_ = app_.add_subcommand("run", "Run the job; goes on from its last checkpoint");
    run_->add_option("--state", state_, "Directory of the job's checkpoints")->capture_default_str();
    run_->add_option("--from", from_, "latest, a checkpoint's number, or none")->capture_default_str();
    run_->add_option("--parallelism", parallelism_, "Tasks per stage")->capture_default_str();
    run_->add_option("--workers", workers_, "Threads for the tasks; 0: as many as the parallelism, at most the cores")->capture_default_str();
    run_->add_option("--drop-state", drop_state_, "Operator, source or sink whose stored part may be given up")->type_name("OPERATOR");
    run_->add_option("--batch", max_batch_, "Records in a batch; results do not depend on it")->capture_default_str();
    run_->add_flag("--deterministic", deterministic_, "Equal bytes from run to run, at the cost of a sort for each firing");
    run_->add_flag("-q,--quiet", quiet_, "No progress");
    run_->add_flag("-v,--verbose", verbose_, "More talk");
    add_duration(*run_, "--checkpoint-every", checkpoint_every_, "From one checkpoint to the next; results become visible that often");
    plan_ = app_.add_subcommand("plan", "Show the job's stages, exchanges and guarantees; touches nothing");
    plan_->add_option("--format", format_, "text, dot, mermaid or json")->check(CLI::IsMember({"text", "dot", "mermaid", "json"}))->capture_default_str();
    plan_->add_option("--parallelism", parallelism_, "Tasks per stage")->capture_default_str();
    checkpoints_ = app_.add_subcommand("checkpoints", "Look at the job's checkpoints; only reads");
    checkpoints_->require_subcommand(1);
    ls_ = checkpoints_->add_subcommand("ls", "List them");
    show_ = checkpoints_->add_subcommand("show", "Show one, by default the newest");
    show_->add_option("id", id_, "Number of the checkpoint");
    for (CLI::App* verb : {ls_, show_}) {
      verb->add_option("--state", state_, "Directory of the job's checkpoints")->capture_default_str();
      verb->add_flag("--json", json_, "One JSON object per line");
    }
    version_ = app_.add_subcommand("version", "Print the version");
  }

  CLI::App& run_verb() { return *run_; }
  CLI::App& plan_verb() { return *plan_; }

  int carry_out(int argc, const char* const* argv, const BuildJob& build) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
      fmt::print("{}", app_.help("", CLI::AppFormatMode::Normal));
      return kExitDone;
    } catch (const CLI::ParseError& error) {
      return refuse(error);
    }
    if (*version_) {
      fmt::print("tidemark {}\n", kVersion);
      return kExitDone;
    }
    if (*ls_) return list_checkpoints(state_, json_);
    if (*show_) return show_checkpoint(state_, id_ == 0 ? std::nullopt : std::optional<CheckpointId>{id_}, json_);
    auto graph = build();
    if (!graph.ok()) return report(graph.error());
    return *plan_ ? show_plan(*graph) : run(*std::move(graph));
  }

  void set_default_state(std::string directory) { state_ = std::move(directory); }

 private:
  int refuse(const CLI::ParseError& error) {
    std::string message = error.what();
    std::string fix = "see " + run_name_ + " --help";
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError) || error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError)) {
      if (const std::string near = suggestion(); !near.empty()) fix = "did you mean " + near + "? " + fix;
    }
    return report({.code = ErrorCode::kUsage, .message = std::move(message), .fix = std::move(fix)});
  }

  // The known word nearest to the first unknown one.
  std::string suggestion() const {
    std::vector<std::string> words;
    const CLI::App* verb = &app_;
    while (!verb->get_subcommands().empty()) verb = verb->get_subcommands().front();
    for (const CLI::App* each : verb->get_subcommands([](const CLI::App*) { return true; })) words.push_back(each->get_name());
    for (const CLI::Option* each : verb->get_options()) words.push_back(each->get_name());
    for (const std::string& unknown : app_.remaining(true)) {
      if (std::string near = nearest(unknown, words); !near.empty()) return near;
    }
    return {};
  }

  int show_plan(const Graph& graph) const {
    if (const Status status = graph.check(); !status.ok()) return report(status.error());
    const PlanFormat format = format_ == "dot" ? PlanFormat::kDot : format_ == "mermaid" ? PlanFormat::kMermaid : format_ == "json" ? PlanFormat::kJson : PlanFormat::kText;
    fmt::print("{}", plan(graph, parallelism_, format));
    return kExitDone;
  }

  int run(Graph graph) const {
    RunOptions options;
    options.runtime.job_name = run_name_;
    options.runtime.state_directory = state_;
    options.runtime.parallelism = parallelism_;
    options.runtime.workers = workers_;
    options.runtime.checkpoint_every = checkpoint_every_;
    options.runtime.drop_state = drop_state_;
    options.runtime.max_batch = max_batch_;
    options.runtime.deterministic = deterministic_;
    options.runtime.logger = Logger::to_stderr(verbose_ ? LogLevel::kInfo : LogLevel::kWarning);
    options.quiet = quiet_;
    if (from_ == "none") {
      options.runtime.from.kind = RestoreFrom::Kind::kNone;
    } else if (from_ != "latest") {
      char* end = nullptr;
      options.runtime.from = {RestoreFrom::Kind::kCheckpoint, std::strtoull(from_.c_str(), &end, 10)};
      if (end == from_.c_str() || *end != '\0' || options.runtime.from.checkpoint == 0) {
        return report({.code = ErrorCode::kUsage, .message = "--from takes latest, none or the number of a checkpoint, not \"" + from_ + "\"", .fix = "see `checkpoints ls`"});
      }
    }
    return run_job(std::move(graph), std::move(options));
  }

  CLI::App app_;
  std::string run_name_;
  CLI::App* run_ = nullptr;
  CLI::App* plan_ = nullptr;
  CLI::App* checkpoints_ = nullptr;
  CLI::App* ls_ = nullptr;
  CLI::App* show_ = nullptr;
  CLI::App* version_ = nullptr;
  std::string state_;
  std::string from_ = "latest";
  std::uint32_t parallelism_ = 1;
  std::uint32_t workers_ = 0;
  std::uint32_t max_batch_ = RuntimeOptions{}.max_batch;
  std::chrono::milliseconds checkpoint_every_{1000};
  std::vector<std::string> drop_state_;
  bool deterministic_ = false;
  bool quiet_ = false;
  bool verbose_ = false;
  bool json_ = false;
  std::string format_ = "text";
  std::uint64_t id_ = 0;
};

}  // namespace

int Cli::run_verb(int argc, const char* const* argv, BuildJob build) {
  CommandLine line(declared_->name, declared_->description);
  line.set_default_state(declared_->name + ".state");
  for (const Declared::Entry& entry : declared_->options) {
    for (CLI::App* verb : {&line.run_verb(), &line.plan_verb()}) {
      CLI::Option* option = entry.add(*verb);
      option->group("Options of this job");
      if (entry.required) option->required();
    }
  }
  return line.carry_out(argc, argv, build);
}

int cli_main(int argc, const char* const* argv, BuildJob build) {
  const std::string program = argc > 0 ? file_name(argv[0]) : "job";
  Cli cli(program, "A Tidemark job.");
  return cli.run(argc, argv, [&] { return build(); });
}

}  // namespace v0
}  // namespace tidemark

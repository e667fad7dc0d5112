// The one file that includes CLI11.

#include <tidemark/cli/cli.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <deque>

#include <CLI/CLI.hpp>

#include <tidemark/core/file_system.hpp>
#include <tidemark/core/names.hpp>
#include <tidemark/core/version.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "src/checkpoint_choice.hpp"
#include "src/checkpoints_verb.hpp"
#include "src/duration.hpp"
#include "src/job_verbs.hpp"
#include "src/output.hpp"
#include "src/run_verb.hpp"
#include "src/state_verb.hpp"

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

// The three below are for CLI::Validator: empty, or what is wrong.
// CLI11 would read -1 as the largest number.
std::string refuse_negative(const std::string& text) { return text.starts_with('-') ? text + " is negative" : std::string{}; }

// And so it would what is beyond 64 bits.
std::string refuse_no_size(const std::string& text) {
  constexpr std::uint64_t kLargest = std::uint64_t{1} << 60;
  std::uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec == std::errc::result_out_of_range || number > kLargest) return text + " is more than there can be";
  return refuse_negative(text);
}

// As an unset variable of a script would leave it.
std::string refuse_empty(const std::string& text) { return text.empty() ? "it is empty" : ""; }

template <class Count>
CLI::Option* add_count(CLI::App& app, const std::string& flag, Count& value, const std::string& help) {
  return app.add_option(flag, value, help)->capture_default_str()->check(CLI::Validator(refuse_negative, ""));
}

}  // namespace

struct CliOptions::Entry {
  std::function<CLI::Option*(CLI::App&)> add;
  bool required = false;

  void add_to(CLI::App& app, const std::string& group) const {
    CLI::Option* option = add(app);
    option->group(group);
    if (required) option->required();
  }
};

CliOptions::CliOptions() = default;
CliOptions::~CliOptions() = default;

CliOptions::Option& CliOptions::Option::required() {
  owner_.entries_[index_].required = true;
  return *this;
}

CliOptions::Option CliOptions::option(std::string flag, std::string& value, std::string help, std::vector<std::string> choices) {
  entries_.push_back({[=, &value](CLI::App& app) {
    CLI::Option* option = app.add_option(flag, value, help)->capture_default_str();
    if (!choices.empty()) option->check(CLI::IsMember(choices));
    return option;
  }});
  return {*this, entries_.size() - 1};
}
CliOptions::Option CliOptions::option(std::string flag, std::uint64_t& value, std::string help) {
  entries_.push_back({[=, &value](CLI::App& app) { return add_count(app, flag, value, help); }});
  return {*this, entries_.size() - 1};
}
CliOptions::Option CliOptions::option(std::string flag, double& value, std::string help) {
  entries_.push_back({[=, &value](CLI::App& app) { return app.add_option(flag, value, help)->capture_default_str(); }});
  return {*this, entries_.size() - 1};
}
CliOptions::Option CliOptions::option(std::string flag, bool& value, std::string help) {
  entries_.push_back({[=, &value](CLI::App& app) { return app.add_flag(flag, value, help); }});
  return {*this, entries_.size() - 1};
}
CliOptions::Option CliOptions::option(std::string flag, std::chrono::milliseconds& value, std::string help) {
  entries_.push_back({[=, &value](CLI::App& app) { return add_duration(app, flag, value, help); }});
  return {*this, entries_.size() - 1};
}

struct Cli::Declared {
  struct Verb {
    std::string words;
    std::string help;
    std::function<int()> action;
    CliOptions options;
  };
  std::string name;
  std::string description;
  std::deque<Verb> verbs;   // stays where it is: verb() gives references away
};

Cli::Cli(std::string name, std::string description) : declared_(std::make_unique<Declared>()) {
  declared_->name = std::move(name);
  declared_->description = std::move(description);
}
Cli::~Cli() = default;

CliOptions& Cli::verb(std::string words, std::string help, std::function<int()> action) {
  Declared::Verb& added = declared_->verbs.emplace_back();
  added.words = std::move(words);
  added.help = std::move(help);
  added.action = std::move(action);
  return added.options;
}

namespace {

// The verbs, and where their flags put their values.
class CommandLine {
  static constexpr const char* kWhich = "latest, a checkpoint's number, savepoint:LABEL, or the path of a savepoint";

 public:
  CommandLine(const std::string& name, const std::string& description) : app_(description, name), program_(name) {
    app_.require_subcommand(1);
  }

  // The verbs that need the job.
  void add_job_verbs() {
    state_ = program_ + ".state";
    run_ = app_.add_subcommand("run", "Run the job; goes on from its last checkpoint");
    run_->add_option("--state", state_, "Directory of the job's checkpoints")->capture_default_str();
    run_->add_option("--from", which_, std::string(kWhich) + "; none: begin anew")->capture_default_str();
    run_->add_flag("--fork-lineage", fork_lineage_, "Begin a new history there and leave the original alone; needs outputs of its own");
    run_->add_flag("--allow-drained", allow_drained_, "Go on even after `stop --drain`, though its windows have fired early");
    add_count(*run_, "--parallelism", parallelism_, "Tasks per stage");
    add_count(*run_, "--workers", workers_, "Threads for the tasks; 0: as many as the parallelism, at most the cores");
    run_->add_option("--drop-state", drop_state_, "OPERATOR, OPERATOR/STATE, source or sink to give up")->type_name("NAME");
    run_->add_option("--memory", memory_, "Bound for state, queues and caches, such as 512MiB; 0: none")
        ->transform(CLI::AsSizeValue(false))
        ->transform(CLI::Validator(refuse_no_size, ""))
        ->type_name("BYTES");
    run_->add_option("--verify", how_verified_, "What a restore reads before the first record: lazy, or full for every byte")
        ->check(CLI::IsMember({"lazy", "full"}))
        ->capture_default_str();
    add_count(*run_, "--batch", max_batch_, "Records in a batch; results do not depend on it");
    run_->add_flag("--deterministic", deterministic_, "Equal bytes from run to run, at the cost of a sort for each firing");
    run_->add_flag("-q,--quiet", quiet_, "No progress");
    run_->add_flag("-v,--verbose", verbose_, "More talk");
    add_duration(*run_, "--checkpoint-every", checkpoint_every_, "From one checkpoint to the next; results become visible that often");
    plan_ = app_.add_subcommand("plan", "Show the job's stages, exchanges and guarantees; touches nothing");
    plan_->add_option("--format", format_, "text, dot, mermaid or json")
        ->check(CLI::IsMember({"text", "dot", "mermaid", "json"}))
        ->capture_default_str();
    add_count(*plan_, "--parallelism", parallelism_, "Tasks per stage");
  }
  // The verbs that every program has.
  void add_common_verbs() {
    CLI::App* checkpoints = app_.add_subcommand("checkpoints", "Look at checkpoints; all but gc only read");
    checkpoints->require_subcommand(1);
    ls_ = checkpoints->add_subcommand("ls", "List them");
    show_ = checkpoints->add_subcommand("show", "Show one, by default the newest");
    verify_ = checkpoints->add_subcommand("verify", "Read every byte of one, by default the newest");
    for (CLI::App* verb : {show_, verify_}) verb->add_option("id", which_, kWhich)->capture_default_str();
    diff_ = checkpoints->add_subcommand("diff", "Show what changed from one to another");
    diff_->add_option("from", which_, "The checkpoint before, named as for show")->required();
    diff_->add_option("to", to_, "The checkpoint after")->required();
    gc_ = checkpoints->add_subcommand("gc", "Remove those that a running job would have removed; not beside a running job");
    gc_->add_flag("--dry-run", dry_run_, "Only say what would be removed");
    for (CLI::App* verb : {ls_, show_, verify_, diff_, gc_}) add_directory(*verb);
    add_state_verbs();
    savepoint_ = app_.add_subcommand("savepoint", "Have the running job keep a checkpoint under a name; the job goes on");
    savepoint_->add_option("--label", label_, "Name of the savepoint")->required();
    stop_ = app_.add_subcommand("stop", "Have the running job stop after a final checkpoint");
    stop_->add_option("--label", label_, "Keep the final checkpoint as a savepoint of this name")
        ->check(CLI::Validator(refuse_empty, ""));
    stop_->add_flag("--drain", drain_, "Fire all windows and timers first, full or not; do not go on from such a checkpoint");
    status_ = app_.add_subcommand("status", "Show how the running job is doing");
    for (CLI::App* verb : {savepoint_, stop_, status_}) add_directory(*verb);
    version_ = app_.add_subcommand("version", "Print the version");
  }
  // "state get OPERATOR STATE KEY" and its like.
  void add_state_verbs() {
    CLI::App* state = app_.add_subcommand("state", "Look into the state of a checkpoint; only reads");
    state->require_subcommand(1);
    const auto add = [&](const std::string& word, const std::string& help, StateVerb verb) {
      CLI::App* added = state->add_subcommand(word, help);
      state_verbs_.emplace_back(added, verb);
      add_directory(*added);
      added->add_option("--checkpoint", which_, kWhich)->capture_default_str();
      if (word == "ls") return added;
      added->add_option("OPERATOR", query_.operator_name, "Name of the operator")->required();
      added->add_option("STATE", query_.state, "Name of its state")->required();
      return added;
    };
    add("ls", "List operators and states, source positions and watermarks", &list_state);
    CLI::App* get = add("get", "Show what is kept for one key", &get_state);
    get->add_option("KEY", query_.key, "A word, a number, or JSON as it is shown")->required();
    CLI::App* scan = add("scan", "Show the first rows", &scan_state);
    CLI::App* top_keys = add("top-keys", "Show the keys that take most bytes", &show_top_keys);
    for (CLI::App* verb : {scan, top_keys}) add_count(*verb, "--limit", query_.limit, "How many at most");
    add("export", "Print all rows, one JSON object per line", &export_state);
  }
  // A verb of the program's own. "demo fraud" goes below "demo", which must be there; without an action it is such a group.
  CLI::App& add_verb(const std::string& words, const std::string& help, std::function<int()> action) {
    CLI::App* group = &app_;
    const std::size_t space = words.find(' ');
    if (space != std::string::npos) group = app_.get_subcommand(words.substr(0, space));
    CLI::App* verb = group->add_subcommand(space == std::string::npos ? words : words.substr(space + 1), help);
    if (action) {
      actions_.emplace_back(verb, std::move(action));
    } else {
      verb->require_subcommand(1);
    }
    return *verb;
  }

  CLI::App& run_verb() { return *run_; }
  CLI::App& plan_verb() { return *plan_; }

  int carry_out(int argc, const char* const* argv, const BuildJob& build) {
    const int code = choose(argc, argv, build);
    // Whoever reads a result must not take a part of it for the whole.
    const Status written = flush_output();
    return code == kExitDone && !written.ok() ? report(written.error()) : code;
  }

 private:
  using StateVerb = int (*)(const StateQuery&);

  int choose(int argc, const char* const* argv, const BuildJob& build) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
      print("{}", app_.help("", CLI::AppFormatMode::Normal));
      return kExitDone;
    } catch (const CLI::ParseError& error) {
      return refuse(error);
    }
    if (*version_) {
      print("tidemark {}\n", kVersion);
      return kExitDone;
    }
    const bool runs = run_ != nullptr && *run_;
    const Result<RestoreFrom> which = parse_checkpoint(runs ? "--from: " : "", which_, runs);
    if (!which.ok()) return report(which.error());
    const Result<RestoreFrom> to = parse_checkpoint("", to_, false);
    if (!to.ok()) return report(to.error());
    if (const Status given = check_directory(*which, *to); !given.ok()) return report(given.error());
    if (*ls_) return list_checkpoints(state_, json_);
    if (*show_) return show_checkpoint(state_, *which, json_);
    if (*verify_) return verify_checkpoint(state_, *which, json_);
    if (*diff_) return diff_checkpoints(state_, *which, *to, json_);
    if (*savepoint_) return take_savepoint(state_, label_, json_);
    if (*stop_) return stop_job(state_, drain_, label_, json_);
    if (*status_) return show_status(state_, json_);
    if (*gc_) return collect_checkpoints(state_, dry_run_, json_);
    for (const auto& [verb, action] : state_verbs_) {
      if (!*verb) continue;
      query_.directory = state_;
      query_.checkpoint = *which;
      query_.json = json_;
      return action(query_);
    }
    for (const auto& [verb, action] : actions_) {
      if (*verb) return action();
    }
    auto graph = build();
    if (!graph.ok()) return report(graph.error());
    return *plan_ ? show_plan(*graph) : run(*std::move(graph), *which);
  }

  // Where to look, and how to show it.
  void add_directory(CLI::App& verb) {
    CLI::Option* state = verb.add_option("--state", state_, "Directory of the job's checkpoints");
    if (!state_.empty()) state->capture_default_str();
    verb.add_flag("--json", json_, "One JSON object per line");
    look_into_.push_back(&verb);
  }

  // A verb that is given the path of a checkpoint needs no other.
  Status check_directory(const RestoreFrom& which, const RestoreFrom& to) const {
    const auto is_path = [](const RestoreFrom& each) { return each.kind == RestoreFrom::Kind::kDirectory; };
    const bool looks = std::any_of(look_into_.begin(), look_into_.end(), [](const CLI::App* verb) { return verb->parsed(); });
    if (!looks || !state_.empty() || (is_path(which) && (!*diff_ || is_path(to)))) return {};
    return Error{.code = ErrorCode::kUsage,
                 .message = "--state is required",
                 .fix = "name the job's state directory, or the directory of a savepoint; see " + program_ + " --help"};
  }

  int refuse(const CLI::ParseError& error) {
    std::string message = error.what();
    std::string fix = "see " + program_ + " --help";
    const auto code = static_cast<CLI::ExitCodes>(error.get_exit_code());
    if (code == CLI::ExitCodes::ExtrasError || code == CLI::ExitCodes::RequiredError) {
      const std::vector<std::string> unknown = app_.remaining(true);
      if (!unknown.empty()) message = "unknown " + std::string(unknown.front().starts_with('-') ? "option " : "word ") + unknown.front();
      if (const std::string near = suggestion(unknown); !near.empty()) fix = "did you mean " + near + "? " + fix;
    }
    return report({.code = ErrorCode::kUsage, .message = std::move(message), .fix = std::move(fix)});
  }

  // The known word that is nearest to an unknown one.
  std::string suggestion(const std::vector<std::string>& unknown) const {
    std::vector<std::string> words;
    const CLI::App* verb = &app_;
    while (!verb->get_subcommands().empty()) verb = verb->get_subcommands().front();
    for (const CLI::App* each : verb->get_subcommands([](const CLI::App*) { return true; })) words.push_back(each->get_name());
    for (const CLI::Option* each : verb->get_options()) words.push_back(each->get_name());
    for (const std::string& word : unknown) {
      if (std::string near = nearest(word.substr(0, word.find('=')), words); !near.empty()) return near;
    }
    return {};
  }

  int show_plan(const Graph& graph) const {
    if (const Status status = graph.check(); !status.ok()) return report(status.error());
    if (parallelism_ == 0) return report({.code = ErrorCode::kUsage, .message = "--parallelism 0", .fix = "give 1 or more"});
    const PlanFormat format = format_ == "dot"       ? PlanFormat::kDot
                              : format_ == "mermaid" ? PlanFormat::kMermaid
                              : format_ == "json"    ? PlanFormat::kJson
                                                     : PlanFormat::kText;
    print("{}", plan(graph, parallelism_, format));
    return kExitDone;
  }

  int run(Graph graph, const RestoreFrom& from) const {
    RunOptions options;
    options.runtime.job_name = program_;
    options.runtime.state_directory = state_;
    options.runtime.parallelism = parallelism_;
    options.runtime.workers = workers_;
    options.runtime.checkpoint_every = checkpoint_every_;
    options.runtime.drop_state = drop_state_;
    options.runtime.memory = memory_;
    options.runtime.verify = how_verified_ == "full" ? RuntimeOptions::Verify::kFull : RuntimeOptions::Verify::kLazily;
    options.runtime.max_batch = max_batch_;
    options.runtime.deterministic = deterministic_;
    options.runtime.logger = Logger::to_stderr(verbose_ ? LogLevel::kInfo : LogLevel::kWarning);
    options.quiet = quiet_;
    options.runtime.from = from;
    options.runtime.fork_lineage = fork_lineage_;
    options.runtime.allow_drained = allow_drained_;
    return run_job(std::move(graph), std::move(options));
  }

  CLI::App app_;
  const std::string program_;
  std::vector<std::pair<CLI::App*, std::function<int()>>> actions_;
  CLI::App* run_ = nullptr;
  CLI::App* plan_ = nullptr;
  CLI::App* ls_ = nullptr;
  CLI::App* show_ = nullptr;
  CLI::App* verify_ = nullptr;
  CLI::App* diff_ = nullptr;
  CLI::App* gc_ = nullptr;
  CLI::App* savepoint_ = nullptr;
  CLI::App* stop_ = nullptr;
  CLI::App* status_ = nullptr;
  std::vector<std::pair<CLI::App*, StateVerb>> state_verbs_;
  std::vector<CLI::App*> look_into_;   // those with --state, but run
  CLI::App* version_ = nullptr;
  std::string state_;
  std::string which_ = "latest";
  std::string to_ = "latest";
  bool fork_lineage_ = false;
  bool allow_drained_ = false;
  std::uint32_t parallelism_ = 1;
  std::uint32_t workers_ = 0;
  std::size_t memory_ = 0;
  std::string how_verified_ = "lazy";
  const RuntimeOptions defaults_;
  std::uint32_t max_batch_ = defaults_.max_batch;
  std::chrono::milliseconds checkpoint_every_{1000};
  std::vector<std::string> drop_state_;
  bool deterministic_ = false;
  bool quiet_ = false;
  bool verbose_ = false;
  bool json_ = false;
  std::string format_ = "text";
  bool dry_run_ = false;
  std::string label_;
  bool drain_ = false;
  StateQuery query_;
};

}  // namespace

int Cli::run(int argc, const char* const* argv) { return carry_out(argc, argv, {}); }

int Cli::carry_out(int argc, const char* const* argv, BuildJob build) {
  CommandLine line(declared_->name, declared_->description);
  if (build) {
    line.add_job_verbs();
    for (const Entry& entry : entries_) {
      entry.add_to(line.run_verb(), "Options of this job");
      entry.add_to(line.plan_verb(), "Options of this job");
    }
  }
  line.add_common_verbs();
  for (const Declared::Verb& verb : declared_->verbs) {
    CLI::App& added = line.add_verb(verb.words, verb.help, verb.action);
    for (const Entry& entry : verb.options.entries_) entry.add_to(added, "Options");
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

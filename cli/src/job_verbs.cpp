#include "src/job_verbs.hpp"

#include <cstdio>

#include <fmt/format.h>

#include <tidemark/checkpoint/layout.hpp>

#include "src/local_socket.hpp"
#include "src/output.hpp"
#include "src/run_verb.hpp"

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

namespace {

// `until_it_ends`: also waits until the job closes the connection.
Result<JobAnswer> ask(const std::string& directory, const JobRequest& request, bool until_it_ends) {
  TIDEMARK_ASSIGN(LocalSocket socket, LocalSocket::connect_in(directory));
  bool open = true;
  for (std::string rest = to_line(request); open && !rest.empty();) open = socket.send(rest);
  std::string line;
  while (open && line.size() < kLongestAnswer && line.find('\n') == std::string::npos) {
    open = socket.receive(line, kLongestAnswer - line.size());
  }
  const std::size_t end = line.find('\n');
  if (end == std::string::npos) {
    return Error{.code = ErrorCode::kJobNotRunning,
                 .message = "the job ended without an answer",
                 .fix = "see how it ended; `checkpoints ls` shows what there is"};
  }
  TIDEMARK_ASSIGN(JobAnswer answer, from_line<JobAnswer>(std::string_view(line).substr(0, end)));
  std::string ignored;
  while (until_it_ends && answer.code == 0 && open) open = socket.receive(ignored, kLongestAnswer);
  return answer;
}

// Prints the error of the job, or of asking it, and returns its exit code.
int refuse(const JobAnswer& answer) {
  talk("{}\n", answer.text);
  return exit_code_of(static_cast<ErrorCode>(answer.code));
}

int print(const std::string& line) {
  Status printed = write_line(line);
  if (printed.ok()) printed = flush_output();
  return printed.ok() ? kExitDone : report(printed.error());
}

// The checkpoint that was taken, and as what it is kept.
int print_checkpoint(const std::string& what, const std::string& directory, CheckpointId checkpoint, const std::string& label, bool json) {
  const std::string path = label.empty() ? std::string{} : savepoint_path(directory, label);
  if (json) {
    const std::string kept = label.empty() ? "" : fmt::format(R"(,"savepoint":{},"path":{})", json_string(label), json_string(path));
    return print(fmt::format(R"({{"checkpoint":{}{}}})", checkpoint, kept));
  }
  return print(fmt::format("{} checkpoint {}{}", what, checkpoint, label.empty() ? "" : ", kept in " + path));
}

}  // namespace

int take_savepoint(const std::string& directory, const std::string& label, bool json) {
  const Result<JobAnswer> answer = ask(directory, {.verb = "savepoint", .drain = false, .label = label}, false);
  if (!answer.ok()) return report(answer.error());
  if (answer->code != 0) return refuse(*answer);
  return print_checkpoint("savepoint " + label + ":", directory, answer->checkpoint, label, json);
}

int stop_job(const std::string& directory, bool drain, const std::string& label, bool json) {
  if (drain) talk("all windows fire now, full or not; a start from this checkpoint is refused unless --allow-drained\n");
  const Result<JobAnswer> answer = ask(directory, {.verb = "stop", .drain = drain, .label = label}, true);
  if (!answer.ok()) return report(answer.error());
  if (answer->code != 0) return refuse(*answer);
  return print_checkpoint("stopped after", directory, answer->checkpoint, label, json);
}

int show_status(const std::string& directory, bool json) {
  const Result<JobAnswer> answer = ask(directory, {.verb = "status", .drain = false, .label = {}}, false);
  if (!answer.ok()) return report(answer.error());
  if (answer->code != 0) return refuse(*answer);
  return print(json ? answer->json : answer->text);
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

#include "src/job_server.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <tidemark/checkpoint/layout.hpp>

#include "src/output.hpp"
#include "src/progress.hpp"

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kMostClients = 16;  // others wait to be accepted
constexpr auto kPatience = 5s;

JobAnswer failed(const Error& error) {
  return {.code = static_cast<std::uint16_t>(error.code), .text = error.describe(), .checkpoint = 0, .json = {}};
}

}  // namespace

JobServer::JobServer(const RuntimeOptions& options, LocalSocket listening) : options_(options), listening_(std::move(listening)) {}

Result<std::unique_ptr<JobServer>> JobServer::open(const RuntimeOptions& options) {
  TIDEMARK_ASSIGN(LocalSocket listening, LocalSocket::listen_in(*options.files, options.state_directory));
  return std::unique_ptr<JobServer>(new JobServer(options, std::move(listening)));
}

void JobServer::serve(Runtime& runtime) {
  while (listening_ && clients_.size() < kMostClients) {
    std::optional<LocalSocket> accepted = listening_->accept();
    if (!accepted) break;
    clients_.push_back({.socket = *std::move(accepted),
                        .deadline = now() + kPatience,
                        .input = {},
                        .pending = {},
                        .stops = false,
                        .answered = false,
                        .output = {}});
  }
  // Only what is not refused is announced.
  const bool asked = std::any_of(clients_.begin(), clients_.end(), [](const Client& client) { return client.stops; });
  if (asked && !announced_ && runtime.snapshot().stopping) {
    announced_ = true;
    talk("\n{}: stopping after a final checkpoint, as `stop` asked\n", options_.job_name);
  }
  std::erase_if(clients_, [&](Client& client) { return !attend(client, runtime); });
}

void JobServer::finish(Runtime& runtime) {
  serve(runtime);  // every request is answered at once now
  if (const Status removed = options_.files->remove_file(socket_path(options_.state_directory)); !removed.ok()) {
    options_.logger.warning("the socket stays: " + removed.error().message);
  }
  listening_.reset();
}

bool JobServer::attend(Client& client, Runtime& runtime) {
  if (!client.pending && !client.answered && !take_request(client, runtime)) return false;
  if (client.pending && client.pending->wait_for(0s) == std::future_status::ready) {
    const Result<CheckpointId> taken = std::exchange(client.pending, std::nullopt)->get();
    answer(client, taken.ok() ? JobAnswer{.code = 0, .text = {}, .checkpoint = *taken, .json = {}} : failed(taken.error()));
  }
  if (client.pending || !client.answered) return true;
  if (!client.socket.send(client.output)) return false;
  if (client.output.empty()) return client.stops;
  return now() < client.deadline;
}

bool JobServer::take_request(Client& client, Runtime& runtime) {
  const bool open = client.socket.receive(client.input, kLongestRequest + 1 - client.input.size());
  const std::size_t end = client.input.find('\n');
  if (end == std::string::npos && client.input.size() <= kLongestRequest) return open && now() < client.deadline;
  if (end == std::string::npos) {
    answer(client, failed({.code = ErrorCode::kUsage,
                           .message = fmt::format("a request has at most {} bytes", kLongestRequest),
                           .fix = "send one line, such as [\"status\",false,\"\"]"}));
    return true;
  }
  const Result<JobRequest> request = from_line<JobRequest>(std::string_view(client.input).substr(0, end));
  if (request.ok()) {
    act(client, *request, runtime);
  } else {
    answer(client, failed(request.error()));
  }
  return true;
}

void JobServer::act(Client& client, const JobRequest& request, Runtime& runtime) {
  if (request.verb == "status") {
    answer(client, status(runtime));
  } else if (request.verb == "savepoint") {
    client.pending = runtime.request_savepoint(request.label);
  } else if (request.verb == "stop") {
    client.stops = true;
    client.pending = runtime.request_stop({.drain = request.drain, .label = request.label});
  } else {
    answer(client, failed({.code = ErrorCode::kUsage,
                           .message = "a running job does not know the request \"" + request.verb + "\"",
                           .fix = "ask for savepoint, stop or status"}));
  }
}

void JobServer::answer(Client& client, const JobAnswer& answer) {
  client.answered = true;
  client.stops = client.stops && answer.code == 0;
  client.deadline = now() + kPatience;
  client.output = to_line(answer);
}

JobAnswer JobServer::status(const Runtime& runtime) const {
  const JobSnapshot now = runtime.snapshot();
  const StartReport& start = runtime.start_report();
  return {
      .code = 0,
      .text = fmt::format("{}: {}, {}", options_.job_name, to_string(now.state), progress_line(now, {})),
      .checkpoint = now.last_checkpoint,
      .json = fmt::format(
          R"({{"job":{},"state":"{}","lineage":"{}","attempt":{},"uptime_ms":{},"records_in":{},"records_out":{},"late":{},)"
          R"("quarantined":{},"dropped":{},"watermark":"{}","last_checkpoint":{},"since_checkpoint_ms":{},"checkpoint_ms":{},)"
          R"("checkpoint_bytes":{},"checkpoints":{},"failed_checkpoints":{},"stopping":{}}})",
          json_string(options_.job_name), to_string(now.state), start.lineage, start.attempt, now.uptime.count(), now.records_in,
          now.records_out, now.late, now.quarantined, now.dropped, to_string(now.watermark), now.last_checkpoint,
          now.since_checkpoint.count(), now.checkpoint_duration.count(), now.checkpoint_bytes, now.checkpoints, now.failed_checkpoints,
          now.stopping)};
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

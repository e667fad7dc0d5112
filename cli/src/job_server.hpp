#pragma once
// A running job's side of its socket: `savepoint`, `stop` and `status`. `run` alone opens it.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tidemark/core/file_system.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "src/job_messages.hpp"
#include "src/local_socket.hpp"

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

// One thread. It never waits for a client: one that sends nothing, or does not take its answer, is dropped after a few seconds.
class JobServer {
 public:
  // `options` are those of the runtime that owns the state directory, and outlive the server.
  static Result<std::unique_ptr<JobServer>> open(const RuntimeOptions& options);

  // One round: takes what has arrived and answers what is ready. Call it often.
  void serve(Runtime& runtime);
  // The job has ended: gives the last answers and removes the socket. Before the runtime goes, and with it the lock. Who asked for the stop
  // sees the connection end only when this object does, so that it knows that the directory is free.
  void finish(Runtime& runtime);

 private:
  struct Client {
    LocalSocket socket;
    std::chrono::steady_clock::time_point deadline;  // for its request, then for taking the answer
    std::string input;
    std::optional<CheckpointAnswer> pending;
    bool stops = false;
    bool answered = false;
    std::string output;
  };
  JobServer(const RuntimeOptions& options, LocalSocket listening);

  // Each returns false if the client is done with.
  bool attend(Client& client, Runtime& runtime);
  bool take_request(Client& client, Runtime& runtime);
  void act(Client& client, const JobRequest& request, Runtime& runtime);
  void answer(Client& client, const JobAnswer& answer);
  JobAnswer status(const Runtime& runtime) const;
  std::chrono::steady_clock::time_point now() const { return options_.clock->steady_now(); }

  const RuntimeOptions& options_;
  std::optional<LocalSocket> listening_;
  std::vector<Client> clients_;
  bool announced_ = false;                           // that the job stops
};

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

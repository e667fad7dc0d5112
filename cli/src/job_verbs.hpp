#pragma once
// `savepoint`, `stop` and `status`: said to the job that runs on a state directory.

#include <string>

#include "src/job_messages.hpp"

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

// Each waits for the answer, prints it, and returns the exit code: that of the error if the job refuses, kExitFailed if none runs there.

int take_savepoint(const std::string& directory, const std::string& label, bool json);
// Also waits until the job has let go of the directory.
int stop_job(const std::string& directory, bool drain, const std::string& label, bool json);
int show_status(const std::string& directory, bool json);

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

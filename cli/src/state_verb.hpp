#pragma once
// `state ls|get|scan|top-keys|export`: the state in a checkpoint, typed by the schemas in its manifest. Only reads, also beside a running
// job, and needs no job.

#include <cstdint>
#include <string>

#include <tidemark/runtime/runtime.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

struct StateQuery {
  std::string directory;
  RestoreFrom checkpoint;
  std::string operator_name;
  std::string state;
  std::string key;                          // as Schema::from_text takes it
  std::uint64_t limit = 20;
  bool json = false;
};

// Each returns the exit code.

// All states with what they hold, the positions of sources, and the watermarks of tasks.
int list_state(const StateQuery& query);
// All rows of one key; kExitFailed if there is none.
int get_state(const StateQuery& query);
// The first `limit` rows.
int scan_state(const StateQuery& query);
// The `limit` keys whose rows take most bytes.
int show_top_keys(const StateQuery& query);
// All rows, a JSON object each.
int export_state(const StateQuery& query);

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

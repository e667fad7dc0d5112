#include <tidemark/state/entries_table.hpp>

#include <tidemark/core/job_failure.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

void fail_without_event_time(const std::string& state, const std::string& what_it_has) {
  throw JobFailure(Error{.code = ErrorCode::kBadGraph,
                         .message = "state \"" + state + "\" " + what_it_has + ", but its stream has no event time",
                         .facts = {},
                         .why = "how long an entry lives is told from the time of the record that wrote it",
                         .fix = "call with_event_time() before key_by(), or declare the state without that"});
}

void fail_too_many(const std::string& state, std::size_t max_entries) {
  throw JobFailure(Error{.code = ErrorCode::kTooMany,
                         .message = "it has " + std::to_string(max_entries) + " entries in state \"" + state + "\" and may have no more",
                         .facts = {},
                         .why = "what the call had changed before cannot be taken back, so the record cannot be set aside alone",
                         .fix = "let the function ask size() first and drop something, give the entries a ttl, or raise max_entries"});
}

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

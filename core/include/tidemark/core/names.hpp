#pragma once
// Names that users give to jobs, sources, operators, states and sinks.

#include <string>
#include <string_view>
#include <vector>

#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {

// [A-Za-z0-9._-]{1,64}, and neither "." nor "..": safe in paths, metrics and messages (S03). `what` is e.g. "operator".
Status check_name(std::string_view what, std::string_view name);

// The candidate that is nearest to `word` by edit distance, for "did you mean"; empty if none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace v0
}  // namespace tidemark

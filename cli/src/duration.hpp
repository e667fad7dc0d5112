#pragma once
// Durations as people write and read them.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

// "500ms", "30s", "5min", "1h", "2d". Nothing else.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
std::string duration_text(std::chrono::milliseconds duration);

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

#pragma once

#include <string>
#include <string_view>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

// A JSON string with its quotes; control characters are escaped.
std::string json_text(std::string_view text);

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

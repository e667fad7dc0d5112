#include "src/json_text.hpp"

#include <fmt/format.h>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

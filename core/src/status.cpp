#include <tidemark/core/status.hpp>

#include <algorithm>

#include <tidemark/core/log.hpp>

namespace tidemark {
inline namespace v0 {

std::string to_string(ErrorCode code) {
  const std::string digits = std::to_string(static_cast<unsigned>(code));
  return "TM" + std::string(4 - std::min<std::size_t>(4, digits.size()), '0') + digits;
}

namespace {
void append_line(std::string& text, std::string_view label, std::size_t width, std::string_view value) {
  text += "\n  ";
  text += label;
  text.append(width - label.size(), ' ');
  text += " : ";
  text += escape_control(value);
}
}  // namespace

std::string Error::describe() const {
  std::string text = "error[" + to_string(code) + "]: " + escape_control(message);
  std::size_t width = 0;
  for (const auto& [label, value] : facts) width = std::max(width, label.size());
  for (const auto& [label, value] : facts) append_line(text, label, width, value);
  constexpr std::size_t kWidth = 4;   // of "help"
  if (!why.empty()) append_line(text, "why", kWidth, why);
  if (!fix.empty()) append_line(text, "fix", kWidth, fix);
  append_line(text, "help", kWidth, "tidemark explain " + to_string(code));
  return text;
}

}  // namespace v0
}  // namespace tidemark

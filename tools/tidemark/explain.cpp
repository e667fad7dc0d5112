#include "explain.hpp"

#include <cctype>
#include <cstdio>

#include <fmt/format.h>

#include <tidemark/core/status.hpp>

namespace tidemark::tool {

namespace {

constexpr std::string_view kHeading = "\n## ";

// "TM0203" of "tm203" and the like.
std::string in_full(std::string_view code) {
  for (const char letter : {'T', 'M'}) {
    if (!code.empty() && std::toupper(static_cast<unsigned char>(code[0])) == letter) code.remove_prefix(1);
  }
  return "TM" + std::string(4 - std::min<std::size_t>(4, code.size()), '0') + std::string{code};
}

}  // namespace

int explain(const std::string& code) {
  const std::string wanted = in_full(code);
  const std::size_t begin = kErrorsPage.find(std::string{kHeading} + wanted + " ");
  if (begin == std::string_view::npos) {
    const Error error{.code = ErrorCode::kUsage,
                      .message = "there is no error code \"" + code + "\"",
                      .fix = "write it as it is printed: tidemark explain " + to_string(ErrorCode::kStateMismatch)};
    fmt::print(stderr, "{}\n", error.describe());
    return 2;
  }
  const std::size_t end = kErrorsPage.find(kHeading, begin + 1);
  std::string_view section =
      kErrorsPage.substr(begin + kHeading.size(), end == std::string_view::npos ? end : end - begin - kHeading.size());
  while (section.ends_with('\n')) section.remove_suffix(1);
  fmt::print("{}\n", section);
  return 0;
}

}  // namespace tidemark::tool

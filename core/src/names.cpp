#include <tidemark/core/names.hpp>

#include <algorithm>
#include <numeric>

#include <tidemark/core/log.hpp>

namespace tidemark {
inline namespace v0 {

namespace {

constexpr std::size_t kLongestName = 64;

// Not std::isalnum: what a name is must not depend on the locale.
bool allowed(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

Status check_name(std::string_view what, std::string_view name) {
  std::string problem;
  if (name.empty()) {
    problem = "is empty";
  } else if (name.size() > kLongestName) {
    problem = "is longer than " + std::to_string(kLongestName) + " characters";
  } else if (name == "." || name == "..") {
    problem = "means a directory";
  } else if (!std::all_of(name.begin(), name.end(), allowed)) {
    problem = "has a character that is not allowed";
  } else {
    return {};
  }
  std::string shown = escape_control(name.substr(0, kLongestName));
  if (name.size() > kLongestName) shown += "...";
  return Error{.code = ErrorCode::kBadName,
               .message = std::string{what} + " name \"" + shown + "\" " + problem,
               .why = "names become parts of paths, metrics and messages",
               .fix = "use 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'"};
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  // One slip in every three letters still looks like the same word.
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace v0
}  // namespace tidemark

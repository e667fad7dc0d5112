#include "src/duration.hpp"

#include <array>
#include <charconv>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

namespace {
struct Unit {
  std::string_view name;
  std::int64_t milliseconds;
};
constexpr std::array<Unit, 5> kUnits{{{"d", 86'400'000}, {"h", 3'600'000}, {"min", 60'000}, {"s", 1'000}, {"ms", 1}}};
}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || count < 0) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& each : kUnits) {
    std::int64_t milliseconds = 0;
    if (unit != each.name) continue;
    if (__builtin_mul_overflow(count, each.milliseconds, &milliseconds)) break;
    return std::chrono::milliseconds{milliseconds};
  }
  return std::nullopt;
}

std::string duration_text(std::chrono::milliseconds duration) {
  if (duration.count() == 0) return "0s";
  for (const Unit& each : kUnits) {
    if (duration.count() % each.milliseconds == 0) return std::to_string(duration.count() / each.milliseconds).append(each.name);
  }
  return {};
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

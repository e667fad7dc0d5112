#include "src/manifest_text.hpp"

#include <chrono>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <tidemark/core/schema.hpp>
#include <tidemark/core/time.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

std::string created_text(const Manifest& manifest) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::time_point_cast<std::chrono::seconds>(manifest.created));
}

std::string split_json(const SourceEntry& source, const SplitEntry& split) {
  return fmt::format(R"({{"source":{},"split":{},"position":"{}","finished":{}}})", json_string(source.operator_name),
                     json_string(split.name), hex_text(split.position), split.finished);
}

std::string input_fields(const InputEntry& input) {
  return fmt::format(R"("input":{},"watermark":"{}","idle":{},"finished":{})", json_string(input.channel), to_string(input.watermark),
                     input.idle, input.finished);
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

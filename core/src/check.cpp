#include <tidemark/core/check.hpp>

namespace tidemark {
inline namespace v0 {
namespace core_internal {

void invariant_broken(const char* file, int line, const char* condition, const std::string& details) {
  std::string text = std::string{file} + ":" + std::to_string(line) + ": broken invariant: " + condition;
  if (!details.empty()) text += ": " + details;
  throw BrokenInvariant(text);
}

}  // namespace core_internal
}  // namespace v0
}  // namespace tidemark

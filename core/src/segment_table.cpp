#include <tidemark/core/segment_table.hpp>

namespace tidemark {
inline namespace v0 {

bool segment_table_is_sound(ByteView framed) {
  constexpr std::uint32_t kMostSegments = 64;
  constexpr std::size_t kWord = 8;
  const std::size_t total = framed.size();
  std::uint32_t last = 0;
  if (total % kWord != 0 || !take_u32(framed, last) || last >= kMostSegments) return false;
  const std::size_t segments = std::size_t{last} + 1;
  std::uint64_t expected = (4 + 4 * segments + kWord - 1) / kWord * kWord;
  for (std::size_t i = 0; i < segments; ++i) {
    std::uint32_t words = 0;
    if (!take_u32(framed, words)) return false;
    expected += std::uint64_t{words} * kWord;
  }
  return expected == total;
}

}  // namespace v0
}  // namespace tidemark

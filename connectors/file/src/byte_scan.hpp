#pragma once
// Finds the few bytes that matter in many that do not.

#include <cstddef>

#include <tidemark/core/bytes.hpp>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tidemark {
inline namespace v0 {
namespace file_internal {

// Calls visit(index) for each byte that is one of the three, in order, until it gives false. One comparison a byte would cost more than all
// else in the reading of CSV; sixteen at a time cost little.
template <class Visit>
void scan_for(ByteView bytes, char first, char second, char third, Visit visit) {
  std::size_t at = 0;
#if defined(__SSE2__)
  const __m128i firsts = _mm_set1_epi8(first);
  const __m128i seconds = _mm_set1_epi8(second);
  const __m128i thirds = _mm_set1_epi8(third);
  for (; at + sizeof(__m128i) <= bytes.size(); at += sizeof(__m128i)) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes.data() + at));
    const __m128i found =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(block, firsts), _mm_cmpeq_epi8(block, seconds)), _mm_cmpeq_epi8(block, thirds));
    for (unsigned mask = static_cast<unsigned>(_mm_movemask_epi8(found)); mask != 0; mask &= mask - 1) {
      if (!visit(at + static_cast<std::size_t>(__builtin_ctz(mask)))) return;
    }
  }
#endif
  for (; at < bytes.size(); ++at) {
    if ((bytes[at] == first || bytes[at] == second || bytes[at] == third) && !visit(at)) return;
  }
}

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

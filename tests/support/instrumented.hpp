#pragma once
// A sanitizer makes everything slow: tests of very many cases try some of them there, and all of them in the release build.

namespace tidemark::test_support {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool kInstrumented = true;
#else
inline constexpr bool kInstrumented = false;
#endif

}  // namespace tidemark::test_support

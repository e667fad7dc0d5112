#pragma once
// Assertions that stay on in release. A broken invariant is a defect of ours: the job stops at once, nothing more is written or committed,
// and the host is told. Therefore it is an exception that only the runtime catches, at the edge of a step; code between never does.

#include <stdexcept>
#include <string>

namespace tidemark {
inline namespace v0 {

class BrokenInvariant : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

namespace core_internal {
[[noreturn]] void invariant_broken(const char* file, int line, const char* condition, const std::string& details);
}

}  // namespace v0
}  // namespace tidemark

// TIDEMARK_CHECK(condition) or TIDEMARK_CHECK(condition, "text with the values"). The text is built only on failure.
#define TIDEMARK_CHECK(condition, ...)                                                                          \
  do {                                                                                                          \
    if (!(condition)) [[unlikely]]                                                                              \
      ::tidemark::core_internal::invariant_broken(__FILE__, __LINE__, #condition, ::std::string{__VA_ARGS__}); \
  } while (false)

#pragma once
// Bugs that the suite must catch: docs/planted.md. An ordinary build has none of them, nor a branch for them; under the preset `planted`
// a run has the one that TIDEMARK_PLANTED_BUG names, such as P10.

#ifdef TIDEMARK_PLANTED_BUGS
#include <cstdlib>
#include <type_traits>
#endif

namespace tidemark {
inline namespace v0 {
namespace core_internal {

enum class Bug {
  kP01 = 1, kP02, kP03, kP04, kP05, kP06, kP07, kP08, kP09, kP10, kP11, kP12, kP13,
  kP14, kP15, kP16, kP17, kP18, kP19, kP20, kP21, kP23 = 23, kP24, kP25
};

#ifdef TIDEMARK_PLANTED_BUGS
inline bool is_chosen(Bug bug) {
  static const int chosen = [] {
    const char* name = std::getenv("TIDEMARK_PLANTED_BUG");
    return name != nullptr && name[0] == 'P' ? std::atoi(name + 1) : 0;
  }();
  return static_cast<int>(bug) == chosen;
}
constexpr bool planted(Bug bug) {
  if (std::is_constant_evaluated()) {
    return false;
  } else {
    return is_chosen(bug);
  }
}
#else
consteval bool planted(Bug) { return false; }
#endif

}  // namespace core_internal
}  // namespace v0
}  // namespace tidemark

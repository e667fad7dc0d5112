// Planted bugs are no part of an ordinary build, and where they are, a run has none that was not asked for.

#include <cstdlib>

#include <gtest/gtest.h>

#include <tidemark/core/detail/planted.hpp>
#include <tidemark/core/detail/situations.hpp>

namespace tidemark {
namespace {

using core_internal::Bug;

#ifndef TIDEMARK_PLANTED_BUGS
// Decided when it is compiled: no branch is left of `if (planted(...))`.
static_assert(!planted(Bug::kP01) && !planted(Bug::kP14) && !planted(Bug::kP25));
static_assert(!core_internal::kLooksForSituations);
#endif

TEST(PlantedBugs, AreAbsentUnlessTheBuildAndTheEnvironmentAskForOne) {
  if (std::getenv("TIDEMARK_PLANTED_BUG") != nullptr) GTEST_SKIP() << "one was asked for";
  EXPECT_FALSE(planted(Bug::kP01));
  EXPECT_FALSE(planted(Bug::kP25));
}

}  // namespace
}  // namespace tidemark

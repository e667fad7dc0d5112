#include <tidemark/operators/record_type.hpp>

#include <algorithm>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

namespace {
constexpr std::size_t kFewTargets = 4;   // a pass for each costs less than waiting for its counter at every record
}

PickedByTarget pick_by_target(std::span<const std::uint16_t> targets, std::size_t target_count, Column<std::uint32_t>& scratch) {
  const std::size_t n = targets.size();
  scratch.resize(target_count + 1 + n + 1);
  std::uint32_t* const starts = scratch.data();   // of each target; one further, so that what begins as starts ends as ends
  std::uint32_t* const picked = starts + target_count + 1;
  if (target_count <= kFewTargets) {
    std::uint32_t count = 0;
    for (std::size_t target = 0; target < target_count; ++target) {
      for (std::size_t i = 0; i < n; ++i) {   // branch-free: write always, go on if it belongs here
        picked[count] = static_cast<std::uint32_t>(i);
        count += targets[i] == target;
      }
      starts[target] = count;
    }
    return {picked, starts};
  }
  std::fill_n(starts, target_count + 1, 0U);
  for (const std::uint16_t target : targets) ++starts[target + 1U];
  for (std::size_t target = 1; target < target_count; ++target) starts[target + 1] += starts[target];
  for (std::size_t i = 0; i < n; ++i) picked[starts[targets[i]]++] = static_cast<std::uint32_t>(i);
  return {picked, starts};
}

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

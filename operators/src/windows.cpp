#include <tidemark/operators/windows.hpp>

#include <tidemark/operators/detail/event_time_stage.hpp>

namespace tidemark {
inline namespace v0 {

using operators_internal::duration_text;

Status WindowSpec::check() const {
  auto possible = [](Duration duration) { return duration > Duration{0} && duration <= kLongestDuration; };
  const bool offset_fits = offset <= kLongestDuration && offset >= -kLongestDuration;
  if (possible(size) && possible(slide) && offset_fits) return {};
  return Error{.code = ErrorCode::kBadGraph,
               .message = "a window has an impossible duration: " + parameters(),
               .facts = {},
               .why = "sizes, slides and gaps are at least one microsecond, and no duration is longer than 2^61 microseconds",
               .fix = "give window() durations in that range"};
}

std::string WindowSpec::describe() const {
  const std::string at = offset == Duration{0} ? std::string{} : ", offset " + duration_text(offset);
  switch (kind) {
    case WindowKind::kTumbling: return "tumbling window " + duration_text(size) + at;
    case WindowKind::kSliding: return "sliding window " + duration_text(size) + " by " + duration_text(slide) + at;
    case WindowKind::kSession: break;
  }
  return "session window, gap " + duration_text(size);
}

std::string WindowSpec::parameters() const {
  // Offsets that give the same windows give the same text.
  const std::string at = duration_text(slide > Duration{0} ? floor_mod(offset, slide) : offset);
  switch (kind) {
    case WindowKind::kTumbling: return "tumbling(" + duration_text(size) + "," + at + ")";
    case WindowKind::kSliding: return "sliding(" + duration_text(size) + "," + duration_text(slide) + "," + at + ")";
    case WindowKind::kSession: break;
  }
  return "session(" + duration_text(size) + ")";
}

}  // namespace v0
}  // namespace tidemark

#include <tidemark/state/timers.hpp>

namespace tidemark {
inline namespace v0 {

template class state_internal::TimeLadder<state_internal::DueTimer, state_internal::DueTimerLess>;
template class TimerTable<std::int64_t>;
template class TimerTable<std::uint64_t>;
template class TimerTable<std::string>;

}  // namespace v0
}  // namespace tidemark

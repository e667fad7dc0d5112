#pragma once
// Situations that the simulation must have met and of which a disk shows nothing. They are looked for in the build that plants bugs
// (detail/planted.hpp); an ordinary build keeps no trace of them.

#include <cstdint>

#ifdef TIDEMARK_PLANTED_BUGS
#include <atomic>
#endif

namespace tidemark {
inline namespace v0 {
namespace core_internal {

enum class Situation : std::uint8_t {
  kInputEndedBeforeBarrier,  // of a task that has other inputs
  kFrozenEntryWritten,       // an entry of the checkpoint under way was written before its turn to be encoded
  kDirtyEntryWantedOut,      // memory was short, and an entry could not leave since its last value is not in the store
};
inline constexpr const char* kSituations[] = {"input ended before barrier", "frozen entry written", "dirty entry wanted out"};
constexpr std::uint32_t bit_of(Situation situation) { return 1U << static_cast<unsigned>(situation); }

#ifdef TIDEMARK_PLANTED_BUGS
inline constexpr bool kLooksForSituations = true;
inline std::atomic<std::uint32_t> met{0};   // since the process began
inline void sometimes(Situation situation, bool is_met = true) {
  if (is_met) met.fetch_or(bit_of(situation), std::memory_order_relaxed);
}
inline std::uint32_t met_situations() { return met.load(std::memory_order_relaxed); }
#else
inline constexpr bool kLooksForSituations = false;
constexpr void sometimes(Situation, bool = true) {}
constexpr std::uint32_t met_situations() { return 0; }
#endif

}  // namespace core_internal
}  // namespace v0
}  // namespace tidemark

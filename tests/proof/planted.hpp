#pragma once
// Planted bugs: what the log of a job would be if it had one of these. The proof must find each, or the proof is at fault.

#include "operation.hpp"

namespace tidemark::proof {

struct PlantedBug {
  const char* name = "";   // reliability, section 4
  const char* says = "";
  Log (*plant)(const Log&) = nullptr;
};
inline constexpr int kPlantedBugs = 7;
extern const PlantedBug planted_bugs[kPlantedBugs];

}  // namespace tidemark::proof

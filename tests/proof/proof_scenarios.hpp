#pragma once
// The scenarios that are for the proof alone: a job of the common table whose start after a crash is a special one.

#include <vector>

#include "scenarios.hpp"

namespace tidemark::proof {

const std::vector<Scenario>& proof_scenarios();

}  // namespace tidemark::proof

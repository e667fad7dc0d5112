#include "proof_scenarios.hpp"

#include <algorithm>
#include <string_view>

namespace tidemark::proof {

namespace {

Scenario started(const char* name, Twist twist) {
  Scenario scenario = *std::find_if(scenarios().begin(), scenarios().end(),
                                    [](const Scenario& each) { return std::string_view{each.name} == "window"; });
  scenario.name = name;
  scenario.every_second = false;
  scenario.twist = twist;
  return scenario;
}

}  // namespace

const std::vector<Scenario>& proof_scenarios() {
  static const std::vector<Scenario> all{started("older", Twist::kOlder), started("damaged", Twist::kDamaged),
                                         started("copied", Twist::kCopied)};
  return all;
}

}  // namespace tidemark::proof

#pragma once
// Random records as scripts, for comparisons with a naive model.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "process_support.hpp"

namespace process_test {

class RandomScript {
 public:
  explicit RandomScript(unsigned seed) : random_(seed) {}
  std::int64_t below(std::int64_t n) { return std::uniform_int_distribution<std::int64_t>(0, n - 1)(random_); }

  // Nearly in order, with watermarks wherever one may stand. Given: {visit, time}, with times below 500.
  template <class Given>
  auto script(const std::vector<Given>& records, bool many_watermarks) {
    std::vector<std::pair<std::int64_t, Given>> ranked;
    for (const Given& given : records) ranked.push_back({given.time + below(12), given});
    std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    Script<decltype(Given::visit)> script;
    std::int64_t last = std::numeric_limits<std::int64_t>::min();
    for (std::size_t i = 0; i < ranked.size(); ++i) {
      script.record(ranked[i].second.visit, at(ranked[i].second.time));
      std::int64_t least = 1000;
      for (std::size_t k = i + 1; k < ranked.size(); ++k) least = std::min(least, ranked[k].second.time);
      if (many_watermarks && below(2) == 0 && least < 1000 && least - 1 > last) script.watermark(at(last = least - 1));
    }
    script.watermark(at(500)).end();
    return script;
  }

 private:
  std::mt19937 random_;
};

}  // namespace process_test

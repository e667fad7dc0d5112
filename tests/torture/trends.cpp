#include "trends.hpp"

#include <cmath>

namespace tidemark::torture {

void Trends::add(const std::string& kind, double time, double value) { values_[kind].emplace_back(time, value); }

Trend Trends::trend() const {
  std::vector<std::pair<double, double>> points;
  for (const auto& [kind, values] : values_) {
    double sum = 0;
    for (const auto& [time, value] : values) sum += value;
    if (values.size() < 3 || sum <= 0) continue;
    for (const auto& [time, value] : values) points.emplace_back(time, value * static_cast<double>(values.size()) / sum);
  }
  if (points.size() < 3) return {};
  const auto n = static_cast<double>(points.size());
  double mean_time = 0;
  double mean = 0;
  for (const auto& [time, value] : points) {
    mean_time += time / n;
    mean += value / n;
  }
  double time_square = 0;
  double product = 0;
  for (const auto& [time, value] : points) {
    time_square += (time - mean_time) * (time - mean_time);
    product += (time - mean_time) * (value - mean);
  }
  if (time_square <= 0) return {};
  const double slope = product / time_square;
  double error_square = 0;
  double first = points.front().first;
  double last = first;
  for (const auto& [time, value] : points) {
    const double error = value - mean - slope * (time - mean_time);
    error_square += error * error;
    first = std::fmin(first, time);
    last = std::fmax(last, time);
  }
  return {.growth = slope * (last - first), .uncertainty = std::sqrt(error_square / (n - 2) / time_square) * (last - first)};
}

}  // namespace tidemark::torture

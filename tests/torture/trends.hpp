#pragma once
// Whether something grows from job to job that should not. Jobs differ, so each is compared with the others of its kind.

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tidemark::torture {

struct Trend {
  double growth = 0;        // over all the time, in parts of the mean: 0.1 is a tenth more at the end than at the beginning
  double uncertainty = 0;   // its standard error
  // More than what chance explains: beyond `limit` by three standard errors.
  bool exceeds(double limit) const { return growth - 3 * uncertainty > limit; }
};

class Trends {
 public:
  // A figure of a job of this kind, at this time.
  void add(const std::string& kind, double time, double value);
  // By least squares over what is left when each value is divided by the mean of its kind. Kinds with fewer than three values do not count.
  Trend trend() const;

 private:
  std::map<std::string, std::vector<std::pair<double, double>>> values_;
};

}  // namespace tidemark::torture

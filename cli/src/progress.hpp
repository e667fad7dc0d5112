#pragma once
// The line that shows how a job is doing.

#include <chrono>
#include <string>

#include <tidemark/runtime/runtime.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

// "00:12 in 1.2M/s out 840/s watermark 12:04:11 checkpoint 7: 1.8s ago, 212ms, 4.1MB late 3 dropped 0". Rates since `before`.
std::string progress_line(const JobSnapshot& now, const JobSnapshot& before);
// 1234567 -> "1.2M".
std::string short_count(double count);

// Shows lines on standard error: in place on a terminal, else one every five seconds. One thread.
class ProgressDisplay {
 public:
  ProgressDisplay();
  // Call often; it decides whether to show something.
  void update(const JobSnapshot& snapshot);
  // A last line that stays.
  void finish(const JobSnapshot& snapshot);

 private:
  void show(const std::string& line, bool last);
  void warn_if_silent(const JobSnapshot& snapshot);

  bool terminal_ = false;
  bool shown_ = false;
  JobSnapshot shown_snapshot_;
  std::uint64_t last_out_ = 0;
  std::chrono::milliseconds out_since_{0};
  bool warned_ = false;
};

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

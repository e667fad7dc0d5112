#include "src/progress.hpp"

#include <unistd.h>

#include <cstdio>

#include <fmt/format.h>

#include "src/output.hpp"

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

namespace {
using namespace std::chrono_literals;

std::string short_bytes(std::uint64_t bytes) { return short_count(static_cast<double>(bytes)) + "B"; }

std::string short_duration(std::chrono::milliseconds duration) {
  return duration < 1s ? fmt::format("{}ms", duration.count()) : fmt::format("{:.1f}s", static_cast<double>(duration.count()) / 1000);
}

double rate(std::uint64_t now, std::uint64_t before, std::chrono::milliseconds time) {
  return time.count() == 0 ? 0 : static_cast<double>(now - before) * 1000 / static_cast<double>(time.count());
}
}  // namespace

std::string short_count(double count) {
  constexpr const char* kUnits[] = {"", "k", "M", "G", "T"};
  std::size_t unit = 0;
  while (count >= 999.95 && unit + 1 < std::size(kUnits)) {
    count /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f}", count) : fmt::format("{:.1f}{}", count, kUnits[unit]);
}

std::string progress_line(const JobSnapshot& now, const JobSnapshot& before) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.uptime).count();
  const auto time = now.uptime - before.uptime;
  std::string line = fmt::format("{:02}:{:02} in {}/s out {}/s watermark {}", seconds / 60, seconds % 60,
                                 short_count(rate(now.records_in, before.records_in, time)),
                                 short_count(rate(now.records_out, before.records_out, time)), to_string(now.watermark));
  if (now.last_checkpoint == 0) {
    line += " no checkpoint yet";
  } else {
    line += fmt::format(" checkpoint {}: {} ago", now.last_checkpoint, short_duration(now.since_checkpoint));
    if (now.checkpoints > 0) line += fmt::format(", {}, {}", short_duration(now.checkpoint_duration), short_bytes(now.checkpoint_bytes));
  }
  line += fmt::format(" late {} dropped {}", now.late, now.dropped);
  if (now.quarantined > 0) line += fmt::format(" quarantined {}", now.quarantined);
  if (now.failed_checkpoints > 0) line += fmt::format(" failed checkpoints {}", now.failed_checkpoints);
  for (const Hang& hang : now.hangs) line += fmt::format("; {} has not returned for {}", hang.what, short_duration(hang.lasts));
  return line;
}

ProgressDisplay::ProgressDisplay() : terminal_(isatty(STDERR_FILENO) == 1) {}

void ProgressDisplay::update(const JobSnapshot& snapshot) {
  warn_if_silent(snapshot);
  if (snapshot.uptime - shown_snapshot_.uptime < (terminal_ ? 500ms : 5000ms)) return;
  show(progress_line(snapshot, shown_snapshot_), false);
  shown_snapshot_ = snapshot;
}

void ProgressDisplay::finish(const JobSnapshot& snapshot) {
  show(progress_line(snapshot, {}), true);   // rates of the whole run
}

void ProgressDisplay::show(const std::string& line, bool last) {
  if (terminal_) {
    talk("\r\033[K{}{}", line, last ? "\n" : "");
  } else {
    talk("{}\n", line);
  }
  std::fflush(stderr);
  shown_ = !last;
}

// A job is never silent about why nothing comes out.
void ProgressDisplay::warn_if_silent(const JobSnapshot& snapshot) {
  if (snapshot.records_out != last_out_) {
    last_out_ = snapshot.records_out;
    out_since_ = snapshot.uptime;
    warned_ = false;
  }
  if (warned_ || snapshot.uptime - out_since_ < 10s) return;
  warned_ = true;
  if (terminal_ && shown_) talk("\n");
  const auto silent = std::chrono::duration_cast<std::chrono::seconds>(snapshot.uptime - out_since_).count();
  if (snapshot.records_in == 0) {
    talk("warning: nothing was read for {} s: the sources have nothing at hand\n", silent);
  } else {
    talk("warning: {} records in, nothing out for {} s; windows and event-time order wait for the watermark, which is at {}\n",
         snapshot.records_in, silent, to_string(snapshot.watermark));
  }
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

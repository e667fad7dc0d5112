#include <tidemark/file/pace.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace tidemark {
inline namespace v0 {

Result<EventTimePace> Pace::speed(const std::string& text) {
  double speed = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, speed);
  const bool whole = rest == end || (rest + 1 == end && *rest == 'x');
  if (error == std::errc{} && whole && std::isfinite(speed) && speed > 0) return event_time(speed);
  return Error{.code = ErrorCode::kUsage,
               .message = "\"" + text + "\" is no speed",
               .fix = "write 60x for an hour of event time in a minute"};
}

namespace file_internal {

namespace {

using Seconds = std::chrono::duration<double>;

std::string short_number(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", number);
  return text;
}

}  // namespace

RateLimit::RateLimit(const Clock& clock, double records_per_second)
    : clock_(clock), rate_(records_per_second), filled_at_(clock.steady_now()) {}

std::size_t RateLimit::due() {
  const auto now = clock_.steady_now();
  const double most = std::max(rate_, 1.0);   // what comes in a second
  available_ = std::min(available_ + Seconds(now - filled_at_).count() * rate_, most);
  filled_at_ = now;
  return available_ < 1 ? 0 : static_cast<std::size_t>(available_);
}

std::chrono::milliseconds RateLimit::until_due() const { return waiting_time(Seconds((1 - available_) / rate_)); }

std::chrono::duration<double> EventTimePacer::until_due(EventTime time) {
  const auto now = clock_.steady_now();
  if (!started_) {
    started_ = true;
    first_time_ = time;
    started_at_ = now;
  }
  // In floating point: the times may be as far apart as EventTime allows.
  const double since_first = (static_cast<double>(micros(time)) - static_cast<double>(micros(first_time_))) / 1e6;
  return Seconds(since_first / speed_) - Seconds(now - started_at_);
}

std::chrono::milliseconds waiting_time(std::chrono::duration<double> wait) {
  constexpr double kLongestMillis = 60'000;
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(std::clamp(wait.count() * 1e3, 1.0, kLongestMillis))));
}

std::string describe_pace(RecordPace pace) { return short_number(pace.records_per_second) + " records per second"; }
std::string describe_pace(EventTimePace pace) { return short_number(pace.speed) + " times as fast as it happened"; }

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

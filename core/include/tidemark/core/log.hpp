#pragma once
// Logging. Lines for people go to standard error; a host may take them over. No spdlog type is in sight; its global logger is not touched.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace tidemark {
inline namespace v0 {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

// Gets every line that passes the level. May be called from any thread, also at the same time.
using LogSink = std::function<void(LogLevel level, std::string_view line)>;

// `text` with its control characters as \n, \r, \t or \x1b, so that it stays on its line and cannot steer a terminal (S04).
std::string escape_control(std::string_view text);

// Copies share one destination. Thread-safe.
class Logger {
 public:
  // To standard error: one readable line each.
  static Logger to_stderr(LogLevel level = LogLevel::kInfo);
  static Logger to_sink(LogSink sink, LogLevel level = LogLevel::kInfo);
  static Logger silent();

  // Control characters of `line` are escaped, so that data cannot forge log lines (S04). What a sink throws is ignored.
  void log(LogLevel level, std::string_view line) const;
  void info(std::string_view line) const { log(LogLevel::kInfo, line); }
  void warning(std::string_view line) const { log(LogLevel::kWarning, line); }
  void error(std::string_view line) const { log(LogLevel::kError, line); }

  struct Destination;

 private:
  explicit Logger(std::shared_ptr<Destination> destination) : destination_(std::move(destination)) {}
  std::shared_ptr<Destination> destination_;
};

}  // namespace v0
}  // namespace tidemark

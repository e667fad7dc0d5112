#include <tidemark/core/log.hpp>

#include <utility>

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>

namespace tidemark {
inline namespace v0 {

struct Logger::Destination {
  LogLevel least = LogLevel::kInfo;
  LogSink sink;
};

namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

Logger Logger::to_stderr(LogLevel level) {
  // A logger of our own, never registered: spdlog's global one belongs to the host.
  auto logger = std::make_shared<spdlog::logger>("tidemark", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern("%H:%M:%S.%e %^%l%$ %v");
  logger->set_level(spdlog::level::trace);   // the destination's level decides
  return to_sink(
      [logger](LogLevel line_level, std::string_view line) {
        logger->log(spdlog_level(line_level), spdlog::string_view_t{line.data(), line.size()});
      },
      level);
}

Logger Logger::to_sink(LogSink sink, LogLevel level) {
  return Logger{std::make_shared<Destination>(Destination{.least = level, .sink = std::move(sink)})};
}

Logger Logger::silent() { return to_sink(nullptr); }

void Logger::log(LogLevel level, std::string_view line) const {
  if (!destination_->sink || level < destination_->least) return;
  try {
    destination_->sink(level, escape_control(line));
  } catch (...) {
    // A host's sink that throws must not decide about the job, and there is nobody else to tell.
  }
}

std::string escape_control(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string escaped;
  escaped.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if (byte == '\n') {
      escaped += "\\n";
    } else if (byte == '\r') {
      escaped += "\\r";
    } else if (byte == '\t') {
      escaped += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      escaped += {'\\', 'x', kHex[byte >> 4], kHex[byte & 0x0F]};
    } else if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {
      // U+0080 to U+009F in UTF-8: terminals take some of them for the start of an escape sequence.
      escaped += {'\\', 'x', kHex[next >> 4], kHex[next & 0x0F]};
      ++i;
    } else {
      escaped += text[i];
    }
  }
  return escaped;
}

}  // namespace v0
}  // namespace tidemark

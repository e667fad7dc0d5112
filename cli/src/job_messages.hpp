#pragma once
// What is said at a running job's socket: one line of JSON to the job, one line of JSON back. A line is an array of the fields below, as
// `core/schema.hpp` writes values: ["stop",true,"before-upgrade"].

#include <cstdint>
#include <string>
#include <string_view>

#include <tidemark/core/codec.hpp>
#include <tidemark/core/schema.hpp>
#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

struct JobRequest {
  std::string verb;    // "savepoint", "stop" or "status"
  bool drain = false;  // stop
  std::string label;   // savepoint; stop: empty keeps nothing
};

struct JobAnswer {
  std::uint16_t code = 0;        // an ErrorCode; 0: done
  std::string text;              // of the error, as it is printed; of `status`, a line for people
  std::uint64_t checkpoint = 0;  // that was taken
  std::string json;              // `status`: an object
};

// Longer lines are refused. A label has at most 64 bytes.
inline constexpr std::size_t kLongestRequest = 1024;
inline constexpr std::size_t kLongestAnswer = std::size_t{64} << 10;

template <class Message>
std::string to_line(const Message& message) {
  return *Schema(Codec<Message>::schema()).to_json(encoded(message)) + '\n';
}

// kUsage if it is no such line.
template <class Message>
Result<Message> from_line(std::string_view line) {
  const Result<Bytes> bytes = Schema(Codec<Message>::schema()).from_text(line);
  if (!bytes.ok()) return bytes.status();
  Message message;
  ByteView rest = *bytes;
  if (Codec<Message>::decode(rest, message) && rest.empty()) return message;
  return Error{.code = ErrorCode::kUsage, .message = "the line is not one of " + Codec<Message>::schema()};
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

// Z5: what people write on command lines and in options: times, durations, names.

#include <tidemark/core/names.hpp>
#include <tidemark/core/status.hpp>
#include <tidemark/core/time.hpp>

#include "fuzz.hpp"
#include "src/duration.hpp"

namespace tidemark::fuzz {

void run(ByteView input) {
  if (const Result<EventTime> time = parse_event_time(input); time.ok()) {
    const Result<EventTime> same = parse_event_time(to_string(*time));
    require(same.ok() && *same == *time, "a time that was read is written and read again", to_string(*time));
  }
  const EventTime any = event_time(Choices{input}.integer());
  const Result<EventTime> back = parse_event_time(to_string(any));
  require(back.ok() && *back == any, "every time comes back from its text", to_string(any));

  if (const auto duration = cli_internal::parse_duration(input)) {
    require(cli_internal::parse_duration(cli_internal::duration_text(*duration)) == duration, "a duration comes back from its text");
  }
  // S03
  const bool harmless = std::all_of(input.begin(), input.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
  const bool name = harmless && !input.empty() && input.size() <= 64 && input != "." && input != "..";
  require(check_name("operator", input).ok() == name, "a name is one to sixty-four harmless characters");
}

}  // namespace tidemark::fuzz

#include <tidemark/core/time.hpp>

#include <charconv>

#include <tidemark/core/log.hpp>
#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {

namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;

struct Date {
  std::int64_t year = 0;
  std::int64_t month = 0;
  std::int64_t day = 0;
  friend bool operator==(const Date&, const Date&) = default;
};

// The proleptic Gregorian calendar, by H. Hinnant's algorithms. std::chrono's year has 16 bits, too few for the range of event time.
Date date_of(std::int64_t days) {
  days += 719'468;   // days from 0000-03-01 to 1970-01-01
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const std::int64_t day_of_era = days - era * 146'097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month = (5 * day_of_year + 2) / 153;   // 0 is March
  return {.year = year_of_era + era * 400 + (month >= 10 ? 1 : 0),
          .month = month < 10 ? month + 3 : month - 9,
          .day = day_of_year - (153 * month + 2) / 5 + 1};
}

std::int64_t days_of(Date date) {
  const std::int64_t year = date.year - (date.month <= 2 ? 1 : 0);
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (date.month > 2 ? date.month - 3 : date.month + 9) + 2) / 5 + date.day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

void append_digits(std::string& out, std::int64_t number, std::size_t width) {
  const std::string digits = std::to_string(number);
  if (digits.size() < width) out.append(width - digits.size(), '0');
  out += digits;
}

bool take_digits(std::string_view& in, std::size_t least, std::size_t most, std::int64_t& number) {
  std::size_t count = 0;
  while (count < in.size() && count < most && in[count] >= '0' && in[count] <= '9') ++count;
  if (count < least) return false;
  std::from_chars(in.data(), in.data() + count, number);
  in.remove_prefix(count);
  return true;
}

bool take_char(std::string_view& in, char wanted) {
  if (in.empty() || in.front() != wanted) return false;
  in.remove_prefix(1);
  return true;
}

bool take_date(std::string_view& in, Date& date) {
  // Years of more than four digits carry a sign (ISO 8601, expanded representation).
  const bool negative = take_char(in, '-');
  const bool expanded = negative || take_char(in, '+');
  if (!take_digits(in, 4, expanded ? 6 : 4, date.year)) return false;
  if (negative) date.year = -date.year;
  return take_char(in, '-') && take_digits(in, 2, 2, date.month) && take_char(in, '-') && take_digits(in, 2, 2, date.day) &&
         date.month >= 1 && date.month <= 12 && date.day >= 1 && date_of(days_of(date)) == date;
}

// "12:30", "12:30:59" or "12:30:59.25", in microseconds since midnight.
bool take_time_of_day(std::string_view& in, std::int64_t& time) {
  std::int64_t hour = 0;
  std::int64_t minute = 0;
  std::int64_t second = 0;
  std::int64_t fraction = 0;
  if (!take_digits(in, 2, 2, hour) || !take_char(in, ':') || !take_digits(in, 2, 2, minute)) return false;
  if (take_char(in, ':')) {
    if (!take_digits(in, 2, 2, second)) return false;
    if (take_char(in, '.')) {
      const std::size_t before = in.size();
      if (!take_digits(in, 1, 6, fraction)) return false;
      for (std::size_t digits = before - in.size(); digits < 6; ++digits) fraction *= 10;
      while (!in.empty() && in.front() >= '0' && in.front() <= '9') in.remove_prefix(1);
    }
  }
  time = (hour * 3600 + minute * 60 + second) * kMicrosPerSecond + fraction;
  return hour < 24 && minute < 60 && second < 60;
}

bool take_zone(std::string_view& in, std::int64_t& offset) {
  offset = 0;
  if (take_char(in, 'Z')) return true;
  const bool west = !in.empty() && in.front() == '-';
  std::int64_t hours = 0;
  std::int64_t minutes = 0;
  if (!take_char(in, west ? '-' : '+')) return false;
  if (!take_digits(in, 2, 2, hours) || !take_char(in, ':') || !take_digits(in, 2, 2, minutes)) return false;
  offset = (hours * 3600 + minutes * 60) * kMicrosPerSecond * (west ? -1 : 1);
  return hours < 24 && minutes < 60;
}

bool parse(std::string_view in, EventTime& time) {
  Date date;
  std::int64_t in_day = 0;
  std::int64_t offset = 0;
  if (!take_date(in, date) || !(take_char(in, 'T') || take_char(in, ' ')) || !take_time_of_day(in, in_day) || !take_zone(in, offset)) {
    return false;
  }
  // Split so that the first microseconds of the range do not overflow on the way: their day begins before it.
  const std::int64_t days = days_of(date);
  std::int64_t sum = 0;
  if (__builtin_mul_overflow(days < 0 ? days + 1 : days, kSecondsPerDay * kMicrosPerSecond, &sum)) return false;
  const std::int64_t rest = in_day - offset - (days < 0 ? kSecondsPerDay * kMicrosPerSecond : 0);
  if (__builtin_add_overflow(sum, rest, &sum)) return false;
  time = event_time(sum);
  return in.empty();
}

}  // namespace

std::string to_string(EventTime time) {
  if (time == kMinusInfinity) return "-inf";
  if (time == kPlusInfinity) return "+inf";
  constexpr Duration kDay{kSecondsPerDay * kMicrosPerSecond};
  const Duration in_day = floor_mod(time.time_since_epoch(), kDay);
  const std::int64_t day_number = micros(time) / kDay.count() - (micros(time) < 0 && in_day.count() != 0 ? 1 : 0);
  const Date date = date_of(day_number);

  std::string text;
  if (date.year < 0 || date.year > 9999) text += date.year < 0 ? '-' : '+';
  append_digits(text, date.year < 0 ? -date.year : date.year, 4);
  text += '-';
  append_digits(text, date.month, 2);
  text += '-';
  append_digits(text, date.day, 2);
  const std::int64_t second = in_day.count() / kMicrosPerSecond;
  text += 'T';
  append_digits(text, second / 3600, 2);
  text += ':';
  append_digits(text, second / 60 % 60, 2);
  text += ':';
  append_digits(text, second % 60, 2);
  if (const std::int64_t fraction = in_day.count() % kMicrosPerSecond; fraction != 0) {
    text += '.';
    append_digits(text, fraction, 6);
    while (text.back() == '0') text.pop_back();
  }
  text += 'Z';
  return text;
}

Result<EventTime> parse_event_time(std::string_view text) {
  EventTime time{};
  if (text == "-inf") return kMinusInfinity;
  if (text == "+inf") return kPlusInfinity;
  if (parse(text, time)) return time;
  return Error{.code = ErrorCode::kDecodeFailed,
               .message = "\"" + escape_control(text.substr(0, 64)) + "\" is not a time",
               .fix = "write ISO 8601 with its zone, such as 2026-01-31T12:00:59.5Z or 2026-01-31T13:00:59+01:00"};
}

}  // namespace v0
}  // namespace tidemark

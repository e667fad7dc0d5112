#include <tidemark/file/csv.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <system_error>

#include <tidemark/core/check.hpp>
#include <tidemark/core/names.hpp>

#include "src/csv_fields.hpp"
#include "src/text.hpp"
#include "src/unix_time.hpp"

namespace tidemark {
inline namespace v0 {

namespace {

template <class Number>
bool parse_number(ByteView bytes, Number& number) {
  const auto [end, fault] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), number);
  return fault == std::errc{} && end == bytes.data() + bytes.size();
}

template <class Number>
void append_number(Bytes& out, Number number) {
  char digits[32];
  const auto [end, fault] = std::to_chars(digits, digits + sizeof digits, number);
  TIDEMARK_CHECK(fault == std::errc{}, "the shortest form of any number fits");
  out.append(digits, end);
}

// Column names, for a message.
std::string name_list(const std::vector<std::string>& names) {
  constexpr std::size_t kMostNames = 50;
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), kMostNames); ++i) list += (i > 0 ? ", " : "") + (names[i].empty() ? "\"\"" : names[i]);
  if (names.size() > kMostNames) list += ", ... (" + std::to_string(names.size()) + " in all)";
  return list;
}

}  // namespace

const file_internal::CsvField& CsvRow::field(std::size_t column) const {
  TIDEMARK_CHECK(column < places_.size(), "column " + std::to_string(column) + " of " + std::to_string(places_.size()));
  return fields_[places_[column]];
}

void CsvRow::refuse(std::string error) {
  if (error_.empty()) error_ = error.empty() ? "refused" : std::move(error);
}

void CsvRow::refuse_field(std::size_t column, std::string_view what) {
  if (!ok()) return;
  refuse("column \"" + columns_[column] + "\": " + file_internal::described(field(column).bytes) + " is not " + std::string(what));
}

std::int64_t CsvRow::integer(std::size_t column) {
  std::int64_t value = 0;
  if (parse_number(field(column).bytes, value)) return value;
  refuse_field(column, "an integer of 64 bits");
  return 0;
}

double CsvRow::number(std::size_t column) {
  double value = 0;
  if (parse_number(field(column).bytes, value) && std::isfinite(value)) return value;
  refuse_field(column, "a number");
  return 0;
}

std::string_view CsvRow::view(std::size_t column) {
  const file_internal::CsvField& found = field(column);
  if (!file_internal::is_text(found.bytes)) {
    refuse_field(column, "UTF-8 text without NUL");
    return {};
  }
  if (!found.doubled) return found.bytes;
  file_internal::unquote(found.bytes, unquoted_[column]);
  return unquoted_[column];
}

std::string CsvRow::text(std::size_t column) { return std::string(view(column)); }

EventTime CsvRow::unix_seconds(std::size_t column) { return unix_time(column, 1'000'000); }
EventTime CsvRow::unix_millis(std::size_t column) { return unix_time(column, 1'000); }
EventTime CsvRow::unix_micros(std::size_t column) { return unix_time(column, 1); }
EventTime CsvRow::unix_time(std::size_t column, std::int64_t micros_per_unit) {
  return file_internal::time_since_epoch(integer(column), micros_per_unit);
}

EventTime CsvRow::iso_time(std::size_t column) {
  const Result<EventTime> time = parse_event_time(field(column).bytes);
  if (time.ok()) return *time;
  refuse_field(column, "an ISO 8601 time with a zone");
  return EventTime{};
}

bool CsvRow::empty(std::size_t column) const { return field(column).bytes.empty(); }

CsvHeader CsvHeader::of(FileInput input, CsvFormat format) {
  CsvHeader header({});
  header.input_ = std::make_shared<const FileInput>(std::move(input));
  header.format_ = format;
  return header;
}

Result<std::vector<std::string>> csv_columns(FileSystem& files, const FileInput& input, CsvFormat format) {
  std::vector<std::string> columns;
  FileInput first = input;
  first.splits = FileSplits::kOne;
  first.follow = false;
  const IoContext io{.files = files, .clock = system_clock(), .logger = Logger::silent()};
  const file_internal::Framing framing = file_internal::CsvDecoder::framing({{}, format});
  auto keep = [&](ByteView header, const std::string& file) -> Status {
    TIDEMARK_ASSIGN(columns, file_internal::parse_header(header, file, format));
    return {};
  };
  TIDEMARK_TRY(file_internal::open_record_reader(io, first, framing, "", "", keep).status());
  return columns;
}

void CsvWriter::separate() {
  if (fields_++ > 0) out_.push_back(config_.format.delimiter);
}

CsvWriter& CsvWriter::add(std::string_view value) {
  separate();
  const CsvFormat& format = config_.format;
  if (!file_internal::needs_quotes(value, format)) {
    out_.append(value);
  } else if (format.quoted) {
    file_internal::append_quoted(out_, value);
  } else {
    unwritable_ = true;
  }
  return *this;
}

CsvWriter& CsvWriter::add(double value) {
  separate();
  append_number(out_, value);
  return *this;
}

CsvWriter& CsvWriter::add(EventTime value) { return add(to_string(value)); }

CsvWriter& CsvWriter::add_signed(std::int64_t value) {
  separate();
  append_number(out_, value);
  return *this;
}

CsvWriter& CsvWriter::add_unsigned(std::uint64_t value) {
  separate();
  append_number(out_, value);
  return *this;
}

void CsvWriter::raw(std::string_view row) {
  separate();
  raw_row_ = true;
  out_.append(row);
}

Status CsvWriter::finish() {
  // A line without any character would be read as no record.
  if (out_.size() == begin_) {
    if (config_.format.quoted) out_ += "\"\"";
    else unwritable_ = true;
  }
  if (unwritable_) {
    return Error{.code = ErrorCode::kSinkFailed,
                 .message = "a row cannot be written without quotes",
                 .facts = {{"columns", name_list(config_.columns)}},
                 .why = "a field contains the delimiter or a line end, or the row has no character at all",
                 .fix = "let the sink use quotes, or leave such rows out"};
  }
  const std::size_t expected = raw_row_ ? 1 : config_.columns.size();
  if (fields_ != expected && (raw_row_ || config_.input == nullptr)) {
    return Error{.code = ErrorCode::kSinkFailed,
                 .message = "a row has " + std::to_string(fields_) +
                     (raw_row_ ? " parts beside the raw row" : " fields and the header " + std::to_string(expected)),
                 .facts = {{"columns", name_list(config_.columns)}},
                 .why = "readers could not tell which field is which",
                 .fix = "write one field for each column, or one raw row alone"};
  }
  out_.push_back('\n');
  return {};
}

file_internal::PreambleFunction CsvWriter::preamble(const Config& config) {
  return [config](const IoContext& io) -> Result<Bytes> {
    std::vector<std::string> columns = config.columns;
    if (config.input != nullptr) {
      TIDEMARK_ASSIGN(columns, csv_columns(io.files, *config.input, config.input_format));
    }
    Bytes line;
    const Config header({columns}, config.format);
    CsvWriter names(line, header);
    for (const std::string& column : columns) names.add(column);
    TIDEMARK_TRY(names.finish());
    return line;
  };
}

namespace file_internal {

Status CsvDecoder::begin_file(ByteView header, const std::string& file) {
  TIDEMARK_ASSIGN(const std::vector<std::string> present, parse_header(header, file, format_));
  row_.places_.clear();
  for (const std::string& column : row_.columns_) {
    const auto found = std::find(present.begin(), present.end(), column);
    const bool twice = found != present.end() && std::find(found + 1, present.end(), column) != present.end();
    if (found == present.end() || twice) {
      Error error{.code = ErrorCode::kSourceFailed,
                  .message = "\"" + file + "\" has " + (twice ? "two columns" : "no column") + " \"" + column + "\"",
                  .facts = {{"columns asked for", name_list(row_.columns_)}, {"columns in the file", name_list(present)}},
                  .why = "",
                  .fix = "correct the header line, or the list of columns of the job"};
      if (const std::string near = nearest(column, present); !twice && !near.empty()) error.fix = "did you mean \"" + near + "\"?";
      return error;
    }
    row_.places_.push_back(static_cast<std::size_t>(found - present.begin()));
  }
  row_.columns_in_file_ = present.size();
  return {};
}

bool CsvDecoder::load(ByteView record) {
  row_.raw_ = record;
  row_.error_.clear();
  const auto [fault, count] = split_fields(record, format_, row_.columns_in_file_, row_.fields_);
  if (fault == FieldsError::kNone && count == row_.columns_in_file_) return true;
  if (fault == FieldsError::kTextAfterQuote) {
    row_.refuse("field " + std::to_string(count) + " has text after its closing quote");
  } else {
    row_.refuse("the row has " + (fault == FieldsError::kTooMany ? "more" : std::to_string(count)) + " fields and the header " +
                std::to_string(row_.columns_in_file_));
  }
  return false;
}

}  // namespace file_internal

}  // namespace v0
}  // namespace tidemark

#pragma once
// CSV in and out, by RFC 4180 with a header line.
//
//   Source<Transaction> transactions = csv_source({.path = "cards/*.csv"}, {"cc_num", "unix_time", "amt"}, [](CsvRow& row) {
//     return Transaction{.card = row.integer(0), .time = row.unix_seconds(1), .amount = row.number(2), .row = row.raw()};
//   });
//   Sink<Alert> alerts = csv_sink<Alert>("out/alerts", {"card", "rule"}, [](CsvWriter& row, const Alert& alert) {
//     row.fields(alert.card, alert.rule);
//   });

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/core/status.hpp>
#include <tidemark/core/time.hpp>
#include <tidemark/file/detail/decoded_source.hpp>
#include <tidemark/file/detail/staged_sink.hpp>
#include <tidemark/file/input.hpp>
#include <tidemark/operators/sink.hpp>
#include <tidemark/operators/source.hpp>

namespace tidemark {
inline namespace v0 {

namespace file_internal {
class CsvDecoder;
struct CsvField {
  ByteView bytes;         // without the outer quotes
  bool doubled = false;   // contains doubled quotes
};
struct CsvSinkConfig;
}  // namespace file_internal

struct CsvFormat {
  char delimiter = ',';   // any byte but a quote and a line end; '\t' for TSV
  bool quoted = true;     // false: quotes are letters like others, and every line end ends a record
};

// One row of a CSV file, as the user's function sees it. Columns are numbered from 0 in the order in which they were asked for; where they
// stand in the file is looked up once per file. A field that is not what is asked for sets an error in the row, the getter gives 0 or an
// empty string, and the record is refused (reason `decode`) with the first such error whatever the function returns: column, value, what is
// wrong.
class CsvRow {
 public:
  // A decimal integer of 64 bits with an optional minus. Nothing around it.
  std::int64_t integer(std::size_t column);
  // A finite decimal number, "12", "-0.5", "1e6". Nothing around it.
  double number(std::size_t column);
  // UTF-8 without NUL; quotes are resolved.
  std::string text(std::size_t column);
  // As text(), valid until the function returns.
  std::string_view view(std::size_t column);
  // A time as a whole number of seconds, milliseconds or microseconds since 1970-01-01 UTC. One that EventTime cannot hold becomes an
  // infinity, which with_event_time refuses as out of range.
  EventTime unix_seconds(std::size_t column);
  EventTime unix_millis(std::size_t column);
  EventTime unix_micros(std::size_t column);
  // A time in ISO 8601 with a zone, "2026-01-31T12:00:00Z"; see parse_event_time().
  EventTime iso_time(std::size_t column);
  // The field has no characters, quoted or not.
  bool empty(std::size_t column) const;
  // The row as it stands in the file, all columns, without its line end.
  std::string raw() const { return std::string(raw_); }

  // Refuses the record for a reason of the user's own, in one line. The first error counts.
  void refuse(std::string error);
  bool ok() const { return error_.empty(); }

 private:
  friend class file_internal::CsvDecoder;
  const file_internal::CsvField& field(std::size_t column) const;
  void refuse_field(std::size_t column, std::string_view what);
  EventTime unix_time(std::size_t column, std::int64_t micros_per_unit);

  std::vector<std::string> columns_;
  std::vector<std::size_t> places_;       // of each column asked for, in the file
  std::size_t columns_in_file_ = 0;
  std::vector<file_internal::CsvField> fields_;
  std::vector<std::string> unquoted_;     // of the columns asked for, where quotes had to be resolved
  std::string_view raw_;
  std::string error_;
};

// `parse` takes a CsvRow& and gives a T or a Result<T>; it is copied for each split and must depend on the row alone. Every file must have
// the columns asked for, in any order, else the job fails with both lists named. Refused (reason `decode`): a row with another number of
// fields than the header, text after a closing quote, a quote that is not closed within `max_record_bytes` or the file; reading goes on at
// the next line. Blank lines and a byte order mark are skipped: in a file of one column an empty value must be written as "".
template <class Parse>
auto csv_source(FileInput input, std::vector<std::string> columns, Parse parse, CsvFormat format = {});

// The columns that the header of the input's first file names. Reads that file's header only.
Result<std::vector<std::string>> csv_columns(FileSystem& files, const FileInput& input, CsvFormat format = {});

// The header of the files of a sink.
class CsvHeader {
 public:
  CsvHeader(std::initializer_list<std::string> columns) : columns_(columns) {}
  CsvHeader(std::vector<std::string> columns) : columns_(std::move(columns)) {}  // NOLINT: a list of columns is a header
  // The columns of the input's first file, for rows that go out as they came in (CsvRow::raw): all its files must have them in that order.
  static CsvHeader of(FileInput input, CsvFormat format = {});

 private:
  friend struct file_internal::CsvSinkConfig;
  std::vector<std::string> columns_;
  std::shared_ptr<const FileInput> input_;
  CsvFormat format_;
};

// Writes one row. Fields are quoted where they need it.
class CsvWriter {
 public:
  CsvWriter& add(std::string_view value);
  CsvWriter& add(const std::string& value) { return add(std::string_view(value)); }
  CsvWriter& add(const char* value) { return add(std::string_view(value)); }
  // The shortest digits that read back as the same number.
  CsvWriter& add(double value);
  CsvWriter& add(EventTime value);   // ISO 8601 in UTC
  CsvWriter& add(bool value) { return add(value ? "true" : "false"); }
  template <std::integral Integer>
  CsvWriter& add(Integer value) {
    if constexpr (std::is_unsigned_v<Integer>) return add_unsigned(value);
    else return add_signed(value);
  }
  template <class... Values>
  void fields(const Values&... values) {
    (add(values), ...);
  }
  // A whole row as it came in (CsvRow::raw); instead of fields. It must have been read with the delimiter of this sink.
  void raw(std::string_view row);

  // For the sink.
  using Config = file_internal::CsvSinkConfig;
  static constexpr const char* kFormat = "csv";
  static file_internal::PreambleFunction preamble(const Config& config);
  CsvWriter(Bytes& out, const Config& config) : out_(out), config_(config), begin_(out.size()) {}
  // An error if the row does not have as many fields as the header.
  Status finish();

 private:
  CsvWriter& add_signed(std::int64_t value);
  CsvWriter& add_unsigned(std::uint64_t value);
  void separate();

  Bytes& out_;
  const Config& config_;
  std::size_t begin_;
  std::size_t fields_ = 0;
  bool raw_row_ = false;
  bool unwritable_ = false;   // without quotes
};

// Files `<sink>-<epoch>-<subtask>.csv` in `directory` (made if absent), each with a header line and lines that end with LF; readable by
// this user only (0600). They appear whole, when their epoch is committed; until then they are hidden files. `.tidemark-commit-<sink>`
// names the newest committed epoch. A directory belongs to one lineage for each sink name. `format` takes a CsvWriter& and a const T&; one
// of the tasks calls it at a time for each of its copies.
template <class T, class Format>
Sink<T> csv_sink(std::string directory, CsvHeader header, Format format, CsvFormat csv = {});

namespace file_internal {

struct CsvSourceConfig {
  std::vector<std::string> columns;
  CsvFormat format;
};

class CsvDecoder {
 public:
  using Config = CsvSourceConfig;
  static constexpr const char* kFormat = "csv";
  static Framing framing(const Config& config) {
    return {.header = true, .skip_blank = true, .quoted = config.format.quoted, .delimiter = config.format.delimiter};
  }
  explicit CsvDecoder(const Config& config) : format_(config.format) {
    row_.columns_ = config.columns;
    row_.unquoted_.resize(config.columns.size());
  }
  Status begin_file(ByteView header, const std::string& file);
  bool load(ByteView record);   // false: refused, and error() says why
  CsvRow& row() { return row_; }
  bool ok() const { return row_.ok(); }
  const std::string& error() const { return row_.error_; }
  void refuse(std::string error) { row_.refuse(std::move(error)); }

 private:
  CsvFormat format_;
  CsvRow row_;
};

struct CsvSinkConfig {
  CsvSinkConfig(const CsvHeader& header, CsvFormat csv)
      : columns(header.columns_), input(header.input_), input_format(header.format_), format(csv) {}
  std::vector<std::string> columns;
  std::shared_ptr<const FileInput> input;   // if set, the columns are those of its first file
  CsvFormat input_format;
  CsvFormat format;
};

}  // namespace file_internal

template <class Parse>
auto csv_source(FileInput input, std::vector<std::string> columns, Parse parse, CsvFormat format) {
  return file_internal::decoded_source<file_internal::CsvDecoder>(std::move(input), {std::move(columns), format}, std::move(parse));
}

template <class T, class Format>
Sink<T> csv_sink(std::string directory, CsvHeader header, Format format, CsvFormat csv) {
  using Files = file_internal::FormattedSink<T, CsvWriter, Format>;
  return Sink<T>(std::make_shared<Files>(std::move(directory), file_internal::CsvSinkConfig(header, csv), std::move(format)));
}

}  // namespace v0
}  // namespace tidemark

#pragma once
// NDJSON in and out: one JSON object on each line.
//
//   Source<Click> clicks = ndjson_source({.path = "clicks"}, [](JsonObject& object) {
//     return Click{.user = object.integer("user"), .page = object.text("page"), .country = object.text("/geo/country")};
//   });

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <tidemark/core/bytes.hpp>
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
class JsonDecoder;
struct JsonDocument;
struct JsonConfig {};
}  // namespace file_internal

// One JSON object, as the user's function sees it. A field is named by its key, or by a JSON pointer if the name begins with '/'
// ("/geo/country", "/tags/0"). Of a key that occurs twice the first one counts. A field that is absent or not what is asked for sets an
// error in the object, the getter gives 0 or an empty string, and the record is refused (reason `decode`) with the first such error
// whatever the function returns.
class JsonObject {
 public:
  std::int64_t integer(std::string_view name);   // a number without fraction and exponent that fits 64 bits
  double number(std::string_view name);
  std::string text(std::string_view name);       // without NUL
  bool boolean(std::string_view name);
  // Times as whole numbers since 1970-01-01 UTC; see CsvRow::unix_seconds.
  EventTime unix_seconds(std::string_view name);
  EventTime unix_millis(std::string_view name);
  EventTime unix_micros(std::string_view name);
  EventTime iso_time(std::string_view name);   // see CsvRow::iso_time
  // The field is there and not null. Sets no error.
  bool has(std::string_view name) const;
  // The line as it stands in the file.
  std::string raw() const { return std::string(raw_); }

  // Refuses the record for a reason of the user's own, in one line. The first error counts.
  void refuse(std::string error);
  bool ok() const { return error_.empty(); }

 private:
  friend class file_internal::JsonDecoder;
  EventTime unix_time(std::string_view name, std::int64_t micros_per_unit);

  std::unique_ptr<file_internal::JsonDocument, void (*)(file_internal::JsonDocument*)> document_{nullptr, nullptr};
  std::string_view raw_;
  std::string error_;
};

// `parse` takes a JsonObject& and gives a T or a Result<T>; it is copied for each split and must depend on the object alone. The whole line
// is checked before it is called: what is not one complete JSON object in UTF-8, at most 64 levels deep, with every number that has
// neither fraction nor exponent within 64 bits, is refused (reason `decode`). Blank lines and a byte order mark are skipped.
template <class Parse>
auto ndjson_source(FileInput input, Parse parse);

// Writes one object, its fields in the order of the calls.
class JsonWriter {
 public:
  JsonWriter& field(std::string_view name, std::string_view value);   // bytes that are not UTF-8 become U+FFFD
  JsonWriter& field(std::string_view name, const std::string& value) { return field(name, std::string_view(value)); }
  JsonWriter& field(std::string_view name, const char* value) { return field(name, std::string_view(value)); }
  JsonWriter& field(std::string_view name, double value);             // null if not finite
  JsonWriter& field(std::string_view name, EventTime value);          // ISO 8601 in UTC
  JsonWriter& field(std::string_view name, bool value);
  template <std::integral Integer>
  JsonWriter& field(std::string_view name, Integer value) {
    if constexpr (std::is_unsigned_v<Integer>) return unsigned_field(name, value);
    else return signed_field(name, value);
  }

  // For the sink.
  using Config = file_internal::JsonConfig;
  static constexpr const char* kFormat = "ndjson";
  static file_internal::PreambleFunction preamble(const Config&) { return nullptr; }
  JsonWriter(Bytes& out, const Config&) : out_(out) { out_.push_back('{'); }
  Status finish();

 private:
  void name(std::string_view name);
  JsonWriter& signed_field(std::string_view name, std::int64_t value);
  JsonWriter& unsigned_field(std::string_view name, std::uint64_t value);

  Bytes& out_;
  bool empty_ = true;
};

// As csv_sink, with files `<sink>-<epoch>-<subtask>.ndjson`. `format` takes a JsonWriter& and a const T&.
template <class T, class Format>
Sink<T> ndjson_sink(std::string directory, Format format) {
  using Files = file_internal::FormattedSink<T, JsonWriter, Format>;
  return Sink<T>(std::make_shared<Files>(std::move(directory), file_internal::JsonConfig{}, std::move(format)));
}

namespace file_internal {

class JsonDecoder {
 public:
  using Config = JsonConfig;
  static constexpr const char* kFormat = "ndjson";
  static Framing framing(const Config&) { return {.header = false, .skip_blank = true, .quoted = false, .delimiter = ','}; }
  explicit JsonDecoder(const Config&);
  Status begin_file(ByteView, const std::string&) { return {}; }
  bool load(ByteView record);
  JsonObject& row() { return object_; }
  bool ok() const { return object_.ok(); }
  const std::string& error() const { return object_.error_; }
  void refuse(std::string error) { object_.refuse(std::move(error)); }

 private:
  JsonObject object_;
};

}  // namespace file_internal

template <class Parse>
auto ndjson_source(FileInput input, Parse parse) {
  return file_internal::decoded_source<file_internal::JsonDecoder>(std::move(input), {}, std::move(parse));
}

}  // namespace v0
}  // namespace tidemark

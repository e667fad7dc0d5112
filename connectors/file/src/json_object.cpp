// The only file that includes simdjson. Its DOM parser and not the On-Demand one: that looks at the fields asked for alone, so a line that
// is cut off or damaged behind them would pass for a record.

#include <tidemark/file/ndjson.hpp>

#include <new>

#include <simdjson.h>

#include "src/text.hpp"
#include "src/unix_time.hpp"

namespace tidemark {
inline namespace v0 {

namespace file_internal {

static_assert(kReadAhead >= simdjson::SIMDJSON_PADDING);

namespace {

constexpr std::size_t kDeepest = 64;
constexpr std::size_t kFirstCapacity = 4096;

}  // namespace

struct JsonDocument {
  simdjson::dom::parser parser;
  simdjson::dom::element root;

  simdjson::simdjson_result<simdjson::dom::element> find(std::string_view name) const {
    if (name.starts_with('/')) return root.at_pointer(name);
    return root.at_key(name);
  }
};

JsonDecoder::JsonDecoder(const Config&) {
  object_.document_ = {new JsonDocument, [](JsonDocument* document) { delete document; }};
  // The depth stays when the parser grows for a longer line.
  if (object_.document_->parser.allocate(kFirstCapacity, kDeepest) != simdjson::SUCCESS) throw std::bad_alloc();
}

bool JsonDecoder::load(ByteView record) {
  object_.raw_ = record;
  object_.error_.clear();
  const auto parsed = object_.document_->parser.parse(record.data(), record.size(), false);
  if (parsed.error() != simdjson::SUCCESS) {
    object_.refuse(std::string("not a JSON object: ") + simdjson::error_message(parsed.error()));
    return false;
  }
  object_.document_->root = parsed.value_unsafe();
  if (object_.document_->root.is_object()) return true;
  object_.refuse("JSON, but not an object");
  return false;
}

}  // namespace file_internal

namespace {

// The field as a Value; otherwise an error in the object.
template <class Value>
Value get(const file_internal::JsonDocument& document, JsonObject& object, std::string_view name, const char* what) {
  const auto found = document.find(name);
  Value result{};
  if (found.error() != simdjson::SUCCESS) {
    object.refuse("field \"" + std::string(name) + "\" is absent");
  } else if (found.value_unsafe().get(result) != simdjson::SUCCESS) {
    const std::string value = simdjson::minify(found.value_unsafe());
    object.refuse("field \"" + std::string(name) + "\": " + file_internal::described(value) + " is not " + what);
  }
  return result;
}

}  // namespace

void JsonObject::refuse(std::string error) {
  if (error_.empty()) error_ = error.empty() ? "refused" : std::move(error);
}

std::int64_t JsonObject::integer(std::string_view name) { return get<std::int64_t>(*document_, *this, name, "an integer of 64 bits"); }
double JsonObject::number(std::string_view name) { return get<double>(*document_, *this, name, "a number"); }
bool JsonObject::boolean(std::string_view name) { return get<bool>(*document_, *this, name, "true or false"); }

std::string JsonObject::text(std::string_view name) {
  const auto value = get<std::string_view>(*document_, *this, name, "a string");
  if (value.find('\0') == std::string_view::npos) return std::string(value);
  refuse("field \"" + std::string(name) + "\": " + file_internal::described(value) + " is not text without NUL");
  return {};
}

EventTime JsonObject::unix_seconds(std::string_view name) { return unix_time(name, 1'000'000); }
EventTime JsonObject::unix_millis(std::string_view name) { return unix_time(name, 1'000); }
EventTime JsonObject::unix_micros(std::string_view name) { return unix_time(name, 1); }
EventTime JsonObject::unix_time(std::string_view name, std::int64_t micros_per_unit) {
  return file_internal::time_since_epoch(integer(name), micros_per_unit);
}

EventTime JsonObject::iso_time(std::string_view name) {
  const auto value = get<std::string_view>(*document_, *this, name, "an ISO 8601 time with a zone");
  if (!ok()) return EventTime{};
  const Result<EventTime> time = parse_event_time(value);
  if (time.ok()) return *time;
  refuse("field \"" + std::string(name) + "\": " + file_internal::described(value) + " is not an ISO 8601 time with a zone");
  return EventTime{};
}

bool JsonObject::has(std::string_view name) const {
  const auto found = document_->find(name);
  return found.error() == simdjson::SUCCESS && !found.value_unsafe().is_null();
}

}  // namespace v0
}  // namespace tidemark

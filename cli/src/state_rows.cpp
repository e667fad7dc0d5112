#include "src/state_rows.hpp"

#include <fmt/format.h>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

RowReader::RowReader(const StateEntry& state) : state_(state), key_(state.key), entry_(state.entry), value_(state.value) {}

Bytes RowReader::prefix() const {
  Bytes prefix;
  append_u16_big_endian(prefix, state_.id);
  return prefix;
}

Bytes RowReader::prefix(std::uint64_t hash, ByteView key) const {
  Bytes prefix = this->prefix();
  if (state_.timed) return prefix;
  append_u64_big_endian(prefix, hash);
  prefix.append(key);
  return prefix;
}

std::optional<RowKey> RowReader::split(ByteView row_key) const {
  RowKey row;
  StateId id = 0;
  if (!take_u16_big_endian(row_key, id) || id != state_.id) return {};
  if (state_.timed && !take_time_big_endian(row_key, row.time)) return {};
  if (!take_u64_big_endian(row_key, row.hash)) return {};
  std::size_t rest_size = has_tag() ? 4 : has_number() ? 8 : 0;
  const bool is_wanted = !wanted_.empty() && row_key.starts_with(wanted_);
  if (has_generation() && row_key.size() > 8) {
    // No key begins with the whole of another one, so at most one of both readings is a key.
    const bool fits = !key_.to_json(row_key) && key_.to_json(row_key.substr(0, row_key.size() - 8));
    if (fits || (is_wanted && row_key.size() == wanted_.size() + 8)) rest_size = 8;
  }
  if (row_key.size() <= rest_size) return {};   // a key has a byte at least
  row.key = row_key.substr(0, row_key.size() - rest_size);
  if (has_entry()) {
    row.key = row_key.substr(0, key_.size_of_first(row_key).value_or(is_wanted ? wanted_.size() : row_key.size()));
    row.entry = row_key.substr(row.key.size());
    return row;
  }
  for (const char c : row_key.substr(row.key.size())) row.rest = row.rest << 8 | static_cast<unsigned char>(c);
  return row;
}

std::string RowReader::key_json(ByteView key) { return shown(key_, key); }
std::string RowReader::entry_json(ByteView entry) { return entry.empty() ? "null" : shown(entry_, entry); }

std::optional<EventTime> RowReader::written(ByteView value) const {
  EventTime time{};
  if (!state_.stamped || !take_time(value, time)) return {};
  return time;
}

std::string RowReader::value_json(ByteView value) { return shown(value_, written(value) ? value.substr(sizeof(std::int64_t)) : value); }

std::string RowReader::row_json(ByteView row_key, ByteView value) {
  const std::optional<RowKey> row = split(row_key);
  if (!row) {
    ++malformed_;
    return fmt::format(R"({{"row":"{}","value":"{}"}})", hex_text(row_key), hex_text(value));
  }
  std::string json = "{";
  if (state_.timed) json += fmt::format(R"("time":"{}",)", to_string(row->time));
  json += R"("key":)" + key_json(row->key);
  if (has_entry()) json += R"(,"entry":)" + entry_json(row->entry);
  if (has_tag()) json += fmt::format(R"(,"tag":{})", row->rest);
  if (has_number()) json += fmt::format(R"(,"number":{})", row->rest);
  if (has_generation() && row->rest != 0) json += fmt::format(R"(,"generation":{})", row->rest);
  if (const std::optional<EventTime> time = written(value)) json += fmt::format(R"(,"written":"{}")", to_string(*time));
  if (has_value()) json += R"(,"value":)" + value_json(value);
  return json + '}';
}

std::string RowReader::shown(const Schema& schema, ByteView bytes) {
  std::optional<std::string> json = schema.to_json(bytes);
  if (json) return *std::move(json);
  ++malformed_;
  return fmt::format(R"({{"malformed":"{}"}})", hex_text(bytes));
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

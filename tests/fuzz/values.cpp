// Z2: values by their codecs, and by the text of their schema alone, as `tidemark state` reads them.

#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include <tidemark/core/codec.hpp>
#include <tidemark/core/schema.hpp>

#include "fuzz.hpp"

namespace tidemark::fuzz {
namespace {

using Deep = std::tuple<std::vector<std::optional<std::string>>, std::map<std::string, std::vector<std::int32_t>>, bool, EventTime,
                        std::variant<std::uint8_t, std::vector<bool>>, std::set<std::pair<char, std::uint64_t>>, double>;

// The type and its schema agree on what is a value, and on where it ends.
void read_typed(ByteView bytes) {
  static const Schema schema{Codec<Deep>::schema()};
  Deep value;
  ByteView in = bytes;
  const bool decoded = Codec<Deep>::decode(in, value);
  const std::optional<std::size_t> size = schema.size_of_first(bytes);
  if (!decoded) return;
  require(size == bytes.size() - in.size(), "the schema finds the end that the codec finds");
  require(schema.to_json(bytes.substr(0, *size)).has_value(), "what the codec reads the schema shows");
  const Bytes written = encoded(value);
  Deep again;
  require(decode_whole(written, again) && encoded(again) == written, "a value comes back from its bytes");
}

void read_by_schema(const std::string& text, ByteView bytes) {
  const Schema schema{text};
  const std::optional<std::string> json = schema.to_json(bytes);
  if (!json) return;
  const Result<Bytes> written = schema.from_text(*json);
  require(written.ok(), "what was shown can be written", text + ": " + *json);
  require(schema.to_json(*written) == json, "what was written is shown again", text + ": " + *json);
}

}  // namespace

// "typed", or a schema; behind a line end the bytes of the value, or a text after "=".
void run(ByteView input) {
  const std::size_t line_end = input.find('\n');
  if (line_end == ByteView::npos) return;
  const std::string schema{input.substr(0, line_end)};
  const ByteView value = input.substr(line_end + 1);
  if (schema == "typed") return read_typed(value);
  if (!value.starts_with('=')) return read_by_schema(schema, value);
  const Result<Bytes> bytes = Schema{schema}.from_text(value.substr(1));
  if (bytes.ok()) read_by_schema(schema, *bytes);
}

}  // namespace tidemark::fuzz

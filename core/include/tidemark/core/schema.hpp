#pragma once
// Values read by the text of their schema alone, without their type: for tools that look into checkpoints of jobs which they do not have.
//
// The JSON of a value has no names, since a schema has none:
//
//   numbers, durations       a number; "NaN", "Infinity" and "-Infinity" as texts
//   time<i64,1/1000000>      ISO 8601 as a text, "-inf", "+inf"; a time in another unit is a number
//   string, char             a text
//   struct, list, set, array an array of its parts
//   map                      an array of [key,value]
//   optional                 null or the value; [] or [value] if that may itself be null
//   variant                  {"1":value}, the number of the alternative first
//   what JSON cannot say     {"schema":"string","hex":"ff00"}: text that is not UTF-8, and whatever a codec of the user wrote
//
// A user's codec does not tell where its bytes end. If it is the last part of a value it is shown as above; else the whole value is, under
// its whole schema.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {

namespace core_internal {
struct SchemaNode;
}

// Immutable; copies share what was read. May be used by any thread.
class Schema {
 public:
  // Reads what Codec<T>::schema() writes. Any other text is the schema of a user's codec, also one that is longer than 64 KiB or nested
  // deeper than 32 parts.
  explicit Schema(std::string text);

  const std::string& text() const { return text_; }

  // The JSON of the value whose encoding `bytes` is. Nothing: no value has these bytes; entries that are twice in a set or map are not
  // noticed. Believes nothing of them: takes time and memory in proportion to their number.
  std::optional<std::string> to_json(ByteView bytes) const;
  // How many bytes of `bytes` are the first value in it, whatever follows. Nothing: none begins there, or its end cannot be told.
  std::optional<std::size_t> size_of_first(ByteView bytes) const;
  // The other way round: the encoding of a value that is written as to_json() does, blanks allowed. A whole string, char or time may stand
  // without its quotation marks if it does not begin with one or with a brace. The entries of sets and maps are taken in the order given,
  // which is that of the bytes. kUsage: no such value, with the place and what was expected there.
  Result<Bytes> from_text(std::string_view text) const;

 private:
  std::string text_;
  std::shared_ptr<const core_internal::SchemaNode> root_;
};

// A JSON string with its quotation marks. Control characters, those above U+007F too, are escaped. Precondition for valid JSON: `text` is
// UTF-8.
std::string json_string(std::string_view text);
// Two lower-case digits for each byte.
std::string hex_text(ByteView bytes);

}  // namespace v0
}  // namespace tidemark

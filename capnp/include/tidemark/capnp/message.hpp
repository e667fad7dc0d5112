#pragma once
// Cap'n Proto messages as records and as state: for types whose schema must grow while stored values live on.
//
//   struct Reading @0x9d5b3c1a7e2f4860 { sensor @0 :Text; celsius @1 :Float64; }
//
//   using Reading = tidemark::CapnpMessage<wire::Reading>;
//   struct Last { Reading reading; };   // or Reading itself as the state
//
// Evolution (K9). A field may be added, under the next ordinal, by Cap'n Proto's own rules; nothing else may change: a field is never
// removed (only no longer used), and its ordinal, type, default and place in a union stay; an enum may get more enumerants. Fields may be
// renamed. Then values that an earlier release has stored are read as they are, with the default in the new field. The manifest records the
// schema with all structs that it leads to, and a restore compares them before the first record; what does not fit is refused with both
// schemas. This holds where the message is the state itself or the record that waits in event-time order. Inside another type, such as Last
// above, a schema that has grown is another schema, which needs a migration.
//
// A message is not a key.
//
// Safety (S08). Bytes that come from elsewhere are believed only after their segment table and every pointer in them were checked; limits
// on size, depth and traversal apply to each look as well. A message is held in canonical form, in one segment.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <capnp/message.h>
#include <capnp/schema.h>
#include <capnp/serialize.h>

#include <tidemark/core/codec.hpp>
#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {

// A longer message is refused.
inline constexpr std::size_t kLargestCapnpMessage = std::size_t{64} << 20;

namespace capnp_internal {

// 8 bytes each, aligned.
using Words = std::vector<std::uint64_t>;

// What one look at a message of so many words may read, and how deep.
capnp::ReaderOptions limits(std::size_t words);
// Removes a message with its segment table from the front of `in`. false: it is not a canonical message in one segment.
[[nodiscard]] bool take_canonical(ByteView& in, Words& words);
void append_message(const Words& words, Bytes& out);
// Calls visit(reader) for a message in any number of segments, that fills `framed`, once its segment table and size were checked.
Status read_foreign(ByteView framed, void (*visit)(capnp::MessageReader& reader, Words& canonical), Words& canonical);
// kDecodeFailed unless each pointer leads to what the schema says, within the limits of a look, so that none at the message throws.
Status check_types(capnp::StructSchema schema, const Words& words);
// The canonical form of a message that was built here. kRecordRefused: it is too large, too deep, or has too long lists of nothing.
Status take_words(kj::ArrayPtr<const capnp::word> canonical, Words& words);
std::string schema_text(capnp::StructSchema schema);
// Whether a type of schema `ours` reads what was written under `stored`.
bool reads(std::string_view ours, std::string_view stored);

}  // namespace capnp_internal

// A value: copies are deep. `Schema` is the type that the schema compiler has generated. Not thread-safe, as any value.
template <class Schema>
class CapnpMessage {
 public:
  using Reader = typename Schema::Reader;
  using Builder = typename Schema::Builder;

  // Every field has its default.
  CapnpMessage() = default;

  // Takes a message as it comes from a file or a socket: in the standard stream framing, not packed, at most 64 segments. kDecodeFailed,
  // unless every byte of `framed` belongs to a well-formed message whose pointers lead to what `Schema` says.
  static Result<CapnpMessage> from_bytes(ByteView framed) {
    CapnpMessage message;
    const auto visit = [](capnp::MessageReader& reader, capnp_internal::Words& canonical) {
      const kj::Array<capnp::word> words = capnp::canonicalize(reader.getRoot<Schema>());
      canonical.assign(reinterpret_cast<const std::uint64_t*>(words.begin()), reinterpret_cast<const std::uint64_t*>(words.end()));
    };
    TIDEMARK_TRY(capnp_internal::read_foreign(framed, visit, message.words_));
    TIDEMARK_TRY(capnp_internal::check_types(capnp::Schema::from<Schema>(), message.words_));
    return message;
  }
  // The message in that framing; equal messages have equal bytes.
  Bytes to_bytes() const {
    Bytes bytes;
    capnp_internal::append_message(words_, bytes);
    return bytes;
  }

  // Calls look(Reader) and returns what it returns. The reader, and all that it gave, is good for that call alone.
  template <std::invocable<Reader> Look>
  auto read(Look look) const {
    const kj::ArrayPtr<const capnp::word> segment{reinterpret_cast<const capnp::word*>(words_.data()), words_.size()};
    capnp::SegmentArrayMessageReader reader{kj::arrayPtr(&segment, 1), capnp_internal::limits(words_.size())};
    return look(reader.getRoot<Schema>());
  }
  // Calls edit(Builder) on the message. Costs two copies of it. kRecordRefused if it has become larger than kLargestCapnpMessage or deeper
  // than 32 levels, or has more than a thousand elements that take no space; then nothing has changed, nor after an exception of `edit`.
  template <std::invocable<Builder> Edit>
  Status change(Edit edit) {
    capnp::MallocMessageBuilder builder;
    read([&](Reader old) { builder.setRoot(old); });
    edit(builder.getRoot<Schema>());
    return capnp_internal::take_words(capnp::canonicalize(builder.getRoot<Schema>().asReader()), words_);
  }

  friend bool operator==(const CapnpMessage&, const CapnpMessage&) = default;

 private:
  friend struct Codec<CapnpMessage>;
  // The root pointer to a struct without words, which is the canonical form of a message with nothing set.
  capnp_internal::Words words_{0xFFFFFFFC};
};

template <class Schema>
struct Codec<CapnpMessage<Schema>> {
  static void encode(const CapnpMessage<Schema>& value, Bytes& out) { capnp_internal::append_message(value.words_, out); }
  [[nodiscard]] static bool decode(ByteView& in, CapnpMessage<Schema>& value) { return capnp_internal::take_canonical(in, value.words_); }
  static std::string schema() { return capnp_internal::schema_text(capnp::Schema::from<Schema>()); }
  static std::size_t footprint(const CapnpMessage<Schema>& value) { return value.words_.capacity() * sizeof(std::uint64_t); }
  static bool reads(std::string_view stored) { return capnp_internal::reads(schema(), stored); }
};

}  // namespace v0
}  // namespace tidemark

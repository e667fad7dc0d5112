#include <tidemark/capnp/message.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

#include <capnp/dynamic.h>
#include <kj/exception.h>

#include <tidemark/core/segment_table.hpp>

namespace tidemark {
inline namespace v0 {
namespace capnp_internal {

namespace {

constexpr std::size_t kWord = sizeof(capnp::word);
constexpr int kDeepest = 32;

Error refused(std::string why) {
  return Error{.code = ErrorCode::kDecodeFailed,
               .message = "these bytes are not a Cap'n Proto message that can be taken",
               .facts = {},
               .why = std::move(why),
               .fix = ""};
}

bool leads_somewhere(capnp::schema::Type::Which type) {
  using capnp::schema::Type;
  return type == Type::TEXT || type == Type::DATA || type == Type::LIST || type == Type::STRUCT;
}

void visit_pointers(capnp::DynamicStruct::Reader reader);

void visit_pointers(capnp::DynamicList::Reader list) {
  if (!leads_somewhere(list.getSchema().whichElementType())) return;
  for (const capnp::DynamicValue::Reader element : list) {
    if (element.getType() == capnp::DynamicValue::STRUCT) visit_pointers(element.as<capnp::DynamicStruct>());
    if (element.getType() == capnp::DynamicValue::LIST) visit_pointers(element.as<capnp::DynamicList>());
  }
}

// Cap'n Proto throws at a pointer to something else, at a text without its NUL, and where a limit is exceeded.
void visit_pointers(capnp::DynamicStruct::Reader reader) {
  for (const capnp::StructSchema::Field field : reader.getSchema().getFields()) {
    // A struct that is not there is one of defaults, which may hold itself.
    if (!leads_somewhere(field.getType().which()) || !reader.has(field)) continue;
    const capnp::DynamicValue::Reader value = reader.get(field);
    if (value.getType() == capnp::DynamicValue::STRUCT) visit_pointers(value.as<capnp::DynamicStruct>());
    if (value.getType() == capnp::DynamicValue::LIST) visit_pointers(value.as<capnp::DynamicList>());
  }
}

// Canonical, and within the limits of a look from its root to its last pointer, those that the schema does not know among them.
bool can_be_kept(const Words& words) {
  try {
    const kj::ArrayPtr<const capnp::word> segment{reinterpret_cast<const capnp::word*>(words.data()), words.size()};
    capnp::SegmentArrayMessageReader reader{kj::arrayPtr(&segment, 1), limits(words.size())};
    return reader.isCanonical();
  } catch (const kj::Exception&) {
    return false;
  }
}

constexpr const char* kCannotBeKept = "it is deeper than 32 levels, or has lists of thousands of elements without content";

}  // namespace

capnp::ReaderOptions limits(std::size_t words) {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = std::min(4 * words + 1024, 4 * kLargestCapnpMessage / kWord);
  options.nestingLimit = kDeepest;
  return options;
}

bool take_canonical(ByteView& in, Words& words) {
  std::uint32_t last_segment = 0;
  std::uint32_t size = 0;
  if (!take_u32(in, last_segment) || last_segment != 0 || !take_u32(in, size) || size == 0) return false;
  const std::size_t bytes = std::size_t{size} * kWord;
  if (bytes > kLargestCapnpMessage || bytes > in.size()) return false;
  words.resize(size);
  std::memcpy(words.data(), in.data(), bytes);
  in.remove_prefix(bytes);
  return can_be_kept(words);
}

void append_message(const Words& words, Bytes& out) {
  append_u32(out, 0);   // the number of the last segment
  append_u32(out, static_cast<std::uint32_t>(words.size()));
  out.append(reinterpret_cast<const char*>(words.data()), words.size() * kWord);
}

Status read_foreign(ByteView framed, void (*visit)(capnp::MessageReader& reader, Words& canonical), Words& canonical) {
  if (framed.size() > kLargestCapnpMessage) return refused("there are " + std::to_string(framed.size()) + " of them");
  if (!segment_table_is_sound(framed)) return refused("the segment table is malformed, or has more than 64 segments");
  // Aligned, which bytes from elsewhere need not be.
  Words words(framed.size() / kWord);
  std::memcpy(words.data(), framed.data(), framed.size());
  try {
    capnp::FlatArrayMessageReader reader{{reinterpret_cast<const capnp::word*>(words.data()), words.size()}, limits(words.size())};
    visit(reader, canonical);
  } catch (const kj::Exception& thrown) {
    return refused(thrown.getDescription().cStr());
  }
  return {};
}

Status check_types(capnp::StructSchema schema, const Words& words) {
  if (!can_be_kept(words)) return refused(kCannotBeKept);
  try {
    const kj::ArrayPtr<const capnp::word> segment{reinterpret_cast<const capnp::word*>(words.data()), words.size()};
    capnp::SegmentArrayMessageReader reader{kj::arrayPtr(&segment, 1), limits(words.size())};
    visit_pointers(reader.getRoot<capnp::DynamicStruct>(schema));
  } catch (const kj::Exception& thrown) {
    return refused(thrown.getDescription().cStr());
  }
  return {};
}

Status take_words(kj::ArrayPtr<const capnp::word> canonical, Words& words) {
  if (canonical.size() * kWord > kLargestCapnpMessage) {
    return Error{.code = ErrorCode::kRecordRefused,
                 .message = "a Cap'n Proto message has become too large",
                 .facts = {{"bytes", std::to_string(canonical.size() * kWord)}, {"limit", std::to_string(kLargestCapnpMessage)}}};
  }
  const auto* begin = reinterpret_cast<const std::uint64_t*>(canonical.begin());
  Words taken(begin, begin + canonical.size());
  // Stored, it would be taken for a damaged row.
  if (!can_be_kept(taken)) {
    return Error{.code = ErrorCode::kRecordRefused,
                 .message = "a Cap'n Proto message has become one that could not be read again",
                 .facts = {{"bytes", std::to_string(canonical.size() * kWord)}},
                 .why = kCannotBeKept};
  }
  words = std::move(taken);
  return {};
}

}  // namespace capnp_internal
}  // namespace v0
}  // namespace tidemark

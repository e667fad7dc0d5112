// A schema as a text: "capnp:ROOT{TYPE{0:text@0;1:f64@0=5a1e..};TYPE{0:air;1:water}}". For each struct that the root leads to its fields
// by ordinal, with type, place and default, those of groups and unions among them; for each enum its enumerants. A generic struct is there
// once for each binding of its parameters: "ID(struct<ID>,text)". Two texts can be compared field by field, which is what decides whether a
// stored message can be read.

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <set>

#include <capnp/any.h>
#include <capnp/dynamic.h>
#include <capnp/message.h>
#include <kj/string.h>

#include <tidemark/capnp/message.hpp>
#include <tidemark/core/check.hpp>
#include <tidemark/core/hash.hpp>

namespace tidemark {
inline namespace v0 {
namespace capnp_internal {

namespace {

using Fields = std::map<std::uint32_t, std::string>;   // by ordinal
using Types = std::map<std::string, Fields>;           // by name

std::string hex(std::uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

// Ids of the structs, the one at hand and those around it, whose type parameters its fields name.
using Scopes = std::set<std::uint64_t>;

void add_scopes(const capnp::schema::Type::Reader& type, Scopes& scopes);
void add_scopes(const capnp::schema::Brand::Reader& brand, Scopes& scopes) {
  for (const auto scope : brand.getScopes()) {
    scopes.insert(scope.getScopeId());
    if (!scope.isBind()) continue;
    for (const auto binding : scope.getBind()) {
      if (binding.isType()) add_scopes(binding.getType(), scopes);
    }
  }
}
void add_scopes(const capnp::schema::Type::Reader& type, Scopes& scopes) {
  using capnp::schema::Type;
  switch (type.which()) {
    case Type::LIST: return add_scopes(type.getList().getElementType(), scopes);
    case Type::STRUCT: return add_scopes(type.getStruct().getBrand(), scopes);
    case Type::ANY_POINTER:
      if (type.getAnyPointer().isParameter()) scopes.insert(type.getAnyPointer().getParameter().getScopeId());
      return;
    default: return;
  }
}
void add_scopes(capnp::StructSchema schema, Scopes& scopes) {
  for (const capnp::StructSchema::Field field : schema.getFields()) {
    if (field.getProto().isGroup()) {
      add_scopes(field.getType().asStruct(), scopes);
    } else {
      add_scopes(field.getProto().getSlot().getType(), scopes);
    }
  }
}

std::string hash_of(const char* bytes, std::size_t size) { return hex(hash_bytes(ByteView{bytes, size}, 0)); }

// Of the value's words: as a text a list or struct would be an opaque pointer.
std::string hash_of_pointer(const capnp::AnyPointer::Reader& value) {
  capnp::MallocMessageBuilder message;
  capnp::AnyStruct::Builder holder = message.getRoot<capnp::AnyPointer>().initAsAnyStruct(0, 1);
  holder.getPointerSection()[0].set(value);
  const kj::Array<capnp::word> words = holder.asReader().canonicalize();
  const auto bytes = words.asBytes();
  return hash_of(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
}

std::string hash_of_default(const capnp::schema::Value::Reader& value) {
  using capnp::schema::Value;
  switch (value.which()) {
    case Value::LIST: return hash_of_pointer(value.getList());
    case Value::STRUCT: return hash_of_pointer(value.getStruct());
    case Value::ANY_POINTER: return hash_of_pointer(value.getAnyPointer());
    default: break;
  }
  const kj::String text = kj::str(value);
  return hash_of(text.cStr(), text.size());
}

class Writer {
 public:
  // Returns the type's name.
  std::string add(capnp::StructSchema schema) {
    std::string name = name_of(schema);
    if (types_.contains(name)) return name;
    types_[name];   // a type may lead back to itself
    Fields fields;
    add_fields(schema, "", fields);
    types_[name] = std::move(fields);
    return name;
  }
  std::string text(const std::string& root) const {
    std::string text = "capnp:" + root + "{";
    const char* between_types = "";
    for (const auto& [name, fields] : types_) {
      text += between_types + name + "{";
      const char* between = "";
      for (const auto& [ordinal, field] : fields) {
        text += between + std::to_string(ordinal) + ":" + field;
        between = ";";
      }
      text += "}";
      between_types = ";";
    }
    return text + "}";
  }

 private:
  std::string name_of(capnp::StructSchema schema) {
    const auto proto = schema.getProto();
    std::string name = hex(proto.getId());
    if (!schema.isBranded()) return name;
    Scopes scopes{proto.getId(), proto.getScopeId()};
    add_scopes(schema, scopes);
    std::string arguments;
    for (const std::uint64_t scope : scopes) {
      for (const capnp::Type argument : schema.getBrandArgumentsAtScope(scope)) {
        arguments += (arguments.empty() ? "" : ",") + type_text(argument);
      }
    }
    if (arguments.empty()) return name;
    TIDEMARK_CHECK(arguments.size() <= kLongestArguments, std::string{"the Cap'n Proto type "} + proto.getDisplayName().cStr() +
                                                              " leads to itself with ever longer type parameters");
    return name + "(" + arguments + ")";
  }
  // `member`: of which unions the fields are members, and which.
  void add_fields(capnp::StructSchema schema, const std::string& member, Fields& fields) {
    for (const capnp::StructSchema::Field field : schema.getFields()) {
      const auto proto = field.getProto();
      std::string within = member;
      if (proto.getDiscriminantValue() != capnp::schema::Field::NO_DISCRIMINANT) {
        within += "|" + std::to_string(proto.getDiscriminantValue()) + "@" +
                  std::to_string(schema.getProto().getStruct().getDiscriminantOffset());
      }
      if (proto.isGroup()) {
        add_fields(field.getType().asStruct(), within, fields);
        continue;
      }
      const auto slot = proto.getSlot();
      std::string text = type_text(field.getType()) + "@" + std::to_string(slot.getOffset()) + within;
      if (slot.getHadExplicitDefault()) {
        text += "=" + hash_of_default(slot.getDefaultValue());
      }
      fields[proto.getOrdinal().getExplicit()] = std::move(text);
    }
  }
  void add(capnp::EnumSchema schema) {
    Fields& names = types_[hex(schema.getProto().getId())];
    for (const capnp::EnumSchema::Enumerant enumerant : schema.getEnumerants()) {
      names[enumerant.getOrdinal()] = enumerant.getProto().getName().cStr();
    }
  }

  std::string type_text(capnp::Type type) {
    using capnp::schema::Type;
    switch (type.which()) {
      case Type::VOID: return "void";
      case Type::BOOL: return "bool";
      case Type::INT8: return "i8";
      case Type::INT16: return "i16";
      case Type::INT32: return "i32";
      case Type::INT64: return "i64";
      case Type::UINT8: return "u8";
      case Type::UINT16: return "u16";
      case Type::UINT32: return "u32";
      case Type::UINT64: return "u64";
      case Type::FLOAT32: return "f32";
      case Type::FLOAT64: return "f64";
      case Type::TEXT: return "text";
      case Type::DATA: return "data";
      case Type::LIST: return "list<" + type_text(type.asList().getElementType()) + ">";
      case Type::ENUM: add(type.asEnum()); return "enum<" + hex(type.asEnum().getProto().getId()) + ">";
      case Type::STRUCT: return "struct<" + add(type.asStruct()) + ">";
      case Type::INTERFACE: return "interface";
      case Type::ANY_POINTER: break;
    }
    return "any";
  }

  static constexpr std::size_t kLongestArguments = 1024;
  Types types_;
};

// Removes what stands before `end`, and `end`.
std::optional<std::string_view> take_until(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at + 1);
  return taken;
}

struct Parsed {
  std::string root;
  std::set<std::string> entries;   // "TYPE/0:text@0"
};

// The other way round; nothing for any other text.
std::optional<Parsed> parse(std::string_view text) {
  constexpr std::string_view kBegin = "capnp:";
  if (!text.starts_with(kBegin) || !text.ends_with("}}")) return std::nullopt;
  text.remove_prefix(kBegin.size());
  text.remove_suffix(1);
  const auto root = take_until(text, '{');
  if (!root) return std::nullopt;
  Parsed parsed{std::string{*root}, {}};
  while (!text.empty()) {
    const auto type = take_until(text, '{');
    auto fields = take_until(text, '}');
    if (!type || !fields) return std::nullopt;
    while (!fields->empty()) {
      const std::string_view field = fields->substr(0, fields->find(';'));
      parsed.entries.insert(std::string{*type} + "/" + std::string{field});
      fields->remove_prefix(std::min(fields->size(), field.size() + 1));
    }
    if (text.empty()) break;
    if (text.front() != ';') return std::nullopt;
    text.remove_prefix(1);
  }
  return parsed;
}

}  // namespace

std::string schema_text(capnp::StructSchema schema) {
  Writer writer;
  return writer.text(writer.add(schema));
}

bool reads(std::string_view ours, std::string_view stored) {
  const auto now = parse(ours);
  const auto then = parse(stored);
  return now && then && now->root == then->root &&
         std::includes(now->entries.begin(), now->entries.end(), then->entries.begin(), then->entries.end());
}

}  // namespace capnp_internal
}  // namespace v0
}  // namespace tidemark

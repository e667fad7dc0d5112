#pragma once
// A schema text as a tree, for both directions: bytes to JSON (schema.cpp) and text to bytes (schema_encode.cpp).

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark {
inline namespace v0 {
namespace core_internal {

struct SchemaNode {
  // kInteger, kFloat: also durations, and times in other units than EventTime's. kList: also sets.
  enum class Kind : std::uint8_t {
    kOpaque, kInteger, kFloat, kBool, kChar, kString, kTime, kStruct, kList, kMap, kArray, kOptional, kVariant
  };
  Kind kind = Kind::kOpaque;
  bool is_signed = false;          // of integers
  std::size_t size = 0;            // bytes of a number; elements of an array
  std::string text{};              // of a user's codec
  std::vector<SchemaNode> parts{};
};

// Length of the UTF-8 character that `text` begins with; 0: it begins with none.
std::size_t utf8_length(std::string_view text);

}  // namespace core_internal
}  // namespace v0
}  // namespace tidemark

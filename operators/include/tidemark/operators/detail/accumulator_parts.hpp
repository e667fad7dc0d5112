#pragma once
// Where the accumulators are in what window stages store, so that a migration of an accumulator changes the value around it (K9).

#include <string>
#include <string_view>
#include <utility>

#include <tidemark/core/check.hpp>
#include <tidemark/core/codec.hpp>
#include <tidemark/operators/aggregates.hpp>
#include <tidemark/state/component.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

template <class Part>
bool skip_one(ByteView& in) {
  Part part{};
  return Codec<Part>::decode(in, part);
}

// Of values that are encoded as a varint and so many times `head` bytes and an accumulator, whose schema ends with the accumulator's and
// `behind`.
template <class Accumulator>
ValueParts repeated_accumulators(const std::string& schema, std::size_t head, std::string_view behind) {
  ValueParts value = state_internal::PartsOf<Accumulator>::get();
  const std::string inner = Codec<Accumulator>::schema();
  if (value.parts.empty()) value = {.parts = {{inner, &skip_one<Accumulator>}}, .text = {"", ""}};
  TIDEMARK_CHECK(schema.ends_with(inner + std::string{behind}), "schema " + schema);
  value.text.front().insert(0, schema, 0, schema.size() - inner.size() - behind.size());
  value.text.back() += behind;
  value.head = head;
  value.repeated = true;
  return value;
}

}  // namespace operators_internal

namespace state_internal {

// Several aggregates.
template <class... Each>
struct PartsOf<operators_internal::Parts<Each...>> {
  static ValueParts get() {
    ValueParts value{.parts = {{Codec<Each>::schema(), &operators_internal::skip_one<Each>}...}, .text = {"struct{"}};
    value.text.resize(sizeof...(Each), ",struct{");
    value.text.emplace_back(sizeof...(Each), '}');
    return value;
  }
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

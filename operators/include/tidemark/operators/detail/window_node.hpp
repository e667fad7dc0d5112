#pragma once
// The node of a window stage in the graph. Included by windows.hpp.

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <tidemark/core/check.hpp>
#include <tidemark/operators/detail/session_operator.hpp>
#include <tidemark/operators/detail/sliding_operator.hpp>
#include <tidemark/operators/detail/tumbling_operator.hpp>
#include <tidemark/operators/graph.hpp>
#include <tidemark/operators/record_type.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

template <class Key, class T, class KeyOf, class Spec, class Aggregate>
std::unique_ptr<Operator> make_window_operator(const KeyOf& key_of, const Spec& spec, const Aggregate& aggregate) {
  constexpr bool kAny = std::is_same_v<Spec, WindowSpec>;
  if constexpr (kAny || std::is_same_v<Spec, WindowsOf<WindowKind::kSession>>) {
    if (spec.kind == WindowKind::kSession) return std::make_unique<SessionOperator<Key, T, KeyOf, Aggregate>>(key_of, spec, aggregate);
  }
  if constexpr (kAny || std::is_same_v<Spec, WindowsOf<WindowKind::kSliding>>) {
    // Sliding windows that do not overlap are tumbling ones with room between. What is impossible any operator refuses when it is opened.
    if (spec.slide < spec.size && spec.check().ok())
      return std::make_unique<SlidingOperator<Key, T, KeyOf, Aggregate>>(key_of, spec, aggregate);
  }
  if constexpr (!std::is_same_v<Spec, WindowsOf<WindowKind::kSession>>) {
    return std::make_unique<TumblingOperator<Key, T, KeyOf, Aggregate>>(key_of, spec, aggregate);
  } else {
    TIDEMARK_CHECK(false, "a session spec of another kind");
  }
}

template <class Key, class T, class Out, class KeyOf, class Spec, class Aggregate>
Node window_node(std::string name, KeyOf key_of, Spec spec, Aggregate aggregate) {
  core_internal::require_key<Key>();
  core_internal::require_storable<typename Aggregate::Accumulator>();
  Node node{.kind = NodeKind::kOperator, .name = std::move(name)};
  node.description = spec.describe();
  node.stateful = true;
  node.decides_lateness = true;
  node.by_key = true;
  node.outlets = {&record_type<Out>(), &record_type<Quarantined>(), &record_type<Late<T>>()};
  node.outlet_names = {"", "quarantine", "late"};
  node.make = [key_of = std::move(key_of), spec, aggregate = std::move(aggregate)] {
    return make_window_operator<Key, T>(key_of, spec, aggregate);
  };
  return node;
}

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

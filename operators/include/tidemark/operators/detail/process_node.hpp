#pragma once
// Makes the graph's node of process(). Included by process.hpp.

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tidemark/operators/detail/ordered_process_operator.hpp>
#include <tidemark/operators/detail/process_operator.hpp>
#include <tidemark/operators/detail/side_outputs.hpp>
#include <tidemark/operators/graph.hpp>
#include <tidemark/operators/late.hpp>
#include <tidemark/operators/process_order.hpp>
#include <tidemark/operators/record_type.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

// Which of the two operators an Order stands for.
template <class Order>
struct Ordering {
  static_assert(std::is_same_v<Order, ArrivalOrder>,
                "Tidemark: the order of process() is arrival_order(), event_time_order() or event_time_order(then_by)");
  static constexpr bool kByTime = false;
};
template <class ThenBy>
struct Ordering<EventTimeOrder<ThenBy>> {
  static constexpr bool kByTime = true;
};

template <class Key, class T, class Out, class KeyOf, class F, class Order>
Node process_node(std::string name, KeyOf key_of, F f, Order order, ProcessOptions options = {}) {
  constexpr bool kByTime = Ordering<Order>::kByTime;
  if constexpr (kByTime && !std::is_same_v<Order, EventTimeOrder<>>) {
    static_assert(std::is_invocable_v<decltype(order.then_by)&, const T&>,
                  "Tidemark: event_time_order() needs a member or a function of the stream's record, whose values have an order");
  }
  Node node;
  node.name = std::move(name);
  node.description = kByTime ? "process in event-time order" : "process in order of arrival";
  node.stateful = true;
  node.decides_lateness = kByTime;
  node.by_key = true;
  node.outlets = {&record_type<Out>(), nullptr, nullptr};
  if constexpr (kByTime) {
    node.outlets[kQuarantineOutlet] = &record_type<Quarantined>();
    node.outlets[kLateOutlet] = &record_type<Late<T>>();
  }
  node.outlet_names = {"", "quarantine", "late"};
  node.make = ProcessFactory{
      {}, [key_of, f, order, options](const std::vector<SideDeclaration>& sides) -> std::unique_ptr<Operator> {
        if constexpr (kByTime) {
          using Made = OrderedProcessOperator<Key, T, Out, KeyOf, F, decltype(order.then_by)>;
          return std::make_unique<Made>(key_of, f, order.then_by, options, sides);
        } else {
          (void)order;   // Clang warns of a capture that is not used
          return std::make_unique<ProcessOperator<Key, T, Out, KeyOf, F>>(key_of, f, options, sides);
        }
      }};
  return node;
}

// The outlet of a side output of the node, found by name or added. A node that is not a process(), and a name that stands for another type,
// are errors of the graph; the outlet given back then is not to be used.
std::size_t side_outlet(GraphData& graph, NodeId node, const std::string& name, const RecordType* type);

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

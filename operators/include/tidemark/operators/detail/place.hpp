#pragma once
// Where a stream stands in the graph that is being built.

#include <memory>
#include <string>
#include <string_view>

#include <tidemark/operators/graph.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

struct Place {
  std::shared_ptr<GraphData> graph;
  Edge edge;
};

// Adds a node that reads from `place`; returns the place of its main outlet.
Place add_stage(const Place& place, Node node);
// Of the source, stateful operator or sink at this place; of any other stage it is an error of the graph.
void add_former_name(const Place& place, std::string name);
// "map-3": a name for a stage to which the user gives none.
std::string numbered(const GraphData& graph, std::string_view verb);

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

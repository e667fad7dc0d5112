#include <tidemark/operators/graph.hpp>

#include <set>
#include <utility>

#include <tidemark/core/names.hpp>
#include <tidemark/operators/detail/place.hpp>
#include <tidemark/operators/detail/sink_stage.hpp>

namespace tidemark {
inline namespace v0 {

NodeId GraphData::add(Node node) {
  node.outlet_names.resize(node.outlets.size());
  nodes.push_back(std::move(node));
  return static_cast<NodeId>(nodes.size() - 1);
}

Graph::Graph() : data_(std::make_shared<GraphData>()) {}

Graph& Graph::on_refused(QuarantinePolicy policy) {
  data_->policy = policy;
  return *this;
}

Graph& Graph::quarantine_to(std::string name, Sink<Quarantined> sink, QuarantinePolicy policy, std::vector<std::string> formerly) {
  if (data_->quarantine) {
    data_->errors.push_back({.code = ErrorCode::kBadGraph,
                             .message = "quarantine_to() was called twice",
                             .facts = {{"first", data_->nodes[*data_->quarantine].name}, {"second", name}},
                             .fix = "give the job one quarantine sink"});
    return *this;
  }
  Node node{.kind = NodeKind::kSink, .name = std::move(name), .formerly = std::move(formerly)};
  node.description = sink.base()->describe();
  node.sink = sink.base();
  node.make = [base = sink.base()] { return std::make_unique<operators_internal::SinkStage>(base); };
  data_->quarantine = data_->add(std::move(node));
  data_->policy = policy;
  return *this;
}

Status Graph::check() const {
  if (!data_->errors.empty()) return data_->errors.front();
  std::set<std::string> names;
  std::vector<std::pair<std::string, const std::string*>> former_names;
  bool any_sink = false;
  for (const Node& node : data_->nodes) {
    const char* what = node.kind == NodeKind::kSource ? "source" : node.kind == NodeKind::kSink ? "sink" : "operator";
    TIDEMARK_TRY(check_name(what, node.name));
    if (!names.insert(node.name).second) {
      return Error{.code = ErrorCode::kBadName,
                   .message = "the name \"" + node.name + "\" is used twice",
                   .why = "state, metrics and checkpoints are found by the names of sources, stateful operators and sinks",
                   .fix = "give each its own name"};
    }
    for (const Edge& edge : node.inputs) {
      const Node& from = data_->nodes[edge.from];
      if (edge.outlet < from.outlets.size() && from.outlets[edge.outlet] != nullptr) continue;
      return Error{.code = ErrorCode::kBadGraph,
                   .message = "\"" + node.name + "\" reads a stream that \"" + from.name + "\" does not have",
                   .why = "only stages that decide lateness have late records: windows, and process() in event-time order",
                   .fix = "read its results, or give process() event_time_order()"};
    }
    for (const std::string& former : node.formerly) {
      TIDEMARK_TRY(check_name(what, former));
      former_names.emplace_back(former, &node.name);
    }
    any_sink = any_sink || node.kind == NodeKind::kSink;
  }
  for (const auto& [former, name] : former_names) {
    if (names.insert(former).second) continue;
    return Error{.code = ErrorCode::kBadName,
                 .message = "\"" + *name + "\" was formerly \"" + former + "\", and so is another stage, or it still is",
                 .why = "two stages would claim one state",
                 .fix = "leave all but one of the claims out"};
  }
  if (!any_sink) {
    return Error{.code = ErrorCode::kBadGraph,
                 .message = "the job has no sink",
                 .why = "nothing would come out of it",
                 .fix = "end a stream with .to(name, sink)"};
  }
  if (!data_->quarantine) {
    const QuarantinePolicy defaults;
    for (std::size_t i = 0; i < kQuarantineReasons; ++i) {
      const auto reason = static_cast<QuarantineReason>(i);
      if (data_->policy[reason] != OnRefused::kQuarantine || defaults[reason] == OnRefused::kQuarantine) continue;
      return Error{.code = ErrorCode::kBadGraph,
                   .message = "records with the reason \"" + std::string{to_string(reason)} +
                              "\" are to be quarantined, but the job has no quarantine sink",
                   .fix = "call graph.quarantine_to(name, sink, policy), or choose OnRefused::kFail or kDrop"};
    }
  }
  return {};
}

namespace operators_internal {

Place add_stage(const Place& place, Node node) {
  node.inputs.insert(node.inputs.begin(), place.edge);
  return {place.graph, {place.graph->add(std::move(node)), kMainOutlet}};
}

void add_former_name(const Place& place, std::string name) {
  Node& node = place.graph->nodes[place.edge.from];
  if (node.kind == NodeKind::kSource || node.kind == NodeKind::kSink || node.stateful) return node.formerly.push_back(std::move(name));
  place.graph->errors.push_back({.code = ErrorCode::kBadGraph,
                                 .message = "formerly(\"" + name + "\") stands behind \"" + node.name + "\"",
                                 .why = "only sources, stateful operators and sinks have something in checkpoints that a name leads to",
                                 .fix = "put formerly() right behind the stage that was renamed"});
}

// Stages without a name of the user's are numbered by kind; they hold no state that would be looked up by name.
std::string numbered(const GraphData& graph, std::string_view verb) {
  std::size_t number = 1;
  for (const Node& node : graph.nodes) {
    if (node.name.rfind(std::string{verb} + "-", 0) == 0) ++number;
  }
  return std::string{verb} + "-" + std::to_string(number);
}

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

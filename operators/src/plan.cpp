// The graph for people and tools.

#include <algorithm>
#include <sstream>

#include <tidemark/operators/graph.hpp>

namespace tidemark {
inline namespace v0 {

namespace {

struct PlannedEdge {
  Edge edge;
  NodeId to = 0;
  bool exchange = false;
};

std::vector<PlannedEdge> edges_of(const GraphData& graph, std::uint32_t parallelism) {
  std::vector<PlannedEdge> edges;
  for (NodeId node = 0; node < graph.nodes.size(); ++node) {
    for (const Edge& edge : graph.nodes[node].inputs) edges.push_back({edge, node, graph.nodes[node].by_key && parallelism > 1});
  }
  return edges;
}

const std::string& outlet_name(const GraphData& graph, const Edge& edge) { return graph.nodes[edge.from].outlet_names[edge.outlet]; }

// What stands on an edge in a drawing.
std::string label_of(const GraphData& graph, const PlannedEdge& edge) {
  const std::string& outlet = outlet_name(graph, edge.edge);
  if (!edge.exchange) return outlet;
  return outlet.empty() ? "by key" : outlet + ", by key";
}

bool read_by_anyone(const GraphData& graph, NodeId node, std::size_t outlet) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& reader) {
    return std::any_of(reader.inputs.begin(), reader.inputs.end(),
                       [&](const Edge& edge) { return edge.from == node && edge.outlet == outlet; });
  });
}

// The first source above `node` that cannot be read again, if any.
const Node* weak_source(const GraphData& graph, NodeId node) {
  const Node& here = graph.nodes[node];
  if (here.kind == NodeKind::kSource) return here.source->replayable() ? nullptr : &here;
  for (const Edge& edge : here.inputs) {
    if (const Node* weak = weak_source(graph, edge.from)) return weak;
  }
  return nullptr;
}

std::string guarantee_of(const GraphData& graph, NodeId node) {
  const Node* weak = weak_source(graph, node);
  if (weak != nullptr) return "at least once, no more: source \"" + weak->name + "\" cannot be read again";
  switch (graph.nodes[node].sink->guarantee()) {
    case SinkGuarantee::kExactlyOnce: return "exactly once";
    case SinkGuarantee::kIdempotent: return "idempotent: uncommitted results may show early";
    case SinkGuarantee::kAtLeastOnce: return "at least once: this sink joins no commit";
  }
  return {};
}

std::vector<std::string> warnings_of(const GraphData& graph) {
  std::vector<std::string> warnings;
  for (NodeId node = 0; node < graph.nodes.size(); ++node) {
    const Node& here = graph.nodes[node];
    if (here.decides_lateness && !read_by_anyone(graph, node, kLateOutlet) && !graph.quarantine && graph.policy.late != OnRefused::kFail) {
      warnings.push_back("late records of \"" + here.name +
                         "\" are dropped and logged: nobody reads .late() and there is no quarantine sink (L6)");
    }
    if (here.kind != NodeKind::kSink && !read_by_anyone(graph, node, kMainOutlet)) {
      warnings.push_back("nobody reads the stream behind \"" + here.name + "\"");
    }
  }
  return warnings;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out;
}

const char* kind_text(const Node& node) {
  switch (node.kind) {
    case NodeKind::kSource: return "source";
    case NodeKind::kSink: return "sink";
    case NodeKind::kUnion: return "union";
    case NodeKind::kOperator: return node.stateful ? "stateful" : "stateless";
  }
  return "";
}

std::string as_text(const GraphData& graph, std::uint32_t parallelism) {
  std::ostringstream out;
  out << "parallelism " << parallelism << "\n\n";
  for (NodeId node = 0; node < graph.nodes.size(); ++node) {
    const Node& here = graph.nodes[node];
    out << here.name << "  [" << kind_text(here) << "] " << here.description << '\n';
    for (const PlannedEdge& edge : edges_of(graph, parallelism)) {
      if (edge.to != node) continue;
      const std::string& outlet = outlet_name(graph, edge.edge);
      out << "  <- " << graph.nodes[edge.edge.from].name << (outlet.empty() ? "" : " (" + outlet + ")")
          << (edge.exchange ? ", exchanged by key" : "") << '\n';
    }
    if (graph.quarantine == node) out << "  <- records set aside, from everywhere\n";
    if (here.kind == NodeKind::kSink) out << "  guarantee: " << guarantee_of(graph, node) << '\n';
  }
  const auto warnings = warnings_of(graph);
  if (!warnings.empty()) out << '\n';
  for (const std::string& warning : warnings) out << "warning: " << warning << '\n';
  return out.str();
}

std::string as_dot(const GraphData& graph, std::uint32_t parallelism) {
  std::ostringstream out;
  out << "digraph job {\n  rankdir=LR;\n  node [shape=box];\n";
  for (NodeId node = 0; node < graph.nodes.size(); ++node) {
    const Node& here = graph.nodes[node];
    out << "  n" << node << " [label=\"" << escaped(here.name) << "\\n"
        << escaped(here.description) << '"' << (here.stateful ? ", style=bold" : "") << "];\n";
  }
  for (const PlannedEdge& edge : edges_of(graph, parallelism)) {
    const std::string label = label_of(graph, edge);
    out << "  n" << edge.edge.from << " -> n" << edge.to << (label.empty() ? "" : " [label=\"" + escaped(label) + "\"]") << ";\n";
  }
  out << "}\n";
  return out.str();
}

std::string as_mermaid(const GraphData& graph, std::uint32_t parallelism) {
  std::ostringstream out;
  out << "flowchart LR\n";
  for (NodeId node = 0; node < graph.nodes.size(); ++node) {
    std::string label = graph.nodes[node].name + "<br/>" + graph.nodes[node].description;
    std::replace(label.begin(), label.end(), '"', '\'');
    out << "  n" << node << "[\"" << label << "\"]\n";
  }
  for (const PlannedEdge& edge : edges_of(graph, parallelism)) {
    const std::string label = label_of(graph, edge);
    out << "  n" << edge.edge.from << " -->" << (label.empty() ? "" : "|" + label + "|") << " n" << edge.to << '\n';
  }
  return out.str();
}

std::string as_json(const GraphData& graph, std::uint32_t parallelism) {
  std::ostringstream out;
  out << "{\"parallelism\":" << parallelism << ",\"stages\":[";
  for (NodeId node = 0; node < graph.nodes.size(); ++node) {
    const Node& here = graph.nodes[node];
    out << (node > 0 ? "," : "") << "{\"id\":" << node << ",\"name\":\"" << escaped(here.name) << "\",\"kind\":\"" << kind_text(here)
        << "\",\"description\":\"" << escaped(here.description) << '"';
    if (here.kind == NodeKind::kSink) out << ",\"guarantee\":\"" << escaped(guarantee_of(graph, node)) << '"';
    out << '}';
  }
  out << "],\"edges\":[";
  bool first = true;
  for (const PlannedEdge& edge : edges_of(graph, parallelism)) {
    out << (first ? "" : ",") << "{\"from\":" << edge.edge.from << ",\"outlet\":\"" << escaped(outlet_name(graph, edge.edge))
        << "\",\"to\":" << edge.to << ",\"exchange\":" << (edge.exchange ? "true" : "false") << '}';
    first = false;
  }
  out << "],\"warnings\":[";
  first = true;
  for (const std::string& warning : warnings_of(graph)) {
    out << (first ? "" : ",") << '"' << escaped(warning) << '"';
    first = false;
  }
  out << "]}\n";
  return out.str();
}

}  // namespace

std::string plan(const Graph& graph, std::uint32_t parallelism, PlanFormat format) {
  switch (format) {
    case PlanFormat::kText: return as_text(graph.data(), parallelism);
    case PlanFormat::kDot: return as_dot(graph.data(), parallelism);
    case PlanFormat::kMermaid: return as_mermaid(graph.data(), parallelism);
    case PlanFormat::kJson: return as_json(graph.data(), parallelism);
  }
  return {};
}

}  // namespace v0
}  // namespace tidemark

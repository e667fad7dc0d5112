#pragma once
// The graph of a job: what the fluent face builds (include stream.hpp to build one) and what the runtime and `plan` read. Nodes know how to
// make their operators; nothing here runs.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tidemark/core/status.hpp>
#include <tidemark/operators/operator.hpp>
#include <tidemark/operators/record_type.hpp>
#include <tidemark/operators/sink.hpp>
#include <tidemark/operators/source.hpp>
#include <tidemark/state/migration.hpp>

namespace tidemark {
inline namespace v0 {

using NodeId = std::uint32_t;

enum class NodeKind : std::uint8_t { kSource, kOperator, kUnion, kSink };

// Records flow from an outlet of a node.
struct Edge {
  NodeId from = 0;
  std::size_t outlet = kMainOutlet;
};

struct Node {
  NodeKind kind = NodeKind::kOperator;
  std::string name{};         // the user's for sources, stateful operators and sinks; "map-3" for others
  std::string description{};  // for `plan`: "tumbling window 60s"
  std::vector<std::string> formerly{};            // all but stages without a name: those under which older checkpoints have it (K10)
  std::vector<Migration> migrations{};            // stateful operators: from what they stored in earlier releases (K9)
  bool stateful = false;
  bool decides_lateness = false;                  // L9
  bool by_key = false;                            // each key's records must meet in one task: its input is exchanged by key group
  std::vector<Edge> inputs{};
  std::vector<const RecordType*> outlets{};       // null: this outlet does not exist
  std::vector<std::string> outlet_names{};        // beside `outlets`: "", "quarantine", "late", side outputs
  std::function<std::unique_ptr<Operator>()> make{}; // null for sources and unions
  std::shared_ptr<SourceBase> source{};
  std::shared_ptr<SinkBase> sink{};
};

struct GraphData {
  std::vector<Node> nodes;                        // every edge leads from a lower index to a higher one
  std::vector<Error> errors;                      // what was wrong while building; the first one refuses the start
  QuarantinePolicy policy;
  std::optional<NodeId> quarantine;               // the quarantine sink

  NodeId add(Node node);
};

template <class T>
class Source;
enum class Timing : std::uint8_t;
template <class T, Timing kTiming>
class BasicStream;

// Built once, then moved into a Runtime. Stages made from it must not outlive the building of the graph.
class Graph {
 public:
  Graph();

  // The beginning of a stream. `name` is the user's, unique in the job.
  template <class T>
  auto from(std::string name, Source<T> source);

  // Where records go that cannot be processed (Q1), and for which reasons. At most one per job. `formerly`: names that the sink had in
  // earlier releases (K10).
  Graph& quarantine_to(std::string name, Sink<Quarantined> sink, QuarantinePolicy policy = {}, std::vector<std::string> formerly = {});
  // The policy alone, for jobs without a quarantine sink. OnRefused::kQuarantine then is an error unless it is the default.
  Graph& on_refused(QuarantinePolicy policy);

  // Names valid and unique, every reason's action possible, at least one sink. The runtime and `plan` call it.
  Status check() const;

  const GraphData& data() const { return *data_; }

 private:
  std::shared_ptr<GraphData> data_;
};

enum class PlanFormat : std::uint8_t { kText, kDot, kMermaid, kJson };
// The graph for people and tools: stages, names, exchanges, guarantees of sinks, warnings. No I/O. Precondition: graph.check().ok().
std::string plan(const Graph& graph, std::uint32_t parallelism, PlanFormat format);

}  // namespace v0
}  // namespace tidemark

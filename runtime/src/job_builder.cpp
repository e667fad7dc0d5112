#include "src/job_builder.hpp"

#include <algorithm>
#include <map>

#include <tidemark/core/check.hpp>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

namespace {

// An outlet's reader in another stage.
struct Crossing {
  Edge edge;
  NodeId to = 0;
  bool by_key = false;   // else subtask i feeds subtask i
  std::vector<std::shared_ptr<Channel>> channels;   // [from * parallelism + to]; forward: [subtask]
};

// Who writes to an input of a task.
struct Feed {
  Task* to = nullptr;
  std::size_t input = 0;
  NodeId from = 0;
  std::size_t subtask = 0;
};

class Builder {
 public:
  Builder(const Graph& graph, const BuildOptions& options) : graph_(graph.data()), options_(options) { find_readers(); }

  Status build(BuiltJob& job, const std::vector<OperatorEntry>& states) {
    make_channels();
    for (NodeId head = 0; head < graph_.nodes.size(); ++head) {
      if (!is_head(head)) continue;
      for (std::uint32_t subtask = 0; subtask < options_.parallelism; ++subtask) {
        auto task = std::make_unique<Task>(graph_.nodes[head].name, job.tasks.size(), subtask);
        TIDEMARK_TRY(fill(*task, head, job, states));
        job.tasks.push_back(std::move(task));
      }
    }
    // The quarantine sink may be built before those that feed it.
    for (const Feed& feed : feeds_) {
      const auto from = std::find_if(job.tasks.begin(), job.tasks.end(), [&](const std::unique_ptr<Task>& task) {
        return task->subtask() == feed.subtask && link_of(*task, feed.from) < task->links.size();
      });
      TIDEMARK_CHECK(from != job.tasks.end(), "an input without a writer");
      feed.to->inputs[feed.input].from = from->get();
      feed.to->inputs[feed.input].from_link = link_of(**from, feed.from);
    }
    return {};
  }

 private:
  const std::vector<Edge>& inputs_of(NodeId node) const { return inputs_[node]; }

  void find_readers() {
    inputs_.resize(graph_.nodes.size());
    for (NodeId node = 0; node < graph_.nodes.size(); ++node) inputs_[node] = graph_.nodes[node].inputs;
    if (graph_.quarantine) {   // every stage that may set records aside feeds the quarantine sink
      for (NodeId node = 0; node < graph_.nodes.size(); ++node) {
        const Node& from = graph_.nodes[node];
        if (from.outlets.size() > kQuarantineOutlet && from.outlets[kQuarantineOutlet] != nullptr)
          inputs_[*graph_.quarantine].push_back({node, kQuarantineOutlet});
      }
    }
    readers_.resize(graph_.nodes.size());
    for (NodeId node = 0; node < graph_.nodes.size(); ++node) {
      for (const Edge& edge : inputs_[node]) {   // a union may read a stream twice, by two crossings
        const std::pair<std::size_t, NodeId> reader{edge.outlet, node};
        auto& readers = readers_[edge.from];
        if (std::find(readers.begin(), readers.end(), reader) == readers.end()) readers.push_back(reader);
      }
    }
  }

  // A stage begins where records may change tasks or come together.
  bool is_head(NodeId node) const {
    const Node& n = graph_.nodes[node];
    if (n.kind == NodeKind::kSource || n.kind == NodeKind::kUnion || inputs_of(node).size() != 1) return true;
    if (graph_.quarantine == node) return true;
    return n.by_key && options_.parallelism > 1;
  }

  void make_channels() {
    for (NodeId node = 0; node < graph_.nodes.size(); ++node) {
      if (!is_head(node)) continue;
      for (const Edge& edge : inputs_of(node)) {
        Crossing crossing{.edge = edge, .to = node, .by_key = graph_.nodes[node].by_key && options_.parallelism > 1, .channels = {}};
        const RecordType& type = *graph_.nodes[edge.from].outlets[edge.outlet];
        const std::size_t p = options_.parallelism;
        for (std::size_t i = 0; i < (crossing.by_key ? p * p : p); ++i)
          crossing.channels.push_back(std::make_shared<Channel>(type, options_.queue_bytes));
        crossings_.push_back(std::move(crossing));
      }
    }
  }

  // The channels of a crossing that subtask `from` writes to.
  std::vector<std::shared_ptr<Channel>> outgoing(const Crossing& crossing, std::uint32_t from) const {
    if (!crossing.by_key) return {crossing.channels[from]};
    const std::size_t p = options_.parallelism;
    return {crossing.channels.begin() + static_cast<std::ptrdiff_t>(from * p),
            crossing.channels.begin() + static_cast<std::ptrdiff_t>((from + 1) * p)};
  }

  Status fill(Task& task, NodeId head, BuiltJob& job, const std::vector<OperatorEntry>& states) {
    std::map<NodeId, Operator*> made;
    std::vector<NodeId> order;
    for (NodeId node = head; node < graph_.nodes.size(); ++node) {   // edges lead upwards, so this is a topological order
      const bool here = node == head || (!is_head(node) && made.contains(inputs_of(node).front().from));
      if (!here) continue;
      TIDEMARK_ASSIGN(made[node], add_link(task, node, job, states));
      order.push_back(node);
    }
    task.head = made[head];
    for (const Crossing& crossing : crossings_) {
      if (crossing.to != head) continue;
      const std::string name = graph_.nodes[crossing.edge.from].name + ":" + std::to_string(crossing.edge.outlet);
      const std::size_t p = options_.parallelism;
      for (std::size_t from = 0; from < (crossing.by_key ? p : 1); ++from) {
        auto channel = crossing.by_key ? crossing.channels[from * p + task.subtask()] : crossing.channels[task.subtask()];
        const std::size_t subtask = crossing.by_key ? from : task.subtask();
        feeds_.push_back({&task, task.inputs.size(), crossing.edge.from, subtask});
        task.inputs.push_back({.name = name + "/" + std::to_string(subtask), .channel = std::move(channel)});
      }
    }
    for (const NodeId node : order) {
      Operator& op = *made[node];
      for (std::size_t outlet = 0; outlet < op.outlet_count(); ++outlet) connect(task, node, outlet, op, made);
    }
    if (task.source != nullptr) {
      std::vector<SplitListener*> listeners;
      for (auto& link : task.links) {
        if (auto* listener = dynamic_cast<SplitListener*>(link.op.get())) listeners.push_back(listener);
      }
      TIDEMARK_TRY(task.source->open_splits(splits_of(head, task.subtask(), job), std::move(listeners)));
    }
    return {};
  }

  Result<Operator*> add_link(Task& task, NodeId node, const BuiltJob& job, const std::vector<OperatorEntry>& states) {
    const Node& n = graph_.nodes[node];
    Task::Link link;
    link.sink = n.kind == NodeKind::kSink;
    link.above = task.links.empty() ? 0 : link_of(task, inputs_of(node).front().from);
    if (n.kind == NodeKind::kSource) {
      auto source = std::make_unique<SourceHead>(n.source, *n.outlets[kMainOutlet], task.activity());
      task.source = source.get();
      link.op = std::move(source);
    } else if (n.kind == NodeKind::kUnion) {
      link.op = std::make_unique<PassThrough>();
    } else {
      link.op = n.make();
    }
    link.context = std::make_unique<OperatorContext>(OperatorContext{
        .job = options_.job,
        .name = n.name,
        .subtask = task.subtask(),
        .parallelism = options_.parallelism,
        .key_space = options_.key_space,
        .state = nullptr,
        .io = options_.io,
        .identity =
            {.job = options_.job, .lineage = options_.lineage, .attempt = options_.attempt, .sink = n.name, .subtask = task.subtask()},
        .policy = graph_.policy,
        .split_names = job.split_names.get(),
        .max_batch = options_.max_batch,
        .deterministic = options_.deterministic,
    });
    if (n.stateful) {
      const std::uint32_t first = options_.key_space.first_group_of_task(task.subtask(), options_.parallelism);
      const std::uint32_t end = options_.key_space.first_group_of_task(task.subtask() + 1, options_.parallelism);
      link.backend = std::make_unique<StateBackend>(options_.key_space, first, end);
      link.backend->set_tracking(options_.checkpoints);
      link.context->state = link.backend.get();
    }
    TIDEMARK_TRY(link.op->open(*link.context));
    if (link.backend && options_.checkpoints) {
      const OperatorEntry* entry = find_operator(states, n.name);
      for (const auto& component : link.backend->components()) {
        const StateEntry* state = entry == nullptr ? nullptr : find_state(*entry, component->schema().name);
        TIDEMARK_CHECK(state != nullptr, "state " + n.name + "/" + component->schema().name + " has no id");
        component->set_id(state->id);
        component->set_dropped_through(state->dropped_through);
      }
    }
    Operator* op = link.op.get();
    task.links.push_back(std::move(link));
    return op;
  }

  std::size_t link_of(const Task& task, NodeId node) const {
    const auto found = std::find_if(task.links.begin(), task.links.end(),
                                    [&](const Task::Link& link) { return link.context->name == graph_.nodes[node].name; });
    return static_cast<std::size_t>(found - task.links.begin());
  }

  void connect(Task& task, NodeId node, std::size_t outlet, Operator& op, const std::map<NodeId, Operator*>& made) {
    std::vector<Receiver*> receivers;
    for (const auto& [from_outlet, reader] : readers_[node]) {
      if (from_outlet != outlet) continue;
      if (!is_head(reader)) {
        receivers.push_back(made.at(reader));
        continue;
      }
      for (const Crossing& crossing : crossings_) {
        if (crossing.to != reader || crossing.edge.from != node || crossing.edge.outlet != outlet) continue;
        auto channels = outgoing(crossing, task.subtask());
        std::unique_ptr<Writer> writer;
        if (crossing.by_key) {
          writer = std::make_unique<ExchangeWriter>(std::move(channels), options_.key_space, options_.max_batch, options_.queue_bytes);
        } else {
          writer = std::make_unique<ForwardWriter>(std::move(channels.front()));
        }
        receivers.push_back(writer.get());
        task.writers.push_back(std::move(writer));
      }
    }
    if (receivers.empty()) return;
    if (receivers.size() == 1) return op.outlet(outlet).connect(receivers.front(), &task.budget());
    auto tee = std::make_unique<Tee>(*graph_.nodes[node].outlets[outlet], receivers.size());
    for (std::size_t i = 0; i < receivers.size(); ++i) tee->outlet(i).connect(receivers[i], &task.budget());
    op.outlet(outlet).connect(tee.get(), &task.budget());
    task.tees.push_back(std::move(tee));
  }

  std::vector<SourceHead::Split> splits_of(NodeId source, std::uint32_t subtask, const BuiltJob& job) const {
    std::vector<SourceHead::Split> mine;
    std::uint32_t of_source = 0;
    for (std::uint32_t number = 0; number < job.splits.size(); ++number) {
      const JobSplit& split = job.splits[number];
      if (split.source != source || of_source++ % options_.parallelism != subtask) continue;
      mine.push_back({.number = number, .name = split.name, .position = split.position, .finished = split.finished});
    }
    return mine;
  }

  const GraphData& graph_;
  const BuildOptions& options_;
  std::vector<std::vector<Edge>> inputs_;
  std::vector<std::vector<std::pair<std::size_t, NodeId>>> readers_;   // by node: (outlet, reading node)
  std::vector<Crossing> crossings_;
  std::vector<Feed> feeds_;
};

}  // namespace

Result<JobFacts> describe_job(const Graph& graph, const BuildOptions& options) {
  JobFacts facts;
  facts.job = options.job;
  facts.key_groups = options.key_space.groups;
  for (const Node& node : graph.data().nodes) {
    if (node.kind == NodeKind::kSource) facts.sources.push_back(node.name);
    if (node.kind == NodeKind::kSink) facts.sinks.push_back(node.name);
    if (!node.formerly.empty()) facts.past.formerly[node.name] = node.formerly;
    if (node.kind == NodeKind::kSource || node.kind == NodeKind::kSink) {
      facts.operators.push_back({.name = node.name,
                                 .kind = node.kind == NodeKind::kSource ? "source" : "sink",
                                 .parallelism = options.parallelism,
                                 .states = {}});
      continue;
    }
    if (!node.stateful) continue;
    OperatorEntry entry{
        .name = node.name, .kind = node.by_key ? "keyed" : "list", .parallelism = options.parallelism, .states = {}};
    StateBackend backend(options.key_space, 0, options.key_space.groups);
    OperatorContext context{.job = options.job,
                            .name = node.name,
                            .key_space = options.key_space,
                            .state = &backend,
                            .io = options.io,
                            .policy = graph.data().policy};
    auto op = node.make();
    TIDEMARK_TRY(op->open(context));
    std::vector<std::string> values;
    for (const auto& component : backend.components()) {
      const StateSchema& schema = component->schema();
      if (schema.parts.parts.empty()) {
        values.push_back(schema.value);
      } else {
        for (const ValueParts::Part& part : schema.parts.parts) values.push_back(part.schema);
        facts.past.parts[node.name + "/" + schema.name] = schema.parts;
      }
      if (schema.reads != nullptr) facts.past.reads[node.name + "/" + schema.name] = schema.reads;
      entry.states.push_back(entry_of(schema));
    }
    if (const Status sound = check_migrations(node.migrations, values); !sound.ok()) {
      Error error = sound.error();
      error.facts.insert(error.facts.begin(), {"operator", node.name});
      return error;
    }
    if (!node.migrations.empty()) facts.past.migrations[node.name] = node.migrations;
    facts.operators.push_back(std::move(entry));
  }
  return facts;
}

Result<BuiltJob> build_job(const Graph& graph, const BuildOptions& options, std::vector<JobSplit> splits,
                           const std::vector<OperatorEntry>& states) {
  BuiltJob job;
  job.splits = std::move(splits);
  for (const JobSplit& split : job.splits) {
    const bool dropped = split.source == graph.data().nodes.size();   // its source is gone, its number stays taken
    job.split_names->push_back(dropped ? split.name : graph.data().nodes[split.source].name + "/" + split.name);
  }
  for (const Node& node : graph.data().nodes) {
    for (std::size_t outlet = 0; outlet < node.outlets.size(); ++outlet) {
      if (node.outlets[outlet] == nullptr || node.outlets[outlet]->copy != nullptr) continue;
      std::ptrdiff_t readers = 0;
      for (const Node& reader : graph.data().nodes) {
        readers += std::count_if(reader.inputs.begin(), reader.inputs.end(), [&](const Edge& edge) {
          return &graph.data().nodes[edge.from] == &node && edge.outlet == outlet;
        });
      }
      if (readers > 1) {
        return Error{.code = ErrorCode::kBadGraph,
                     .message = "the stream behind \"" + node.name + "\" has " + std::to_string(readers) +
                                " readers, but its records cannot be copied",
                     .fix = "make the record copyable, or read the stream once"};
      }
    }
  }
  Builder builder(graph, options);
  TIDEMARK_TRY(builder.build(job, states));
  return job;
}

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

#include <tidemark/operators/process.hpp>

#include <algorithm>

#include <tidemark/core/names.hpp>
#include <tidemark/operators/graph.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

namespace {
// Integers and strings are readable in their encoding, more or less; whatever it is, it identifies the key.
std::string readable(ByteView key) {
  constexpr std::size_t kMost = 64;
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "0x";
  for (const char byte : key.substr(0, kMost)) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return key.size() > kMost ? text + "..." : text;
}
}  // namespace

void fail_without_on_timer(const OperatorContext& context) {
  throw JobFailure(Error{.code = ErrorCode::kUserFunction,
                         .message = "the function of operator \"" + context.name + "\" uses timers, but has no on_timer()",
                         .why = "nothing would ever run when a timer is due",
                         .fix = "give process() a struct with operator() and on_timer(const Timer&, State&, ProcessContext<Key>&, "
                                "Collector<Out>&)"});
}

void fail_runaway_timer(const OperatorContext& context, ByteView encoded_key, EventTime time) {
  throw JobFailure(Error{.code = ErrorCode::kUserFunction,
                         .message = "on_timer() of operator \"" + context.name + "\" keeps setting timers that are due at once",
                         .facts = {{"key, encoded", readable(encoded_key)}, {"timer", to_string(time)}},
                         .why = "the watermark could never move on",
                         .fix = "let on_timer() set timers after its own time"});
}

void fail_too_many_timers(std::uint32_t max_timers) {
  throw JobFailure(Error{.code = ErrorCode::kTooMany,
                         .message = "it has " + std::to_string(max_timers) + " timers set and may have no more",
                         .facts = {},
                         .why = "what the call had changed before cannot be taken back, so the record cannot be set aside alone",
                         .fix = "let the function move one timer on instead of setting another, or raise max_timers"});
}

Status check_options(const std::string& operator_name, const ProcessOptions& options) {
  if (!options.max_timers || *options.max_timers > 0) return {};
  return Error{.code = ErrorCode::kBadConfiguration,
               .message = "the max_timers of operator \"" + operator_name + "\" is 0",
               .facts = {},
               .why = "no timer could ever be set",
               .fix = "leave it out for any number of timers"};
}

Status StateWindows::check() const {
  TIDEMARK_TRY(spec.check());
  if (allowed_lateness >= Duration{0} && allowed_lateness <= kLongestDuration) return {};
  return Error{.code = ErrorCode::kBadGraph,
               .message = "the allowed lateness of a state by window is " + std::to_string(allowed_lateness.count()) + " microseconds",
               .facts = {},
               .why = "it is not negative and at most 2^61 microseconds",
               .fix = "leave it out if a window's state may go when the watermark has passed it"};
}

Status check_declared_states(const std::string& operator_name, const std::vector<DeclaredState>& states) {
  for (std::size_t i = 0; i < states.size(); ++i) {
    const DeclaredState& state = states[i];
    if (Status valid = check_name("state", state.name); !valid.ok()) {
      Error error = valid.error();
      error.facts.insert(error.facts.begin(), {"operator", operator_name});
      return error;
    }
    const bool taken = state.name == "timers" || state.name == "timer_counts" || state.name == "records";
    if (taken || std::any_of(states.begin(), states.begin() + static_cast<std::ptrdiff_t>(i),
                             [&](const DeclaredState& other) { return other.name == state.name; })) {
      return Error{.code = ErrorCode::kBadName,
                   .message = "operator \"" + operator_name + "\" has two states that are called \"" + state.name + "\"",
                   .facts = {},
                   .why = taken ? "process() keeps its own under the names \"timers\", \"timer_counts\" and \"records\""
                                : "a checkpoint finds a state by its name",
                   .fix = "give each state handle a name of its own"};
    }
    if (state.expiry.ttl && (*state.expiry.ttl <= Duration{0} || *state.expiry.ttl > kLongestDuration)) {
      return Error{.code = ErrorCode::kBadConfiguration,
                   .message = "the ttl of state \"" + state.name + "\" of operator \"" + operator_name + "\" is " +
                              std::to_string(state.expiry.ttl->count()) + " microseconds",
                   .facts = {},
                   .why = "a ttl is more than zero and at most 2^61 microseconds",
                   .fix = "leave it out for entries that do not expire"};
    }
    if (state.max_entries && *state.max_entries == 0) {
      return Error{.code = ErrorCode::kBadConfiguration,
                   .message = "the max_entries of state \"" + state.name + "\" of operator \"" + operator_name + "\" is 0",
                   .facts = {},
                   .why = "no record could ever be added",
                   .fix = "leave it out for any number of entries"};
    }
    if (!state.windows) continue;
    if (Status valid = state.windows->check(); !valid.ok()) {
      Error error = valid.error();
      error.facts.insert(error.facts.begin(), {{"operator", operator_name}, {"state", state.name}});
      return error;
    }
  }
  return {};
}

SideOutputs::SideOutputs(const std::vector<SideDeclaration>& declared) {
  for (const SideDeclaration& declaration : declared) sides_.push_back({declaration, nullptr, nullptr});
}

std::size_t SideOutputs::find(const std::string& name, const RecordType* type) {
  if (last_ >= sides_.size() || sides_[last_].declaration.name != name) {
    for (last_ = 0; last_ < sides_.size() && sides_[last_].declaration.name != name;) ++last_;
    if (last_ == sides_.size()) return kNone;
  }
  if (sides_[last_].declaration.type != type) {
    throw JobFailure(Error{.code = ErrorCode::kBadGraph,
                           .message = "the function of operator \"" + context_->name + "\" emits another type to its side output \"" +
                                      name + "\" than side() was asked for",
                           .fix = "use one SideOutput object, or one type, for each name"});
  }
  return outlets_[last_].connected() ? last_ : kNone;
}

std::size_t side_outlet(GraphData& graph, NodeId id, const std::string& name, const RecordType* type) {
  Node& node = graph.nodes[id];
  auto* factory = node.make.target<ProcessFactory>();
  if (factory == nullptr) {
    graph.errors.push_back({.code = ErrorCode::kBadGraph,
                            .message = "operator \"" + node.name + "\" has no side output \"" + name +
                                       "\": only process() has side outputs"});
    return kMainOutlet;
  }
  if (Status valid = check_name("side output", name); !valid.ok()) graph.errors.push_back(valid.error());
  for (std::size_t i = 0; i < factory->sides.size(); ++i) {
    if (factory->sides[i].name != name) continue;
    if (factory->sides[i].type != type) {
      graph.errors.push_back({.code = ErrorCode::kBadGraph,
                              .message = "the side output \"" + name + "\" of operator \"" + node.name + "\" is asked for with two types"});
    }
    return kFirstSideOutlet + i;
  }
  factory->sides.push_back({name, type});
  node.outlets.push_back(type);
  node.outlet_names.push_back(name);
  return node.outlets.size() - 1;
}

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

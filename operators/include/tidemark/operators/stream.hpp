#pragma once
// The fluent face. A stage offers only what is legal next; a misuse is a compile error whose first line is a sentence.
//
// Streams are light handles into the graph being built; copying one and using it twice sends every record to both. Functions of the user
// are copied once per task and called by that task's thread alone; they must not share mutable data with other tasks.

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tidemark/operators/aggregates.hpp>
#include <tidemark/operators/detail/event_time_stage.hpp>
#include <tidemark/operators/detail/key_stage.hpp>
#include <tidemark/operators/detail/list_stage.hpp>
#include <tidemark/operators/detail/migration_function.hpp>
#include <tidemark/operators/detail/place.hpp>
#include <tidemark/operators/detail/sink_stage.hpp>
#include <tidemark/operators/detail/stateless_stages.hpp>
#include <tidemark/operators/graph.hpp>
#include <tidemark/operators/process.hpp>
#include <tidemark/operators/windows.hpp>

namespace tidemark {
inline namespace v0 {

// Where a stream stands: still in its source's chain (may get an event time), without event time for good, or with event time.
enum class Timing : std::uint8_t { kSource, kUntimed, kTimed };

template <class T>
using Stream = BasicStream<T, Timing::kSource>;
template <class T>
using UntimedStream = BasicStream<T, Timing::kUntimed>;
template <class T>
using TimedStream = BasicStream<T, Timing::kTimed>;

template <class Out, Timing kTiming>
class ListStream;
template <class Key, class T, class KeyOf, Timing kTiming>
class KeyedStream;
template <class Key, class T, class KeyOf, class Spec>
class WindowedStream;

namespace operators_internal {
template <class...>
inline constexpr bool kNever = false;

// Whether records of the timing after a stage that is not map, filter or flat_map.
constexpr Timing after_source(Timing timing) { return timing == Timing::kSource ? Timing::kUntimed : timing; }

}  // namespace operators_internal

// What to() returns.
class StreamEnd {
 public:
  explicit StreamEnd(operators_internal::Place place) : place_(std::move(place)) {}

  // A name that the sink had in an earlier release: what it had prepared under that name is committed, and its target is known by it (K10).
  // Once the job has taken a checkpoint the call may go. May be called once for each former name.
  StreamEnd formerly(std::string name) const {
    operators_internal::add_former_name(place_, std::move(name));
    return *this;
  }

 private:
  operators_internal::Place place_;
};

template <class T, Timing kTiming>
class BasicStream {
 public:
  using Record = T;
  explicit BasicStream(operators_internal::Place place) : place_(std::move(place)) {}

  // A name that the source had in an earlier release: its positions go on from a checkpoint that has them under that name (K10). Right
  // behind from(). May be called once for each former name.
  BasicStream formerly(std::string name) const {
    static_assert(kTiming == Timing::kSource,
                  "Tidemark: formerly() stands right behind from(), process(), aggregate(), reduce(), to() or flat_map() with a list: "
                  "other stages have no name that a checkpoint knows");
    operators_internal::add_former_name(place_, std::move(name));
    return *this;
  }

  // One record for each record: f(T) -> U.
  template <class F>
  auto map(F f) const {
    static_assert(std::invocable<F&, T&&>, "map() needs a function that takes the stream's record");
    using Out = std::decay_t<std::invoke_result_t<F&, T&&>>;
    return stateless<Out>("map", [f = std::move(f)] { return std::make_unique<operators_internal::MapStage<T, Out, F>>(f); });
  }

  // Keeps the records for which f(const T&) is true.
  template <class F>
  auto filter(F f) const {
    static_assert(std::predicate<F&, const T&>, "filter() needs a function that takes the stream's record and returns a bool");
    return stateless<T>("filter", [f = std::move(f)] { return std::make_unique<operators_internal::FilterStage<T, F>>(f); });
  }

  // Any number of records for each record: f(const T&, Collector<Out>&).
  template <class Out, class F>
  auto flat_map(F f) const {
    static_assert(std::invocable<F&, const T&, Collector<Out>&>,
                  "flat_map<Out>() needs a function that takes the stream's record and a Collector<Out>&");
    return stateless<Out>("flat_map", [f = std::move(f)] { return std::make_unique<operators_internal::FlatMapStage<T, Out, F>>(f); });
  }

  // The same with a list of the task's own, which checkpoints keep (K6): f(const T&, std::vector<Item>&, Collector<Out>&), any Item with a
  // Codec. `name` is the user's, unique in the job.
  //
  // Each task of the stage has its list, empty at first, and the function does with it what it likes. At another parallelism the lists of
  // all tasks are put one after another, in the order of the tasks, and dealt out again: the item with the index i goes to task i mod
  // parallelism. Which records meet in a task depends on the parallelism as well, and so does what such a stage emits: this is no stage for
  // which D1 holds. State that belongs to keys is kept by process(), for which it does.
  //
  // For few items: the list is a part of the manifest, and every checkpoint writes it anew. If it has more than kMaxOperatorListBytes in
  // one task, encoded, at a checkpoint, the job fails. A list whose Item has another schema than the checkpoint's is refused: there are no
  // migrations for it.
  template <class Out, class Item, class F>
  ListStream<Out, kTiming> flat_map(std::string name, F f) const {
    static_assert(std::invocable<F&, const T&, std::vector<Item>&, Collector<Out>&>,
                  "Tidemark: flat_map<Out, Item>(name, f) needs a function that takes the stream's record, a std::vector<Item>& and a "
                  "Collector<Out>&");
    return ListStream<Out, kTiming>{
        operators_internal::add_stage(place_, operators_internal::list_node<T, Out, Item>(std::move(name), std::move(f)))};
  }

  // Gives every record its event time: a member pointer or a function, of type EventTime or a time point of the system clock. `options`:
  // how far out of order the records of a split are, and a guard against times in the far future (event_time_options.hpp).
  template <class TimeOf>
  TimedStream<T> with_event_time(TimeOf time_of, EventTimeOptions options = {}) const {
    static_assert(kTiming == Timing::kSource,
                  "with_event_time() belongs behind the source: only map, filter and flat_map may stand between (W6)");
    static_assert(std::invocable<TimeOf&, const T&>, "with_event_time() needs a member or a function that gives the record's time");
    Node node{.kind = NodeKind::kOperator, .name = operators_internal::numbered(*place_.graph, "event_time")};
    node.description = operators_internal::event_time_text(options);
    node.outlets = {&record_type<T>(), &record_type<Quarantined>()};
    node.outlet_names = {"", "quarantine"};
    node.make = [time_of, options] { return std::make_unique<operators_internal::EventTimeStage<T, TimeOf>>(time_of, options); };
    return TimedStream<T>{operators_internal::add_stage(place_, std::move(node))};
  }

  // Brings the records of one key together. `key_of`: a member pointer or a function; the key needs a canonical codec (K3).
  template <class KeyOf>
  auto key_by(KeyOf key_of) const {
    static_assert(std::invocable<KeyOf&, const T&>, "key_by() needs a member or a function that gives the record's key");
    using Key = std::decay_t<std::invoke_result_t<KeyOf&, const T&>>;
    static_assert(KeyType<Key>,
                  "key_by() needs a key whose equal values have equal bytes: no floating point and no unordered containers (K3)");
    Node node{.kind = NodeKind::kOperator, .name = operators_internal::numbered(*place_.graph, "key_by")};
    node.description = "key " + Codec<Key>::schema();
    node.outlets = {&record_type<T>()};
    node.outlet_names = {""};
    node.make = [key_of] { return std::make_unique<operators_internal::KeyStage<T, Key, KeyOf>>(key_of); };
    return KeyedStream<Key, T, KeyOf, operators_internal::after_source(kTiming)>{operators_internal::add_stage(place_, std::move(node)),
                                                                                 key_of};
  }

  // The records of both, in no particular order; watermarks are merged (P1, W7).
  template <Timing kOther>
  auto union_with(const BasicStream<T, kOther>& other) const {
    static_assert((kTiming == Timing::kTimed) == (kOther == Timing::kTimed),
                  "union_with() needs two streams with event time, or two without");
    Node node{.kind = NodeKind::kUnion, .name = operators_internal::numbered(*place_.graph, "union")};
    node.description = "union";
    node.outlets = {&record_type<T>()};
    node.outlet_names = {""};
    node.inputs = {other.place().edge};
    return BasicStream<T, operators_internal::after_source(kTiming)>{operators_internal::add_stage(place_, std::move(node))};
  }

  // The end of the stream. `name` is the user's, unique in the job.
  StreamEnd to(std::string name, Sink<T> sink) const {
    Node node{.kind = NodeKind::kSink, .name = std::move(name)};
    node.description = sink.base()->describe();
    node.sink = sink.base();
    node.make = [base = sink.base()] { return std::make_unique<operators_internal::SinkStage>(base); };
    return StreamEnd{operators_internal::add_stage(place_, std::move(node))};
  }

  template <class... Any>
  void window(Any&&...) const {
    static_assert(operators_internal::kNever<Any...>,
                  "window() needs a keyed stream with event time: call with_event_time() and key_by() first");
  }
  template <class Out = void, class... Any>
  void process(Any&&...) const {
    static_assert(operators_internal::kNever<Out, Any...>, "process() needs a keyed stream: call key_by() first");
  }

  const operators_internal::Place& place() const { return place_; }

 private:
  template <class Out, class Make>
  auto stateless(std::string_view verb, Make make) const {
    Node node{.kind = NodeKind::kOperator, .name = operators_internal::numbered(*place_.graph, verb)};
    node.description = verb;
    node.outlets = {&record_type<Out>()};
    node.outlet_names = {""};
    node.make = std::move(make);
    return BasicStream<Out, kTiming>{operators_internal::add_stage(place_, std::move(node))};
  }

  operators_internal::Place place_;
};

// What flat_map() with a list returns.
template <class Out, Timing kTiming>
class ListStream : public BasicStream<Out, kTiming> {
 public:
  using BasicStream<Out, kTiming>::BasicStream;
  // A name that this stage had in an earlier release: its list goes on from a checkpoint that has it under that name (K10). Once the job
  // has taken a checkpoint the call may go. May be called once for each former name.
  ListStream formerly(std::string name) const {
    operators_internal::add_former_name(this->place(), std::move(name));
    return *this;
  }
};

// What a stage that decides lateness returns: its results, and the late records beside them.
template <class Out, class In, Timing kTiming>
class ResultStream : public BasicStream<Out, kTiming> {
 public:
  using BasicStream<Out, kTiming>::BasicStream;
  // Records that came too late, typed (L5). Where nobody asks for them they go to quarantine, or are dropped and logged (L6).
  TimedStream<Late<In>> late() const {
    static_assert(kTiming == Timing::kTimed, "late() needs event time: without it no record is late");
    return TimedStream<Late<In>>{{this->place().graph, {this->place().edge.from, kLateOutlet}}};
  }
  // A name that this stage had in an earlier release: its state goes on from a checkpoint that has it under that name (K10). Once the job
  // has taken a checkpoint the call may go. May be called once for each former name.
  ResultStream formerly(std::string name) const {
    operators_internal::add_former_name(this->place(), std::move(name));
    return *this;
  }
  // How what an earlier release stored under Old's schema becomes what is stored now: f(const Old&) -> New. Steps are put together: with
  // Total(const TotalV2&) and TotalV2(const TotalV1&) a checkpoint may hold any of the three. Applied to the state struct of process() or
  // what its state handles hold, to the records that wait in event-time order, and to the accumulators of windows, each aggregate's by
  // itself, before the first record; `f` is called on one thread, once for each stored value, and what it throws refuses the start.
  // Without one, state of another schema is refused. The schema of a key never changes, nor do the parameters of a window or the number
  // of its aggregates (K9, K11).
  template <class F>
  ResultStream migrate(F f) const {
    this->place().graph->nodes[this->place().edge.from].migrations.push_back(operators_internal::migration(std::move(f)));
    return *this;
  }
  // What the function emitted to a side output. The tag must be one of those given to process().
  template <class S>
  BasicStream<S, kTiming> side(const SideOutput<S>& tag) const;
};

// A stream whose records are grouped by key. Stateful stages start here.
template <class Key, class T, class KeyOf, Timing kTiming>
class KeyedStream {
 public:
  KeyedStream(operators_internal::Place place, KeyOf key_of) : place_(std::move(place)), key_of_(std::move(key_of)) {}

  // Records in windows of event time: tumbling(size), sliding(size, slide), session(gap).
  template <class Spec>
  WindowedStream<Key, T, KeyOf, Spec> window(Spec spec) const {
    static_assert(std::is_base_of_v<WindowSpec, Spec>, "window() needs tumbling(size), sliding(size, slide) or session(gap)");
    static_assert(kTiming == Timing::kTimed, "window() needs event time: call with_event_time() before key_by()");
    return {place_, key_of_, std::move(spec)};
  }

  // Free-form logic with the user's own state struct, timers and side outputs (P2, P3, T); process.hpp says what `f` may be.
  // `order`: arrival_order() (the default) or event_time_order(then_by). `options`: a limit of timers (process_options.hpp).
  template <class Out, class F, class Order = ArrivalOrder>
  ResultStream<Out, T, kTiming> process(std::string name, F f, Order order = {}, ProcessOptions options = {}) const {
    static_assert(kTiming == Timing::kTimed || std::is_same_v<Order, ArrivalOrder>,
                  "process() in event-time order needs event time: call with_event_time() before key_by()");
    return ResultStream<Out, T, kTiming>{operators_internal::add_stage(
        place_, operators_internal::process_node<Key, T, Out>(std::move(name), key_of_, std::move(f), std::move(order), options))};
  }

 private:
  operators_internal::Place place_;
  KeyOf key_of_;
};

template <class Key, class T, class KeyOf, class Spec>
class WindowedStream {
 public:
  WindowedStream(operators_internal::Place place, KeyOf key_of, Spec spec)
      : place_(std::move(place)), key_of_(std::move(key_of)), spec_(std::move(spec)) {}

  // One result for each key and window when the watermark passes the window's end (F1). Several aggregates give a tuple of their results.
  template <class... Aggregates>
  auto aggregate(std::string name, Aggregates... aggregates) const {
    static_assert(sizeof...(Aggregates) > 0, "aggregate() needs at least one aggregate, such as count() or sum(&Record::amount)");
    using Combined = operators_internal::Combined<T, Aggregates...>;
    using Out = WindowResult<Key, typename Combined::Result>;
    return ResultStream<Out, T, Timing::kTimed>{operators_internal::add_stage(
        place_, operators_internal::window_node<Key, T, Out>(std::move(name), key_of_, spec_, Combined{std::move(aggregates)...}))};
  }

  // Combines the records of a key and window two by two: f(T, T) -> T, associative and commutative.
  template <class F>
  auto reduce(std::string name, F f) const {
    static_assert(std::is_invocable_r_v<T, F&, T, T>, "reduce() needs a function that takes two records and returns one");
    return aggregate(std::move(name), operators_internal::ReduceAggregate<T, F>{std::move(f)});
  }

 private:
  operators_internal::Place place_;
  KeyOf key_of_;
  Spec spec_;
};

template <class Out, class In, Timing kTiming>
template <class S>
BasicStream<S, kTiming> ResultStream<Out, In, kTiming>::side(const SideOutput<S>& tag) const {
  GraphData& graph = *this->place().graph;
  const NodeId node = this->place().edge.from;
  return BasicStream<S, kTiming>{
      {this->place().graph, {node, operators_internal::side_outlet(graph, node, tag.name(), &record_type<S>())}}};
}

template <class T>
auto Graph::from(std::string name, Source<T> source) {
  Node node{.kind = NodeKind::kSource, .name = std::move(name)};
  node.description = source.base()->describe();
  node.source = source.base();
  node.outlets = {&record_type<T>(), &record_type<Quarantined>()};
  node.outlet_names = {"", "quarantine"};
  return Stream<T>{{data_, {data_->add(std::move(node)), kMainOutlet}}};
}

}  // namespace v0
}  // namespace tidemark

// Side outputs of process(): P1, T5, and how the graph learns of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tidemark/operators/graph.hpp>

#include "process_support.hpp"

namespace process_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Emitting {
  SideOutput<std::int64_t> times{"times"};
  SideOutput<std::string> names{"names"};

  void operator()(const Item& item, Context& context, Collector<std::string>& out) const {
    out(item.name);
    context.emit(times, micros(context.time()));
    context.emit(names, item.name + "!");
    context.emit(SideOutput<std::int64_t>{"times"}, -1);   // the name counts, not the object
    for (const TimerAction& timer : item.set) context.set_timer(at(timer.time), timer.tag);
  }
  void on_timer(const Timer& timer, Context& context, Collector<std::string>&) const { context.emit(times, micros(timer.time)); }
};

// A graph with one process() node.
struct OneNode {
  GraphData graph;
  NodeId id;
  template <class Order>
  explicit OneNode(Order order) {
    graph.nodes.push_back(scripted_node(Emitting{}, order));
    id = 0;
  }
  template <class S>
  std::size_t ask_for(const char* name) {
    return operators_internal::side_outlet(graph, id, name, &record_type<S>());
  }
};

template <class Order>
void check_side_outputs(Order order) {
  OneNode node{order};
  const std::size_t names = node.ask_for<std::string>("names");
  const std::size_t times = node.ask_for<std::int64_t>("times");
  EXPECT_EQ(node.ask_for<std::string>("names"), names);
  EXPECT_GE(names, kFirstSideOutlet);
  EXPECT_THAT(node.graph.errors, testing::IsEmpty());
  EXPECT_EQ(node.graph.nodes[0].outlets.at(times), &record_type<std::int64_t>());
  EXPECT_EQ(node.graph.nodes[0].outlet_names.at(times), "times");

  OperatorHarness<Item> made(node.graph.nodes[0].make, &Item::key);
  made.collect<std::string>(kMainOutlet).template collect<std::string>(names).template collect<std::int64_t>(times);
  const auto script = Script<Item>{}.batch({{{.name = "a", .set = {{7}}}, at(5)}, {{.name = "b"}, at(6)}}).watermark(at(9)).end();
  const Play play = made.play(script);
  using Time = Emitted<std::int64_t>;
  EXPECT_THAT(play.records<std::string>(), ElementsAre(Text{"a", at(5)}, Text{"b", at(6)}));
  EXPECT_THAT(play.records<std::string>(names), ElementsAre(Text{"a!", at(5)}, Text{"b!", at(6)}));
  EXPECT_THAT(play.records<std::int64_t>(times),
              ElementsAre(Time{5, at(5)}, Time{-1, at(5)}, Time{6, at(6)}, Time{-1, at(6)}, Time{7, at(7)}));
  EXPECT_THAT(play.watermarks(times), ElementsAre(at(9), kPlusInfinity));
  EXPECT_EQ(play.counters.records_out, 9u);
  EXPECT_EQ(made.disagreement(script), "");
}

TEST(SideOutput, CarriesTheTimesOfRecordsAndTimersInArrivalOrder) { check_side_outputs(arrival_order()); }
TEST(SideOutput, CarriesTheTimesOfRecordsAndTimersInEventTimeOrder) { check_side_outputs(event_time_order()); }

TEST(SideOutput, InheritsThatItsRecordIsBehind) {   // P1
  OneNode node{arrival_order()};
  const std::size_t times = node.ask_for<std::int64_t>("times");
  OperatorHarness<Item> made(node.graph.nodes[0].make, &Item::key);
  made.collect<std::int64_t>(times);
  const Play play = made.play(Script<Item>{}.record({.name = "a"}, at(5), at(8)));
  EXPECT_EQ(play.records<std::int64_t>(times).at(0), (Emitted<std::int64_t>{5, at(5), at(8)}));
}

TEST(SideOutput, IsDroppedWhereNobodyAskedForIt) {
  OperatorHarness<Item> made(scripted_node(Emitting{}, arrival_order()).make, &Item::key);
  made.collect<std::string>(kMainOutlet);
  const Play play = made.play(Script<Item>{}.record({.name = "a"}, at(5)));
  EXPECT_THAT(play.records<std::string>(), ElementsAre(Text{"a", at(5)}));
  EXPECT_EQ(play.counters.records_out, 1u);
}

TEST(SideOutput, IsAnErrorOfTheGraphIfAskedForWithTwoTypes) {
  OneNode node{arrival_order()};
  (void)node.ask_for<std::int64_t>("times");
  (void)node.ask_for<std::string>("times");
  ASSERT_EQ(node.graph.errors.size(), 1u);
  EXPECT_THAT(node.graph.errors[0].message, HasSubstr("\"times\""));
}

TEST(SideOutput, IsAnErrorOfTheGraphOnAStageThatHasNone) {
  OneNode node{arrival_order()};
  node.graph.nodes[0].make = [] { return std::unique_ptr<Operator>{}; };
  (void)node.ask_for<std::int64_t>("times");
  ASSERT_EQ(node.graph.errors.size(), 1u);
  EXPECT_THAT(node.graph.errors[0].message, HasSubstr("only process() has side outputs"));
}

TEST(SideOutput, FailsTheJobIfTheFunctionEmitsAnotherTypeThanWasAskedFor) {
  OneNode node{arrival_order()};
  (void)node.ask_for<std::string>("times");
  OperatorHarness<Item> made(node.graph.nodes[0].make, &Item::key);
  EXPECT_THROW((void)made.play(Script<Item>{}.record({.name = "a"}, at(5))), JobFailure);
}

}  // namespace
}  // namespace process_test

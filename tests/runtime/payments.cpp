// The graph is compiled once for all tests of the runtime.

#include "payments.hpp"

#include <tidemark/operators/stream.hpp>

namespace tidemark::payments {

namespace {

auto timed(Graph& graph, const char* name, const Source<Payment>& source) {
  return graph.from(name, source)
      .filter([](const Payment& payment) { return payment.amount != 13; })
      .with_event_time(&Payment::time, {.out_of_orderness = std::chrono::microseconds{kDisorder}});
}

template <class Stream>
void add_stages(Stream payments, const Sink<Line>& lines, const Sink<Line>& late) {
  auto keyed = payments.key_by(&Payment::account);
  auto windows = keyed.window(tumbling(std::chrono::microseconds{kWindow})).aggregate("per_window", count(), sum(&Payment::amount));
  auto totals = keyed.template process<Line>(
      "totals",
      [](const Payment& payment, Total& total, ProcessContext<std::int64_t>&, Collector<Line>& out) {
        total.sum += payment.amount;
        ++total.count;
        out({std::to_string(payment.account), "total " + std::to_string(payment.at) + " " + std::to_string(payment.id) + " " +
                                                  std::to_string(total.count) + " " + std::to_string(total.sum)});
      },
      event_time_order(&Payment::id));
  windows
      .map([](const WindowResult<std::int64_t, std::tuple<std::uint64_t, std::int64_t>>& result) {
        return Line{std::to_string(result.key), "window " + std::to_string(micros(result.window.start)) + " " +
                                                    std::to_string(std::get<0>(result.value)) + " " +
                                                    std::to_string(std::get<1>(result.value))};
      })
      .union_with(totals)
      .to("lines", lines);
  windows.late()
      .map([](const Late<Payment>& dropped) {
        return Line{std::to_string(dropped.record.account), "late " + std::to_string(dropped.record.id)};
      })
      .to("late", late);
}

}  // namespace

Graph make_graph(const Source<Payment>& source, const Sink<Line>& lines, const Sink<Line>& late) {
  Graph graph;
  add_stages(timed(graph, "payments", source), lines, late);
  return graph;
}

Graph make_graph_of_two(const Source<Payment>& first, const Source<Payment>& second, const Sink<Line>& lines, const Sink<Line>& late) {
  Graph graph;
  auto payments = timed(graph, "first", first);
  add_stages(payments.union_with(timed(graph, "second", second)), lines, late);
  return graph;
}

}  // namespace tidemark::payments

#pragma once
// A stage of payments with a state, and what it stored in an earlier release.
#include <string>

#include <tidemark/operators/stream.hpp>

using namespace tidemark;

struct Payment {
  long card = 0;
  EventTime at{};
};
struct Spent {
  long cents = 0;
  long count = 0;
};
struct SpentV1 {
  long cents = 0;
};

inline auto spent(Graph& graph, Source<Payment> payments) {
  return graph.from("payments", payments)
      .key_by(&Payment::card)
      .process<std::string>("spent", [](const Payment&, Spent&, ProcessContext<long>&, Collector<std::string>&) {});
}

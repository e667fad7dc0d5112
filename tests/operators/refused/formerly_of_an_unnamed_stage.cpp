#include "evolution_of_payments.hpp"

void build(Graph& graph, Source<Payment> payments) {
  graph.from("payments", payments).with_event_time(&Payment::at).formerly("timed_payments");
}

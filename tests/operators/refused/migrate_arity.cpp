#include "evolution_of_payments.hpp"

void build(Graph& graph, Source<Payment> payments) {
  spent(graph, payments).migrate([](const SpentV1& old, long count) { return Spent{old.cents, count}; });
}

#include "evolution_of_payments.hpp"

void build(Graph& graph, Source<Payment> payments) {
  spent(graph, payments).migrate([](const auto& old) { return Spent{old.cents, 0}; });
}

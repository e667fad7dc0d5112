#include "evolution_of_payments.hpp"

void build(Graph& graph, Source<Payment> payments) {
  spent(graph, payments).migrate([](SpentV1& old) { old.cents = 0; });
}

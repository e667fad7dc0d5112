#include "evolution_of_payments.hpp"

struct Pointer {
  long* cents = nullptr;
};

void build(Graph& graph, Source<Payment> payments) {
  spent(graph, payments).migrate([](const Pointer& old) { return Spent{*old.cents, 0}; });
}

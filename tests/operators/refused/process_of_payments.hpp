#pragma once
// process<Alert>() on payments by card.
#include <string>

#include <tidemark/operators/process.hpp>

using namespace tidemark;

struct Payment {
  long card = 0;
  long cents = 0;
};
struct Alert {
  long card = 0;
};
struct Spent {
  long cents = 0;
};

template <class F, class Order = ArrivalOrder>
Node process_payments(F f, Order order = {}) {
  return operators_internal::process_node<long, Payment, Alert>("alerts", &Payment::card, f, order);
}

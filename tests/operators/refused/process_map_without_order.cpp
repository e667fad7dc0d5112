#include "process_of_payments.hpp"

struct Shop {
  long number = 0;
};
struct State {
  MapState<Shop, long> visits{"visits"};
};
struct Function {
  void operator()(const Payment&, State&, ProcessContext<long>&, Collector<Alert>&) {}
};

Node node() { return process_payments(Function{}); }

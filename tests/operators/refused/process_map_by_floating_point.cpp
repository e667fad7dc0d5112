#include "process_of_payments.hpp"

struct State {
  MapState<double, long> counts{"counts"};
};
struct Function {
  void operator()(const Payment&, State&, ProcessContext<long>&, Collector<Alert>&) {}
};

Node node() { return process_payments(Function{}); }

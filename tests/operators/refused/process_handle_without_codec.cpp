#include "process_of_payments.hpp"

struct State {
  ListState<const char*> names{"names"};
};
struct Function {
  void operator()(const Payment&, State&, ProcessContext<long>&, Collector<Alert>&) {}
};

Node node() { return process_payments(Function{}); }

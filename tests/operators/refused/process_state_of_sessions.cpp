#include "process_of_payments.hpp"

struct Spending {
  PerWindow<ValueState<long>> spent{"spent", session(Duration{10})};
};
struct Function {
  void operator()(const Payment&, Spending&, ProcessContext<long>&, Collector<Alert>&) {}
};

Node node() { return process_payments(Function{}); }

#include "process_of_payments.hpp"

struct Function {
  void operator()(const Payment&, Spent&, ProcessContext<long>&, Collector<Alert>&) {}
  void on_timer(const Payment&, Spent&, ProcessContext<long>&, Collector<Alert>&) {}
};

Node node() { return process_payments(Function{}); }

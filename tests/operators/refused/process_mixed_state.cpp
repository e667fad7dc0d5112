#include "process_of_payments.hpp"

struct Mixed {
  ValueState<long> spent{"spent"};
  long count = 0;
};
struct Function {
  void operator()(const Payment&, Mixed&, ProcessContext<long>&, Collector<Alert>&) {}
};

Node node() { return process_payments(Function{}); }

#include "process_of_payments.hpp"

Node node() {
  return process_payments([](const auto&, Spent&, ProcessContext<long>&, Collector<Alert>&) {});
}

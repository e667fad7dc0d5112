#include "process_of_payments.hpp"

Node node() {
  return process_payments([](const Alert&, Spent&, ProcessContext<long>&, Collector<Alert>&) {});
}

#include "process_of_payments.hpp"

Node node() {
  return process_payments([](const Payment&, Spent&, ProcessContext<long>&, Collector<Alert>&) {}, &Payment::cents);
}

#include "process_of_payments.hpp"

Node node() {
  return process_payments([](const Payment& payment, ProcessContext<long>&, Collector<Alert>&) { return Alert{payment.card}; });
}

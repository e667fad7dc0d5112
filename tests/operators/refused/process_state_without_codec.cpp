#include "process_of_payments.hpp"

struct Remembered {
  const char* name = nullptr;
};

Node node() {
  return process_payments([](const Payment&, Remembered&, ProcessContext<long>&, Collector<Alert>&) {});
}

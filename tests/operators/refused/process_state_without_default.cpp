#include "process_of_payments.hpp"

class Remembered {
 public:
  explicit Remembered(long cents) : cents(cents) {}
  long cents;
};
template <>
struct tidemark::Codec<Remembered> {
  static void encode(const Remembered& value, Bytes& out) { append_i64(out, value.cents); }
  [[nodiscard]] static bool decode(ByteView& in, Remembered& value) { return take_i64(in, value.cents); }
  static std::string schema() { return "remembered"; }
};

Node node() {
  return process_payments([](const Payment&, Remembered&, ProcessContext<long>&, Collector<Alert>&) {});
}

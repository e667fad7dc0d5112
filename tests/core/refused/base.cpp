#include <tidemark/core/codec.hpp>

struct Event {
  long at;
};
struct Click : Event {
  long user;
};

void store() { tidemark::core_internal::require_storable<Click>(); }

#include <tidemark/core/codec.hpp>

struct Place {
  double latitude;
  double longitude;
};

void use() { tidemark::core_internal::require_key<Place>(); }

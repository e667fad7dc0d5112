#include <tidemark/core/codec.hpp>

struct Click {
  const char* page;
};

void store(const Click& click, tidemark::Bytes& out) { tidemark::Codec<Click>::encode(click, out); }

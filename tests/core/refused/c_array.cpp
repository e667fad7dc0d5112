#include <tidemark/core/codec.hpp>

struct Trade {
  char symbol[8];
  long cents;
};

void store(const Trade& trade, tidemark::Bytes& out) { tidemark::Codec<Trade>::encode(trade, out); }

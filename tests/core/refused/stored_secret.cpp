#include <tidemark/core/codec.hpp>
#include <tidemark/core/secret.hpp>

void store(const tidemark::Secret& secret, tidemark::Bytes& out) { tidemark::Codec<tidemark::Secret>::encode(secret, out); }

#include "shared_xxhash.hpp"

#include <xxhash.h>

std::uint64_t shared_xxh3(std::string_view bytes, std::uint64_t seed) { return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed); }

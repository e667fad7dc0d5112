#pragma once
// XXH3 of the shared library, which nothing else in the house calls. Apart, since no file can include its header
// both inlined and not.

#include <cstdint>
#include <string_view>

std::uint64_t shared_xxh3(std::string_view bytes, std::uint64_t seed);

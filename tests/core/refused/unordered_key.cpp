#include <string>
#include <unordered_set>

#include <tidemark/core/codec.hpp>

struct Basket {
  long owner;
  std::unordered_set<std::string> articles;
};

void use() { tidemark::core_internal::require_key<Basket>(); }

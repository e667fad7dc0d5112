#include <memory>

#include <tidemark/core/codec.hpp>

class Tree {
 public:
  Tree() = default;

 private:
  std::shared_ptr<int> root_;
};

std::size_t use(const Tree& tree) { return tidemark::footprint(tree); }

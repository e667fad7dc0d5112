#include <iostream>

#include <tidemark/core/secret.hpp>

void print(const tidemark::Secret& secret) { std::cout << secret; }

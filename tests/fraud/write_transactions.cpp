// fraud_transactions SEED COUNT: the transactions that the demonstrations use, on standard output.

#include <cstdlib>
#include <iostream>

#include "transactions.hpp"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::cout << tidemark::demo::make_transactions(
                   {.seed = std::strtoull(argv[1], nullptr, 10), .transactions = std::strtoull(argv[2], nullptr, 10)})
                   .csv;
  return std::cout.flush() ? 0 : 1;
}

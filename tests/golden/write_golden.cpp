// write_golden DIRECTORY: makes the golden directory that this version writes. DIRECTORY must not exist.

#include <iostream>

#include "golden_job.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const tidemark::Status status = tidemark::golden::write_golden(argv[1]);
  if (!status.ok()) std::cerr << status.error().describe() << '\n';
  return status.ok() ? 0 : 1;
}

#pragma once
// What a run of the fraud job has committed, read back from its folders, and the comparison of two runs.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace tidemark::demo {

// Rows by key (the first field but for late rows, where it is the card's column), in the order in which they were committed. Header lines
// and staged files are left out.
using RowsByKey = std::map<std::string, std::vector<std::string>>;
RowsByKey read_rows(const std::filesystem::path& folder, std::size_t key_column);

struct Difference {
  std::size_t lost = 0;          // in the unbroken run alone
  std::size_t duplicated = 0;    // in the broken run alone, or more often
  std::size_t reordered = 0;     // keys with the same rows in another order
  std::size_t late_changed = 0;  // rows that are late in one run and not in the other
  bool none() const { return lost + duplicated + reordered + late_changed == 0; }
};

// `unbroken` and `broken` are output folders of the fraud job.
Difference compare_runs(const std::filesystem::path& unbroken, const std::filesystem::path& broken);

}  // namespace tidemark::demo

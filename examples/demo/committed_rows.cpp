#include "committed_rows.hpp"

#include <algorithm>
#include <fstream>

namespace tidemark::demo {

namespace {

std::string field(const std::string& row, std::size_t column) {
  std::size_t begin = 0;
  for (; column > 0 && begin != std::string::npos; --column) begin = row.find(',', begin) + 1;
  return row.substr(begin, row.find(',', begin) - begin);
}

void compare_key(std::vector<std::string> expected, std::vector<std::string> found, Difference& difference) {
  if (expected == found) return;
  std::sort(expected.begin(), expected.end());
  std::sort(found.begin(), found.end());
  if (expected == found) ++difference.reordered;
  std::vector<std::string> only;
  std::set_difference(expected.begin(), expected.end(), found.begin(), found.end(), std::back_inserter(only));
  difference.lost += only.size();
  only.clear();
  std::set_difference(found.begin(), found.end(), expected.begin(), expected.end(), std::back_inserter(only));
  difference.duplicated += only.size();
}

Difference compare_rows(const RowsByKey& expected, const RowsByKey& found) {
  Difference difference;
  const auto rows_of = [](const RowsByKey& rows, const std::string& key) {
    const auto at = rows.find(key);
    return at == rows.end() ? std::vector<std::string>{} : at->second;
  };
  for (const auto& [key, rows] : expected) compare_key(rows, rows_of(found, key), difference);
  for (const auto& [key, rows] : found) {
    if (!expected.contains(key)) compare_key({}, rows, difference);
  }
  return difference;
}

}  // namespace

RowsByKey read_rows(const std::filesystem::path& folder, std::size_t key_column) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(folder)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().filename().string().front() != '.') files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());   // names begin with the epoch
  RowsByKey rows;
  for (const auto& file : files) {
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    while (std::getline(in, line)) rows[field(line, key_column)].push_back(line);
  }
  return rows;
}

Difference compare_runs(const std::filesystem::path& unbroken, const std::filesystem::path& broken) {
  Difference difference = compare_rows(read_rows(unbroken / "alerts", 0), read_rows(broken / "alerts", 0));
  const Difference late = compare_rows(read_rows(unbroken / "late", 1), read_rows(broken / "late", 1));
  difference.lost += late.lost;
  difference.duplicated += late.duplicated;
  difference.reordered += late.reordered;
  difference.late_changed = late.lost + late.duplicated;
  const Difference quarantine = compare_rows(read_rows(unbroken / "quarantine", 0), read_rows(broken / "quarantine", 0));
  difference.lost += quarantine.lost;
  difference.duplicated += quarantine.duplicated;
  return difference;
}

}  // namespace tidemark::demo

#pragma once
// Results on standard output: lines and tables.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

// kStorageFailed: standard output takes no more (a full disk). What was written before may be cut off.
Status write_line(std::string_view line);
// At the end, when nothing else will be written.
Status flush_output();

// Columns as wide as their widest cell.
class Table {
 public:
  enum class Align : std::uint8_t { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };
  explicit Table(std::vector<Column> columns);
  // As many cells as there are columns. Control characters are escaped.
  void add(std::vector<std::string> cells);
  // The titles, then the rows.
  Status print() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::size_t> widths_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// Results on standard output: lines and tables. Talk on standard error.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

// kStorageFailed: standard output takes no more (a full disk). What was written before may be cut off.
Status write_line(std::string_view line);
// At the end, when nothing else will be written. kStorageFailed also if anything before could not be.
Status flush_output();
// On standard output. Does not throw, as fmt::print would: flush_output() says that something is missing.
template <class... Args>
void print(fmt::format_string<Args...> format, Args&&... args) {
  const std::string text = fmt::format(format, std::forward<Args>(args)...);
  (void)std::fwrite(text.data(), 1, text.size(), stdout);
}

// On standard error, where it may be lost: a job does not end because nobody can hear it (a full disk), as it would by fmt::print.
void talk_text(std::string_view text);
template <class... Args>
void talk(fmt::format_string<Args...> format, Args&&... args) {
  talk_text(fmt::format(format, std::forward<Args>(args)...));
}

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

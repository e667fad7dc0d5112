#include "src/output.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <tidemark/core/log.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

namespace {

Error cannot_write() {
  return {.code = ErrorCode::kStorageFailed, .message = "standard output cannot be written to", .why = "what was written is not complete"};
}

// Characters, not bytes.
std::size_t width_of(std::string_view text) {
  const auto begins_one = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_one));
}

}  // namespace

Status write_line(std::string_view line) {
  const bool written = std::fwrite(line.data(), 1, line.size(), stdout) == line.size() && std::fputc('\n', stdout) != EOF;
  return written ? Status{} : cannot_write();
}

Status flush_output() { return std::fflush(stdout) == 0 && std::ferror(stdout) == 0 ? Status{} : cannot_write(); }

void talk_text(std::string_view text) { (void)std::fwrite(text.data(), 1, text.size(), stderr); }

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  for (const Column& column : columns_) widths_.push_back(width_of(column.title));
}

void Table::add(std::vector<std::string> cells) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    cells[i] = escape_control(cells[i]);
    widths_[i] = std::max(widths_[i], width_of(cells[i]));
  }
  rows_.push_back(std::move(cells));
}

Status Table::print() const {
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.push_back(column.title);
  const auto print_row = [this](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string blanks(widths_[i] - width_of(cells[i]), ' ');
      if (i > 0) line += "  ";
      line += columns_[i].align == Align::kRight ? blanks + cells[i] : cells[i] + blanks;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return write_line(line);
  };
  TIDEMARK_TRY(print_row(titles));
  for (const auto& cells : rows_) TIDEMARK_TRY(print_row(cells));
  return {};
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

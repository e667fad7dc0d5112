// Where records end, whatever part of the file is in view; and CSV written and read back.

#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <tidemark/file/csv.hpp>

#include "read_source.hpp"
#include "src/csv_fields.hpp"
#include "src/framing.hpp"
#include "src/text.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace tidemark;
using namespace tidemark::file_internal;
using namespace tidemark::file_test;

constexpr std::size_t kLimit = 12;

// Text of the few letters that matter, so that quotes, delimiters and line ends meet often.
rc::Gen<std::string> csv_soup() { return rc::gen::container<std::string>(rc::gen::elementOf(std::string("\"\",,\n\nab\r"))); }

struct Piece {
  CutKind kind;
  std::string bytes;
  bool operator==(const Piece&) const = default;
};

// Cuts `text` with only `view` bytes of it in view at first, and twice as many each time that is not enough.
std::vector<Piece> cut_all(const Framing& framing, std::string_view text, std::size_t view) {
  std::vector<Piece> pieces;
  bool skipping = false;
  for (std::size_t in_view = view; !text.empty();) {
    const bool final = in_view >= text.size();
    const std::string_view seen = text.substr(0, in_view);
    if (skipping) {
      const std::size_t end = seen.find('\n');
      text.remove_prefix(end == std::string_view::npos ? seen.size() : end + 1);
      skipping = end == std::string_view::npos;
      continue;
    }
    const Cut cut = cut_record(framing, seen, kLimit, final);
    if (cut.kind == CutKind::kMore) {
      EXPECT_FALSE(final);
      EXPECT_LE(seen.size(), kLimit + 1) << "a bounded buffer must do";
      ++in_view;
      continue;
    }
    EXPECT_GT(cut.next, 0u);
    EXPECT_LE(cut.size, cut.next);
    pieces.push_back({cut.kind, std::string(seen.substr(0, cut.size))});
    skipping = cut.kind == CutKind::kTooLarge && !cut.line_ended;
    text.remove_prefix(cut.next);
    in_view = view;
  }
  return pieces;
}

TEST(Framing, HasNoLimitWhereTheGreatestNumberIsGiven) {
  for (std::size_t less = 0; less < 4; ++less) {
    const Cut cut = cut_record({}, "abcdef\nx", std::numeric_limits<std::size_t>::max() - less, false);
    EXPECT_EQ(cut.kind, CutKind::kRecord);
    EXPECT_EQ(cut.size, 6u);
    EXPECT_EQ(cut.next, 7u);
  }
}

RC_GTEST_PROP(Framing, DependsOnTheBytesAndNotOnHowTheyAreRead, ()) {
  const std::string text = *csv_soup();
  for (const bool quoted : {false, true}) {
    const Framing framing{.header = false, .skip_blank = false, .quoted = quoted, .delimiter = ','};
    const std::vector<Piece> whole = cut_all(framing, text, text.size() + 1);
    for (const std::size_t view : {1, 2, 3, 7}) RC_ASSERT(cut_all(framing, text, view) == whole);
  }
}

// Another reading of RFC 4180, letter by letter, for texts in which every quote is in its place.
RC_GTEST_PROP(Framing, AgreesWithAStateMachineOnWellFormedText, ()) {
  using Field = std::string;
  const auto fields = *rc::gen::container<std::vector<std::vector<Field>>>(rc::gen::nonEmpty(rc::gen::container<std::vector<Field>>(
      rc::gen::container<Field>(rc::gen::elementOf(std::string("\",\nab"))))));
  std::string text;
  std::vector<std::string> rows;
  for (const auto& row : fields) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += ',';
      if (needs_quotes(row[i], {})) append_quoted(line, row[i]);
      else line += row[i];
    }
    rows.push_back(line);
    text += line + "\n";
  }
  const Framing framing{.header = false, .skip_blank = false, .quoted = true, .delimiter = ','};
  std::size_t row = 0;
  for (std::string_view rest = text; !rest.empty(); ++row) {
    const Cut cut = cut_record(framing, rest, 1 << 20, true);
    RC_ASSERT(cut.kind == CutKind::kRecord);
    RC_ASSERT(rest.substr(0, cut.size) == rows.at(row));
    std::vector<CsvField> found;
    const SplitFields split = split_fields(rest.substr(0, cut.size), {}, 1000, found);
    RC_ASSERT(split.fault == FieldsError::kNone);
    RC_ASSERT(split.count == fields[row].size());
    for (std::size_t i = 0; i < split.count; ++i) {
      std::string value(found[i].bytes);
      if (found[i].doubled) unquote(found[i].bytes, value);
      RC_ASSERT(value == fields[row][i]);
    }
    rest.remove_prefix(cut.next);
  }
  RC_ASSERT(row == rows.size());
}

RC_GTEST_PROP(CsvWriter, WritesWhatTheSourceReadsBack, ()) {
  using Row = std::tuple<std::string, std::int64_t, double>;
  const auto text = rc::gen::container<std::string>(rc::gen::elementOf(std::string("\"',;\n\r\tab \\")));
  const auto rows = *rc::gen::container<std::vector<Row>>(
      rc::gen::tuple(text, rc::gen::arbitrary<std::int64_t>(), rc::gen::arbitrary<double>()));
  const char delimiter = *rc::gen::element(',', ';', '\t');
  const CsvFormat format{.delimiter = delimiter};

  const CsvSinkConfig config({"text", "integer", "number"}, format);
  Bytes bytes = *CsvWriter::preamble(config)(io_on(posix_file_system()));
  for (const auto& [string, integer, number] : rows) {
    CsvWriter writer(bytes, config);
    writer.fields(string, integer, number);
    RC_ASSERT(writer.finish().ok());
  }
  tidemark::test_support::TemporaryDirectory directory;
  write_file(directory / "in.csv", bytes);
  const std::size_t max_records = *rc::gen::inRange<std::size_t>(1, 5);
  const auto outcome = read_source(csv_source({.path = directory / "in.csv"}, {"text", "integer", "number"},
                                              [](CsvRow& row) { return Row{row.text(0), row.integer(1), row.number(2)}; }, format),
                                   {.max_records = max_records});
  RC_ASSERT(outcome.ok());
  RC_ASSERT(outcome.refused.empty());
  RC_ASSERT(outcome.values == rows);
}

TEST(CsvWriter, RefusesARowThatDoesNotFitItsHeader) {
  const CsvSinkConfig config({"a", "b"}, {});
  Bytes out;
  CsvWriter few(out, config);
  few.fields(1);
  EXPECT_EQ(few.finish().error().code, ErrorCode::kSinkFailed);
  CsvWriter raw(out, config);
  raw.raw("x,\"y\"");
  EXPECT_TRUE(raw.finish().ok());
  CsvWriter both(out, config);
  both.add(1).add(2);
  both.raw("3,4");
  EXPECT_FALSE(both.finish().ok());
}

TEST(CsvWriter, RefusesWhatCannotBeWrittenWithoutQuotes) {
  const CsvSinkConfig config({"a"}, {.delimiter = '\t', .quoted = false});
  for (const char* value : {"x\ty", "x\ny", "x\r", ""}) {
    Bytes out;
    CsvWriter writer(out, config);
    writer.add(value);
    EXPECT_FALSE(writer.finish().ok()) << value;
  }
  Bytes out;
  CsvWriter writer(out, config);
  writer.add("5\" x,y");
  ASSERT_TRUE(writer.finish().ok());
  EXPECT_EQ(out, "5\" x,y\n");
}

TEST(Text, IsUtf8WithoutNul) {
  for (const char* good : {"", "plain", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF0\x90\x80\x80",
                           "\xF4\x8F\xBF\xBF", "longer than eight bytes, then \xC3\xBC and more plain text"}) {
    EXPECT_TRUE(is_text(good)) << escape_bytes(good);
  }
  for (const char* bad : {"\x80", "\xBF", "\xC0\xAF", "\xC1\xBF", "\xC2", "\xC2g", "\xE0\x9F\xBF", "\xE0\xA0", "\xED\xA0\x80",
                          "\xF0\x8F\xBF\xBF",
                          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "longer than eight bytes, then \xC3 and more"}) {
    EXPECT_FALSE(is_text(bad)) << escape_bytes(bad);
  }
  EXPECT_FALSE(is_text(std::string_view("\0", 1)));
  EXPECT_FALSE(is_text(std::string_view("12345678\0", 9)));
  EXPECT_FALSE(is_text(std::string_view("1234567\0x", 9)));
}

TEST(Text, IsEscapedSoThatItsBytesCanBeHadBack) {
  EXPECT_EQ(escape_bytes(std::string_view("a\\b\n\t\r\0\x1B\xFF\xC3\xBC", 11)), "a\\\\b\n\t\r\\x00\\x1b\\xff\xC3\xBC");
}

}  // namespace

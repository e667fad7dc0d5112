// CSV by RFC 4180: what is read from which bytes.

#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <tidemark/file/csv.hpp>

#include "read_source.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace tidemark;
using namespace tidemark::file_test;
using test_support::TemporaryDirectory;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Rows = std::vector<std::vector<std::string>>;

Source<std::vector<std::string>> columns_source(const std::string& path, const std::vector<std::string>& columns, CsvFormat format = {},
                                                std::size_t max_record_bytes = 1 << 20) {
  return csv_source(
      {.path = path, .max_record_bytes = max_record_bytes}, columns,
      [count = columns.size()](CsvRow& row) {
        std::vector<std::string> values;
        for (std::size_t i = 0; i < count; ++i) values.push_back(row.text(i));
        return values;
      },
      format);
}

struct Vector {
  const char* name;
  std::string bytes;
  Rows rows;
  std::vector<std::string> refused;   // a part of each error
  CsvFormat format = {};
};

TEST(CsvSource, ReadsTheRowsThatRfc4180Says) {
  const std::vector<Vector> vectors{
      {"plain", "a,b\n1,2\n3,4\n", {{"1", "2"}, {"3", "4"}}, {}},
      {"no final newline", "a,b\n1,2\n3,4", {{"1", "2"}, {"3", "4"}}, {}},
      {"CR LF", "a,b\r\n1,2\r\n3,4\r\n", {{"1", "2"}, {"3", "4"}}, {}},
      {"CR LF without the last LF", "a,b\r\n1,2\r", {{"1", "2"}}, {}},
      {"byte order mark", "\xEF\xBB\xBF" "a,b\n1,2\n", {{"1", "2"}}, {}},
      {"byte order mark and quoted name", "\xEF\xBB\xBF\"a\",b\n1,2\n", {{"1", "2"}}, {}},
      {"unnamed column", ",a,b\n0,1,2\n", {{"1", "2"}}, {}},
      {"other order, more columns", "c,b,x,a\n3,2,9,1\n", {{"1", "2"}}, {}},
      {"quoted", "a,b\n\"1\",\"2\"\n", {{"1", "2"}}, {}},
      {"delimiter in quotes", "a,b\n\"1,5\",2\n", {{"1,5", "2"}}, {}},
      {"newline in quotes", "a,b\n\"1\n5\",2\n3,4\n", {{"1\n5", "2"}, {"3", "4"}}, {}},
      {"CR LF in quotes", "a,b\r\n1,\"x\r\ny\"\r\n3,4\r\n", {{"1", "x\r\ny"}, {"3", "4"}}, {}},
      {"doubled quotes", "a,b\n\"say \"\"hi\"\"\",\"\"\"\"\n", {{"say \"hi\"", "\""}}, {}},
      {"empty fields", "a,b\n,\n\"\",\"\"\n", {{"", ""}, {"", ""}}, {}},
      {"blanks belong to the field", "a,b\n 1 , 2\n", {{" 1 ", " 2"}}, {}},
      {"quote inside an unquoted field", "a,b\n5\" pipe,x\"y\"\n", {{"5\" pipe", "x\"y\""}}, {}},
      {"blank lines", "a,b\n\n1,2\n\r\n3,4\n\n", {{"1", "2"}, {"3", "4"}}, {}},
      {"newline in a header name", "\"a\",b,\"c\nd\"\n1,2,3\n", {{"1", "2"}}, {}},
      {"header alone", "a,b\n", {}, {}},
      {"header without newline", "a,b", {}, {}},
      {"UTF-8", "a,b\nZürich,日本\n", {{"Zürich", "日本"}}, {}},
      {"tabs", "a\tb\n1\t2,5\n", {{"1", "2,5"}}, {}, {.delimiter = '\t'}},
      {"no quoting", "a\tb\n\"1\t2\"\n", {{"\"1", "2\""}}, {}, {.delimiter = '\t', .quoted = false}},
      {"too few fields", "a,b\n1\n3,4\n", {{"3", "4"}}, {"the row has 1 fields and the header 2"}},
      {"too many fields", "a,b\n1,2,3\n3,4\n", {{"3", "4"}}, {"the row has more fields and the header 2"}},
      {"text after a quote", "a,b\n\"1\"x,2\n3,4\n", {{"3", "4"}}, {"field 1 has text after its closing quote"}},
      {"text after a quote, and another quote", "a,b\n\"1\"x,\"2\n3,4\n", {{"3", "4"}}, {"field 1 has text after its closing quote"}},
      {"unclosed quote costs its line alone", "a,b\n\"1,2\n3,4\n5,6\n", {{"3", "4"}, {"5", "6"}}, {"is not closed"}},
      {"unclosed quote in the last line", "a,b\n3,4\n5,\"6", {{"3", "4"}}, {"is not closed"}},
      {"NUL", std::string("a,b\n1,x\0y\n3,4\n", 14), {{"3", "4"}}, {"column \"b\": a value of 3 bytes is not UTF-8 text without NUL"}},
      {"bad UTF-8", "a,b\n1,\xC3\x28\n3,4\n", {{"3", "4"}}, {"column \"b\": a value of 2 bytes is not UTF-8 text"}},
      {"bad UTF-8 in a column that nobody asks for", "a,b,c\n1,2,\xFF\n", {{"1", "2"}}, {}},
  };
  TemporaryDirectory directory;
  for (const Vector& vector : vectors) {
    SCOPED_TRACE(vector.name);
    write_file(directory / "in.csv", vector.bytes);
    for (const std::size_t max_records : {std::size_t{1}, std::size_t{2}, std::size_t{1000}}) {
      const auto outcome = read_source(columns_source(directory / "in.csv", {"a", "b"}, vector.format), {.max_records = max_records});
      ASSERT_TRUE(outcome.ok()) << outcome.error.describe();
      EXPECT_EQ(outcome.last, PollResult::kEnd);
      EXPECT_EQ(outcome.values, vector.rows);
      ASSERT_EQ(outcome.refused.size(), vector.refused.size());
      for (std::size_t i = 0; i < vector.refused.size(); ++i) {
        EXPECT_EQ(outcome.refused[i].reason, QuarantineReason::kDecode);
        EXPECT_THAT(outcome.refused[i].error, HasSubstr(vector.refused[i]));
        EXPECT_THAT(outcome.refused[i].error, testing::StartsWith("in.csv: "));
        EXPECT_EQ(outcome.refused[i].error.find('\n'), std::string::npos);
        // The payload is what stands at the position.
        EXPECT_EQ(vector.bytes.compare(outcome.refused[i].position, outcome.refused[i].payload.size(), outcome.refused[i].payload), 0);
      }
    }
  }
}

TEST(CsvSource, TakesAnEmptyValueOfASingleColumnInQuotes) {
  TemporaryDirectory directory;
  write_file(directory / "in.csv", "a\n\"\"\n\nx\n");
  EXPECT_EQ(read_source(columns_source(directory / "in.csv", {"a"})).values, (Rows{{""}, {"x"}}));
}

TEST(CsvSource, SaysWhereEachRecordBegins) {
  TemporaryDirectory directory;
  write_file(directory / "in.csv", "\xEF\xBB\xBF" "a,b\n1,2\n\n\"x\ny\",4\nbad\n5,6");
  const auto outcome = read_source(columns_source(directory / "in.csv", {"a", "b"}));
  EXPECT_THAT(outcome.offsets, ElementsAre(7, 12, 24));
  ASSERT_EQ(outcome.refused.size(), 1u);
  EXPECT_EQ(outcome.refused[0].position, 20u);
  EXPECT_EQ(outcome.refused[0].payload, "bad");
}

// F39: 0, 1, limit-1, limit, limit+1 bytes.
TEST(CsvSource, F39RefusesARecordBeyondTheLimitAndOnlyThat) {
  constexpr std::size_t kLimit = 100;
  TemporaryDirectory directory;
  for (const char* line_end : {"\n", "\r\n", ""}) {
    for (const bool quoted : {false, true}) {
      for (const std::size_t size : {std::size_t{3}, std::size_t{4}, kLimit - 1, kLimit, kLimit + 1, kLimit + 2, kLimit + 3, 5 * kLimit}) {
        SCOPED_TRACE(std::to_string(size) + (quoted ? " quoted" : "") + " line end of " + std::to_string(std::string(line_end).size()));
        const std::string record = quoted ? "\"" + std::string(size - 3, 'x') + "\"," : std::string(size - 1, 'x') + ",";
        const std::string after = std::string(line_end).empty() ? "" : std::string("3,4") + line_end;
        write_file(directory / "in.csv", "a,b\n" + record + line_end + after);
        const auto outcome = read_source(columns_source(directory / "in.csv", {"a", "b"}, {}, kLimit));
        ASSERT_TRUE(outcome.ok()) << outcome.error.describe();
        EXPECT_EQ(outcome.refused.size(), size > kLimit ? 1u : 0u);
        EXPECT_EQ(outcome.values.size() + outcome.refused.size(), after.empty() ? 1u : 2u);
        if (size > kLimit) {
          EXPECT_EQ(outcome.refused[0].reason, QuarantineReason::kTooLarge);
          EXPECT_EQ(outcome.refused[0].position, 4u);
          EXPECT_LE(outcome.refused[0].payload.size(), kLimit);
        }
      }
    }
  }
}

// S09, F34: the text behind an open quote may be long, yet reading goes on with the next line, in linear time.
TEST(CsvSource, GoesOnAtTheNextLineWhenAQuoteIsNotClosedWithinTheLimit) {
  TemporaryDirectory directory;
  std::string bytes = "a,b\n1,\"open\n";
  for (int i = 0; i < 100; ++i) bytes += std::to_string(i) + ",x\n";
  write_file(directory / "in.csv", bytes);
  const auto outcome = read_source(columns_source(directory / "in.csv", {"a", "b"}, {}, 64));
  EXPECT_EQ(outcome.values.size(), 100u);
  ASSERT_EQ(outcome.refused.size(), 1u);
  EXPECT_EQ(outcome.refused[0].reason, QuarantineReason::kDecode);
  EXPECT_EQ(outcome.refused[0].payload, "1,\"open");
}

struct FieldCase {
  const char* value;
  const char* integer;   // nullptr: refused
  const char* number;
};

TEST(CsvRow, TakesNumbersThatAreNothingElse) {
  const std::vector<FieldCase> cases{
      {"0", "0", "0.000000"},
      {"-12", "-12", "-12.000000"},
      {"007", "7", "7.000000"},
      {"9223372036854775807", "9223372036854775807", "9223372036854775808.000000"},
      {"-9223372036854775808", "-9223372036854775808", "-9223372036854775808.000000"},
      {"9223372036854775808", nullptr, "9223372036854775808.000000"},
      {"1.5", nullptr, "1.500000"},
      {"1e3", nullptr, "1000.000000"},
      {"", nullptr, nullptr},
      {" 1", nullptr, nullptr},
      {"1 ", nullptr, nullptr},
      {"+1", nullptr, nullptr},
      {"0x10", nullptr, nullptr},
      {"nan", nullptr, nullptr},
      {"inf", nullptr, nullptr},
      {"1e999", nullptr, nullptr},
      {"1,5", nullptr, nullptr},
  };
  TemporaryDirectory directory;
  for (const FieldCase& test : cases) {
    SCOPED_TRACE(test.value);
    write_file(directory / "in.csv", std::string("v,w\n\"") + test.value + "\",x\n");
    const FileInput input{.path = directory / "in.csv"};
    const auto integers = read_source(csv_source(input, {"v"}, [](CsvRow& row) { return std::to_string(row.integer(0)); }));
    const auto numbers = read_source(csv_source(input, {"v"}, [](CsvRow& row) { return std::to_string(row.number(0)); }));
    if (test.integer != nullptr) EXPECT_THAT(integers.values, ElementsAre(test.integer));
    else EXPECT_EQ(integers.refused.size(), 1u);
    if (test.number != nullptr) EXPECT_THAT(numbers.values, ElementsAre(test.number));
    else EXPECT_EQ(numbers.refused.size(), 1u);
  }
}

TEST(CsvRow, NamesTheFirstColumnThatIsWrongAndKeepsItsValueToItself) {   // S15
  TemporaryDirectory directory;
  write_file(directory / "in.csv", "id,amt\n1,x\ny,z\n2,3\n4,-1\n");
  const auto outcome = read_source(csv_source({.path = directory / "in.csv"}, {"amt", "id"}, [](CsvRow& row) {
    const double amount = row.number(0);
    const std::int64_t id = row.integer(1);
    if (row.ok() && amount < 0) row.refuse("the amount is negative");
    return id;
  }));
  EXPECT_THAT(outcome.values, ElementsAre(2));
  ASSERT_EQ(outcome.refused.size(), 3u);
  EXPECT_EQ(outcome.refused[0].error, "in.csv: column \"amt\": a value of 1 byte is not a number");
  EXPECT_EQ(outcome.refused[1].error, "in.csv: column \"amt\": a value of 1 byte is not a number");
  EXPECT_EQ(outcome.refused[2].error, "in.csv: the amount is negative");
}

TEST(CsvRow, GivesTimesInSeveralUnits) {
  TemporaryDirectory directory;
  write_file(directory / "in.csv", "s,i\n7,1970-01-01T00:00:07Z\n9223372036854775807,1970-01-01T00:00:00Z\n-9223372036854775807,x\n");
  const auto seconds = read_source(csv_source({.path = directory / "in.csv"}, {"s"}, [](CsvRow& row) { return row.unix_seconds(0); }));
  EXPECT_THAT(seconds.values, ElementsAre(event_time(7'000'000), kPlusInfinity, kMinusInfinity));
  const auto micros = read_source(csv_source({.path = directory / "in.csv"}, {"s"}, [](CsvRow& row) { return row.unix_micros(0); }));
  EXPECT_EQ(micros.values.at(0), event_time(7));
  const auto iso = read_source(csv_source({.path = directory / "in.csv"}, {"i"}, [](CsvRow& row) { return row.iso_time(0); }));
  EXPECT_THAT(iso.values, ElementsAre(event_time(7'000'000), event_time(0)));
  EXPECT_EQ(iso.refused.size(), 1u);
}

TEST(CsvRow, GivesTheRowAsItStandsInTheFile) {
  TemporaryDirectory directory;
  write_file(directory / "in.csv", "a,b\r\n\"x \"\"y\"\"\n\", 2\r\n");
  const auto outcome = read_source(csv_source({.path = directory / "in.csv"}, {"b"}, [](CsvRow& row) { return row.raw(); }));
  EXPECT_THAT(outcome.values, ElementsAre("\"x \"\"y\"\"\n\", 2"));
}

TEST(CsvSource, RefusesARecordForWhichTheFunctionGivesAnError) {
  TemporaryDirectory directory;
  write_file(directory / "in.csv", "a\n1\n2\n");
  const auto outcome = read_source(csv_source({.path = directory / "in.csv"}, {"a"}, [](CsvRow& row) -> Result<std::int64_t> {
    const std::int64_t value = row.integer(0);
    if (value == 1) return Error{.code = ErrorCode::kDecodeFailed, .message = "one is not wanted", .facts = {}, .why = "", .fix = ""};
    return value;
  }));
  EXPECT_THAT(outcome.values, ElementsAre(2));
  ASSERT_EQ(outcome.refused.size(), 1u);
  EXPECT_EQ(outcome.refused[0].error, "in.csv: one is not wanted");
}

TEST(CsvSource, NamesAMissingColumnTheColumnsPresentAndTheNearest) {
  TemporaryDirectory directory;
  write_file(directory / "in.csv", "cc_num,trans_num,unix_tme,amt\n1,2,3,4\n");
  const auto outcome = read_source(columns_source(directory / "in.csv", {"cc_num", "unix_time"}));
  ASSERT_EQ(outcome.error.code, ErrorCode::kSourceFailed);
  EXPECT_THAT(outcome.error.describe(), HasSubstr("\"in.csv\" has no column \"unix_time\""));
  EXPECT_THAT(outcome.error.describe(), HasSubstr("cc_num, trans_num, unix_tme, amt"));
  EXPECT_THAT(outcome.error.describe(), HasSubstr("did you mean \"unix_tme\"?"));
}

TEST(CsvSource, RefusesAHeaderThatNamesAColumnTwice) {
  TemporaryDirectory directory;
  write_file(directory / "in.csv", "a,b,a\n1,2,3\n");
  EXPECT_THAT(read_source(columns_source(directory / "in.csv", {"a"})).error.message, HasSubstr("two columns \"a\""));
  EXPECT_TRUE(read_source(columns_source(directory / "in.csv", {"b"})).ok());
}

TEST(CsvColumns, AreThoseOfTheFirstFile) {
  TemporaryDirectory directory;
  write_file(directory / "b.csv", "x\n");
  write_file(directory / "a.csv", ",\"a\"\"b\",c\n");
  const auto columns = csv_columns(posix_file_system(), {.path = directory.path()});
  ASSERT_TRUE(columns.ok());
  EXPECT_THAT(*columns, ElementsAre("", "a\"b", "c"));
}

}  // namespace

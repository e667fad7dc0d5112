// NDJSON and plain lines.

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <tidemark/file/lines.hpp>
#include <tidemark/file/ndjson.hpp>

#include "read_source.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace tidemark;
using namespace tidemark::file_test;
using test_support::TemporaryDirectory;
using testing::ElementsAre;
using testing::HasSubstr;

template <class Parse>
auto read_objects(const std::string& bytes, Parse parse, std::size_t max_records = 1000) {
  TemporaryDirectory directory;
  write_file(directory / "in.ndjson", bytes);
  return read_source(ndjson_source({.path = directory / "in.ndjson"}, parse), {.max_records = max_records});
}

TEST(NdjsonSource, ReadsFieldsByNameAndByPointer) {
  const auto outcome = read_objects(
      "\xEF\xBB\xBF{\"user\": 7, \"page\": \"\\u00fc \\\"x\\\"\", "
      "\"geo\": {\"at\": [1, 2.5]}, \"ok\": true, \"time\": 3, \"iso\": \"1970-01-01T00:00:04Z\"}\r\n\n",
      [](JsonObject& object) {
        return std::to_string(object.integer("user")) + object.text("page") + std::to_string(object.number("/geo/at/1")) +
               (object.boolean("ok") ? "y" : "n") + std::to_string(micros(object.unix_millis("time"))) + "," +
               std::to_string(micros(object.iso_time("iso"))) + (object.has("geo") ? "+" : "-") +
               (object.has("none") ? "+" : "-") + object.raw().substr(0, 9);
      });
  EXPECT_THAT(outcome.values, ElementsAre("7\xC3\xBC \"x\"2.500000y3000,4000000+-{\"user\": "));
  EXPECT_THAT(outcome.offsets, ElementsAre(3));
}

TEST(NdjsonSource, RefusesWhatIsNotOneCompleteObject) {
  std::string deep = "1";
  for (int i = 0; i < 100; ++i) deep = "[" + deep + "]";
  const std::vector<std::string> lines{
      "{\"a\": 1", "{\"a\": 1, \"b\": }", "{\"a\": 1} x", "{\"a\": 1}{\"a\": 2}", "[1]", "7", "null", "x", "{\"a\": 1, \"b\": \"\xFF\"}",
      "{'a': 1}", "{\"a\": 01}",
      "{\"a\": 1, \"b\": " + deep + "}", std::string("{\"a\": 1, \"b\": \"\0\"}", 17), "{\"a\": \"1\"}", "{\"a\": 1.5}", "{\"b\": 1}",
      "{\"a\": 9223372036854775808}", "{\"a\": 1, \"b\": 18446744073709551616}", "{\"a\": null}"};
  for (const std::string& line : lines) {
    SCOPED_TRACE(line);
    const auto outcome = read_objects(line + "\n{\"a\": 2}\n", [](JsonObject& object) { return object.integer("a"); });
    EXPECT_THAT(outcome.values, ElementsAre(2));
    ASSERT_EQ(outcome.refused.size(), 1u);
    EXPECT_EQ(outcome.refused[0].reason, QuarantineReason::kDecode);
    EXPECT_EQ(outcome.refused[0].payload, line);
    EXPECT_THAT(outcome.refused[0].error, testing::StartsWith("in.ndjson: "));
  }
}

TEST(NdjsonSource, NamesTheFieldThatIsWrongAndItsValue) {
  const auto outcome = read_objects("{\"a\": \"x\"}\n{}\n{\"a\": 1}\n", [](JsonObject& object) {
    const std::int64_t value = object.integer("a");
    (void)object.text("b");
    return value;
  });
  ASSERT_EQ(outcome.refused.size(), 3u);
  EXPECT_EQ(outcome.refused[0].error, "in.ndjson: field \"a\": a value of 3 bytes is not an integer of 64 bits");
  EXPECT_EQ(outcome.refused[1].error, "in.ndjson: field \"a\" is absent");
  EXPECT_EQ(outcome.refused[2].error, "in.ndjson: field \"b\" is absent");
}

TEST(NdjsonSource, RefusesTextWithNul) {
  const auto outcome = read_objects("{\"a\": \"x\\u0000\"}\n", [](JsonObject& object) { return object.text("a"); });
  EXPECT_THAT(outcome.refused.at(0).error, HasSubstr("not text without NUL"));
}

RC_GTEST_PROP(JsonWriter, WritesWhatTheSourceReadsBack, ()) {
  using Row = std::tuple<std::string, std::int64_t, double, bool>;
  const auto text = rc::gen::container<std::string>(rc::gen::elementOf(std::string("\"\\/\n\r\t\x01\x7F" "ab ")));
  const auto rows = *rc::gen::container<std::vector<Row>>(
      rc::gen::tuple(text, rc::gen::arbitrary<std::int64_t>(), rc::gen::arbitrary<double>(), rc::gen::arbitrary<bool>()));
  Bytes bytes;
  for (const auto& [string, integer, number, flag] : rows) {
    JsonWriter writer(bytes, {});
    writer.field("te\"xt", string).field("integer", integer).field("number", number).field("flag", flag);
    RC_ASSERT(writer.finish().ok());
  }
  const auto outcome = read_objects(
      bytes,
      [](JsonObject& object) {
        return Row{object.text("te\"xt"), object.integer("integer"), object.number("number"), object.boolean("flag")};
      },
      3);
  RC_ASSERT(outcome.refused.empty());
  RC_ASSERT(outcome.values == rows);
}

TEST(JsonWriter, WritesNumbersThatNoIntegerHoldsSoThatTheyAreReadBack) {
  const std::vector<double> numbers{0x1p63, -0x1p63, 0x1p64, -0x1p64, -92233720368547758080.0, 1e20, 1e300, -0.0, 0x1p53, 5e-324};
  Bytes bytes;
  for (const double number : numbers) {
    JsonWriter writer(bytes, {});
    writer.field("number", number);
    ASSERT_TRUE(writer.finish().ok());
  }
  const auto outcome = read_objects(bytes, [](JsonObject& object) { return object.number("number"); });
  EXPECT_TRUE(outcome.refused.empty()) << outcome.refused.at(0).payload;
  ASSERT_EQ(outcome.values.size(), numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    EXPECT_EQ(outcome.values[i], numbers[i]);
    EXPECT_EQ(std::signbit(outcome.values[i]), std::signbit(numbers[i])) << numbers[i];
  }
}

TEST(JsonWriter, ReplacesWhatJsonCannotSay) {
  Bytes bytes;
  JsonWriter writer(bytes, {});
  writer.field("bytes", "x\xFFy").field("infinite", std::numeric_limits<double>::infinity());
  writer.field("time", event_time(0)).field("big", ~std::uint64_t{0});
  ASSERT_TRUE(writer.finish().ok());
  EXPECT_EQ(bytes, "{\"bytes\":\"x\xEF\xBF\xBDy\",\"infinite\":null,\"time\":\"1970-01-01T00:00:00Z\",\"big\":18446744073709551615}\n");
}

TEST(LinesSource, GivesEveryLineAndRefusesWhatIsNotText) {
  TemporaryDirectory directory;
  write_file(directory / "in.txt", "\xEF\xBB\xBF" "a\r\n\n\"b\nbad\xFF\nlast");
  const auto outcome = read_source(lines_source({.path = directory / "in.txt"}));
  EXPECT_THAT(outcome.values, ElementsAre("a", "", "\"b", "last"));
  ASSERT_EQ(outcome.refused.size(), 1u);
  EXPECT_EQ(outcome.refused[0].position, 10u);
  EXPECT_EQ(outcome.refused[0].error, "in.txt: a value of 4 bytes is not UTF-8 text without NUL");
}

}  // namespace

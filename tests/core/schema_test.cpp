// Values that are shown, and written, by the text of their schema alone.

#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include <gmock/gmock.h>

#include <tidemark/core/codec.hpp>
#include <tidemark/core/random.hpp>
#include <tidemark/core/schema.hpp>

namespace {

using namespace tidemark;
using ::testing::HasSubstr;

enum class Colour : std::uint8_t { kRed = 1, kBlue = 2 };
struct Nothing {};
struct Point {
  std::int32_t x = 0;
  std::int32_t y = 0;
  friend auto operator<=>(const Point&, const Point&) = default;
};
struct Padded {
  std::uint8_t a = 0;
  std::int64_t b = 0;
};
struct Account {
  std::string owner;
  std::optional<std::uint8_t> grade;
  std::vector<Point> path;
  std::map<std::string, std::int32_t> tags;
};

// A class with a codec of its own.
class Text {
 public:
  Text() = default;
  explicit Text(std::string text) : text_(std::move(text)) {}
  const std::string& get() const { return text_; }
  friend auto operator<=>(const Text&, const Text&) = default;

 private:
  std::string text_;
};

}  // namespace

template <>
struct tidemark::Codec<Text> {
  static constexpr bool kCanonical = true;
  static void encode(const Text& value, Bytes& out) { append_sized(out, value.get()); }
  [[nodiscard]] static bool decode(ByteView& in, Text& value) {
    ByteView text;
    if (!take_sized(in, text)) return false;
    value = Text{std::string{text}};
    return true;
  }
  static std::string schema() { return "text[utf8, 1]"; }
};

namespace {

// On the heap and no longer than this, so that a sanitizer sees a read beyond the end.
std::optional<std::string> shown(const Schema& schema, ByteView bytes) {
  const std::unique_ptr<char[]> piece{new char[bytes.size()]};
  bytes.copy(piece.get(), bytes.size());
  return schema.to_json(ByteView{piece.get(), bytes.size()});
}

// The value's bytes are shown so, and what is shown gives the bytes back.
template <class T>
void expect_shown(const T& value, const std::string& json) {
  const Schema schema(Codec<T>::schema());
  SCOPED_TRACE(schema.text());
  const Bytes bytes = encoded(value);
  EXPECT_EQ(shown(schema, bytes).value_or("malformed"), json);
  const auto back = schema.from_text(json);
  ASSERT_TRUE(back.ok()) << back.error().describe();
  EXPECT_EQ(hex_text(*back), hex_text(bytes));
}

// So is it, and no shorter piece of it is a value, and nothing longer is.
template <class T>
void expect_exact(const T& value, const std::string& json) {
  expect_shown(value, json);
  const Schema schema(Codec<T>::schema());
  SCOPED_TRACE(schema.text());
  const Bytes bytes = encoded(value);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(shown(schema, ByteView{bytes}.substr(0, size)), std::nullopt) << "of the first " << size << " bytes";
  }
  EXPECT_EQ(shown(schema, bytes + '\0'), std::nullopt);
}

TEST(SchemaOfANumber, ShowsItAsJson) {
  expect_exact(std::int64_t{-2}, "-2");
  expect_exact(std::numeric_limits<std::int64_t>::min(), "-9223372036854775808");
  expect_exact(std::numeric_limits<std::uint64_t>::max(), "18446744073709551615");
  expect_exact(std::uint8_t{200}, "200");
  expect_exact(std::int8_t{-56}, "-56");
  expect_exact(std::int16_t{258}, "258");
  expect_exact(std::uint16_t{65535}, "65535");
  expect_exact(std::int32_t{-70000}, "-70000");
  expect_exact(std::uint32_t{4000000000}, "4000000000");
  expect_exact(true, "true");
  expect_exact(false, "false");
  expect_exact(Colour::kBlue, "2");
  expect_exact(1.5, "1.5");
  expect_exact(0.1F, "0.1");
  expect_exact(1e300, "1e+300");
  expect_exact(std::numeric_limits<double>::infinity(), "\"Infinity\"");
  expect_exact(-std::numeric_limits<float>::infinity(), "\"-Infinity\"");
  expect_exact(std::numeric_limits<double>::quiet_NaN(), "\"NaN\"");
}

TEST(SchemaOfATime, ShowsEventTimeAsIso8601AndOtherUnitsAsNumbers) {
  expect_exact(event_time(0), "\"1970-01-01T00:00:00Z\"");
  expect_exact(event_time(-1), "\"1969-12-31T23:59:59.999999Z\"");
  expect_exact(kMinusInfinity, "\"-inf\"");
  expect_exact(kPlusInfinity, "\"+inf\"");
  expect_exact(std::chrono::sys_time<std::chrono::seconds>{std::chrono::seconds{7}}, "7");
  expect_exact(Duration{3}, "3");
  expect_exact(std::chrono::duration<double>{0.25}, "0.25");
  expect_exact(std::chrono::duration<std::int32_t, std::ratio<60>>{5}, "5");
}

TEST(SchemaOfAText, ShowsUtf8AsATextAndOtherBytesAsHex) {
  expect_exact(std::string{}, "\"\"");
  expect_exact(std::string{"abc"}, "\"abc\"");
  expect_exact(std::string(130, 'x'), '"' + std::string(130, 'x') + '"');
  expect_exact(std::string{"a\"b\\c\n\x01 \xC3\xBC \xE2\x82\xAC \xF0\x9F\x8C\x8A"},
               "\"a\\\"b\\\\c\\u000a\\u0001 \xC3\xBC \xE2\x82\xAC \xF0\x9F\x8C\x8A\"");
  expect_exact(std::string{"\x1b[2J\x7f\xC2\x9B"}, "\"\\u001b[2J\\u007f\\u009b\"");   // nothing that steers a terminal
  expect_exact('a', "\"a\"");
  expect_exact('\xFF', R"({"schema":"char","hex":"ff"})");
  for (const char* bytes : {"\xFF", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xC2"}) {
    expect_exact(std::string{bytes}, R"({"schema":"string","hex":")" + hex_text(bytes) + "\"}");
  }
}

TEST(SchemaOfAStruct, ShowsItsFieldsAsAnArray) {
  expect_exact(std::pair<std::uint8_t, std::string>{7, "b"}, "[7,\"b\"]");
  expect_exact(std::tuple<std::uint8_t, bool, std::uint16_t>{1, false, 2}, "[1,false,2]");
  expect_exact(Nothing{}, "[]");
  expect_exact(Point{.x = 1, .y = -1}, "[1,-1]");
  expect_exact(Padded{.a = 1, .b = 2}, "[1,2]");
  expect_exact(Window{event_time(0), event_time(60'000'000)}, R"(["1970-01-01T00:00:00Z","1970-01-01T00:01:00Z"])");
  expect_exact(Account{.owner = "me", .grade = 3, .path = {{1, 2}, {3, 4}}, .tags = {{"s", 5}, {"t", 4}}},
               R"(["me",3,[[1,2],[3,4]],[["s",5],["t",4]]])");
}

TEST(SchemaOfAContainer, ShowsItsElements) {
  expect_exact(std::array<std::uint16_t, 2>{1, 2}, "[1,2]");
  expect_exact(std::array<std::string, 2>{"a", ""}, R"(["a",""])");
  expect_exact(std::vector<std::uint16_t>{}, "[]");
  expect_exact(std::vector<std::uint16_t>{1, 2}, "[1,2]");
  expect_exact(std::vector<bool>{true, false}, "[true,false]");
  expect_exact(std::vector<std::vector<std::string>>{{}, {"a", "bc"}}, R"([[],["a","bc"]])");
  expect_exact(std::vector<Nothing>(3), "[[],[],[]]");
  expect_exact(std::deque<Point>{{5, 6}}, "[[5,6]]");
  expect_exact(std::set<std::string>{"b", "a"}, R"(["a","b"])");
  expect_exact(std::unordered_set<std::uint8_t>{4}, "[4]");
  expect_exact(std::map<std::uint8_t, std::string>{{2, "y"}, {1, "x"}}, R"([[1,"x"],[2,"y"]])");
  expect_exact(std::unordered_map<std::uint8_t, Point>{{4, {5, 6}}}, "[[4,[5,6]]]");
}

TEST(SchemaOfAnAlternative, SaysWhichItIs) {
  expect_exact(std::optional<std::uint8_t>{}, "null");
  expect_exact(std::optional<std::uint8_t>{9}, "9");
  using Twice = std::optional<std::optional<std::uint8_t>>;
  expect_exact(Twice{}, "[]");
  expect_exact(Twice{std::optional<std::uint8_t>{}}, "[null]");
  expect_exact(Twice{std::optional<std::uint8_t>{9}}, "[9]");
  using Either = std::variant<std::monostate, std::uint8_t, std::string>;
  expect_exact(Either{}, R"({"0":[]})");
  expect_exact(Either{"z"}, R"({"2":"z"})");
}

TEST(SchemaOfAUser, IsShownAsHexWhereItsEndIsKnown) {
  expect_shown(Text{"ab"}, R"({"schema":"text[utf8, 1]","hex":"026162"})");
  expect_shown(std::pair<std::uint8_t, Text>{7, Text{"a"}}, R"([7,{"schema":"text[utf8, 1]","hex":"0161"}])");
  expect_shown(std::pair<Text, std::uint8_t>{Text{"a"}, 7}, R"({"schema":"struct{text[utf8, 1],u8}","hex":"016107"})");
  expect_shown(std::optional<Text>{Text{"a"}}, R"({"schema":"text[utf8, 1]","hex":"0161"})");
  expect_shown(std::vector<Text>{Text{"a"}, Text{}}, R"({"schema":"list<text[utf8, 1]>","hex":"02016100"})");
  expect_shown(std::optional<std::string>{"\xFF"}, R"({"schema":"string","hex":"ff"})");
  expect_shown(std::variant<std::string, Text>{Text{"a"}}, R"({"1":{"schema":"text[utf8, 1]","hex":"0161"}})");
  const Schema last("struct{u8,list<mine{a,b}>}");
  EXPECT_EQ(shown(last, ByteView("\x07\x01\x05", 3)), R"([7,[{"schema":"mine{a,b}","hex":"05"}]])");
  EXPECT_EQ(shown(last, ByteView("\x07\x02\x05\x06", 4)), R"({"schema":"struct{u8,list<mine{a,b}>}","hex":"07020506"})");
  EXPECT_EQ(shown(last, ByteView("\x07\x00", 2)), "[7,[]]");
  EXPECT_EQ(shown(last, ByteView("\x07\x01", 2)), std::nullopt) << "an encoding has at least one byte";
  EXPECT_EQ(shown(Schema("struct{mine,u8}"), ByteView("\x01\x02", 2)), R"({"schema":"struct{mine,u8}","hex":"0102"})");
  EXPECT_EQ(shown(Schema("variant{mine,u8}"), ByteView("\x01\x02", 2)), R"({"1":2})");
}

TEST(SchemaText, ThatIsNoneOfOursIsAUsers) {
  std::string deep = "u8";
  for (int i = 0; i < 1000; ++i) deep = "list<" + deep + ">";
  for (const std::string& text : {std::string{"i65"}, std::string{"f8"}, std::string{"array<u8,0>"}, std::string{"array<u8>"},
                                  std::string{"array<u8,99999999999999999999>"}, std::string{"struct{u8"}, std::string{"struct{,u8}"},
                                  std::string{"list<u8>>"}, std::string{"list<>"}, std::string{"map<u8>"}, std::string{"variant{}"},
                                  std::string{"time<list<u8>,1/1>"}, std::string{"duration<i64,1>"}, std::string{"u8,u8"}, std::string{"}"},
                                  std::string{}, std::string(100'000, 'x'), "struct{u8" + std::string(40'000, ',') + "u8}"}) {
    SCOPED_TRACE(text.substr(0, 40));
    EXPECT_EQ(shown(Schema(text), "\x01"), R"({"schema":)" + json_string(text) + R"(,"hex":"01"})");
  }
  // Too deep: what is below is a user's, wherever it begins.
  EXPECT_THAT(*shown(Schema(deep), Bytes(1001, '\x01')), HasSubstr("\"hex\""));
}

TEST(SchemaOfAnything, RefusesBytesThatNoValueHas) {
  const auto refuses = [](const std::string& schema, const Bytes& bytes) {
    EXPECT_EQ(shown(Schema(schema), bytes), std::nullopt) << schema << " " << hex_text(bytes);
  };
  refuses("bool", "\x02");
  refuses("struct{}", "\x01");
  refuses("optional<u8>", "\x02\x01");
  refuses("variant{u8,u16}", "\x02\x01\x01");
  refuses("array<bool,2>", Bytes("\x00\x03", 2));
  refuses("array<u8,1000000000000>", "\x01");
  refuses("array<array<array<u8,1000000000>,1000000000>,1000000000>", Bytes(1000, 'x'));
  for (const Bytes& forged : {Bytes("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), Bytes("\x80\x80\x80\x80\x80\x80\x80\x80\x20")}) {
    for (const char* schema : {"string", "list<u64>", "list<struct{}>", "set<string>", "map<u8,u8>"}) refuses(schema, forged);
  }
}

// Whatever the codec takes is shown, and nothing else is.
template <class T>
void expect_the_codecs_opinion(const T& value, SeededRandom& random) {
  const Schema schema(Codec<T>::schema());
  const Bytes good = encoded(value);
  for (int i = 0; i < 3000; ++i) {
    Bytes bytes = good;
    for (std::uint64_t changes = random.next() % 3; changes > 0; --changes) {
      bytes[random.next() % bytes.size()] = static_cast<char>(random.next() % 4 == 0 ? random.next() : random.next() % 4);
    }
    if (random.next() % 4 == 0) bytes.resize(random.next() % (bytes.size() + 2));
    T decoded{};
    const bool taken = decode_whole(bytes, decoded);
    const std::optional<std::string> json = shown(schema, bytes);
    ASSERT_EQ(json.has_value(), taken) << schema.text() << " " << hex_text(bytes);
    if (!taken) continue;
    const auto back = schema.from_text(*json);
    ASSERT_TRUE(back.ok()) << *json << "\n" << back.error().describe();
    ASSERT_EQ(hex_text(*back), hex_text(encoded(decoded))) << *json;
  }
}

TEST(SchemaOfAnything, TakesWhatTheCodecTakes) {
  SeededRandom random{11};
  expect_the_codecs_opinion(std::vector<std::string>{"a", "bc", ""}, random);
  expect_the_codecs_opinion(std::tuple<bool, std::optional<std::int16_t>, Nothing, char>{true, 5, {}, 'x'}, random);
  expect_the_codecs_opinion(std::vector<std::variant<std::monostate, Point, std::string>>{Point{1, 2}, "z", {}}, random);
  expect_the_codecs_opinion(std::array<std::vector<std::optional<std::string>>, 2>{{{"a"}, {{}, "b"}}}, random);
  expect_the_codecs_opinion(std::vector<std::pair<EventTime, Duration>>{{event_time(7), Duration{9}}}, random);
}

TEST(SchemaValue, MayBeWrittenCarelessly) {
  const auto bytes_of = [](const char* schema, std::string_view text) {
    const auto bytes = Schema(schema).from_text(text);
    return bytes.ok() ? hex_text(*bytes) : bytes.error().describe();
  };
  EXPECT_EQ(bytes_of("string", "a word"), "0661" "20776f7264");
  EXPECT_EQ(bytes_of("string", "7"), "0137");
  EXPECT_EQ(bytes_of("string", ""), "00");
  EXPECT_EQ(bytes_of("string", R"("7")"), "0137");
  EXPECT_EQ(bytes_of("string", R"("\u00fc\n\ud83c\udf0a\/")"), "08c3bc0af09f8c8a2f");
  EXPECT_EQ(bytes_of("char", "x"), "78");
  EXPECT_EQ(bytes_of("u16", " 258 "), "0201");
  EXPECT_EQ(bytes_of("time<i64,1/1000000>", "1970-01-01T00:00:01Z"), "40420f0000000000");
  EXPECT_EQ(bytes_of("time<i64,1/1000000>", "1000000"), "40420f0000000000");
  EXPECT_EQ(bytes_of("struct{string,time<i64,1/1000000>}", R"( [ "a" , "1970-01-01T00:00:01Z" ] )"), "016140420f0000000000");
  EXPECT_EQ(bytes_of("mine", R"({"hex":"0A0b"})"), "0a0b");
}

TEST(SchemaValue, IsRefusedWithThePlaceAndWhatWasExpected) {
  const auto reason = [](const char* schema, std::string_view text) {
    const auto bytes = Schema(schema).from_text(text);
    EXPECT_FALSE(bytes.ok()) << schema << " " << text;
    if (bytes.ok()) return std::string{};
    EXPECT_EQ(bytes.error().code, ErrorCode::kUsage);
    return bytes.error().why;
  };
  EXPECT_EQ(reason("u8", "256"), "expected a whole number from 0 to 255 at character 1");
  EXPECT_EQ(reason("u8", "-1"), "expected a whole number from 0 to 255 at character 1");
  EXPECT_EQ(reason("i64", "12x"), "expected a whole number from -9223372036854775808 to 9223372036854775807 at character 1");
  EXPECT_EQ(reason("i64", ""), "expected a whole number from -9223372036854775808 to 9223372036854775807 at character 1");
  EXPECT_EQ(reason("i64", "12 13"), "expected nothing more at character 4");
  EXPECT_EQ(reason("f64", "nan"), "expected a number at character 1");
  EXPECT_EQ(reason("bool", "yes"), "expected true or false at character 1");
  EXPECT_EQ(reason("char", R"("ab")"), "expected one character of one byte at character 1");
  EXPECT_EQ(reason("time<i64,1/1000000>", "noon"), "expected a time such as 2026-01-31T12:00:59Z at character 1");
  EXPECT_EQ(reason("time<i64,1/1000000>", "\"noon\""), "expected a time such as 2026-01-31T12:00:59Z at character 1");
  EXPECT_EQ(reason("string", "\"a"), "expected a quotation mark at character 3");
  EXPECT_EQ(reason("string", R"("\x")"), "expected an escape such as \\n or \\u00fc at character 2");
  EXPECT_EQ(reason("string", R"("\ud83cx")"), "expected an escape such as \\n or \\u00fc at character 8");
  EXPECT_EQ(reason("string", R"("\udf0a")"), "expected the first half of a surrogate pair at character 8");
  EXPECT_EQ(reason("struct{i64,string}", "[1]"), "expected ',' at character 3");
  EXPECT_EQ(reason("struct{i64,string}", "[1,a]"), "expected a text in quotation marks at character 4");
  EXPECT_EQ(reason("list<u8>", "[1,]"), "expected a whole number from 0 to 255 at character 4");
  EXPECT_EQ(reason("array<u8,2>", "[1,2,3]"), "expected ']' at character 5");
  EXPECT_EQ(reason("variant{u8,u16}", R"({"2":1})"), "expected the number of an alternative below 2 at character 1");
  EXPECT_EQ(reason("mine", "a"), R"(expected {"hex":"..."}, the bytes that the codec of the user writes at character 1)");
  EXPECT_EQ(reason("mine", R"({"hex":"0"})"), "expected an even number of hex digits at character 2");
  EXPECT_EQ(reason("mine", R"({"schema":"mine"})"), "expected \"hex\" at character 17");
  EXPECT_EQ(reason("mine", R"({"bytes":"00"})"), "expected \"schema\" or \"hex\" at character 2");
}

TEST(SchemaSizes, TellWhereTheFirstValueEnds) {
  EXPECT_EQ(Schema("u16").size_of_first("abc"), 2U);
  EXPECT_EQ(Schema("string").size_of_first(Bytes("\2abc", 4)), 3U);
  EXPECT_EQ(Schema("struct{u8,optional<u16>}").size_of_first(Bytes("a\1bcd", 5)), 4U);
  EXPECT_EQ(Schema("u32").size_of_first("abc"), std::nullopt) << "too short";
  EXPECT_EQ(Schema("mine").size_of_first("abc"), std::nullopt) << "a codec of the user";
  EXPECT_EQ(Schema("struct{u8,mine}").size_of_first("abc"), std::nullopt);
}

}  // namespace

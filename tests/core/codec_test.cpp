#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
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

#include <gtest/gtest.h>

#include <tidemark/core/codec.hpp>
#include <tidemark/core/hash.hpp>

namespace {

using namespace tidemark;

enum class Colour : std::uint8_t { kRed = 1, kBlue = 2 };

struct Nothing {
  friend bool operator==(const Nothing&, const Nothing&) = default;
};
struct Point {   // no padding: stored as its memory
  std::int32_t x = 0;
  std::int32_t y = 0;
  friend auto operator<=>(const Point&, const Point&) = default;
};
struct Padded {   // trivially copyable, but with padding: field by field
  std::uint8_t a = 0;
  std::int64_t b = 0;
  friend auto operator<=>(const Padded&, const Padded&) = default;
};
struct Flagged {   // without padding, but with a bool: not every byte is a value of it
  bool on = false;
  char letter = 'x';
  friend bool operator==(const Flagged&, const Flagged&) = default;
};
struct Sum {
  std::int64_t count = 0;
  double total = 0;
  friend bool operator==(const Sum&, const Sum&) = default;
};
struct Account {
  std::string owner;
  std::optional<std::uint8_t> grade;
  std::vector<Point> path;
  std::map<std::string, std::int32_t> tags;
  friend bool operator==(const Account&, const Account&) = default;
};

// A class with a codec of its own, which promises to be canonical.
class Text {
 public:
  Text() = default;
  explicit Text(std::string text) : text_(std::move(text)) {}
  const std::string& get() const { return text_; }
  friend bool operator==(const Text&, const Text&) = default;

 private:
  std::string text_;
};
std::size_t footprint(const Text& text) { return 1000 + text.get().size(); }

// An aggregate that would have a codec for free, but whose own one wins.
struct Shouted {
  std::int32_t number = 0;
  friend bool operator==(const Shouted&, const Shouted&) = default;
};

struct WithText {
  Text text;
  Shouted shouted;
  friend bool operator==(const WithText&, const WithText&) = default;
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
  static std::string schema() { return "text"; }
};

template <>
struct tidemark::Codec<Shouted> {
  static void encode(const Shouted& value, Bytes& out) { out += std::to_string(value.number) + "!"; }
  [[nodiscard]] static bool decode(ByteView& in, Shouted& value) {
    const std::size_t end = in.find('!');
    if (end == ByteView::npos || end == 0) return false;
    value.number = std::stoi(std::string{in.substr(0, end)});
    in.remove_prefix(end + 1);
    return true;
  }
  static std::string schema() { return "shouted"; }
};

namespace {

std::string hex(ByteView bytes) {
  std::string text;
  for (const char c : bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    text += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return text;
}

// The value has these bytes and this schema, its bytes give it back, and no shorter piece of them gives anything.
template <class T>
void expect_encoding(const T& value, const std::string& bytes, const std::string& schema) {
  SCOPED_TRACE(schema);
  static_assert(Storable<T>);
  EXPECT_EQ(Codec<T>::schema(), schema);
  const Bytes encoding = encoded(value);
  EXPECT_EQ(hex(encoding), bytes);

  T decoded{};
  EXPECT_TRUE(decode_whole(encoding, decoded));
  EXPECT_EQ(decoded, value);
  if constexpr (kEncodedAsMemory<T>) {
    EXPECT_EQ(encoding, Bytes(reinterpret_cast<const char*>(&value), sizeof value));
  }

  for (std::size_t size = 0; size < encoding.size(); ++size) {
    // On the heap and no longer than this, so that a sanitizer sees a read beyond the end.
    const std::unique_ptr<char[]> piece{new char[size]};
    encoding.copy(piece.get(), size);
    ByteView in{piece.get(), size};
    T cut{};
    EXPECT_FALSE(Codec<T>::decode(in, cut)) << "of the first " << size << " bytes";
  }

  // What follows belongs to the next value.
  const Bytes followed = encoding + "rest";
  ByteView in = followed;
  T again{};
  EXPECT_TRUE(Codec<T>::decode(in, again));
  EXPECT_EQ(in, "rest");
}

// These bytes are stored on disks: a change here needs a migration, not a new expectation.
TEST(Codec, WritesTheBytesThatStoredStateRelyOn) {
  using namespace std::chrono_literals;
  expect_encoding(std::int64_t{-2}, "feffffffffffffff", "i64");
  expect_encoding(std::uint8_t{200}, "c8", "u8");
  expect_encoding(std::int16_t{258}, "0201", "i16");
  expect_encoding('a', "61", "char");
  expect_encoding(true, "01", "bool");
  expect_encoding(Colour::kBlue, "02", "u8");
  expect_encoding(1.5, "000000000000f83f", "f64");
  expect_encoding(1.5F, "0000c03f", "f32");
  expect_encoding(Duration{3}, "0300000000000000", "duration<i64,1/1000000>");
  expect_encoding(std::chrono::duration<std::int32_t, std::ratio<60>>{5}, "05000000", "duration<i32,60/1>");
  expect_encoding(event_time(-1), "ffffffffffffffff", "time<i64,1/1000000>");
  expect_encoding(std::string{"abc"}, "03616263", "string");
  expect_encoding(std::string{}, "00", "string");
  expect_encoding(std::string(130, 'x'), "8201" + hex(std::string(130, 'x')), "string");
  expect_encoding(std::pair<std::uint8_t, std::string>{7, "b"}, "070162", "struct{u8,string}");
  expect_encoding(std::tuple<std::uint8_t, bool, std::uint16_t>{1, false, 2}, "01000200", "struct{u8,bool,u16}");
  expect_encoding(std::array<std::uint16_t, 2>{1, 2}, "01000200", "array<u16,2>");
  expect_encoding(std::array<std::string, 2>{"a", ""}, "016100", "array<string,2>");
  expect_encoding(std::optional<std::uint8_t>{}, "00", "optional<u8>");
  expect_encoding(std::optional<std::uint8_t>{9}, "0109", "optional<u8>");
  expect_encoding(std::variant<std::monostate, std::uint8_t, std::string>{}, "0000", "variant{struct{},u8,string}");
  expect_encoding(std::variant<std::monostate, std::uint8_t, std::string>{"z"}, "02017a", "variant{struct{},u8,string}");
  expect_encoding(std::vector<std::uint16_t>{1, 2}, "0201000200", "list<u16>");
  expect_encoding(std::vector<bool>{true, false}, "020100", "list<bool>");
  expect_encoding(std::vector<std::string>{"a", "bc"}, "020161026263", "list<string>");
  expect_encoding(std::deque<std::uint8_t>{5, 6}, "020506", "list<u8>");
  expect_encoding(std::set<std::string>{"b", "a"}, "0201610162", "set<string>");
  expect_encoding(std::map<std::uint8_t, std::string>{{2, "y"}, {1, "x"}}, "0201017802" "0179", "map<u8,string>");
  expect_encoding(std::unordered_set<std::uint8_t>{4}, "0104", "set<u8>");
  expect_encoding(std::unordered_map<std::uint8_t, std::uint8_t>{{4, 5}}, "010405", "map<u8,u8>");
  expect_encoding(Nothing{}, "00", "struct{}");
  expect_encoding(std::vector<Nothing>(3), "03000000", "list<struct{}>");
  expect_encoding(Point{.x = 1, .y = -1}, "01000000ffffffff", "struct{i32,i32}");
  expect_encoding(Padded{.a = 1, .b = 2}, "010200000000000000", "struct{u8,i64}");
  expect_encoding(Flagged{.on = true, .letter = 'b'}, "0162", "struct{bool,char}");
  expect_encoding(Sum{.count = 1, .total = 1.5}, "0100000000000000000000000000f83f", "struct{i64,f64}");
  expect_encoding(Window{event_time(1), event_time(2)}, "01000000000000000200000000000000",
                  "struct{time<i64,1/1000000>,time<i64,1/1000000>}");
  expect_encoding(Account{.owner = "me", .grade = 3, .path = {{1, 2}}, .tags = {{"t", 4}}},
                  "026d65" "0103" "010100000002000000" "01017404000000",
                  "struct{string,optional<u8>,list<struct{i32,i32}>,map<string,i32>}");
}

TEST(Codec, OfTheUserWinsAlsoInsideOtherTypes) {
  expect_encoding(Shouted{12}, "313221", "shouted");
  expect_encoding(std::vector<Shouted>{{1}, {2}}, "0231213221", "list<shouted>");
  expect_encoding(WithText{Text{"a"}, {7}}, "01613721", "struct{text,shouted}");
  expect_encoding(std::optional<Text>{Text{"a"}}, "010161", "optional<text>");
}

TEST(Codec, ReplacesWhatTheTargetHeldBefore) {
  Account target{.owner = "old", .grade = 1, .path = {{9, 9}, {8, 8}}, .tags = {{"old", 1}}};
  ASSERT_TRUE(decode_whole(encoded(Account{}), target));
  EXPECT_EQ(target, Account{});
}

TEST(Codec, KnowsWhatHasNone) {
  struct OwnConstructor {
    explicit OwnConstructor(int value) : value_(value) {}
    int value_;
  };
  struct Base {
    int a;
  };
  struct Derived : Base {
    int b;
  };
  struct EmptyBase {};
  struct DerivedFromEmpty : EmptyBase {
    int b;
  };
  struct CArray {
    int before;
    char name[16];
    std::string after;
  };
  struct CArrayOfOne {
    char name[1];
  };
  struct Pointer {
    int* at;
  };
  struct Constant {
    const int value;
  };
  union Either {
    int a;
    float b;
  };
  static_assert(!Storable<OwnConstructor>);
  static_assert(!Storable<Derived>);
  static_assert(!Storable<DerivedFromEmpty>);
  static_assert(!Storable<CArray>);
  static_assert(!Storable<CArrayOfOne>);
  static_assert(!Storable<Pointer>);
  static_assert(!Storable<Constant>);
  static_assert(!Storable<Either>);
  static_assert(!Storable<int*> && !Storable<int[3]> && !Storable<std::string_view> && !Storable<long double> && !Storable<const int>);
  static_assert(!Storable<std::unique_ptr<int>>);
  static_assert(!Storable<std::vector<Pointer>> && !Storable<std::optional<Pointer>> && !Storable<std::variant<int, Pointer>>);
  static_assert(!Storable<std::map<int, Pointer>> && !Storable<std::pair<int, Pointer>> && !Storable<std::array<Pointer, 2>>);
  static_assert(!Storable<std::array<int, 0>>);
}

// K3
TEST(KeyType, IsEveryTypeWithACanonicalCodec) {
  static_assert(KeyType<std::int64_t> && KeyType<bool> && KeyType<Colour> && KeyType<std::string> && KeyType<EventTime>);
  static_assert(KeyType<Point> && KeyType<Padded> && KeyType<Account> && KeyType<Window> && KeyType<Text>);
  static_assert(KeyType<std::pair<std::string, Point>> && KeyType<std::variant<std::monostate, Text>>);
  static_assert(!KeyType<double> && !KeyType<Sum> && !KeyType<std::vector<float>> && !KeyType<std::map<int, double>>);
  static_assert(!KeyType<std::chrono::duration<double>> && !KeyType<std::optional<Sum>>);
  static_assert(!KeyType<std::unordered_set<int>> && !KeyType<std::pair<int, std::unordered_map<int, int>>>);
  static_assert(!KeyType<Shouted> && !KeyType<WithText>);   // a codec of the user without kCanonical
  static_assert(!KeyType<int*>);
}

// K3: padding holds garbage, and equal keys must not differ by it.
TEST(KeyType, HasEqualBytesForEqualValuesWhateverThePaddingHolds) {
  alignas(Padded) unsigned char first_memory[sizeof(Padded)];
  alignas(Padded) unsigned char second_memory[sizeof(Padded)];
  std::memset(first_memory, 0x00, sizeof first_memory);
  std::memset(second_memory, 0xFF, sizeof second_memory);
  auto* first = reinterpret_cast<Padded*>(first_memory);
  auto* second = reinterpret_cast<Padded*>(second_memory);
  first->a = second->a = 1;
  first->b = second->b = 2;
  ASSERT_NE(std::memcmp(first_memory, second_memory, sizeof(Padded)), 0);
  EXPECT_EQ(encoded(*first), encoded(*second));
  Bytes scratch;
  EXPECT_EQ(hash_key(*first, 7, scratch), hash_key(*second, 7, scratch));
}

TEST(KeyType, HasOneHashWhetherItIsMemoryOrBytes) {
  Bytes scratch = "left over";
  const Point point{.x = 3, .y = 4};
  static_assert(kEncodedAsMemory<Point> && kEncodedAsMemory<std::int64_t> && !kEncodedAsMemory<Padded> && !kEncodedAsMemory<std::string>);
  EXPECT_EQ(hash_key(point, 5, scratch), hash_bytes(encoded(point), 5));
  EXPECT_EQ(hash_key(std::string{"key"}, 5, scratch), hash_bytes(encoded(std::string{"key"}), 5));
}

TEST(Schema, HasAFingerprintThatIsItsXxh3) {
  EXPECT_EQ(schema_fingerprint(""), 0x2D06800538D394C2U);   // XXH3 of nothing, as published
  EXPECT_NE(schema_fingerprint("struct{i64}"), schema_fingerprint("struct{u64}"));
}

TEST(Footprint, IsWhatAValueOwnsOnTheHeap) {
  EXPECT_EQ(tidemark::footprint(std::int64_t{1}), 0U);
  EXPECT_EQ(tidemark::footprint(Point{}), 0U);
  EXPECT_EQ(tidemark::footprint(std::string{"short"}), 0U);
  const std::string text(100, 'x');
  EXPECT_EQ(tidemark::footprint(text), text.capacity() + 1);
  std::vector<std::int64_t> numbers;
  numbers.reserve(10);
  EXPECT_EQ(tidemark::footprint(numbers), 80U);
  const std::vector<std::string> texts{text, "short"};
  EXPECT_EQ(tidemark::footprint(texts), 2 * sizeof(std::string) + tidemark::footprint(texts[0]));
  EXPECT_EQ(tidemark::footprint(std::optional<std::string>{}), 0U);
  EXPECT_GE(tidemark::footprint(std::map<std::string, std::vector<std::string>>{{text, texts}}),
            tidemark::footprint(text) + tidemark::footprint(texts) + 56);
  EXPECT_GE(tidemark::footprint(std::unordered_map<int, int>{{1, 2}}), 16U);
  EXPECT_EQ(tidemark::footprint(Account{.owner = text, .grade = {}, .path = {}, .tags = {}}), tidemark::footprint(text));
}

TEST(Footprint, IsAskedFromTheUserWhoseAnswerWins) {
  EXPECT_EQ(tidemark::footprint(Text{"abc"}), 1003U);
  EXPECT_EQ(tidemark::footprint(WithText{Text{"abc"}, {}}), 1003U);
  EXPECT_EQ(tidemark::footprint(std::optional<Text>{Text{"abc"}}), 1003U);
}

}  // namespace

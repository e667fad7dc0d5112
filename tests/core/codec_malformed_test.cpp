#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <tidemark/core/codec.hpp>

namespace {

using namespace tidemark;

struct Flagged {
  bool on = false;
  char letter = 'x';
};
enum class Flag : bool {};
struct Nothing {};

// Breaks the rule that an encoding has at least one byte.
struct Vacuous {
  int number = 0;
};

}  // namespace

template <>
struct tidemark::Codec<Vacuous> {
  static void encode(const Vacuous&, Bytes&) {}
  [[nodiscard]] static bool decode(ByteView&, Vacuous&) { return true; }
  static std::string schema() { return "vacuous"; }
};

namespace {

template <class T>
bool decodes(ByteView bytes) {
  T value{};
  return decode_whole(bytes, value);
}

Bytes of(std::initializer_list<int> bytes) {
  Bytes text;
  for (const int byte : bytes) text += static_cast<char>(byte);
  return text;
}

TEST(Decode, RefusesBytesThatNoValueHas) {
  EXPECT_FALSE(decodes<bool>(of({2})));
  EXPECT_FALSE(decodes<Flag>(of({2})));
  EXPECT_FALSE(decodes<Flagged>(of({2, 'x'})));
  EXPECT_FALSE((decodes<std::array<bool, 2>>(of({0, 3}))));
  EXPECT_FALSE(decodes<std::vector<bool>>(of({1, 3})));
  EXPECT_FALSE(decodes<std::optional<std::uint8_t>>(of({2, 1})));
  EXPECT_FALSE((decodes<std::variant<std::uint8_t, std::uint16_t>>(of({2, 1, 1}))));
  EXPECT_FALSE(decodes<Nothing>(of({1})));
  EXPECT_FALSE(decodes<std::set<std::uint8_t>>(of({2, 1, 1}))) << "the same entry twice";
  EXPECT_FALSE((decodes<std::map<std::uint8_t, std::uint8_t>>(of({2, 1, 5, 1, 6})))) << "the same key twice";
}

TEST(Decode, TakesTheEntriesOfASetInAnyOrder) {
  std::set<std::uint8_t> set;
  ASSERT_TRUE(decode_whole(of({3, 2, 1, 3}), set));
  EXPECT_EQ(set, (std::set<std::uint8_t>{1, 2, 3}));
}

TEST(Decode, RefusesBytesThatAreLeftOver) { EXPECT_FALSE(decodes<std::uint8_t>(of({1, 2}))); }

// A forged length must neither be believed nor be allocated: these would take exabytes.
TEST(Decode, ChecksALengthBeforeItAllocates) {
  const Bytes largest = of({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01});
  const Bytes wraps_around = of({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20});   // 2^61: times eight is 0
  for (const Bytes& length : {largest, wraps_around}) {
    EXPECT_FALSE(decodes<std::string>(length));
    EXPECT_FALSE(decodes<std::vector<std::int64_t>>(length));
    EXPECT_FALSE(decodes<std::vector<std::string>>(length));
    EXPECT_FALSE(decodes<std::vector<Nothing>>(length));
    EXPECT_FALSE(decodes<std::vector<Vacuous>>(length)) << "and this would take for ever";
    EXPECT_FALSE(decodes<std::deque<std::int64_t>>(length));
    EXPECT_FALSE(decodes<std::set<std::int64_t>>(length));
    EXPECT_FALSE((decodes<std::map<std::int64_t, std::int64_t>>(length)));
  }
}

TEST(Decode, RefusesALengthThatIsLongerThanSixtyFourBits) {
  EXPECT_FALSE(decodes<std::string>(of({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02})));
  EXPECT_FALSE(decodes<std::string>(of({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00})));
}

}  // namespace

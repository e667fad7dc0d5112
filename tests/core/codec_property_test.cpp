#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <tidemark/core/codec.hpp>

namespace {

using namespace tidemark;

// A failing property prints the seed and how to repeat it (RC_PARAMS).
template <class Property>
void expect_property(const std::string& name, Property property) {
  EXPECT_TRUE(rc::check(name, property));
}

using Deep = std::tuple<std::vector<std::optional<std::string>>, std::map<std::string, std::vector<std::int32_t>>, bool, double,
                        std::variant<std::uint8_t, std::vector<bool>>>;

Deep any_deep() {
  Deep value;
  for (auto& [present, text] : *rc::gen::arbitrary<std::vector<std::pair<bool, std::string>>>()) {
    std::get<0>(value).push_back(present ? std::optional{text} : std::nullopt);
  }
  std::get<1>(value) = *rc::gen::arbitrary<std::map<std::string, std::vector<std::int32_t>>>();
  std::get<2>(value) = *rc::gen::arbitrary<bool>();
  std::get<3>(value) = *rc::gen::arbitrary<double>();
  if (const auto bytes = *rc::gen::arbitrary<std::vector<std::uint8_t>>(); bytes.size() % 2 == 0) {
    auto& bits = std::get<4>(value).emplace<1>();
    for (const std::uint8_t byte : bytes) bits.push_back(byte % 2 == 0);
  } else {
    std::get<4>(value) = bytes.front();
  }
  return value;
}

TEST(CodecProperties, EveryValueComesBackFromItsBytes) {
  expect_property("round trip", [] {
    const Deep value = any_deep();
    Deep decoded;
    RC_ASSERT(decode_whole(encoded(value), decoded));
    RC_ASSERT(decoded == value);
  });
}

TEST(CodecProperties, NoStrictBeginningOfAnEncodingIsAnEncoding) {
  expect_property("prefix-free", [] {
    const Deep value = any_deep();
    const Bytes bytes = encoded(value);
    const std::vector<char> piece(bytes.begin(), bytes.begin() + *rc::gen::inRange<std::ptrdiff_t>(0, std::ssize(bytes)));
    ByteView in{piece.data(), piece.size()};
    Deep decoded;
    RC_ASSERT(!Codec<Deep>::decode(in, decoded));
  });
}

TEST(CodecProperties, AnyBytesAreRefusedOrGiveAValueThatSurvives) {
  using Loose = std::tuple<std::optional<bool>, std::vector<std::uint16_t>, std::variant<std::uint8_t, std::string>>;
  expect_property("arbitrary bytes", [](const std::vector<char>& bytes) {
    ByteView in{bytes.data(), bytes.size()};
    Loose value;
    if (!Codec<Loose>::decode(in, value)) return;
    RC_ASSERT(in.size() < bytes.size());
    Loose again;
    RC_ASSERT(decode_whole(encoded(value), again));
    RC_ASSERT(again == value);
  });
}

// K3
TEST(CodecProperties, EqualMapsHaveEqualBytesHoweverTheyWereFilled) {
  expect_property("canonical", [](const std::unordered_map<std::string, std::int64_t>& entries) {
    const std::map<std::string, std::int64_t> forwards(entries.begin(), entries.end());
    std::map<std::string, std::int64_t> backwards;
    for (auto entry = forwards.rbegin(); entry != forwards.rend(); ++entry) backwards.insert(*entry);
    RC_ASSERT(encoded(forwards) == encoded(backwards));
  });
}

}  // namespace

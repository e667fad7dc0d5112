// CapnpMessage: a value, its bytes, and what is refused (S08, S12, K9). The schema is that of release 1.

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include <capnp/any.h>
#include <gmock/gmock.h>

#include <tidemark/core/random.hpp>
#include <tidemark/state/backend.hpp>

#include "reading_support.hpp"
#include "v1/reading.capnp.h"

namespace tidemark {
namespace {

using capnp_test::expect_golden;
using capnp_test::golden;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Reading = CapnpMessage<wire::Reading>;

Reading sample() {
  Reading reading;
  const Status changed = reading.change([](wire::Reading::Builder to) {
    to.setSensor("roof");
    to.setCelsius(21.5);
    to.initPlace().setX(-3);
    auto tags = to.initTags(2);
    tags.set(0, "a");
    tags.set(1, "bc");
    to.setError(17);
    to.setKind(wire::Kind::WATER);
  });
  EXPECT_TRUE(changed.ok());
  return reading;
}

std::string text_of(const Reading& reading) {
  return reading.read([](wire::Reading::Reader from) { return std::string{kj::str(from).cStr()}; });
}

TEST(CapnpMessage, IsAValueOfItsOwn) {
  const Reading original = sample();
  Reading copy = original;
  EXPECT_EQ(copy, original);
  ASSERT_TRUE(copy.change([](wire::Reading::Builder to) { to.getPlace().setY(4); }).ok());
  EXPECT_FALSE(copy == original);
  EXPECT_EQ(text_of(original),
            R"((sensor = "roof", celsius = 21.5, place = (x = -3, y = 0), tags = ["a", "bc"], error = 17, kind = water))");
  EXPECT_EQ(copy.read([](wire::Reading::Reader from) { return from.getPlace().getY(); }), 4);
  EXPECT_GT(footprint(copy), 40U);
}

TEST(CapnpMessage, HasDefaultsWhereNothingWasSet) {
  const Reading empty;
  EXPECT_EQ(empty.read([](wire::Reading::Reader from) { return from.getCelsius(); }), -273.15);
  Reading untouched;
  ASSERT_TRUE(untouched.change([](wire::Reading::Builder) {}).ok());
  EXPECT_EQ(untouched, empty);
  Reading reset = sample();
  ASSERT_TRUE(reset.change([](wire::Reading::Builder to) {
    to.setCelsius(-273.15);
    to.disownSensor(), to.disownPlace(), to.disownTags();
    to.setError(0), to.setNone();
    to.setKind(wire::Kind::AIR);
  }).ok());
  EXPECT_EQ(reset, empty);   // canonical: how it came to be cannot be seen
}

TEST(CapnpMessage, IsAsItWasIfTheEditThrows) {
  Reading reading = sample();
  EXPECT_THROW((void)reading.change([](wire::Reading::Builder to) {
    to.setError(1);
    throw std::runtime_error("no");
  }), std::runtime_error);
  EXPECT_EQ(reading, sample());
}

// S12, F49. The golden files are those that release 1 has written.
TEST(CapnpMessage, IsWrittenAsReleaseOneWroteIt) {
  expect_golden(encoded(sample()), "reading_v1.bin");
  expect_golden(Codec<Reading>::schema(), "reading_v1.schema");
}

TEST(CapnpMessage, ComesBackFromItsEncodingWithMoreBehindIt) {
  const Reading reading = sample();
  const Bytes two = encoded(reading) + encoded(Reading{});
  ByteView in = two;
  Reading first, second;
  ASSERT_TRUE(Codec<Reading>::decode(in, first));
  ASSERT_TRUE(Codec<Reading>::decode(in, second));
  EXPECT_TRUE(in.empty());
  EXPECT_EQ(first, reading);
  EXPECT_EQ(second, Reading{});
}

TEST(CapnpMessage, TakesMessagesInManySegmentsFromElsewhere) {
  capnp::MallocMessageBuilder builder{1, capnp::AllocationStrategy::FIXED_SIZE};
  sample().read([&](wire::Reading::Reader from) { builder.setRoot(from); });
  const auto segments = builder.getSegmentsForOutput();
  ASSERT_GT(segments.size(), 1U);
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(segments);
  const auto chars = words.asChars();
  // Not aligned.
  const Bytes shifted = "x" + Bytes{chars.begin(), chars.size()};
  const auto taken = Reading::from_bytes(ByteView{shifted}.substr(1));
  ASSERT_TRUE(taken.ok()) << taken.error().describe();
  EXPECT_EQ(*taken, sample());
  EXPECT_EQ(Reading::from_bytes(sample().to_bytes()).status().ok(), true);
  Reading stored;
  EXPECT_FALSE(decode_whole(ByteView{shifted}.substr(1), stored));   // never written so
}

Bytes framed(std::initializer_list<std::uint32_t> table, const std::vector<std::uint64_t>& words) {
  Bytes bytes;
  for (const std::uint32_t number : table) append_u32(bytes, number);
  for (const std::uint64_t word : words) append_u64(bytes, word);
  return bytes;
}

// A chain of structs, each of which is nothing but a pointer to the next one.
std::vector<std::uint64_t> chain(std::size_t depth) {
  std::vector<std::uint64_t> words(depth, std::uint64_t{1} << 48);   // struct pointer, offset 0, no data, one pointer
  words.back() = 0xFFFFFFFC;
  return words;
}

TEST(CapnpMessage, RefusesMalformedBytesByTheTable) {   // S08
  struct Case {
    const char* what;
    Bytes bytes;
  };
  const std::vector<Case> cases{
      {"nothing", ""},
      {"half a table", framed({0}, {})},
      {"no word", framed({0, 0}, {})},
      {"a word too few", framed({0, 2}, {0xFFFFFFFC})},
      {"a word too many", framed({0, 1}, {0xFFFFFFFC, 0})},
      {"a count of segments that overflows", framed({0xFFFFFFFF, 1}, {0xFFFFFFFC})},
      {"65 segments", framed({64, 1}, std::vector<std::uint64_t>(33, 0))},
      {"sizes whose sum overflows", framed({1, 0xFFFFFFFF, 2, 0}, {0xFFFFFFFC})},
      {"a size beyond all", framed({0, 0xFFFFFFFF}, {0xFFFFFFFC})},
      {"a struct outside", framed({0, 1}, {std::uint64_t{1} << 32 | 40})},
      {"a list outside", framed({0, 2}, {std::uint64_t{1} << 48, 1 | 40 << 2 | std::uint64_t{2 | 100 << 3} << 32})},
      {"a list of no size and many elements", framed({0, 2}, {std::uint64_t{1} << 48, 1 | std::uint64_t{0xFFFFFFF8} << 32})},
      {"a far pointer to nowhere", framed({0, 1}, {2 | std::uint64_t{7} << 32})},
      {"a far pointer to itself", framed({0, 1}, {2})},
      {"a capability", framed({0, 1}, {3})},
      {"a chain of 40", framed({0, 40}, chain(40))},
      {"a chain of a million", framed({0, 1'000'000}, chain(1'000'000))},
      {"a circle", framed({0, 2}, {std::uint64_t{1} << 48, std::uint64_t{1} << 48 | 0xFFFFFFF8})},
  };
  for (const Case& one : cases) {
    Reading reading = sample();
    EXPECT_FALSE(decode_whole(one.bytes, reading)) << one.what;
  }
  // From elsewhere a message need not be canonical, but its table must be sound and its content within the limits.
  for (std::size_t i = 0; i < 9; ++i) {
    const auto taken = Reading::from_bytes(cases[i].bytes);
    ASSERT_FALSE(taken.ok()) << cases[i].what;
    EXPECT_EQ(taken.error().code, ErrorCode::kDecodeFailed);
    EXPECT_FALSE(taken.error().why.empty());
  }
  EXPECT_FALSE(Reading::from_bytes(cases[15].bytes).ok());
  EXPECT_FALSE(Reading::from_bytes(cases[17].bytes).ok());
}

// S08: whatever a message from elsewhere points to, no look at it throws afterwards.
TEST(CapnpMessage, F34IsRefusedIfAPointerLeadsToSomethingElseThanTheSchemaSays) {
  const std::uint64_t root = std::uint64_t{1} << 48;   // no data, and a pointer, which is the sensor's
  const std::uint64_t roof = 0x0000666F6F72;           // "roof"
  const auto bytes = [](std::uint64_t count) { return 1 | (2 | count << 3) << 32; };
  ASSERT_TRUE(Reading::from_bytes(framed({0, 3}, {root, bytes(5), roof})).ok());
  for (const std::uint64_t pointer : {bytes(4),                       // a text without its NUL
                                      std::uint64_t{1} << 32,         // a struct
                                      1 | std::uint64_t{5 | 1 << 3} << 32}) {   // a list of numbers
    const auto taken = Reading::from_bytes(framed({0, 3}, {root, pointer, roof}));
    ASSERT_FALSE(taken.ok()) << pointer;
    EXPECT_EQ(taken.error().code, ErrorCode::kDecodeFailed);
  }
}

// A row that could not be read back would count as damaged, and with it the checkpoint.
TEST(CapnpMessage, IsRefusedIfItCouldNotBeReadBackOnceItIsStored) {   // S08
  struct Case {
    const char* what;
    int depth;                // of structs behind the sensor's pointer
    unsigned nothings;        // elements without content at their end
    bool kept;
  };
  for (const Case& one : {Case{"flat", 1, 0, true}, Case{"as deep as may be", 29, 0, true}, Case{"deeper", 32, 0, false},
                          Case{"much deeper", 4000, 0, false}, Case{"few elements", 1, 500, true}, Case{"many", 1, 1100, false},
                          Case{"more than any", 1, 1 << 28, false}}) {
    SCOPED_TRACE(one.what);
    const auto grow = [&one](wire::Reading::Builder to) {
      capnp::AnyPointer::Builder end = capnp::toAny(to).getPointerSection()[0];
      for (int i = 0; i < one.depth; ++i) end = end.initAsAnyStruct(0, 1).getPointerSection()[0];
      if (one.nothings > 0) end.initAs<capnp::List<capnp::Void>>(one.nothings);
    };
    Reading reading = sample();
    const Status changed = reading.change(grow);
    ASSERT_EQ(changed.ok(), one.kept);
    if (!one.kept) {
      EXPECT_EQ(changed.error().code, ErrorCode::kRecordRefused);
      EXPECT_EQ(reading, sample());
    }
    Reading stored;
    EXPECT_TRUE(decode_whole(encoded(reading), stored));
    EXPECT_EQ(stored, reading);
  }
}

// Of a message from elsewhere also where the schema leads to nothing.
TEST(CapnpMessage, IsRefusedIfPointersThatTheSchemaDoesNotKnowAreBeyondTheLimits) {   // S08
  const std::uint64_t root = std::uint64_t{8} << 48;   // pointers only, the last of which is no field of release 1
  std::vector<std::uint64_t> words{root, 0, 0, 0, 0, 0, 0, 0};
  const auto with = [&words](const std::vector<std::uint64_t>& last) {
    std::vector<std::uint64_t> all = words;
    all.insert(all.end(), last.begin(), last.end());
    return Reading::from_bytes(framed({0, static_cast<std::uint32_t>(all.size())}, all));
  };
  for (const auto& [elements, taken] : {std::pair{500U, true}, std::pair{1100U, false}}) {
    const auto message = with({1 | std::uint64_t{elements} << 35});
    EXPECT_EQ(message.ok(), taken) << elements;
    if (!message.ok()) {
      EXPECT_EQ(message.error().code, ErrorCode::kDecodeFailed);
    }
  }
  EXPECT_TRUE(with(chain(20)).ok());
  EXPECT_FALSE(with(chain(40)).ok());
}

TEST(CapnpMessage, IsSoundOrRefusedWithAnyBitFlipped) {   // S08
  const Bytes bytes = encoded(sample());
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Bytes damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    Reading reading;
    if (decode_whole(damaged, reading)) {
      try {
        (void)text_of(reading).size();   // a text without its end, say, is found here, and harms nobody
      } catch (const kj::Exception&) {
      }
      EXPECT_EQ(encoded(reading), damaged) << "bit " << bit;
    } else {
      ++refused;
    }
    (void)Reading::from_bytes(damaged).ok();
  }
  EXPECT_GT(refused, 100U);
  SeededRandom random(3);
  for (int i = 0; i < 20'000; ++i) {
    Bytes noise = bytes;
    for (int k = 0; k < 4; ++k) noise[8 + random.next() % (noise.size() - 8)] = static_cast<char>(random.next());
    Reading reading;
    if (decode_whole(noise, reading)) {
      EXPECT_EQ(encoded(reading), noise);
    }
    (void)Reading::from_bytes(noise).ok();
  }
}

TEST(CapnpMessage, KeepsWhatALaterReleaseHasPutIntoIt) {
  Reading reading;
  ASSERT_TRUE(decode_whole(golden("reading_v2.bin"), reading));
  EXPECT_EQ(reading.read([](wire::Reading::Reader from) { return from.getCelsius(); }), 21.5);
  EXPECT_EQ(encoded(reading), golden("reading_v2.bin"));
}

TEST(CapnpMessage, IsNoKey) { EXPECT_FALSE(KeyType<Reading>); }

// K9: what of a stored schema is here must be there.
TEST(CapnpSchema, ReadsItselfAndIsNotReadOnceAFieldIsGone) {
  const std::string ours = Codec<Reading>::schema();
  EXPECT_TRUE(Codec<Reading>::reads(ours));
  EXPECT_FALSE(Codec<Reading>::reads(golden("reading_v2.schema")));   // as if the fields of release 2 were removed
  EXPECT_THAT(ours, StartsWith("capnp:9d5b3c1a7e2f4860{"));
  EXPECT_THAT(ours, HasSubstr("9d5b3c1a7e2f4860{0:text@0;1:f64@0="));
  EXPECT_THAT(ours, HasSubstr("c1d2e3f405162738{0:air;1:water}"));
}

TEST(CapnpSchema, IsNotReadIfAnythingOfItHasChanged) {
  const std::string ours = Codec<Reading>::schema();
  const auto stored_with = [&](const std::string& part, const std::string& other) {
    std::string stored = ours;
    const std::size_t at = stored.find(part);
    EXPECT_NE(at, std::string::npos) << part;
    return stored.replace(at, part.size(), other);
  };
  struct Case {
    const char* what;
    std::string stored;
  };
  const std::vector<Case> cases{
      {"another root", stored_with("capnp:9d5b", "capnp:9d5c")},
      {"another type", stored_with("0:text@0", "0:data@0")},
      {"another place", stored_with("0:text@0", "0:text@1")},
      {"another ordinal", stored_with("0:text@0", "9:text@0")},
      {"another default", stored_with("1:f64@0=", "1:f64@0=0")},
      {"no default", stored_with(ours.substr(ours.find("1:f64@0="), 24), "1:f64@0")},
      {"another union", stored_with("|1@", "|2@")},
      {"another type of a list", stored_with("list<text>", "list<data>")},
      {"a field of an inner struct", stored_with("1:i32@1", "1:i64@1")},
      {"an inner struct that is gone", stored_with("a1b2c3d4e5f60718{", "a1b2c3d4e5f60719{")},
      {"an enumerant", stored_with("1:water", "1:steam")},
      {"no schema of Cap'n Proto", "struct{i64}"},
      {"nothing", ""},
      {"half of it", ours.substr(0, ours.size() / 2)},
      {"one brace less", ours.substr(0, ours.size() - 1)},
      {"noise", "capnp:9d5b3c1a7e2f4860{{{;}}"},
  };
  for (const Case& one : cases) EXPECT_FALSE(Codec<Reading>::reads(one.stored)) << one.what << ": " << one.stored;
}

// A state of messages says at a restore what it reads, and one of other types does not.
TEST(CapnpSchema, IsAskedForByTheStateThatHoldsMessages) {
  StateBackend backend({}, 0, 128);
  const StateSchema& messages = backend.keyed_table<std::uint64_t, Reading>("messages").schema();
  ASSERT_NE(messages.reads, nullptr);
  EXPECT_TRUE(messages.reads(messages.value));
  EXPECT_FALSE(messages.reads("u64"));
  EXPECT_EQ((backend.keyed_table<std::uint64_t, std::uint64_t>("numbers").schema().reads), nullptr);
  const auto& slices = backend.slice_table<std::uint64_t, Reading>("slices");
  const auto& buffer = backend.time_buffer<std::uint64_t, Reading>("buffer");
  EXPECT_NE(slices.schema().reads, nullptr);
  EXPECT_NE(buffer.schema().reads, nullptr);
}

}  // namespace
}  // namespace tidemark

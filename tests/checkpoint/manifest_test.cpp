// The bytes of a manifest (reliability R1, R2, S08; faults F15, F16, F49).

#include <limits>

#include <gmock/gmock.h>

#include <tidemark/checkpoint/manifest.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/core/hash.hpp>

#include "sample_manifest.hpp"
#include "src/footer.hpp"

namespace tidemark {
namespace {

using test_support::sample_manifest;

constexpr std::size_t kFooterBytes = 136;
constexpr std::size_t kTailBytes = 24;   // version, footer size, checksum, magic

Bytes encoded(const Manifest& manifest) {
  const Result<Bytes> bytes = encode_manifest(manifest);
  EXPECT_TRUE(bytes.ok()) << bytes.error().describe();
  return bytes.ok() ? *bytes : Bytes{};
}

// Sets the checksum right again, as a file has it that was made on purpose.
Bytes resealed(Bytes bytes) {
  const std::size_t at = bytes.size() - 16;
  Bytes checksum;
  append_u64(checksum, hash_bytes(ByteView{bytes}.substr(0, at), 0));
  return bytes.replace(at, 8, checksum);
}

// The payload in a footer that is right.
Bytes framed(Bytes payload) {
  const Manifest sample = sample_manifest();
  checkpoint_internal::append_footer(payload, {kManifestFormatVersion, sample.checkpoint, sample.job, sample.lineage},
                                     checkpoint_internal::kManifestMagic);
  return payload;
}

TEST(Manifest, ComesBackWithEveryFieldAndEqualOnesHaveEqualBytes) {
  const Manifest manifest = sample_manifest();
  const Bytes bytes = encoded(manifest);
  const Result<Manifest> decoded = decode_manifest(bytes, "m");
  ASSERT_TRUE(decoded.ok()) << decoded.error().describe();
  EXPECT_TRUE(*decoded == manifest);
  EXPECT_EQ(encoded(*decoded), bytes);
}

TEST(Manifest, HoldsTheExtremesOfEveryNumber) {
  Manifest manifest = sample_manifest();
  manifest.operators[1].states[1].kind = "map";
  manifest.operators[1].states[1].entry = "struct{string,u8}";
  manifest.operators[1].states[1].stamped = true;
  manifest.attempt = std::numeric_limits<std::uint64_t>::max();
  manifest.seed = std::numeric_limits<std::uint64_t>::max();
  manifest.key_groups = std::numeric_limits<std::uint32_t>::max();
  manifest.operators[1].states[0].dropped_through = kPlusInfinity;
  manifest.operators[1].states[0].live_buckets = {kMinusInfinity, kFirstRecordTime, kLastRecordTime, kPlusInfinity};
  manifest.committables.push_back({.sink = "out", .subtask = 0xFFFFFFFF, .epoch = 7, .bytes = Bytes(3'000'000, 'x')});
  manifest.finished = true;
  const Result<Manifest> decoded = decode_manifest(encoded(manifest), "m");
  ASSERT_TRUE(decoded.ok()) << decoded.error().describe();
  EXPECT_TRUE(*decoded == manifest);
}

TEST(Manifest, OfTheFirstReleaseIsStillRead) {
  const std::string path = std::string{GOLDEN_DIRECTORY} + "/manifest_v1.bin";
  const Result<Bytes> bytes = read_file(posix_file_system(), path, 1 << 20);
  ASSERT_TRUE(bytes.ok()) << bytes.error().describe();
  const Result<Manifest> decoded = decode_manifest(*bytes, path);
  ASSERT_TRUE(decoded.ok()) << decoded.error().describe();
  EXPECT_TRUE(*decoded == sample_manifest());
}

// Faults F15, F16; promise 7.
TEST(Manifest, F16WithAnyBitFlippedIsCorrupt) {
  const Bytes bytes = encoded(sample_manifest());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Bytes damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const Result<Manifest> decoded = decode_manifest(damaged, "dir/manifest");
    ASSERT_FALSE(decoded.ok()) << "bit " << bit;
    ASSERT_EQ(decoded.error().code, ErrorCode::kCheckpointCorrupt) << "bit " << bit;
    ASSERT_THAT(decoded.error().message, ::testing::HasSubstr("dir/manifest"));
  }
}

TEST(Manifest, F15CutAtAnyByteOrFollowedByMoreIsCorrupt) {
  const Bytes bytes = encoded(sample_manifest());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Result<Manifest> cut = decode_manifest(ByteView{bytes}.substr(0, size), "m");
    ASSERT_FALSE(cut.ok()) << size;
    ASSERT_EQ(cut.error().code, ErrorCode::kCheckpointCorrupt);
    Bytes zero_tail = bytes;
    std::fill(zero_tail.begin() + static_cast<std::ptrdiff_t>(size), zero_tail.end(), '\0');
    ASSERT_FALSE(decode_manifest(zero_tail, "m").ok() && zero_tail != bytes) << size;
  }
  EXPECT_FALSE(decode_manifest(bytes + '\0', "m").ok());
  EXPECT_FALSE(decode_manifest(bytes + bytes, "m").ok());
}

// S08. The checksum is right here, so the parser is what stands.
TEST(Manifest, MadeByAnEnemyIsRefusedOrSoundButNeverHarms) {
  const Bytes bytes = encoded(sample_manifest());
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < (bytes.size() - kTailBytes) * 8; ++bit) {
    Bytes forged = bytes;
    forged[bit / 8] = static_cast<char>(forged[bit / 8] ^ (1 << (bit % 8)));
    const Result<Manifest> decoded = decode_manifest(resealed(forged), "m");
    if (decoded.ok()) {
      EXPECT_TRUE(check_manifest(*decoded).ok());
    } else {
      ++refused;
      ASSERT_EQ(decoded.error().code, ErrorCode::kCheckpointCorrupt);
    }
  }
  EXPECT_GT(refused, bytes.size());
}

TEST(Manifest, WithAMalformedSegmentTableIsCorrupt) {
  const auto refused = [](const Bytes& payload) {
    const Result<Manifest> decoded = decode_manifest(framed(payload), "m");
    return !decoded.ok() && decoded.error().code == ErrorCode::kCheckpointCorrupt;
  };
  const auto table = [](std::initializer_list<std::uint32_t> numbers, std::size_t words) {
    Bytes payload;
    for (const std::uint32_t number : numbers) append_u32(payload, number);
    return payload + Bytes(words * 8, '\0');
  };
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused("1234567"));
  EXPECT_TRUE(refused(table({0xFFFFFFFF, 0}, 1)));         // a count that overflows to 0
  EXPECT_TRUE(refused(table({64, 1}, 1)));                 // one segment too many
  EXPECT_TRUE(refused(table({0, 2}, 1)));                  // longer than the message
  EXPECT_TRUE(refused(table({0, 0}, 1)));                  // shorter
  EXPECT_TRUE(refused(table({0, 0xFFFFFFFF}, 1)));
  EXPECT_TRUE(refused(table({1, 0xFFFFFFFF, 2, 0}, 1)));   // a sum that would overflow 32 bits
  EXPECT_TRUE(refused(table({0, 1}, 1)));                  // a null root: an empty manifest, which is not sound
}

TEST(Manifest, F49OfANewerFormatIsRefusedWithBothVersions) {
  Bytes bytes = encoded(sample_manifest());
  Bytes version;
  append_u32(version, kManifestFormatVersion + 1);
  bytes = resealed(bytes.replace(bytes.size() - kTailBytes, 4, version));
  const Result<Manifest> decoded = decode_manifest(bytes, "m");
  ASSERT_FALSE(decoded.ok());
  EXPECT_EQ(decoded.error().code, ErrorCode::kRestoreRefused);
  EXPECT_THAT(decoded.error().describe(), ::testing::AllOf(::testing::HasSubstr("2"), ::testing::HasSubstr("1")));
}

TEST(Manifest, WhoseFooterNamesAnotherCheckpointIsCorrupt) {
  Bytes bytes = encoded(sample_manifest());
  bytes[bytes.size() - kFooterBytes] = 'k';   // first letter of the job
  const Result<Manifest> decoded = decode_manifest(resealed(bytes), "m");
  ASSERT_FALSE(decoded.ok());
  EXPECT_EQ(decoded.error().code, ErrorCode::kCheckpointCorrupt);
}

TEST(Manifest, ThatContradictsItselfIsNotWritten) {
  const std::vector<std::pair<const char*, void (*)(Manifest&)>> cases{
      {"job", [](Manifest& m) { m.job = "../etc"; }},
      {"lineage", [](Manifest& m) { m.lineage = "0123"; }},
      {"lineage letters", [](Manifest& m) { m.lineage = std::string(32, 'g'); }},
      {"attempt", [](Manifest& m) { m.attempt = 0; }},
      {"checkpoint", [](Manifest& m) { m.checkpoint = 0; }},
      {"previous", [](Manifest& m) { m.previous = m.checkpoint; }},
      {"key groups", [](Manifest& m) { m.key_groups = 0; }},
      {"two operators", [](Manifest& m) { m.operators.push_back(m.operators[0]); }},
      {"parallelism 0", [](Manifest& m) { m.operators[0].parallelism = 0; }},
      {"parallelism above the key groups", [](Manifest& m) { m.operators[0].parallelism = 129; }},
      {"two states", [](Manifest& m) { m.operators[1].states[1].name = "panes"; }},
      {"two states with one number", [](Manifest& m) { m.operators[1].states[1].id = 1; }},
      {"state number never given", [](Manifest& m) { m.operators[1].states[1].id = 5; }},
      {"state number 0", [](Manifest& m) { m.operators[1].states[1].id = 0; }},
      {"discarded state in use", [](Manifest& m) { m.discarded_states = {4}; }},
      {"buckets", [](Manifest& m) { std::swap(m.operators[1].states[0].live_buckets[0], m.operators[1].states[0].live_buckets[1]); }},
      {"source without operator", [](Manifest& m) { m.sources[0].operator_name = "nobody"; }},
      {"two sinks", [](Manifest& m) { m.sinks.push_back("out"); }},
      {"output of no sink", [](Manifest& m) { m.committables[0].sink = "nobody"; }},
      {"epochs", [](Manifest& m) { std::swap(m.committables[0], m.committables[1]); }},
      {"epoch to come", [](Manifest& m) { m.committables[1].epoch = 8; }},
      {"file elsewhere", [](Manifest& m) { m.files[0].name = "../000012.sst"; }},
      {"file twice", [](Manifest& m) { m.files.push_back(m.files[0]); }},
  };
  for (const auto& [what, spoil] : cases) {
    Manifest manifest = sample_manifest();
    spoil(manifest);
    EXPECT_FALSE(check_manifest(manifest).ok()) << what;
    EXPECT_FALSE(encode_manifest(manifest).ok()) << what;
  }
}

TEST(Manifest, KeepsThePlaceOfASourceThatWasDropped) {
  Manifest manifest = sample_manifest();
  manifest.sources.insert(manifest.sources.begin(), {.operator_name = "", .splits = {{}, {}}});
  const Result<Manifest> decoded = decode_manifest(encoded(manifest), "m");
  ASSERT_TRUE(decoded.ok()) << decoded.error().describe();
  EXPECT_EQ(decoded->sources, manifest.sources);
}

TEST(Manifest, TellsTheStoreWhichRowsAreDead) {
  Manifest manifest = sample_manifest();
  manifest.operators[1].states[1].stamped = true;
  manifest.operators[1].states[1].dropped_through = event_time(7);
  const std::map<StateId, Dropped> expected{
      {1, {event_time(-60'000'000), false}}, {2, {kPlusInfinity, false}}, {4, {event_time(7), true}}};
  EXPECT_EQ(dropped_rows(manifest), expected);
}

}  // namespace
}  // namespace tidemark

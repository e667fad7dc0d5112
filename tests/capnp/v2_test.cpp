// Release 2 of a schema reads what release 1 has stored (K9).

#include <gmock/gmock.h>

#include <tidemark/state/backend.hpp>

#include "../state/row_collector.hpp"
#include "reading_support.hpp"
#include "v2/reading.capnp.h"

namespace tidemark {
namespace {

using capnp_test::expect_golden;
using capnp_test::golden;
using Reading = CapnpMessage<wire::Reading>;

Reading as_release_1_stored_it() {
  Reading reading;
  EXPECT_TRUE(decode_whole(golden("reading_v1.bin"), reading));
  return reading;
}

TEST(GrownCapnpMessage, HasTheOldValuesAndTheDefaultsOfTheNewFields) {
  as_release_1_stored_it().read([](wire::Reading::Reader from) {
    EXPECT_EQ(from.getSensorName(), "roof");
    EXPECT_EQ(from.getCelsius(), 21.5);
    EXPECT_EQ(from.getPlace().getX(), -3);
    EXPECT_EQ(from.getTags().size(), 2U);
    EXPECT_EQ(from.getError(), 17);
    EXPECT_EQ(from.getKind(), wire::Kind::WATER);
    EXPECT_EQ(from.getHumidity(), 0.5F);
    EXPECT_EQ(from.getPlace().getFloor(), "ground");
    EXPECT_EQ(from.getHistory().size(), 0U);
  });
}

TEST(GrownCapnpMessage, IsWrittenAsReleaseTwoWroteIt) {
  Reading reading = as_release_1_stored_it();
  ASSERT_TRUE(reading.change([](wire::Reading::Builder to) {
    to.setHumidity(0.75);
    to.getPlace().setFloor("first");
    to.initHistory(1)[0].setAt(-1);
    to.setKind(wire::Kind::SOIL);
  }).ok());
  expect_golden(encoded(reading), "reading_v2.bin");
  expect_golden(Codec<Reading>::schema(), "reading_v2.schema");
}

TEST(GrownCapnpSchema, ReadsThatOfReleaseOneAndItself) {
  EXPECT_TRUE(Codec<Reading>::reads(golden("reading_v1.schema")));
  EXPECT_TRUE(Codec<Reading>::reads(golden("reading_v2.schema")));
}

TEST(GrownCapnpMessage, IsRestoredFromTheRowsOfReleaseOne) {
  StateBackend backend({}, 0, 128);
  auto& table = backend.keyed_table<std::uint64_t, Reading>("state");
  EXPECT_TRUE(table.schema().reads(golden("reading_v1.schema")));
  Bytes key;
  append_u64_big_endian(key, state_test::hash_of(7));
  Codec<std::uint64_t>::encode(7, key);
  ASSERT_TRUE(backend.restore_row(0, key, golden("reading_v1.bin")).ok());
  const Reading* restored = table.find(state_test::hash_of(7), 7);
  ASSERT_NE(restored, nullptr);
  EXPECT_EQ(*restored, as_release_1_stored_it());
}

}  // namespace
}  // namespace tidemark

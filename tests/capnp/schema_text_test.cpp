// Two schemas that store different things have different texts, and neither reads the other (K9).

#include <cstdio>
#include <string>

#include <gmock/gmock.h>

#include <tidemark/capnp/message.hpp>

#include "generic.capnp.h"

namespace tidemark {
namespace {

using capnp_internal::reads;
using ::testing::HasSubstr;

// As if the same struct had been declared otherwise.
template <class Schema>
std::string text_of() {
  const capnp::StructSchema schema = capnp::Schema::from<Schema>();
  std::string text = capnp_internal::schema_text(schema);
  char id[17];
  std::snprintf(id, sizeof id, "%016llx", static_cast<unsigned long long>(schema.getProto().getId()));
  for (std::size_t at = text.find(id); at != std::string::npos; at = text.find(id, at)) text.replace(at, 16, "0000000000000001");
  return text;
}

template <class One, class Other>
void expect_different() {
  EXPECT_NE(text_of<One>(), text_of<Other>());
  EXPECT_FALSE(reads(text_of<One>(), text_of<Other>()));
  EXPECT_TRUE(reads(text_of<One>(), text_of<One>()));
  EXPECT_TRUE(reads(text_of<Other>(), text_of<Other>()));
}

TEST(CapnpSchemaText, TellsGenericTypesApartByWhatTheyAreBoundTo) {
  expect_different<generic::BoxesOfPAndQ, generic::BoxesOfPAndR>();
}

TEST(CapnpSchemaText, TellsTypesInsideGenericOnesApartByWhatThoseAreBoundTo) {
  expect_different<generic::LidsOfPAndQ, generic::LidsOfPAndR>();
}

TEST(CapnpSchemaText, TellsTypesApartWhoseParametersComeFromFurtherOut) {
  expect_different<generic::MiddlesOfPAndQ, generic::MiddlesOfPAndR>();
  expect_different<generic::InnersOfPAndQ, generic::InnersOfPAndR>();
}

TEST(CapnpSchemaText, TellsDefaultsApartThatAreLists) { expect_different<generic::ListOfOne, generic::ListOfSeven>(); }

TEST(CapnpSchemaText, TellsDefaultsApartThatAreStructs) { expect_different<generic::StructOfFive, generic::StructOfSix>(); }

TEST(CapnpSchemaText, OfAGenericTypeHasItOnceForEachBinding) {
  const std::string text = text_of<generic::BoxesOfPAndQ>();
  const std::string struct_p = capnp_internal::schema_text(capnp::Schema::from<generic::P>()).substr(6, 16);
  EXPECT_THAT(text, HasSubstr("(struct<" + struct_p + ">){0:struct<" + struct_p + ">@0;1:struct<"));
}

}  // namespace
}  // namespace tidemark

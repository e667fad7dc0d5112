#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tidemark/memory/generator.hpp>
#include <tidemark/memory/memory_source.hpp>

#include "io_context.hpp"

namespace tidemark::memory_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::uint64_t square(std::uint64_t i) { return i * i; }

Source<std::uint64_t> squares(std::uint64_t count, std::uint32_t splits) {
  return generator_source<std::uint64_t>("squares", count, square, {.splits = splits});
}

TEST(Generator, DeliversEveryRecordOnceAtAnySizeOfPolls) {
  for (const std::size_t max_records : {1, 2, 3, 7, 100}) {
    const auto reader = open(squares(7, 1), "0");
    EXPECT_THAT(read_to_end<std::uint64_t>(*reader, max_records), ElementsAre(0, 1, 4, 9, 16, 25, 36)) << max_records;
  }
}

TEST(Generator, DealsRecordsOutToItsSplitsByRemainder) {
  const auto source = squares(8, 3);
  EXPECT_THAT(*source.base()->splits(io_context()), ElementsAre("0", "1", "2"));
  EXPECT_THAT(read_to_end<std::uint64_t>(*open(source, "0"), 2), ElementsAre(0, 9, 36));
  EXPECT_THAT(read_to_end<std::uint64_t>(*open(source, "1"), 2), ElementsAre(1, 16, 49));
  EXPECT_THAT(read_to_end<std::uint64_t>(*open(source, "2"), 2), ElementsAre(4, 25));
}

TEST(Generator, SaysThatItEndedInThePollThatDeliversTheLastRecord) {
  const auto reader = open(squares(4, 1), "0");
  EXPECT_EQ(poll<std::uint64_t>(*reader, 3).result, PollResult::kRecords);
  EXPECT_EQ(poll<std::uint64_t>(*reader, 1).result, PollResult::kEnd);
  const auto after = poll<std::uint64_t>(*reader, 1);
  EXPECT_EQ(after.result, PollResult::kEnd);
  EXPECT_THAT(after.values, IsEmpty());
}

TEST(Generator, HasSplitsThatAreEmptyFromTheStart) {
  EXPECT_THAT(read_to_end<std::uint64_t>(*open(squares(0, 1), "0"), 10), IsEmpty());
  EXPECT_THAT(read_to_end<std::uint64_t>(*open(squares(1, 3), "2"), 10), IsEmpty());
}

TEST(Generator, GoesOnAtEveryPositionThatItGave) {
  const auto source = squares(11, 2);
  for (const std::string split : {"0", "1"}) {
    const auto whole = read_to_end<std::uint64_t>(*open(source, split), 100);
    for (std::size_t read = 0; read <= whole.size(); ++read) {
      const auto first = open(source, split);
      auto all = poll<std::uint64_t>(*first, read).values;
      const auto second = open(source, split, first->position());
      ASSERT_NE(second, nullptr) << "split " << split << " after " << read;
      for (const std::uint64_t value : read_to_end<std::uint64_t>(*second, 2)) all.push_back(value);
      EXPECT_EQ(all, whole) << "split " << split << " after " << read;
    }
  }
}

TEST(Generator, MakesRecordsThatAreNoPlainMemory) {
  const auto source = generator_source<std::string>("names", 3, [](std::uint64_t i) { return "record " + std::to_string(i); });
  EXPECT_THAT(read_to_end<std::string>(*open(source, "0"), 2), ElementsAre("record 0", "record 1", "record 2"));
}

TEST(Generator, AddsBehindTheRecordsThatTheBatchHolds) {
  const auto reader = open(squares(3, 1), "0");
  Batch<std::uint64_t> batch;
  batch.values.push_back(77);
  std::vector<Refused> refused;
  EXPECT_TRUE(reader->poll_into(batch, 2, refused).ok());
  EXPECT_THAT(batch.values, ElementsAre(77, 0, 1));
}

// R9: a source that no longer holds what was read before is not read from.
TEST(NumberedPositions, AreRefusedWhereTheSourceCannotHaveGivenThem) {
  struct Case {
    const char* split;
    Bytes position;
  };
  const auto at = [](std::uint64_t next) { return memory_internal::encode_position(next); };
  for (const Case& wrong : {Case{"0", "x"}, Case{"0", at(3) + "x"}, Case{"0", at(5)}, Case{"1", at(0)}, Case{"0", at(14)}, Case{"1",
      at(15)}, Case{"2", ""},
                            Case{"", ""}, Case{"0x", ""}, Case{"-1", ""}}) {
    const auto reader = squares(11, 2).base()->open_split(io_context(), wrong.split, wrong.position);
    ASSERT_FALSE(reader.ok()) << wrong.split << " at " << wrong.position.size() << " bytes";
    EXPECT_EQ(reader.error().code, ErrorCode::kSourceChanged);
  }
  // Ten is the last record of split 0, so twelve is its end; thirteen the end of split 1.
  EXPECT_NE(open(squares(11, 2), "0", at(12)), nullptr);
  EXPECT_NE(open(squares(11, 2), "1", at(11)), nullptr);
}

TEST(MemorySource, DeliversEachSplitInItsOrderWithTheIndexAsPosition) {
  const auto source = memory_source(std::vector<std::vector<std::string>>{{"a", "b", "c"}, {}, {"d"}});
  EXPECT_EQ(source.base()->describe(), "4 records in memory, 3 splits");
  EXPECT_THAT(read_to_end<std::string>(*open(source, "0"), 2), ElementsAre("a", "b", "c"));
  EXPECT_THAT(read_to_end<std::string>(*open(source, "1"), 2), IsEmpty());
  EXPECT_THAT(read_to_end<std::string>(*open(source, "2"), 2), ElementsAre("d"));

  const auto reader = open(source, "0", memory_internal::encode_position(1));
  Batch<std::string> batch;
  std::vector<Refused> refused;
  EXPECT_TRUE(reader->poll_into(batch, 10, refused).ok());
  ASSERT_EQ(batch.origins.size(), 2u);
  EXPECT_EQ(batch.origins[0].position, 1u);
  EXPECT_EQ(batch.origins[1].position, 2u);
}

TEST(MemorySource, MayBeOpenedAgainAndAgain) {
  const auto source = memory_source(std::vector<int>{1, 2, 3});
  EXPECT_THAT(read_to_end<int>(*open(source, "0"), 2), ElementsAre(1, 2, 3));
  EXPECT_THAT(read_to_end<int>(*open(source, "0"), 2), ElementsAre(1, 2, 3));
}

TEST(MemorySource, RefusesAPositionBehindItsLastRecord) {
  const auto source = memory_source(std::vector<int>{1, 2, 3});
  EXPECT_THAT(read_to_end<int>(*open(source, "0", memory_internal::encode_position(3)), 2), IsEmpty());
  EXPECT_EQ(open(source, "0", memory_internal::encode_position(4)), nullptr);
}

TEST(MemorySource, PausesOnceAfterEachRunOfRecords) {
  const auto source = memory_source(std::vector<int>{1, 2, 3, 4, 5}, {.pause_every = 2, .pause = std::chrono::milliseconds{7}});
  const auto reader = open(source, "0");
  EXPECT_EQ(reader->poll_again_after(), std::chrono::milliseconds{7});
  EXPECT_THAT(poll<int>(*reader, 10).values, ElementsAre(1, 2));
  EXPECT_EQ(poll<int>(*reader, 10).result, PollResult::kNothingNow);
  EXPECT_THAT(poll<int>(*reader, 1).values, ElementsAre(3));
  EXPECT_THAT(poll<int>(*reader, 10).values, ElementsAre(4));
  EXPECT_EQ(poll<int>(*reader, 10).result, PollResult::kNothingNow);
  const auto last = poll<int>(*reader, 10);
  EXPECT_THAT(last.values, ElementsAre(5));
  EXPECT_EQ(last.result, PollResult::kEnd);
}

}  // namespace
}  // namespace tidemark::memory_test

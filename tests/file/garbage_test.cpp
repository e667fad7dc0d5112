// Files of garbage: a clear error or a refusal each, never a crash, and nothing lost around them (fault F34).

#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tidemark/core/random.hpp>
#include <tidemark/file/csv.hpp>
#include <tidemark/file/lines.hpp>
#include <tidemark/file/ndjson.hpp>

#include "read_source.hpp"
#include "support/recording_file_system.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace tidemark;
using namespace tidemark::file_test;
using test_support::TemporaryDirectory;
using testing::ElementsAre;
using testing::HasSubstr;

struct Amount {
  std::int64_t card = 0;
  double amount = 0;
};

Source<Amount> amounts(const std::string& path) {
  return csv_source({.path = path}, {"card", "amount"}, [](CsvRow& row) { return Amount{row.integer(0), row.number(1)}; });
}

std::string binary(std::size_t size) {
  SeededRandom random(7);
  std::string bytes;
  while (bytes.size() < size) append_u64(bytes, random.next());
  return bytes;
}

class Garbage : public testing::Test {
 protected:
  std::string path() const { return directory_ / "in.csv"; }
  Outcome<Amount> read(ByteView contents) {
    write_file(path(), contents);
    return read_source(amounts(path()));
  }
  void expect_error(const Outcome<Amount>& outcome, const char* part) {
    EXPECT_EQ(outcome.error.code, ErrorCode::kSourceFailed);
    EXPECT_THAT(outcome.error.describe(), HasSubstr(part));
    EXPECT_THAT(outcome.error.describe(), HasSubstr("in.csv"));
    EXPECT_TRUE(outcome.values.empty());
  }

  TemporaryDirectory directory_;
};

TEST_F(Garbage, InPlaceOfAHeaderIsAnError) {
  expect_error(read(binary(100'000)), "does not begin with a CSV header");
  expect_error(read(std::string(3'000'000, '\0')), "does not begin with a header line");
  expect_error(read(std::string(3'000'000, 'x')), "does not begin with a header line");
  expect_error(read("\"card,amount\n1,2\n"), "does not begin with a header line");
  expect_error(read("\xFF\xFE" "c\0a\0r\0d\0"), "does not begin with a CSV header");   // UTF-16
}

TEST_F(Garbage, AsAHeaderOfOtherColumnsIsAnError) { expect_error(read("user,total\n1,2\n"), "has no column \"card\""); }

TEST_F(Garbage, ThatIsEmptyIsAnError) {
  expect_error(read(""), "is empty");
  expect_error(read("\n\n"), "is empty");
  expect_error(read("\xEF\xBB\xBF"), "is empty");
}

TEST_F(Garbage, F34BehindAHeaderIsRefusedAndRowsAroundItAreNot) {
  const auto outcome = read("card,amount\n1,2\n" + binary(300'000) + "\n3,4\n");
  ASSERT_TRUE(outcome.ok()) << outcome.error.describe();
  EXPECT_GT(outcome.refused.size(), 10u);
  EXPECT_EQ(outcome.values.front().card, 1);
  EXPECT_EQ(outcome.values.back().card, 3);
}

TEST_F(Garbage, OfARowThatIsCutOffIsRefused) {
  const auto outcome = read("card,amount\n1,2\n3");
  EXPECT_EQ(outcome.values.size(), 1u);
  ASSERT_EQ(outcome.refused.size(), 1u);
  EXPECT_EQ(outcome.refused[0].position, 16u);
}

TEST_F(Garbage, F39OfALineOf100MegabytesTakesNoMemory) {
  {
    std::ofstream file(path(), std::ios::binary);
    file << "card,amount\n1,2\n";
    const std::string block(1 << 20, 'x');
    for (int i = 0; i < 100; ++i) file << block;
    file << "\n3,4\n";
  }
  struct rusage before {};
  struct rusage after {};
  ::getrusage(RUSAGE_SELF, &before);
  const auto outcome = read_source(amounts(path()));
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 32 * 1024) << "KiB";
  EXPECT_EQ(outcome.values.size(), 2u);
  ASSERT_EQ(outcome.refused.size(), 1u);
  EXPECT_EQ(outcome.refused[0].reason, QuarantineReason::kTooLarge);
  EXPECT_EQ(outcome.refused[0].position, 16u);
  EXPECT_EQ(outcome.refused[0].payload.size(), kQuarantinePayloadLimit);
  EXPECT_THAT(outcome.refused[0].error, HasSubstr("1048576 bytes"));
}

TEST_F(Garbage, ThatIsNotThereOrIsNoFileIsAnError) {
  expect_error(read_source(amounts(path())), "there is no file to read");
  ASSERT_TRUE(posix_file_system().make_directory(path()).ok());
  expect_error(read_source(amounts(path())), "there is no file to read");   // an empty directory
  ASSERT_TRUE(posix_file_system().remove_directory(path()).ok());
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  expect_error(read_source(amounts(path())), "not a regular file");
  ASSERT_EQ(::unlink(path().c_str()), 0);
  write_file(directory_ / "target", "card,amount\n");
  ASSERT_EQ(::symlink((directory_ / "target").c_str(), path().c_str()), 0);
  expect_error(read_source(amounts(path())), "symbolic link");
}

TEST_F(Garbage, ThatMayNotBeReadIsAnError) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything; FileSource.ReportsEveryFailureOfTheFileSystem covers this";
  write_file(path(), "card,amount\n1,2\n");
  ASSERT_EQ(::chmod(path().c_str(), 0), 0);
  expect_error(read_source(amounts(path())), "Permission denied");
}

TEST_F(Garbage, F34OfAnyKindNeverBreaksAReader) {
  SeededRandom random(11);
  const std::string letters = "\"\",,\n\r01.\\{}[]:\xFF\xC3";
  for (int round = 0; round < 300; ++round) {
    std::string bytes = round % 2 == 0 ? "card,amount\n" : "";
    const std::size_t size = random.next() % 400;
    for (std::size_t i = 0; i < size; ++i) bytes += letters[random.next() % letters.size()];
    write_file(path(), bytes);
    (void)read_source(amounts(path()));
    const auto lines = read_source(lines_source({.path = path(), .max_record_bytes = 50}));
    EXPECT_TRUE(lines.ok());
    const auto objects = read_source(ndjson_source({.path = path()}, [](JsonObject& object) { return object.integer("0"); }));
    EXPECT_TRUE(objects.ok());
  }
}

}  // namespace

// What a connector logs in with (S15).

#include <atomic>
#include <concepts>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>
#include <malloc.h>

#include <tidemark/core/secret.hpp>

#include "support/temporary_directory.hpp"

namespace {

constexpr std::string_view kCanary = "canary-5f1c";
std::atomic<int> given_back_with_the_canary{0};

}  // namespace

void* operator new(std::size_t size) {
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  if (memory == nullptr) return;
  const std::string_view bytes{static_cast<const char*>(memory), ::malloc_usable_size(memory)};
  if (bytes.find(kCanary) != std::string_view::npos) ++given_back_with_the_canary;
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { ::operator delete(memory); }

namespace {

using namespace tidemark;
using test_support::TemporaryDirectory;

FileSystem& disk() { return posix_file_system(); }

std::string file_with(const TemporaryDirectory& directory, const std::string& contents) {
  EXPECT_TRUE(publish_file(disk(), directory / "secret", contents).ok());
  return "file:" + directory / "secret";
}

std::string revealed(const Result<Secret>& secret) {
  return secret.ok() ? std::string{secret->reveal()} : secret.error().describe();
}

TEST(Secret, IsReadFromAFileWithoutOneLineEndBehindIt) {
  const TemporaryDirectory directory;
  EXPECT_EQ(revealed(Secret::from(disk(), file_with(directory, "hush\n"))), "hush");
  EXPECT_EQ(revealed(Secret::from(disk(), file_with(directory, "hush"))), "hush");
  EXPECT_EQ(revealed(Secret::from(disk(), file_with(directory, " two\nlines\n\n"))), " two\nlines\n");
  EXPECT_EQ(revealed(Secret::from(disk(), file_with(directory, std::string(kLongestSecret, 'x')))), std::string(kLongestSecret, 'x'));
}

TEST(Secret, IsReadFromTheEnvironment) {
  ASSERT_EQ(::setenv("TIDEMARK_TEST_SECRET", "hush", 1), 0);
  EXPECT_EQ(revealed(Secret::from(disk(), "env:TIDEMARK_TEST_SECRET")), "hush");
  ASSERT_EQ(::unsetenv("TIDEMARK_TEST_SECRET"), 0);
  EXPECT_FALSE(Secret::from(disk(), "env:TIDEMARK_TEST_SECRET").ok());
}

TEST(Secret, IsRefusedWhenItIsEmptyTooLongOrNotThere) {
  const TemporaryDirectory directory;
  for (const std::string& contents : {std::string{}, std::string{"\n"}, std::string(kLongestSecret + 1, 'x')}) {
    const auto secret = Secret::from(disk(), file_with(directory, contents));
    ASSERT_FALSE(secret.ok()) << contents.size();
    EXPECT_EQ(secret.error().code, ErrorCode::kBadConfiguration);
  }
  EXPECT_FALSE(Secret::from(disk(), "file:" + directory / "absent").ok());
}

TEST(Secret, IsNotShownByTheErrorThatRefusesItInPlaceOfAReference) {
  const auto secret = Secret::from(disk(), kCanary);
  ASSERT_FALSE(secret.ok());
  EXPECT_EQ(secret.error().describe().find(kCanary), std::string::npos) << secret.error().describe();
}

TEST(Secret, LeavesNoCopyInMemoryThatIsGivenBack) {
  const TemporaryDirectory directory;
  const std::string reference = file_with(directory, "x" + std::string{kCanary});
  given_back_with_the_canary = 0;
  { const std::string copy = std::string(64, '!') + std::string{kCanary}; }   // memory is looked at
  ASSERT_GE(given_back_with_the_canary.exchange(0), 1);
  {
    auto first = Secret::from(disk(), reference);
    auto second = Secret::from(disk(), reference);
    ASSERT_TRUE(first.ok() && second.ok());
    Secret moved = *std::move(first);
    EXPECT_TRUE(first->reveal().empty());
    EXPECT_EQ(moved.reveal().substr(1), kCanary);
    moved = *std::move(second);   // wipes what it had
    EXPECT_EQ(moved.reveal().substr(1), kCanary);
  }
  EXPECT_EQ(given_back_with_the_canary, 0);
}

TEST(Secret, MatchesItselfAlone) {
  const TemporaryDirectory directory;
  const auto secret = Secret::from(disk(), file_with(directory, "hush"));
  ASSERT_TRUE(secret.ok());
  EXPECT_TRUE(secret->matches("hush"));
  for (const std::string_view other : {"", "hus", "hush!", "Hush", "husH", "hu\0h"}) EXPECT_FALSE(secret->matches(other)) << other;
}

// What else there is to betray it does not compile: tests/core/refused/*_secret.cpp.
static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);
static_assert(!std::equality_comparable<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string_view> && !std::is_convertible_v<Secret, std::string>);

}  // namespace

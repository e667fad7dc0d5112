// Reads and writes that do a part of what was asked, or are interrupted (fault F12). No regular file gives these when it is wanted.

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "src/whole_transfer.hpp"

namespace {

using namespace tidemark;
using core_internal::read_whole;
using core_internal::write_whole;

constexpr int kInterrupted = -EINTR;

// Answers each call from a list: so many bytes at most, or minus the errno.
class Answers {
 public:
  explicit Answers(std::vector<int> answers) : answers_(std::move(answers)) {}
  ssize_t next(std::size_t size) {
    const int answer = answers_.at(calls_++);
    if (answer >= 0) return static_cast<ssize_t>(std::min<std::size_t>(size, static_cast<std::size_t>(answer)));
    errno = -answer;
    return -1;
  }
  bool asked_all() const { return calls_ == answers_.size(); }

 private:
  std::vector<int> answers_;
  std::size_t calls_ = 0;
};

struct Written {
  int reason = 0;
  std::string bytes;
  bool asked_all = false;
};

Written write_with(const std::vector<int>& answers, const std::string& bytes) {
  Answers system(answers);
  Written written;
  written.reason = write_whole(bytes, [&](const char* data, std::size_t size) {
    const ssize_t taken = system.next(size);
    if (taken > 0) written.bytes.append(data, static_cast<std::size_t>(taken));
    return taken;
  });
  written.asked_all = system.asked_all();
  return written;
}

TEST(WriteWhole, F12GoesOnAfterShortAndInterruptedWrites) {
  for (const std::vector<int>& answers : std::vector<std::vector<int>>{
           {10}, {1, 2, 7}, {kInterrupted, 10}, {3, kInterrupted, kInterrupted, 7}, {9, kInterrupted, 1}}) {
    const Written written = write_with(answers, "0123456789");
    EXPECT_EQ(written.reason, 0);
    EXPECT_EQ(written.bytes, "0123456789");
    EXPECT_TRUE(written.asked_all);
  }
}

TEST(WriteWhole, F12EndsAtTheFirstErrorThatIsNoInterruption) {
  const Written written = write_with({4, kInterrupted, -EIO}, "0123456789");
  EXPECT_EQ(written.reason, EIO);
  EXPECT_EQ(written.bytes, "0123");
  EXPECT_EQ(write_with({4, 0}, "0123456789").reason, ENOSPC) << "a write of nothing would be repeated for ever";
  EXPECT_EQ(write_with({}, "").reason, 0) << "nothing to write asks nobody";
}

struct Taken {
  int reason = 0;
  std::string bytes;
};

// From a file of ten digits.
Taken read_with(const std::vector<int>& answers, std::uint64_t offset, std::size_t size) {
  const std::string file = "0123456789";
  Answers system(answers);
  std::string buffer(size, '?');
  std::size_t done = 0;
  Taken taken;
  taken.reason = read_whole(buffer.data(), size, offset, done, [&](char* data, std::size_t wanted, off_t at) {
    const std::size_t left = file.size() - std::min(file.size(), static_cast<std::size_t>(at));
    const ssize_t some = system.next(std::min(wanted, left));
    if (some > 0) file.copy(data, static_cast<std::size_t>(some), static_cast<std::size_t>(at));
    return some;
  });
  taken.bytes = buffer.substr(0, done);
  return taken;
}

TEST(ReadWhole, F12GoesOnAfterShortAndInterruptedReads) {
  for (const std::vector<int>& answers :
       std::vector<std::vector<int>>{{6}, {1, 5}, {kInterrupted, 6}, {2, kInterrupted, 3, kInterrupted, 1}}) {
    const Taken taken = read_with(answers, 3, 6);
    EXPECT_EQ(taken.reason, 0);
    EXPECT_EQ(taken.bytes, "345678");
  }
}

TEST(ReadWhole, F12EndsAtTheEndOfTheFileOrTheFirstError) {
  EXPECT_EQ(read_with({2, 9, 9}, 5, 8).bytes, "56789") << "an answer of nothing is the end";
  EXPECT_EQ(read_with({2, kInterrupted, -EIO}, 3, 6).reason, EIO);
}

}  // namespace

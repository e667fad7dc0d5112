// The watchdog in virtual time (fault F37): which calls it names, when, and how often.

#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "src/watchdog.hpp"

namespace tidemark::runtime_internal {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Two callers, looked at whenever the watchdog wants to.
class Watched {
 public:
  explicit Watched(std::chrono::milliseconds limit)
      : watchdog_(limit, 2, Logger::to_sink([this](LogLevel, std::string_view line) { said_.emplace_back(line); })) {
    watchdog_.begin_look(now_);
  }

  // The calls that they are in, until `time` has passed; 0: none.
  void let_pass(std::chrono::milliseconds time, std::uint64_t first, std::uint64_t second) {
    for (const auto end = now_ + time; watchdog_.next_look() && *watchdog_.next_look() <= end;) {
      now_ = *watchdog_.next_look();
      watchdog_.begin_look(now_);
      if (watchdog_.see(0, first, now_)) watchdog_.report(0, now_, "the first", "; it is at 7");
      if (watchdog_.see(1, second, now_)) watchdog_.report(1, now_, "the second", "");
    }
  }
  std::vector<std::string> take_said() { return std::exchange(said_, {}); }
  std::vector<std::string> hanging() const {
    std::vector<std::string> names;
    for (const Watchdog::Hang& hang : watchdog_.hangs()) names.push_back(hang.what);
    return names;
  }
  std::uint64_t changes() const { return watchdog_.changes(); }

 private:
  Watchdog::Time now_{};
  std::vector<std::string> said_;
  Watchdog watchdog_;
};

TEST(Watchdog, F37NamesACallThatDoesNotReturnOnceAndSaysWhenItHas) {
  Watched watched(1000ms);
  watched.let_pass(1000ms, 1, 0);   // seen first after a quarter of the limit
  EXPECT_THAT(watched.take_said(), IsEmpty());
  watched.let_pass(5000ms, 1, 0);
  EXPECT_THAT(watched.take_said(), ElementsAre("the first has not returned for 1000 ms; it is at 7"));
  EXPECT_THAT(watched.hanging(), ElementsAre("the first"));
  watched.let_pass(250ms, 0, 0);
  EXPECT_THAT(watched.take_said(), ElementsAre("the first has returned after 6000 ms"));
  EXPECT_THAT(watched.hanging(), IsEmpty());
}

TEST(Watchdog, F37SaysNothingOfManyCallsThatReturnOneAfterTheOther) {
  Watched watched(1000ms);
  for (std::uint64_t call = 1; call < 100; ++call) watched.let_pass(900ms, call, 0);
  EXPECT_THAT(watched.take_said(), IsEmpty());
  EXPECT_EQ(watched.changes(), 0U);
}

TEST(Watchdog, F37TellsCallersApartAndTheirNextHangToo) {
  Watched watched(1000ms);
  watched.let_pass(2000ms, 1, 4);
  EXPECT_THAT(watched.take_said(),
              ElementsAre("the first has not returned for 1000 ms; it is at 7", "the second has not returned for 1000 ms"));
  watched.let_pass(2000ms, 2, 4);   // another call, between two looks
  EXPECT_THAT(watched.take_said(),
              ElementsAre("the first has returned after 2000 ms", "the first has not returned for 1000 ms; it is at 7"));
  EXPECT_THAT(watched.hanging(), ElementsAre("the first", "the second"));
}

TEST(Watchdog, IsNeverWokenWithoutALimit) {
  Watched watched(0ms);
  watched.let_pass(1h, 1, 1);
  EXPECT_THAT(watched.take_said(), IsEmpty());
}

}  // namespace
}  // namespace tidemark::runtime_internal

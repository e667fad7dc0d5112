// Paced sources: what comes when, and that a position never covers what was read ahead.

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include <tidemark/file/csv.hpp>
#include <tidemark/file/pace.hpp>

#include "read_source.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace tidemark;
using namespace tidemark::file_test;
using namespace std::chrono_literals;
using test_support::TemporaryDirectory;
using testing::ElementsAre;
using testing::IsEmpty;

struct Event {
  EventTime at;
  std::int64_t id = 0;
};

class Paced : public testing::Test {
 protected:
  Source<Event> events(const std::string& bytes) {
    write_file(directory_ / "in.csv", "at,id\n" + bytes);
    return csv_source({.path = directory_ / "in.csv"}, {"at", "id"},
                      [](CsvRow& row) { return Event{row.unix_seconds(0), row.integer(1)}; });
  }
  void open(const Source<Event>& source, const Bytes& position = {}) {
    auto opened = source.base()->open_split(io_, "in.csv", position);
    ASSERT_TRUE(opened.ok()) << opened.error().describe();
    reader_ = *std::move(opened);
  }
  // The ids that come before the source waits or ends.
  std::vector<std::int64_t> now() {
    outcome_ = {};
    drain(*reader_, 1000, outcome_);
    std::vector<std::int64_t> ids;
    for (const Event& event : outcome_.values) ids.push_back(event.id);
    return ids;
  }
  // Moves the clock to when the source wants to be asked again.
  void wait() { clock_.advance(reader_->poll_again_after()); }

  TemporaryDirectory directory_;
  ManualClock clock_;
  IoContext io_ = io_on(posix_file_system(), clock_);
  std::unique_ptr<SplitReaderBase> reader_;
  Outcome<Event> outcome_;
};

TEST_F(Paced, ByRateGivesSoManyRecordsEachSecond) {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += "0," + std::to_string(i) + "\n";
  open(paced(events(bytes), Pace::records_per_second(10)));
  EXPECT_EQ(now().size(), 1u);
  std::size_t delivered = 1;
  for (int i = 0; i < 50; ++i) {
    clock_.advance(100ms);
    delivered += now().size();
  }
  EXPECT_NEAR(static_cast<double>(delivered), 51, 1);
  clock_.advance(1h);
  EXPECT_EQ(now().size(), 10u) << "what was missed in an hour does not come at once";
  wait();
  EXPECT_EQ(now().size(), 1u);
}

TEST_F(Paced, ByNoRateIsTheSourceItself) {
  const auto source = events("0,1\n");
  EXPECT_EQ(paced(source, Pace::records_per_second(0)).base(), source.base());
  EXPECT_EQ(paced(source, Pace::event_time(0), &Event::at).base(), source.base());
}

TEST_F(Paced, ByEventTimeKeepsTheDistancesOfTheRecords) {
  open(paced(events("100,1\n100,2\n160,3\nbad,4\n150,5\n280,6\n"), Pace::event_time(60), &Event::at));
  EXPECT_THAT(now(), ElementsAre(1, 2));
  EXPECT_EQ(reader_->poll_again_after(), 1000ms);
  clock_.advance(999ms);
  EXPECT_THAT(now(), IsEmpty());
  wait();
  EXPECT_THAT(now(), ElementsAre(3, 5)) << "an earlier time is due at once";
  EXPECT_EQ(outcome_.refused.size(), 1u);
  EXPECT_NEAR(static_cast<double>(reader_->poll_again_after().count()), 2000, 2);
  wait();
  EXPECT_THAT(now(), ElementsAre(6));
  EXPECT_EQ(outcome_.last, PollResult::kEnd);
}

TEST_F(Paced, ByEventTimeDoesNotCountWhatItReadAhead) {
  const auto source = paced(events("0,1\nbad,2\n60,3\n60,4\n120,5\n"), Pace::event_time(60), &Event::at);
  open(source);
  std::vector<std::int64_t> all;
  std::size_t refused = 0;
  for (int restarts = 0; restarts < 5 && outcome_.last != PollResult::kEnd; ++restarts) {
    for (const std::int64_t id : now()) all.push_back(id);
    refused += outcome_.refused.size();
    open(source, reader_->position());   // the record read ahead must come again, and what was refused on the way to it
  }
  EXPECT_THAT(all, ElementsAre(1, 3, 4, 5));
  EXPECT_EQ(refused, 1u);
}

TEST(Pace, ReadsASpeedAsAPersonWritesIt) {
  for (const auto& [text, speed] : std::vector<std::pair<std::string, double>>{{"60x", 60}, {"60", 60}, {"0.5x", 0.5}, {"1e3x", 1000}}) {
    const auto parsed = Pace::speed(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(parsed->speed, speed) << text;
  }
  for (const std::string text : {"", "x", "fast", "60y", "60xx", "60 x", "0x", "-1x", "inf", "nanx", "1e999"}) {
    const auto parsed = Pace::speed(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kUsage);
    EXPECT_THAT(parsed.error().describe(), testing::HasSubstr("\"" + text + "\" is no speed"));
    EXPECT_THAT(parsed.error().fix, testing::HasSubstr("60x"));
  }
}

TEST_F(Paced, TakesAnyTimesWithoutOverflow) {
  open(paced(events("-9223372036854775807,1\n9223372036854775807,2\n-9223372036854775807,3\n"), Pace::event_time(1e-9), &Event::at));
  EXPECT_THAT(now(), ElementsAre(1));
  EXPECT_EQ(reader_->poll_again_after(), 60s);
}

}  // namespace

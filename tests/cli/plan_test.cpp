// What `plan` prints, in each format, for one small job.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <tidemark/memory/callback.hpp>
#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/memory/memory_source.hpp>
#include <tidemark/operators/stream.hpp>

namespace tidemark {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

struct Click {
  std::string user;
  EventTime at;
};
using Counted = WindowResult<std::string, std::uint64_t>;

Graph clicks_per_user(const MemorySink<Counted>& results) {
  Graph graph;
  graph.from("clicks", memory_source(std::vector<Click>{}))
      .with_event_time(&Click::at, {.out_of_orderness = 5s})
      .key_by(&Click::user)
      .window(tumbling(1min))
      .aggregate("per_user", count())
      .to("results", results.sink());
  return graph;
}

TEST(Plan, IsReadableText) {
  const MemorySink<Counted> results;
  EXPECT_EQ(plan(clicks_per_user(results), 2, PlanFormat::kText), "");
}

TEST(Plan, IsDot) {
  const MemorySink<Counted> results;
  EXPECT_EQ(plan(clicks_per_user(results), 2, PlanFormat::kDot), "");
}

TEST(Plan, IsMermaid) {
  const MemorySink<Counted> results;
  EXPECT_EQ(plan(clicks_per_user(results), 2, PlanFormat::kMermaid), "");
}

TEST(Plan, IsJson) {
  const MemorySink<Counted> results;
  EXPECT_EQ(plan(clicks_per_user(results), 2, PlanFormat::kJson), "");
}

TEST(Plan, ShowsNoExchangeWhereThereIsOneTask) {
  const MemorySink<Counted> results;
  EXPECT_THAT(plan(clicks_per_user(results), 1, PlanFormat::kText), Not(HasSubstr("exchanged")));
}

}  // namespace
}  // namespace tidemark

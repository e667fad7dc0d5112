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
  EXPECT_EQ(plan(clicks_per_user(results), 2, PlanFormat::kText), R"(parallelism 2

clicks  [source] 0 records in memory, 1 split
event_time-1  [stateless] event time, out of order by 5s
  <- clicks
key_by-1  [stateless] key string
  <- event_time-1
per_user  [stateful] tumbling window 1min
  <- key_by-1, exchanged by key
results  [sink] memory
  <- per_user
  guarantee: exactly once

warning: late records of "per_user" are dropped and logged: nobody reads .late() and there is no quarantine sink (L6)
)");
}

TEST(Plan, IsDot) {
  const MemorySink<Counted> results;
  EXPECT_EQ(plan(clicks_per_user(results), 2, PlanFormat::kDot), R"(digraph job {
  rankdir=LR;
  node [shape=box];
  n0 [label="clicks\n0 records in memory, 1 split"];
  n1 [label="event_time-1\nevent time, out of order by 5s"];
  n2 [label="key_by-1\nkey string"];
  n3 [label="per_user\ntumbling window 1min", style=bold];
  n4 [label="results\nmemory"];
  n0 -> n1;
  n1 -> n2;
  n2 -> n3 [label="by key"];
  n3 -> n4;
}
)");
}

TEST(Plan, IsMermaid) {
  const MemorySink<Counted> results;
  EXPECT_EQ(plan(clicks_per_user(results), 2, PlanFormat::kMermaid), R"(flowchart LR
  n0["clicks<br/>0 records in memory, 1 split"]
  n1["event_time-1<br/>event time, out of order by 5s"]
  n2["key_by-1<br/>key string"]
  n3["per_user<br/>tumbling window 1min"]
  n4["results<br/>memory"]
  n0 --> n1
  n1 --> n2
  n2 -->|by key| n3
  n3 --> n4
)");
}

TEST(Plan, IsJson) {
  const MemorySink<Counted> results;
  EXPECT_EQ(plan(clicks_per_user(results), 2, PlanFormat::kJson),
            R"json({"parallelism":2,"stages":[)json"
            R"json({"id":0,"name":"clicks","kind":"source","description":"0 records in memory, 1 split"},)json"
            R"json({"id":1,"name":"event_time-1","kind":"stateless","description":"event time, out of order by 5s"},)json"
            R"json({"id":2,"name":"key_by-1","kind":"stateless","description":"key string"},)json"
            R"json({"id":3,"name":"per_user","kind":"stateful","description":"tumbling window 1min"},)json"
            R"json({"id":4,"name":"results","kind":"sink","description":"memory","guarantee":"exactly once"}],"edges":[)json"
            R"json({"from":0,"outlet":"","to":1,"exchange":false},)json"
            R"json({"from":1,"outlet":"","to":2,"exchange":false},)json"
            R"json({"from":2,"outlet":"","to":3,"exchange":true},)json"
            R"json({"from":3,"outlet":"","to":4,"exchange":false}],"warnings":[)json"
            R"json("late records of \"per_user\" are dropped and logged: nobody reads .late() and there is no quarantine sink (L6)"]})json"
            "\n");
}

TEST(Plan, ShowsNoExchangeWhereThereIsOneTask) {
  const MemorySink<Counted> results;
  EXPECT_THAT(plan(clicks_per_user(results), 1, PlanFormat::kText), Not(HasSubstr("exchanged")));
}

}  // namespace
}  // namespace tidemark

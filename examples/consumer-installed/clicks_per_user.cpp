// Counts the clicks of each user in each minute. A whole program around Tidemark, in the smallest number of lines.

#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/memory/memory_source.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

using namespace std::chrono_literals;

struct Click {
  std::string user;
  tidemark::EventTime at;
};

using ClicksPerMinute = tidemark::WindowResult<std::string, std::uint64_t>;

int main() {
  const std::vector<Click> clicks = {{"ann", tidemark::EventTime{5s}}, {"ann", tidemark::EventTime{50s}}, {"bob", tidemark::EventTime{70s}},
                                     {"ann", tidemark::EventTime{130s}}};
  const tidemark::MemorySink<ClicksPerMinute> results;

  tidemark::Graph graph;
  graph.from("clicks", tidemark::memory_source(clicks))
      .with_event_time(&Click::at, {.out_of_orderness = 5s})
      .key_by(&Click::user)
      .window(tidemark::tumbling(1min))
      .aggregate("clicks_per_user", tidemark::count())
      .to("results", results.sink());

  auto job = tidemark::Runtime::start(std::move(graph), {.job_name = "clicks_per_user"});
  if (!job.ok()) {
    std::cerr << job.error().describe() << '\n';
    return 1;
  }
  const tidemark::JobResult result = (*job)->wait();
  if (result.error) {
    std::cerr << result.error->describe() << '\n';
    return 1;
  }
  for (const ClicksPerMinute& clicks_of_user : results.committed()) {
    std::cout << clicks_of_user.key << ' ' << clicks_of_user.value << '\n';
  }
  return 0;
}

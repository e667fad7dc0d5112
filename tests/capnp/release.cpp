// A release of a job whose state is a Cap'n Proto message. RELEASE 1 and 2 are two programs, each with its release of the schema.
//
//   capnp_release_N STATE OUT PAUSE    PAUSE: milliseconds to wait behind every 20 samples

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <tidemark/capnp/message.hpp>
#include <tidemark/file/lines.hpp>
#include <tidemark/memory/memory_source.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#if RELEASE == 1
#include "v1/reading.capnp.h"
#else
#include "v2/reading.capnp.h"
#endif

namespace {

using namespace tidemark;
using namespace std::chrono_literals;

struct Sample {
  std::int64_t sensor = 0;
  double celsius = 0;
};
// Of a sensor the last sample, and in place.x how many there were. Release 2 counts those that it has seen in humidity as well, from its
// default.
using Reading = CapnpMessage<wire::Reading>;

void take(const Sample& sample, Reading& last, ProcessContext<std::int64_t>&, Collector<std::string>& out) {
  const std::string name = "sensor " + std::to_string(sample.sensor);
  const Status changed = last.change([&](wire::Reading::Builder to) {
    to.setCelsius(sample.celsius);
    to.getPlace().setX(to.getPlace().getX() + 1);
#if RELEASE == 1
    to.setSensor(name);
#else
    to.setHumidity(to.getHumidity() + 1);
#endif
  });
  if (!changed.ok()) throw std::runtime_error(changed.error().message);
  last.read([&](wire::Reading::Reader from) {
#if RELEASE == 1
    out(std::string(from.getSensor()) + "," + std::to_string(from.getPlace().getX()));
#else
    out(std::string(from.getSensorName()) + "," + std::to_string(from.getPlace().getX()) + "," + std::to_string(from.getHumidity()));
#endif
  });
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) return 2;
  std::vector<Sample> samples;
  for (int i = 0; i < 20'000; ++i) samples.push_back({i % 100, i / 8.0});
  const MemorySourceOptions pauses{.pause_every = 20, .pause = std::chrono::milliseconds{std::strtol(words[3], nullptr, 10)}};
  Graph graph;
  graph.from("samples", memory_source(std::move(samples), pauses))
      .key_by(&Sample::sensor)
      .process<std::string>("last", &take)
      .to("lines", lines_sink(words[2]));
  RuntimeOptions options;
  options.state_directory = words[1];
  options.checkpoint_every = 5ms;
  options.max_batch = 50;
  auto job = Runtime::start(std::move(graph), options);
  const JobResult result = job.ok() ? (*job)->wait() : JobResult{JobState::kFailed, job.error()};
  if (result.error) std::cerr << result.error->describe() << "\n";
  return result.error ? 1 : 0;
}

// Window operators, driven directly, against the hand-written loops of the peer workloads in the same process: the speed of both and their
// ratio.
// usage: windows_against_loops [WORKLOAD|all] [EVENTS] [checkpoints]
// "checkpoints": the state marks what changed, as it does in a job that takes checkpoints.

#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <string>

#include <tidemark/core/clock.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/operators/windows.hpp>
#include <tidemark/state/backend.hpp>

#include "peer_workload.hpp"

namespace {

using namespace tidemark;
using Sums = operators_internal::Combined<peer::Event, operators_internal::Count, operators_internal::Sum<std::uint64_t peer::Event::*>>;
using Out = WindowResult<std::uint64_t, Sums::Result>;

std::int64_t to_ms(EventTime time) { return micros(time) / 1000; }

// Takes the results, as the sink of a job would.
class Results final : public Receiver {
 public:
  explicit Results(peer::Work work) : work_(work) {}
  Progress on_batch(BatchBase& batch) override {
    for (const Out& out : static_cast<Batch<Out>&>(batch).values) {
      const EventTime time = work_ == peer::Work::kSession ? out.window.start : out.window.end;
      answer.hash += peer::output_hash(out.key, static_cast<std::uint64_t>(to_ms(time)), std::get<0>(out.value), std::get<1>(out.value));
      ++answer.outputs;
    }
    return Progress::kDone;
  }
  Progress on_watermark(EventTime) override { return Progress::kDone; }
  Progress on_status(bool) override { return Progress::kDone; }
  Progress on_end() override { return Progress::kDone; }

  peer::Answer answer;

 private:
  peer::Work work_;
};

WindowSpec spec_of(const peer::Workload& workload) {
  if (workload.work == peer::Work::kSession) return session(workload.gap);
  return sliding(workload.size, workload.slide);   // by its whole size: tumbling
}

peer::Answer run_operator(const peer::Workload& workload, std::uint64_t events, bool checkpoints) {
  constexpr std::uint64_t kBatch = 1000;
  const auto window =
      operators_internal::make_window_operator<std::uint64_t, peer::Event>(&peer::Event::key, spec_of(workload), Sums{count(),
          sum(&peer::Event::amount)});
  const KeySpace space{.groups = 128, .seed = 1};
  StateBackend state(space, 0, space.groups);
  state.set_tracking(checkpoints);
  IoContext io{posix_file_system(), system_clock(), Logger::silent()};
  OperatorContext context;
  context.name = "window";
  context.key_space = space;
  context.state = &state;
  context.io = &io;
  Results results(workload.work);
  StepBudget budget;
  window->outlet(kMainOutlet).connect(&results, &budget);
  if (!window->open(context).ok() || !window->started().ok()) {
    std::fputs("the operator does not open\n", stderr);
    return {};
  }
  const auto finish = [&](Progress) {
    for (budget.batches = 16; window->pending(); budget.batches = 16) (void)window->resume();
  };
  Batch<peer::Event> batch;
  std::int64_t greatest = std::numeric_limits<std::int64_t>::min();
  Bytes scratch;
  const auto disorder = static_cast<std::int64_t>(workload.shape.disorder_ms);
  finish(Progress::kDone);
  for (std::uint64_t begin = 0; begin < events; begin += kBatch) {
    const std::size_t size = std::min(kBatch, events - begin);
    batch.clear();
    batch.values.resize(size);
    batch.times.resize(size);
    batch.hashes.resize(size);
    for (std::size_t i = 0; i < size; ++i) {
      const peer::Event event = peer::event_at(begin + i, workload.shape);
      batch.values[i] = event;
      batch.times[i] = event_time(event.time_ms * 1000);
      greatest = std::max(greatest, event.time_ms);
    }
    for (std::size_t i = 0; i < size; ++i) batch.hashes[i] = hash_key(batch.values[i].key, space.seed, scratch);
    finish(window->on_batch(batch));
    finish(window->on_watermark(event_time((greatest - disorder) * 1000 - 1)));
  }
  finish(window->on_watermark(kPlusInfinity));
  return results.answer;
}

// Processor time, which other programs on the machine disturb less.
template <class F>
double seconds_of(F f) {
  const std::clock_t begin = std::clock();
  f();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string wanted = argc > 1 ? argv[1] : "all";
  const std::uint64_t events = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 5'000'000;
  const bool checkpoints = argc > 3;
  bool same = true;
  for (const char* name : {"tumble-1e3", "tumble-1e5", "tumble-1e6", "slide", "slide-fine", "session"}) {
    if (wanted != "all" && wanted != name) continue;
    const auto workload = peer::find_workload(name);
    if (!workload) continue;
    peer::Answer loop;
    peer::Answer ours;
    // The better of three, in turn, so that a disturbance of the machine does not decide.
    double loop_seconds = std::numeric_limits<double>::max();
    double our_seconds = std::numeric_limits<double>::max();
    for (int round = 0; round < 3; ++round) {
      loop_seconds = std::min(loop_seconds, seconds_of([&] { loop = peer::run_loop(*workload, events).answer; }));
      our_seconds = std::min(our_seconds, seconds_of([&] { ours = run_operator(*workload, events, checkpoints); }));
    }
    const bool agree = loop.hash == ours.hash && loop.outputs == ours.outputs;
    same = same && agree;
    std::printf("%-10s  loop %6.1f M/s  operator %6.1f M/s  ratio %.2f  outputs %" PRIu64 " hash %016" PRIx64 "%s\n", name,
                static_cast<double>(events) / loop_seconds / 1e6, static_cast<double>(events) / our_seconds / 1e6,
                    loop_seconds / our_seconds,
                ours.outputs, ours.hash, agree ? "" : "  RESULTS DIFFER");
  }
  return same ? 0 : 1;
}

#include "peer_job.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include <tidemark/memory/callback.hpp>
#include <tidemark/memory/generator.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

namespace peer {
namespace {

using namespace tidemark;
using Key = std::uint64_t;
using SteadyClock = std::chrono::steady_clock;

struct Payment {
  Key key;
  std::uint64_t amount;
  EventTime time;
};

// What the jobs without windows give, times in microseconds. The last part of every output is 0; running totals carry the event's amount
// there.
struct Output {
  Key key;
  std::int64_t a;
  std::int64_t b;
  std::int64_t c;
};

using KeyAndSums = WindowResult<Key, std::tuple<std::uint64_t, std::uint64_t>>;

std::uint64_t in_ms(std::int64_t micros) { return static_cast<std::uint64_t>(micros / 1000); }

// Takes the times of a run where the records begin: at the source, once a batch.
struct Marks {
  std::uint64_t half = 0;
  std::atomic<std::uint64_t> delivered{0};
  std::atomic<SteadyClock::rep> first{0};
  std::atomic<SteadyClock::rep> at_half{0};

  static void take(std::atomic<SteadyClock::rep>& mark) {
    SteadyClock::rep unset = 0;
    mark.compare_exchange_strong(unset, SteadyClock::now().time_since_epoch().count());
  }
  static double seconds_since(const std::atomic<SteadyClock::rep>& mark) {
    return std::chrono::duration<double>(SteadyClock::now() - SteadyClock::time_point(SteadyClock::duration(mark.load()))).count();
  }
};

class MarkingReader final : public SplitReader<Payment> {
 public:
  MarkingReader(std::unique_ptr<SplitReaderBase> reader, std::shared_ptr<Marks> marks) : reader_(std::move(reader)),
      marks_(std::move(marks)) {}

  Result<PollResult> poll(Batch<Payment>& out, std::size_t max_records, std::vector<Refused>& refused) override {
    if (!std::exchange(started_, true)) Marks::take(marks_->first);
    const std::size_t before = out.size();
    Result<PollResult> found = reader_->poll_into(out, max_records, refused);
    if (!past_half_ && marks_->delivered.fetch_add(out.size() - before) + (out.size() - before) >= marks_->half) {
      Marks::take(marks_->at_half);
      past_half_ = true;
    }
    return found;
  }
  Bytes position() const override { return reader_->position(); }
  std::chrono::milliseconds poll_again_after() const override { return reader_->poll_again_after(); }

 private:
  std::unique_ptr<SplitReaderBase> reader_;
  std::shared_ptr<Marks> marks_;
  bool started_ = false;
  bool past_half_ = false;
};

class MarkingSource final : public SourceBase {
 public:
  MarkingSource(Source<Payment> source, std::shared_ptr<Marks> marks) : source_(std::move(source)), marks_(std::move(marks)) {}

  std::string describe() const override { return source_.base()->describe(); }
  bool bounded() const override { return true; }
  Result<std::vector<std::string>> splits(const IoContext& io) override { return source_.base()->splits(io); }
  Result<std::unique_ptr<SplitReaderBase>> open_split(const IoContext& io, const std::string& split, const Bytes& position) override {
    TIDEMARK_ASSIGN(std::unique_ptr<SplitReaderBase> reader, source_.base()->open_split(io, split, position));
    return std::unique_ptr<SplitReaderBase>(std::make_unique<MarkingReader>(std::move(reader), marks_));
  }

 private:
  Source<Payment> source_;
  std::shared_ptr<Marks> marks_;
};

Source<Payment> payments(const Workload& workload, std::uint64_t events, std::uint32_t splits, const std::shared_ptr<Marks>& marks) {
  return with_shape(workload, [&](const auto& shape) {
    const auto make = [shape](std::uint64_t i) {
      const Event event = event_at(i, shape);
      return Payment{event.key, event.amount, event_time(event.time_ms * 1000)};
    };
    return Source<Payment>(std::make_shared<MarkingSource>(generator_source<Payment>(workload.name, events, make,
        {.splits = splits}), marks));
  });
}

// What one task of the sink has seen; each on cache lines of its own.
struct alignas(128) Tally {
  std::uint64_t outputs = 0;
  std::uint64_t hash = 0;
  std::uint64_t final = 0;
};

using Tallies = std::shared_ptr<std::vector<Tally>>;

// Counts and hashes; `parts` gives the (a, b, c) of a result.
template <class T, class Parts>
Sink<T> hashing_sink(const Tallies& tallies, Parts parts) {
  return callback_sink_by_task<T>([tallies, parts](std::uint32_t subtask) {
    return [tallies, parts, &tally = (*tallies)[subtask]](const Batch<T>& batch) {
      std::uint64_t hash = 0;
      for (const T& result : batch.values) {
        const auto [a, b, c] = parts(result);
        hash += output_hash(result.key, a, b, c);
      }
      tally.hash += hash;
      tally.outputs += batch.values.size();
    };
  });
}

// For the running totals, where the order of a key's events is open: adds the hash of each total and subtracts that of the one before it.
// What is left is
// the hash of each key's last total, if no event was lost or counted twice on the way there.
Sink<Output> chaining_sink(const Tallies& tallies) {
  return callback_sink_by_task<Output>([tallies](std::uint32_t subtask) {
    return [tallies, &tally = (*tallies)[subtask]](const Batch<Output>& batch) {
      std::uint64_t final = 0;
      for (const Output& total : batch.values) {
        const auto events = static_cast<std::uint64_t>(total.a);
        const auto amount = static_cast<std::uint64_t>(total.b);
        final += output_hash(total.key, events, amount, 0);
        final -= events == 1 ? 0 : output_hash(total.key, events - 1, amount - static_cast<std::uint64_t>(total.c), 0);
      }
      tally.final += final;
      tally.outputs += batch.values.size();
    };
  });
}

struct ThreeParts {
  std::uint64_t a, b, c;
};

struct RunningTotal {
  struct State {
    std::int64_t count = 0;
    std::int64_t amount = 0;
  };
  void operator()(const Payment& payment, State& state, ProcessContext<Key>&, Collector<Output>& out) {
    ++state.count;
    const auto amount = static_cast<std::int64_t>(payment.amount);
    state.amount += amount;
    out({payment.key, state.count, state.amount, amount});
  }
};

struct Velocity {
  struct State {
    std::vector<EventTime> recent;
  };
  void operator()(const Payment& payment, State& state, ProcessContext<Key>&, Collector<Output>& out) {
    auto first = state.recent.begin();
    while (first != state.recent.end() && *first <= payment.time - size) ++first;
    state.recent.erase(state.recent.begin(), first);
    state.recent.push_back(payment.time);
    if (state.recent.size() > kVelocityLimit) out({payment.key, micros(payment.time), static_cast<std::int64_t>(state.recent.size()), 0});
  }
  Duration size;
};

Graph build(const Workload& workload, Source<Payment> source, const Tallies& tallies, bool order_is_open) {
  Graph graph;
  const auto stream = graph.from("payments", std::move(source));
  const auto timed = [&] { return stream.with_event_time(&Payment::time,
      {.out_of_orderness = std::chrono::milliseconds(workload.shape.disorder_ms)}); };
  const auto total = [](const Output& out) { return ThreeParts{static_cast<std::uint64_t>(out.a), static_cast<std::uint64_t>(out.b), 0}; };
  const auto timed_output = [](const Output& out) { return ThreeParts{in_ms(out.a), static_cast<std::uint64_t>(out.b),
      static_cast<std::uint64_t>(out.c)}; };
  const auto by_end = [](const KeyAndSums& result) {
    return ThreeParts{in_ms(micros(result.window.end)), std::get<0>(result.value), std::get<1>(result.value)};
  };
  const auto by_start = [](const KeyAndSums& result) {
    return ThreeParts{in_ms(micros(result.window.start)), std::get<0>(result.value), std::get<1>(result.value)};
  };
  switch (workload.work) {
    case Work::kPass:
      stream.filter([](const Payment& payment) { return payment.key % 4 != 0; })
          .map([](const Payment& payment) {
            return Output{payment.key, micros(payment.time), static_cast<std::int64_t>(payment.amount * 908 / 1000), 0};
          })
          .to("prices", hashing_sink<Output>(tallies, timed_output));
      break;
    case Work::kWindow:
      timed()
          .key_by(&Payment::key)
          .window(sliding(workload.size, workload.slide))   // by its whole size: tumbling
          .aggregate("sums", count(), sum(&Payment::amount))
          .to("windows", hashing_sink<KeyAndSums>(tallies, by_end));
      break;
    case Work::kSession:
      timed()
          .key_by(&Payment::key)
          .window(session(workload.gap))
          .aggregate("sums", count(), sum(&Payment::amount))
          .to("sessions", hashing_sink<KeyAndSums>(tallies, by_start));
      break;
    case Work::kTotal:
      stream.key_by(&Payment::key)
          .process<Output>("total", RunningTotal{})
          .to("totals", order_is_open ? chaining_sink(tallies) : hashing_sink<Output>(tallies, total));
      break;
    case Work::kVelocity:
      timed()
          .key_by(&Payment::key)
          .process<Output>("velocity", Velocity{workload.size}, event_time_order())
          .to("alerts", hashing_sink<Output>(tallies, timed_output));
      break;
  }
  return graph;
}

Answer merged(const std::vector<Tally>& tallies, bool order_is_open) {
  Answer answer;
  std::uint64_t final = 0;
  for (const Tally& tally : tallies) {
    answer.outputs += tally.outputs;
    answer.hash += tally.hash;
    final += tally.final;
  }
  if (order_is_open) answer.final = final;
  return answer;
}

}  // namespace

tidemark::Result<Outcome> run_job(const Workload& workload, std::uint64_t events, const JobOptions& options) {
  reset_peak_memory();
  const auto marks = std::make_shared<Marks>();
  marks->half = events / 2;
  const auto tallies = std::make_shared<std::vector<Tally>>(options.parallelism);
  const bool order_is_open = workload.work == Work::kTotal && options.parallelism > 1;
  RuntimeOptions runtime_options;
  runtime_options.job_name = "peer_" + workload.name;
  runtime_options.state_directory = options.state_directory;
  runtime_options.parallelism = options.parallelism;
  runtime_options.workers = options.workers;
  runtime_options.max_batch = options.max_batch;

  const double cpu = cpu_seconds();
  Graph graph = build(workload, payments(workload, events, options.parallelism, marks), tallies, order_is_open);
  TIDEMARK_ASSIGN(const auto runtime, Runtime::start(std::move(graph), runtime_options));
  const JobResult result = runtime->wait();
  Outcome outcome;
  outcome.cpu_seconds = cpu_seconds() - cpu;
  outcome.seconds = Marks::seconds_since(marks->first);
  outcome.second_half_seconds = Marks::seconds_since(marks->at_half);
  if (result.state != JobState::kFinished) {
    return result.error ? *result.error : Error{.code = ErrorCode::kBrokenInvariant, .message = "the job ended as " +
        std::string(to_string(result.state))};
  }
  outcome.answer = merged(*tallies, order_is_open);
  if (!options.state_directory.empty()) outcome.checkpoints = runtime->snapshot().checkpoints;   // else the end is counted as one
  outcome.max_rss_mib = peak_memory_mib();
  return outcome;
}

}  // namespace peer

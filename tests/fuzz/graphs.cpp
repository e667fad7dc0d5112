// Z7: a small graph of any shape over any records, with barriers, timers, windows and repartitions, run by the whole runtime in a simulated
// world whose processes may die anywhere, against a model that is a function of all its records (D1, P1-P3, T2, A2, C1).

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/memory/memory_source.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "fuzz.hpp"
#include "simulation/watched.hpp"

namespace tidemark::fuzz {
namespace {

using simulation::Pace;
using simulation::Simulation;
using simulation::watched;

struct Item {
  std::int64_t at = 0;   // its event time
  std::int64_t key = 0;
  std::int64_t value = 0;
  EventTime time() const { return event_time(at); }
  friend auto operator<=>(const Item&, const Item&) = default;
};
using Items = std::vector<Item>;
using Splits = std::vector<Items>;

struct Stage {
  enum Kind : std::uint8_t { kFilter, kRekey, kDiamond, kTimers, kWindow, kKinds } kind{};
  std::int64_t number = 1;
};

struct Shape {
  std::int64_t disorder = 0;
  std::vector<Splits> sources;
  std::vector<Stage> stages;
};

constexpr std::int64_t kKeys = 4;

Shape shape_of(Choices& choices) {
  Shape shape;
  shape.disorder = static_cast<std::int64_t>(choices.below(8));
  shape.sources.resize(1 + choices.below(2));
  shape.stages.resize(choices.below(5));
  for (Stage& stage : shape.stages) {
    stage = {static_cast<Stage::Kind>(choices.below(Stage::kKinds)), static_cast<std::int64_t>(1 + choices.below(12))};
  }
  for (Splits& splits : shape.sources) {
    splits.resize(1 + choices.below(2));
    for (Items& split : splits) {
      std::int64_t now = -10;
      for (std::uint64_t records = choices.below(16); records > 0 && !choices.ended(); --records) {
        now += static_cast<std::int64_t>(choices.below(8));
        const auto back = static_cast<std::int64_t>(choices.below(static_cast<std::uint64_t>(shape.disorder) + 1));   // never late
        split.push_back({.at = now - back,
                         .key = static_cast<std::int64_t>(choices.below(kKeys)),
                         .value = static_cast<std::int64_t>(choices.below(5))});
      }
    }
  }
  return shape;
}

// What the functions of both sides do.
bool passes(const Stage& stage, const Item& item) { return item.value % (stage.number + 1) != 0; }
Item rekeyed(const Stage& stage, Item item) {
  item.key = (item.key + item.value) % (stage.number + 1);
  return item;
}
Item doubled(Item item) {
  item.value *= 2;
  return item;
}
struct Sum {
  std::int64_t sum = 0;
  void add(const Item& item) { sum += item.value; }
};

// Emits the running sum of a key with each record, and again with a timer some time later.
struct Timers {
  std::int64_t later;
  void operator()(const Item& item, Sum& state, ProcessContext<std::int64_t>& context, Collector<Item>& out) const {
    state.add(item);
    out({.at = item.at, .key = item.key, .value = state.sum});
    context.set_timer(event_time(item.at + later));
  }
  void on_timer(const Timer& timer, Sum& state, ProcessContext<std::int64_t>& context, Collector<Item>& out) const {
    out({.at = micros(timer.time), .key = context.key(), .value = -1 - state.sum});
  }
};

Graph graph_of(const Shape& shape, const Sink<Item>& sink) {
  Graph graph;
  const auto source = [&](std::size_t number) -> TimedStream<Item> {
    return graph.from("source" + std::to_string(number), paced(memory_source(shape.sources[number]), Pace{5, std::chrono::milliseconds{1}}))
        .with_event_time(&Item::time, {.out_of_orderness = Duration{shape.disorder}});
  };
  TimedStream<Item> stream = source(0);
  for (std::size_t i = 1; i < shape.sources.size(); ++i) stream = stream.union_with(source(i));
  for (std::size_t i = 0; i < shape.stages.size(); ++i) {
    const Stage stage = shape.stages[i];
    const std::string name = "stage" + std::to_string(i);
    switch (stage.kind) {
      case Stage::kFilter: stream = stream.filter([=](const Item& item) { return passes(stage, item); }); break;
      case Stage::kRekey: stream = stream.map([=](const Item& item) { return rekeyed(stage, item); }); break;
      case Stage::kDiamond: stream = stream.union_with(stream.map([](const Item& item) { return doubled(item); })); break;
      case Stage::kTimers:
        stream = stream.key_by(&Item::key).process<Item>(name, Timers{stage.number}, event_time_order(&Item::value));
        break;
      default:
        stream = stream.key_by(&Item::key)
                     .window(tumbling(Duration{stage.number}))
                     .aggregate(name, sum(&Item::value))
                     .map([](const WindowResult<std::int64_t, std::int64_t>& result) {
                       return Item{.at = micros(result.window.end) - 1, .key = result.key, .value = result.value};
                     });
    }
  }
  stream.to("sink", sink);
  return graph;
}

Items model_of_timers(const Stage& stage, Items items) {
  std::map<std::int64_t, Items> by_key;
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return std::tie(a.at, a.value) < std::tie(b.at, b.value); });
  for (const Item& item : items) by_key[item.key].push_back(item);
  Items out;
  for (const auto& [key, records] : by_key) {
    Sum state;
    std::set<std::int64_t> timers;
    const auto fire_before = [&, key = key](std::int64_t time) {
      for (; !timers.empty() && *timers.begin() < time; timers.erase(timers.begin())) {
        out.push_back({.at = *timers.begin(), .key = key, .value = -1 - state.sum});
      }
    };
    for (const Item& item : records) {
      fire_before(item.at);
      state.add(item);
      out.push_back({.at = item.at, .key = key, .value = state.sum});
      timers.insert(item.at + stage.number);
    }
    fire_before(std::numeric_limits<std::int64_t>::max());
  }
  return out;
}

Items model_of_windows(const Stage& stage, const Items& items) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> sums;   // by last microsecond and key
  for (const Item& item : items) {
    const std::int64_t past_start = ((item.at % stage.number) + stage.number) % stage.number;
    sums[{item.at - past_start + stage.number - 1, item.key}] += item.value;
  }
  Items out;
  for (const auto& [window, value] : sums) out.push_back({.at = window.first, .key = window.second, .value = value});
  return out;
}

Items model_of(const Shape& shape) {
  Items items;
  for (const Splits& splits : shape.sources) {
    for (const Items& split : splits) items.insert(items.end(), split.begin(), split.end());
  }
  for (const Stage& stage : shape.stages) {
    Items out;
    switch (stage.kind) {
      case Stage::kFilter:
        std::copy_if(items.begin(), items.end(), std::back_inserter(out), [&](const Item& item) { return passes(stage, item); });
        break;
      case Stage::kRekey:
        std::transform(items.begin(), items.end(), std::back_inserter(out), [&](const Item& item) { return rekeyed(stage, item); });
        break;
      case Stage::kDiamond:
        out = items;
        std::transform(items.begin(), items.end(), std::back_inserter(out), doubled);
        break;
      case Stage::kTimers: out = model_of_timers(stage, std::move(items)); break;
      default: out = model_of_windows(stage, items);
    }
    items = std::move(out);
  }
  return items;
}

std::string text_of(const Shape& shape, const Items& items) {
  std::string text = "stages";
  for (const Stage& stage : shape.stages) text += " " + std::to_string(stage.kind) + "/" + std::to_string(stage.number);
  text += ":";
  for (const Item& item : items) {
    text += " " + std::to_string(item.at) + ":" + std::to_string(item.key) + "=" + std::to_string(item.value);
  }
  return text;
}

Items sorted(Items items) {
  std::sort(items.begin(), items.end());
  return items;
}

// One process of the job. Whether the job is done.
bool live(Simulation& world, const Shape& shape, bool deterministic, const MemorySink<Item>& target, Choices& choices) {
  RuntimeOptions options = world.options();
  options.parallelism = static_cast<std::uint32_t>(1 + choices.below(3));
  options.workers = static_cast<std::uint32_t>(1 + choices.below(2));
  options.checkpoint_every = std::chrono::milliseconds{1 + choices.below(3)};
  options.max_batch = static_cast<std::uint32_t>(1 + choices.below(8));
  options.queue_bytes = 1 << 10;
  options.deterministic = deterministic;
  const auto runtime = Runtime::start(graph_of(shape, watched(world, "sink", target.sink())), options);
  if (!runtime.ok()) {
    require(world.cut(), "a start fails only if its process dies", runtime.error().describe());
    return false;
  }
  const auto result = world.run(**runtime);
  require(!world.stuck(), "a job ends or goes on");
  if (!result) return false;
  require(result->state == JobState::kFinished || result->state == JobState::kAlreadyFinished, "a job that lives reaches its end",
          result->error ? result->error->describe() : "");
  return true;
}

}  // namespace

void run(ByteView input) {
  Choices choices{input};
  Simulation world{choices.byte()};
  const bool deterministic = choices.below(2) == 1;   // for the life of the job
  const std::size_t deaths = choices.below(3);
  std::vector<std::size_t> lines(deaths);
  for (std::size_t& each : lines) each = 1 + choices.below(600);
  const Shape shape = shape_of(choices);
  const MemorySink<Item> target;
  const Items expected = sorted(model_of(shape));
  bool done = false;
  for (std::size_t process = 0; process <= deaths && !done; ++process) {
    world.let_live();
    if (process < deaths) world.cut_after(lines[process]);
    done = live(world, shape, deterministic, target, choices);
  }
  require(done, "the last process reaches the end");
  const Items found = sorted(target.committed());
  require(found == expected, "a job writes what its functions make of its records",
          text_of(shape, found) + " instead of " + text_of(shape, expected));
}

}  // namespace tidemark::fuzz

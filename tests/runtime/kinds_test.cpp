// Values, lists and maps of process(), and a map by window, in a job that is cut off again and again, at changing parallelism and with
// little memory, against a naive model (K4, K5, K8, D1, D5). In event-time order, so that the model is one list of records.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <thread>
#include <vector>

#include <tidemark/memory/generator.hpp>
#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/instrumented.hpp"
#include "../support/temporary_directory.hpp"

namespace tidemark {
namespace {

using namespace std::chrono_literals;
using Key = std::uint64_t;

constexpr std::uint64_t kKeys = 8'000;
constexpr std::int64_t kLastTtl = 12'000;     // records come one each microsecond, so a key's are about kKeys apart
constexpr std::int64_t kSeenTtl = 30'000;
constexpr std::size_t kLongestList = 6;
constexpr std::int64_t kDay = 20'000;

Key key_of(std::uint64_t i) { return (i * 0x9E3779B97F4A7C15u >> 20) % kKeys; }
std::uint64_t shop_of(std::uint64_t i) { return i * 31 % 7; }

// What a call saw, as one number for each state.
struct Sight {
  std::uint64_t record = 0;
  std::uint64_t last = 0;
  std::uint64_t shops = 0;
  std::uint64_t counts = 0;
  std::uint64_t list = 0;
  std::uint64_t today = 0;
  friend auto operator<=>(const Sight&, const Sight&) = default;
};
std::uint64_t mixed(std::uint64_t sight, std::uint64_t with) { return sight * 1'000'003 + with + 1; }

struct Watcher {
  struct State {
    ValueState<std::uint64_t> last{"last", {.ttl = Duration{kLastTtl}}};
    MapState<std::uint64_t, std::string> shops{"shops", {.ttl = Duration{kSeenTtl}, .renew_on_read = true}};
    MapState<std::string, std::uint64_t> counts{"counts"};
    ListState<std::uint64_t> list{"list"};
    PerWindow<MapState<std::uint64_t, std::uint64_t>> today{"today", tumbling(Duration{kDay})};
  };
  void operator()(const std::uint64_t& record, State& state, ProcessContext<Key>& context, Collector<Sight>& out) {
    Sight sight{.record = record};
    if (const std::uint64_t* last = state.last.find()) sight.last = *last + 1;
    const State& looking = state;   // renews nothing
    for (const auto& [shop, text] : looking.shops) sight.shops = mixed(sight.shops, shop + text.size());
    for (const auto& [shop, count] : state.counts) sight.counts = mixed(sight.counts, shop.size() * count);
    for (const std::uint64_t item : state.list) sight.list = mixed(sight.list, item);
    for (const auto& [shop, latest] : state.today) sight.today = mixed(sight.today, shop + latest);
    out(Sight{sight});

    const std::uint64_t shop = shop_of(record);
    state.last.set(record);
    if (const std::string* text = state.shops.find(shop); text == nullptr || record % 2 == 0) {
      state.shops.put(shop, std::string(record % 50, 'x'));
    }
    const std::string name(shop + 1, 's');
    const std::uint64_t* count = state.counts.find(name);
    state.counts.put(name, count == nullptr ? 1 : *count + 1);
    if (record % 11 == 0) state.counts.erase(name);
    if (state.list.size() == kLongestList) state.list.clear();
    state.list.append(record);
    state.today.put(shop, record);
    if (record % 13 == 0) state.today.erase(shop);
    if (record % 97 == 0) context.forget();
  }
};

// The same on plain containers that forget nothing by time.
std::vector<Sight> expected(std::uint64_t records) {
  struct Written {
    std::uint64_t number = 0;
    std::string text{};
    std::int64_t time = 0;
  };
  struct OfKey {
    std::optional<Written> last;
    std::map<std::uint64_t, Written> shops;
    std::map<std::string, std::uint64_t> counts;
    std::vector<std::uint64_t> list;
    std::map<std::int64_t, std::map<std::uint64_t, std::uint64_t>> days;
  };
  std::map<Key, OfKey> keys;
  std::vector<Sight> sights;
  for (std::uint64_t record = 0; record < records; ++record) {
    const auto now = static_cast<std::int64_t>(record);
    OfKey& key = keys[key_of(record)];
    Sight sight{.record = record};
    if (key.last && now < key.last->time + kLastTtl) sight.last = key.last->number + 1;
    for (const auto& [shop, written] : key.shops) {
      if (now < written.time + kSeenTtl) sight.shops = mixed(sight.shops, shop + written.text.size());
    }
    for (const auto& [shop, count] : key.counts) sight.counts = mixed(sight.counts, shop.size() * count);
    for (const std::uint64_t item : key.list) sight.list = mixed(sight.list, item);
    for (const auto& [shop, latest] : key.days[now / kDay]) sight.today = mixed(sight.today, shop + latest);
    sights.push_back(sight);

    const std::uint64_t shop = shop_of(record);
    key.last = {record, {}, now};
    const auto seen = key.shops.find(shop);
    if (seen == key.shops.end() || now >= seen->second.time + kSeenTtl || record % 2 == 0) {
      key.shops[shop] = {0, std::string(record % 50, 'x'), now};
    } else {
      seen->second.time = now;
    }
    const std::string name(shop + 1, 's');
    ++key.counts[name];
    if (record % 11 == 0) key.counts.erase(name);
    if (key.list.size() == kLongestList) key.list.clear();
    key.list.push_back(record);
    key.days[now / kDay][shop] = record;
    if (record % 13 == 0) key.days[now / kDay].erase(shop);
    if (record % 97 == 0) key = {};
  }
  return sights;
}

Graph watcher(std::uint64_t records, bool ends_slowly, const MemorySink<Sight>& sink) {
  Graph graph;
  const auto record_at = [=](std::uint64_t i) {
    if (ends_slowly && i > records / 2 && i % 4 == 0) std::this_thread::sleep_for(100us);
    return i;
  };
  auto keyed = graph.from("records", generator_source<std::uint64_t>("records", records, record_at, {.splits = 4}))
                   .with_event_time([](const std::uint64_t& i) { return event_time(static_cast<std::int64_t>(i)); }, {})
                   .key_by([](const std::uint64_t& i) { return key_of(i); });
  keyed.process<Sight>("watcher", Watcher{}, event_time_order()).to("out", sink.sink());
  return graph;
}

TEST(StateKinds, ShowTheSameAcrossCrashesParallelismsAndShortMemory) {
  const std::uint64_t records = test_support::kInstrumented ? 60'000 : 120'000;
  test_support::TemporaryDirectory directory;
  MemorySink<Sight> sink;
  JobState state = JobState::kRunning;
  std::size_t cut_off = 0;
  for (std::uint32_t start = 0; state != JobState::kFinished; ++start) {
    ASSERT_LT(start, 100u);
    RuntimeOptions options;
    options.state_directory = directory.path() + "/state";
    options.parallelism = std::array{1u, 2u, 3u, 1u}[start % 4];
    options.memory = start % 3 == 2 ? 0 : std::size_t{8} << 20;   // the state needs twice as much, or as much
    options.queue_bytes = 8 << 10;
    options.checkpoint_every = 20ms;
    const bool is_cut_off = start < (test_support::kInstrumented ? 4 : 10);
    auto runtime = Runtime::start(watcher(records, is_cut_off, sink), options);   // not read before it is cut off
    ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
    if (is_cut_off) {
      const std::uint64_t wait_for = start % 3;
      while ((*runtime)->snapshot().checkpoints < wait_for && !(*runtime)->wait_for(0ms)) std::this_thread::sleep_for(1ms);
      (*runtime)->request_cancel();
      ++cut_off;
    }
    const JobResult result = (*runtime)->wait();
    ASSERT_NE(result.state, JobState::kFailed) << result.error->describe();
    state = result.state;
  }
  EXPECT_GE(cut_off, 2u);
  std::vector<Sight> sights = sink.committed();
  std::sort(sights.begin(), sights.end());
  const std::vector<Sight> wanted = expected(records);
  ASSERT_EQ(sights.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto& [record, last, shops, counts, list, today] = wanted[i];
    ASSERT_EQ(sights[i].record, record);
    ASSERT_EQ(sights[i].last, last) << "record " << record;
    ASSERT_EQ(sights[i].shops, shops) << "record " << record;
    ASSERT_EQ(sights[i].counts, counts) << "record " << record;
    ASSERT_EQ(sights[i].list, list) << "record " << record;
    ASSERT_EQ(sights[i].today, today) << "record " << record;
  }
}

}  // namespace
}  // namespace tidemark

// Nanoseconds of processor time per operation of the state tables, beside boost::unordered_flat_map in the same run. Each figure is the
// best of several rounds: the machine's noise only adds. Argument: the largest number of keys (default 1e7).

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include <tidemark/state/backend.hpp>

namespace {

using namespace tidemark;

using Key = std::uint64_t;
struct Sum {
  std::uint64_t count = 0;
  std::uint64_t total = 0;
};
struct Keyed {
  std::uint64_t hash;
  Key key;
};

constexpr std::size_t kBatch = 1024;
constexpr std::size_t kAhead = 24;

// Calls work(), which does `operations`, `rounds` times.
template <class Work>
double best_nanoseconds(int rounds, std::size_t operations, Work&& work) {
  double best = 1e300;
  for (int round = 0; round < rounds; ++round) {
    const std::clock_t begin = std::clock();
    work();
    const double took = static_cast<double>(std::clock() - begin) * (1e9 / CLOCKS_PER_SEC);
    best = std::min(best, took / static_cast<double>(operations));
  }
  return best;
}

std::vector<Keyed> records_of(std::size_t keys, std::size_t count) {
  std::vector<Keyed> records(count);
  std::uint64_t state = 1;
  Bytes scratch;
  for (Keyed& record : records) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    record.key = (state >> 24) % keys;
    record.hash = hash_key(record.key, 0, scratch);
  }
  return records;
}

struct HashItself {
  using is_avalanching = void;
  std::size_t operator()(const Keyed& key) const { return key.hash; }
};
struct SameKey {
  bool operator()(const Keyed& a, const Keyed& b) const { return a.key == b.key; }
};

class Discard final : public RowSink {
 public:
  void put(ByteView key, ByteView value) override { bytes += key.size() + value.size(); }
  void erase(ByteView key) override { bytes += key.size(); }
  std::size_t bytes = 0;
};

void update(HotMap<Key, Sum>& map, const std::vector<Keyed>& records, bool prefetch) {
  for (std::size_t first = 0; first < records.size(); first += kBatch) {
    const std::size_t end = std::min(records.size(), first + kBatch);
    for (std::size_t i = first; i < end; ++i) {
      if (prefetch && i + kAhead < end) map.prefetch(records[i + kAhead].hash);
      Sum& sum = map.upsert(records[i].hash, records[i].key);
      ++sum.count;
      sum.total += i;
    }
  }
}

void measure_tables(std::size_t keys) {
  const std::vector<Keyed> records = records_of(keys, std::max<std::size_t>(1 << 20, std::min<std::size_t>(4 * keys, 1 << 24)));
  const int rounds = keys >= 1000000 ? 3 : 10;

  StateBackend tracked({}, 0, 128);
  HotMap<Key, Sum>& map = tracked.keyed_table<Key, Sum>("sums").map();
  const double fill = best_nanoseconds(1, records.size(), [&] { update(map, records, true); });
  const double with_prefetch = best_nanoseconds(rounds, records.size(), [&] { update(map, records, true); });
  const double without = best_nanoseconds(rounds, records.size(), [&] { update(map, records, false); });

  Discard rows;
  const double freeze = best_nanoseconds(1, 1, [&] { tracked.freeze(rows); });
  const double encode = best_nanoseconds(1, map.size(), [&] {
    while (!tracked.encode_some(4096)) {
    }
  });
  const double settle = best_nanoseconds(1, 1, [&] { tracked.settle(true); });
  const double after = best_nanoseconds(1, records.size(), [&] { update(map, records, true); });

  StateBackend untracked({}, 0, 128);
  untracked.set_tracking(false);
  HotMap<Key, Sum>& plain = untracked.keyed_table<Key, Sum>("sums").map();
  update(plain, records, true);
  const double not_tracked = best_nanoseconds(rounds, records.size(), [&] { update(plain, records, true); });

  boost::unordered_flat_map<Keyed, Sum, HashItself, SameKey> boost_map;
  const auto update_boost = [&] {
    for (std::size_t i = 0; i < records.size(); ++i) {
      Sum& sum = boost_map[records[i]];
      ++sum.count;
      sum.total += i;
    }
  };
  const double boost_fill = best_nanoseconds(1, records.size(), update_boost);
  const double boost = best_nanoseconds(rounds, records.size(), update_boost);

  std::printf(
      "%9zu keys: upsert %5.1f, without prefetch %5.1f, not tracked %5.1f, filling %5.1f, after a freeze %5.1f | boost %5.1f, filling %5.1f"
      " | freeze %.1f us, encode %.1f ns/row, settle %.2f ms\n",
      keys, with_prefetch, without, not_tracked, fill, after, boost, boost_fill, freeze / 1e3, encode, settle / 1e6);
}

// A tumbling window: fill the slice, walk it, drop it.
void measure_slices(std::size_t keys) {
  const std::vector<Keyed> records = records_of(keys, std::max<std::size_t>(1 << 20, 4 * keys));
  StateBackend backend({}, 0, 128);
  auto& table = backend.slice_table<Key, Sum>("windows");
  std::int64_t window = 0;
  std::uint64_t walked = 0;
  double walk = 1e300;
  const double whole = best_nanoseconds(5, records.size(), [&] {
    auto& slice = table.slice(event_time(++window));
    update(slice, records, true);
    walk = std::min(walk, best_nanoseconds(1, slice.size(), [&] {
      HotMap<Key, Sum>::Cursor cursor;
      slice.visit_some(cursor, keys, [&](std::uint64_t, const Key&, const Sum& sum) { walked += sum.count; });
    }));
    table.drop_first();
  });
  std::printf("%9zu keys: a window filled, walked and dropped %5.1f ns/record, walk alone %4.1f ns/key (%llu)\n", keys, whole, walk,
              static_cast<unsigned long long>(walked));
}

// `waiting` timers are set at any time, one for each microsecond.
void measure_timers(std::int64_t waiting) {
  constexpr std::size_t kTimers = 1 << 20;
  const std::vector<Keyed> records = records_of(100000, kTimers);
  StateBackend backend({}, 0, 128);
  auto& timers = backend.timers<Key>();
  std::int64_t now = 0;
  const double set_and_fire = best_nanoseconds(5, kTimers, [&] {
    for (std::size_t first = 0; first < kTimers; first += kBatch) {
      for (std::size_t i = first; i < first + kBatch; ++i) timers.set(records[i].hash, records[i].key, event_time(++now + waiting));
      for (const auto* next = timers.next(); next != nullptr && next->time <= event_time(now); next = timers.next()) timers.take_next();
    }
  });
  std::vector<std::int64_t> due(100000, 0);
  const double push_back = best_nanoseconds(3, kTimers, [&] {
    for (const Keyed& record : records) {
      std::int64_t& time = due[record.key];
      if (time != 0) timers.erase(record.hash, record.key, event_time(time));
      time = ++now + 60'000'000;
      timers.set(record.hash, record.key, event_time(time));
    }
  });
  std::printf("%9lld timers waiting: set and fired %5.1f, erased and set later %5.1f\n", static_cast<long long>(waiting), set_and_fire,
              push_back);
}

void measure_buffer(const char* name, std::int64_t per_time, std::int64_t disorder) {
  constexpr std::size_t kRecords = 1 << 20;
  const std::vector<Keyed> records = records_of(1000, kRecords);
  StateBackend backend({}, 0, 128);
  auto& buffer = backend.time_buffer<Key, Sum>("records");
  std::int64_t step = 0;
  std::uint64_t state = 1;
  std::uint64_t released = 0;
  const double through = best_nanoseconds(5, kRecords, [&] {
    for (std::size_t first = 0; first < kRecords; first += kBatch) {
      for (std::size_t i = first; i < first + kBatch; ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const std::int64_t back = disorder == 0 ? 0 : static_cast<std::int64_t>((state >> 33) % static_cast<std::uint64_t>(disorder));
        buffer.add(event_time(++step / per_time - back), records[i].hash, records[i].key, Sum{1, 1});
      }
      while (auto* entry = buffer.front(event_time(step / per_time - disorder - 1))) {
        released += entry->value.count;
        buffer.pop_front();
      }
    }
  });
  std::printf("buffer, %s: %5.1f ns/record through add, front and pop (%llu)\n", name, through, static_cast<unsigned long long>(released));
}

}  // namespace

int main(int argc, char** argv) {
  const double most = argc > 1 ? std::atof(argv[1]) : 1e7;
  std::printf("ns per operation\n");
  for (std::size_t keys = 1000; static_cast<double>(keys) <= most; keys *= 10) measure_tables(keys);
  for (std::size_t keys = 1000; static_cast<double>(keys) <= std::min(most, 1e6); keys *= 10) measure_slices(keys);
  for (const std::int64_t waiting : {1000, 100000, 1000000}) measure_timers(waiting);
  measure_buffer("in order, one record a time", 1, 0);
  measure_buffer("in order, ten records a time", 10, 0);
  measure_buffer("ten records a time, 5 ms of disorder", 10, 5000);
  measure_buffer("one record a time, 5 s of disorder", 1, 5'000'000);
}

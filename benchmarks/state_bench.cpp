// State ten times larger than the memory that it may use. Keyed totals, against a plain RocksDB get and put per record under the same
// bound: both sides first write every key once, then take the same records, of keys after Zipf and then of uniform ones, and each of these
// parts is measured. And counts of tumbling windows, against the same job with everything in memory.

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <tidemark/memory/callback.hpp>
#include <tidemark/memory/generator.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "peer_workload.hpp"
#include "scratch_directory.hpp"

namespace {

using namespace tidemark;
using SteadyClock = std::chrono::steady_clock;
using Key = std::uint64_t;

struct Total {
  std::int64_t count = 0;
  std::int64_t amount = 0;
};

// The records of both sides: each key once, then one part after the other.
struct Records {
  std::uint64_t distinct = 0;
  std::uint64_t zipf = 0;
  std::uint64_t uniform = 0;
  std::vector<std::uint32_t> ranks;   // of the keys of both parts

  Records(std::uint64_t keys, std::uint64_t zipf_records, std::uint64_t uniform_records, double theta);
  std::uint64_t size() const { return distinct + ranks.size(); }
  Key key(std::uint64_t i) const { return peer::mix(i < distinct ? i : ranks[i - distinct]); }
};

// Zipf after Gray et al., "Quickly generating billion-record synthetic databases" (1994), as YCSB draws them.
Records::Records(std::uint64_t keys, std::uint64_t zipf_records, std::uint64_t uniform_records, double theta)
    : distinct(keys), zipf(zipf_records), uniform(uniform_records) {
  ranks.reserve(zipf + uniform);
  double zeta = 0;
  for (std::uint64_t rank = 1; rank <= distinct; ++rank) zeta += 1 / std::pow(static_cast<double>(rank), theta);
  const double alpha = 1 / (1 - theta);
  const double eta = (1 - std::pow(2 / static_cast<double>(distinct), 1 - theta)) / (1 - (1 + std::pow(0.5, theta)) / zeta);
  for (std::uint64_t i = 0; i < zipf; ++i) {
    const double u = static_cast<double>(peer::mix(i ^ 0x5A5A) >> 11) * 0x1p-53;
    const double uz = u * zeta;
    const std::uint64_t rank = uz < 1 ? 0 : uz < 1 + std::pow(0.5, theta) ? 1
                               : static_cast<std::uint64_t>(static_cast<double>(distinct) * std::pow(eta * u - eta + 1, alpha));
    ranks.push_back(static_cast<std::uint32_t>(std::min(rank, distinct - 1)));
  }
  for (std::uint64_t i = 0; i < uniform; ++i) ranks.push_back(static_cast<std::uint32_t>(peer::mix(i ^ 0xA5A5) % distinct));
}

std::uint64_t hash_of(Key key, const Total& total) {
  return peer::output_hash(key, static_cast<std::uint64_t>(total.count), static_cast<std::uint64_t>(total.amount), 0);
}

struct Moment {
  double wall = 0;
  double cpu = 0;      // of all threads: on a busy machine the steadier figure
};
Moment now() { return {std::chrono::duration<double>(SteadyClock::now().time_since_epoch()).count(), peer::cpu_seconds()}; }
Moment operator-(Moment a, Moment b) { return {a.wall - b.wall, a.cpu - b.cpu}; }

struct Outcome {
  Moment zipf;
  Moment uniform;
  std::uint64_t hash = 0;      // sum over all outputs
  double peak_mib = 0;
  std::uint64_t checkpoints = 0;
};

// The seams between the parts, each taken by the thread that comes to it, and looked at when all is done.
struct Marks {
  Moment begin;     // of the first part
  Moment middle;
  Moment end;
};

struct RunningTotal {
  struct Out {
    Key key;
    Total total;
  };
  void operator()(const Key& record, Total& total, ProcessContext<Key>&, Collector<Out>& out) {
    ++total.count;
    total.amount += static_cast<std::int64_t>(record % 1000);
    out({record, total});
  }
};

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

// Its last figures.
JobSnapshot run_to_its_end(Graph graph, std::size_t memory, const std::string& directory) {
  RuntimeOptions options;
  options.job_name = "state_bench";
  options.state_directory = directory;
  options.memory = memory;
  auto runtime = Runtime::start(std::move(graph), options);
  if (!runtime.ok()) fail(runtime.error().describe());
  const JobResult result = (*runtime)->wait();
  if (result.state != JobState::kFinished) fail(result.error ? result.error->describe() : "the job did not finish");
  return (*runtime)->snapshot();
}

Outcome run_tidemark(const Records& records, std::size_t memory, const std::string& directory) {
  peer::reset_peak_memory();
  Marks marks;
  std::uint64_t outputs = 0;
  std::uint64_t hash = 0;
  Graph graph;
  graph
      .from("records", generator_source<Key>("records", records.size(),
                                             [&records, &marks](std::uint64_t i) {
                                               if (i == records.distinct) marks.begin = now();
                                               if (i == records.distinct + records.zipf) marks.middle = now();
                                               return records.key(i);
                                             }))
      .key_by([](const Key& key) { return key; })
      .process<RunningTotal::Out>("totals", RunningTotal{})
      .to("out", callback_sink_by_task<RunningTotal::Out>([&](std::uint32_t) {
            return [&](const Batch<RunningTotal::Out>& batch) {
              for (const auto& out : batch.values) hash += hash_of(out.key, out.total);
              outputs += batch.values.size();
              if (outputs == records.size()) marks.end = now();
            };
          }));
  const JobSnapshot last = run_to_its_end(std::move(graph), memory, directory);
  return {marks.middle - marks.begin, marks.end - marks.middle, hash, peer::peak_memory_mib(), last.checkpoints};
}

// A get and a put for each record, no log: the loop that people write.
Outcome run_rocksdb(const Records& records, std::size_t memory, const std::string& directory) {
  peer::reset_peak_memory();
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kLZ4Compression;
  options.write_buffer_size = memory / 8;
  options.max_write_buffer_number = 2;
  options.max_background_jobs = 2;
  options.optimize_filters_for_hits = true;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(memory / 4 * 3, 2);   // few shards, so that filters fit
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  rocksdb::DB* opened = nullptr;
  if (!rocksdb::DB::Open(options, directory, &opened).ok()) fail("RocksDB cannot open " + directory);
  const std::unique_ptr<rocksdb::DB> db{opened};
  rocksdb::WriteOptions write;
  write.disableWAL = true;
  std::uint64_t hash = 0;
  Marks marks;
  rocksdb::PinnableSlice value;
  for (std::uint64_t i = 0; i < records.size(); ++i) {
    if (i == records.distinct) marks.begin = now();
    if (i == records.distinct + records.zipf) marks.middle = now();
    const Key key = records.key(i);
    const rocksdb::Slice key_slice{reinterpret_cast<const char*>(&key), sizeof key};
    Total total;
    if (i >= records.distinct) {   // before, there is nothing to find
      value.Reset();
      if (db->Get({}, db->DefaultColumnFamily(), key_slice, &value).ok()) std::memcpy(&total, value.data(), sizeof total);
    }
    ++total.count;
    total.amount += static_cast<std::int64_t>(key % 1000);
    if (!db->Put(write, key_slice, {reinterpret_cast<const char*>(&total), sizeof total}).ok()) fail("RocksDB cannot write");
    hash += hash_of(key, total);
  }
  marks.end = now();
  return {marks.middle - marks.begin, marks.end - marks.middle, hash, peer::peak_memory_mib(), 0};
}

void print_part(const char* name, Moment ours, Moment plain, std::uint64_t part_records, const Records& records, std::size_t memory) {
  const auto n = static_cast<double>(part_records);
  std::printf("RESULT %s_ratio_to_rocksdb=%.2f keys=%llu memory_mib=%zu records=%.0f records_per_s=%.0f rocksdb_records_per_s=%.0f "
              "cpu_seconds=%.1f rocksdb_cpu_seconds=%.1f\n",
              name, plain.wall / ours.wall, static_cast<unsigned long long>(records.distinct), memory >> 20, n, n / ours.wall,
              n / plain.wall, ours.cpu, plain.cpu);
}

void compare_totals(const Records& records, std::size_t memory, const std::string& directory) {
  const Outcome plain = run_rocksdb(records, memory, directory + "/rocksdb");
  std::fprintf(stderr, "totals: RocksDB alone %.1f s, %.1f s\n", plain.zipf.wall, plain.uniform.wall);
  const Outcome ours = run_tidemark(records, memory, directory + "/tidemark");
  std::fprintf(stderr, "totals: Tidemark %.1f s, %.1f s\n", ours.zipf.wall, ours.uniform.wall);
  if (ours.hash != plain.hash) fail("the two sides give different totals");
  print_part("zipf", ours.zipf, plain.zipf, records.zipf, records, memory);
  print_part("uniform", ours.uniform, plain.uniform, records.uniform, records, memory);
  std::printf("RESULT totals_max_rss_mib=%.0f rocksdb_max_rss_mib=%.0f checkpoints=%llu\n", ours.peak_mib, plain.peak_mib,
              static_cast<unsigned long long>(ours.checkpoints));
  std::fflush(stdout);
}

struct WindowsOutcome {
  double seconds = 0;
  std::uint64_t hash = 0;
  double peak_mib = 0;
};

// Counts of a job's only kind of window, from the first record to the last result.
WindowsOutcome run_windows(std::uint64_t keys, std::uint64_t window_records, std::size_t memory, const std::string& directory) {
  constexpr std::uint64_t kWindows = 2;
  using Result = WindowResult<Key, std::uint64_t>;
  peer::reset_peak_memory();
  Marks marks;
  std::uint64_t counted = 0;
  std::uint64_t hash = 0;
  Graph graph;
  graph
      .from("records", generator_source<std::uint64_t>("records", kWindows * window_records,
                                                       [&marks](std::uint64_t i) {
                                                         if (i == 0) marks.begin = now();
                                                         return i;
                                                       }))
      .with_event_time([](const std::uint64_t& i) { return event_time(static_cast<std::int64_t>(i)); }, {})
      .key_by([keys](const std::uint64_t& i) { return peer::mix(peer::mix(i ^ 0xA5A5) % keys); })
      .window(tumbling(Duration{static_cast<std::int64_t>(window_records)}))
      .aggregate("counts", count())
      .to("out", callback_sink_by_task<Result>([&](std::uint32_t) {
            return [&](const Batch<Result>& batch) {
              for (const Result& result : batch.values) {
                hash += peer::output_hash(result.key, result.value, static_cast<std::uint64_t>(micros(result.window.start)), 0);
                counted += result.value;
              }
              if (counted == kWindows * window_records) marks.end = now();
            };
          }));
  run_to_its_end(std::move(graph), memory, directory);
  if (counted != kWindows * window_records) fail("windows: records are missing, or counted twice");
  return {(marks.end - marks.begin).wall, hash, peer::peak_memory_mib()};
}

void compare_windows(std::uint64_t keys, std::size_t memory, const std::string& directory) {
  const std::uint64_t records = 4 * keys;   // in two windows
  const WindowsOutcome bounded = run_windows(keys, records / 2, memory, directory + "/windows-bounded");
  std::fprintf(stderr, "windows: within the memory %.1f s\n", bounded.seconds);
  const WindowsOutcome whole = run_windows(keys, records / 2, 0, directory + "/windows-whole");
  std::fprintf(stderr, "windows: all in memory %.1f s\n", whole.seconds);
  if (bounded.hash != whole.hash) fail("windows: other counts where memory is short");
  const auto n = static_cast<double>(records);
  std::printf("RESULT window_ratio_to_memory=%.3f keys=%llu memory_mib=%zu records=%.0f records_per_s=%.0f in_memory_records_per_s=%.0f "
              "max_rss_mib=%.0f in_memory_max_rss_mib=%.0f\n",
              whole.seconds / bounded.seconds, static_cast<unsigned long long>(keys), memory >> 20, n, n / bounded.seconds,
              n / whole.seconds, bounded.peak_mib, whole.peak_mib);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t keys = 3'000'000;
  std::size_t memory_mib = 10;
  std::uint64_t zipf_n = 1'000'000;
  std::uint64_t uniform_n = 200'000;
  double theta = 0.99;
  std::string only;
  std::string directory = "build";
  CLI::App app{"Keyed totals over a state larger than memory, against a RocksDB get and put per record, and counts of windows against the "
               "same job in memory"};
  app.add_option("--keys", keys, "Keys; a key and its total take 34 bytes in the store")->capture_default_str();
  app.add_option("--memory", memory_mib, "MiB that either side may use")->capture_default_str();
  app.add_option("--zipf-records", zipf_n, "Records of the Zipf part")->capture_default_str();
  app.add_option("--uniform-records", uniform_n, "Records of the uniform part")->capture_default_str();
  app.add_option("--theta", theta, "Skew of the Zipf distribution")->capture_default_str();
  app.add_option("--only", only, "totals or windows; by default both")->check(CLI::IsMember({"totals", "windows"}));
  app.add_option("--state", directory, "A fresh folder in it holds the files, and is removed afterwards")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const ScratchDirectory scratch(directory, "state_bench");
  if (only.empty() || only == "totals") compare_totals(Records(keys, zipf_n, uniform_n, theta), memory_mib << 20, scratch.path());
  if (only.empty() || only == "windows") compare_windows(keys, memory_mib << 20, scratch.path());
  return 0;
}

// What checkpoints of a large keyed state cost when little of it changes: the stall at the barrier, bytes and processor time, against a
// checkpoint of everything, and what compaction rewrites behind them. State, row files and store are those of a job; its worker is played
// by the main thread, its I/O pool by another one.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>

#include <tidemark/core/random.hpp>
#include <tidemark/state/backend.hpp>
#include <tidemark/state/store.hpp>

#include "scratch_directory.hpp"
#include "support/forwarding_file_system.hpp"

namespace {

using namespace tidemark;
using Clock = std::chrono::steady_clock;

using Key = std::uint64_t;
struct Sum {
  std::uint64_t count = 0;
  std::uint64_t total = 0;
};

constexpr std::size_t kRowsPerSlice = 4096;
constexpr std::size_t kTouchesPerSlice = 1000;   // a batch

double cpu_seconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

double milliseconds(Clock::duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

// The greatest of the first `share` of the sorted values.
double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())))];
}

template <class T>
T value_of(Result<T> result) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "%s\n", result.error().describe().c_str());
  std::exit(1);
}
void expect_ok(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.error().describe().c_str());
  std::exit(1);
}

// Counts what is written: row files by the job, row files by compaction, and all else.
class CountingFileSystem final : public test_support::ForwardingFileSystem {
 public:
  CountingFileSystem(FileSystem& under, std::string rows_directory)
      : ForwardingFileSystem(under), rows_directory_(std::move(rows_directory)) {}
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    auto created = under_.create(path);
    if (!created.ok()) return created;
    std::atomic<std::uint64_t>& count = path.starts_with(rows_directory_) ? rows : path.ends_with(".sst") ? compaction : other;
    return std::unique_ptr<WritableFile>{std::make_unique<Counted>(*std::move(created), count)};
  }

  std::atomic<std::uint64_t> rows{0};
  std::atomic<std::uint64_t> compaction{0};
  std::atomic<std::uint64_t> other{0};

 private:
  class Counted final : public WritableFile {
   public:
    Counted(std::unique_ptr<WritableFile> under, std::atomic<std::uint64_t>& count) : under_(std::move(under)), count_(count) {}
    Status append(ByteView bytes) override {
      count_ += bytes.size();
      return under_->append(bytes);
    }
    Status sync() override { return under_->sync(); }
    Status close() override { return under_->close(); }

   private:
    std::unique_ptr<WritableFile> under_;
    std::atomic<std::uint64_t>& count_;
  };

  std::string rows_directory_;
};

struct Cost {
  std::uint64_t encoded = 0;     // bytes of keys and values that changed
  std::uint64_t written = 0;     // row files, links' copies
  double worker_cpu = 0;         // freezing, encoding, settling
  double io_cpu = 0;             // row files, ingestion, links; not compaction
  std::size_t files = 0;         // of the store, after it
  double freeze_ms = 0;
  double step_ms = 0;            // the longest encoding step
  double settle_ms = 0;
};

class Bench {
 public:
  Bench(const std::string& directory, std::size_t keys)
      : directory_(directory), files_(posix_file_system(), directory + "/rows"), keys_(keys), backend_({}, 0, 128),
        table_(backend_.keyed_table<Key, Sum>("sums")) {
    expect_ok(files_.make_directory(directory_ + "/rows"));
    store_ = value_of(create_store(files_, directory_ + "/store", {.files_to_merge = StoreOptions::kFilesToMergeInMemory}));
    for (Key key = 0; key < keys_; ++key) touch(key);
  }

  CountingFileSystem& files() { return files_; }

  // One checkpoint of what has changed. While it is encoded, `touches` further keys are written, in batches between its steps.
  Cost checkpoint(std::size_t touches) {
    Cost cost;
    const std::uint64_t written = files_.rows + files_.other;
    const auto timed = [&](double& longest, const auto& work) {
      const double cpu = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
      const Clock::time_point begin = Clock::now();
      work();
      longest = std::max(longest, milliseconds(Clock::now() - begin));
      cost.worker_cpu += cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    };
    RowRun rows;
    timed(cost.freeze_ms, [&] { backend_.freeze(rows); });
    for (bool done = false; !done;) {
      timed(cost.step_ms, [&] { done = backend_.encode_some(kRowsPerSlice); });
      const std::size_t now = std::min(touches, kTouchesPerSlice);
      touch_random(now);
      touches -= now;
    }
    touch_random(touches);
    cost.encoded = rows.bytes() - rows.rows() * 8;   // less the headers in memory
    std::thread pool([&] {
      const double cpu = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
      const std::string number = std::to_string(++checkpoints_);
      const std::string path = directory_ + "/rows/" + number + ".sst";
      if (rows.rows() > 0) {
        expect_ok(store_->ingest({value_of(write_row_file(files_, path, std::move(rows)))}));
      }
      const std::string links = directory_ + "/" + number;
      expect_ok(files_.make_directory(links));
      cost.files = value_of(store_->link_into(links)).size();
      if (checkpoints_ > 2) expect_ok(remove_tree(files_, directory_ + "/" + std::to_string(checkpoints_ - 2)));
      cost.io_cpu = cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    });
    pool.join();
    timed(cost.settle_ms, [&] { backend_.settle(true); });
    cost.written = files_.rows + files_.other - written;
    return cost;
  }

 private:
  void touch(Key key) {
    Sum& sum = table_.upsert(hash_key(key, 0, scratch_), key);
    ++sum.count;
    sum.total += key;
  }
  void touch_random(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) touch(random_.next() % keys_);
  }

  std::string directory_;
  CountingFileSystem files_;
  std::size_t keys_;
  StateBackend backend_;
  KeyedTable<Key, Sum>& table_;
  std::unique_ptr<StateStore> store_;
  SeededRandom random_{1};
  Bytes scratch_;
  std::size_t checkpoints_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  std::size_t keys = 10'000'000;
  double dirty = 0.01;
  std::size_t rounds = 140;
  std::size_t every_ms = 1000;
  std::string directory = "build";
  CLI::App app{"What checkpoints cost when little of a large state changes"};
  app.add_option("--keys", keys, "Keys in the state")->capture_default_str();
  app.add_option("--dirty", dirty, "Share of the keys written between two checkpoints")->capture_default_str();
  app.add_option("--rounds", rounds, "Checkpoints; 600 are ten minutes")->capture_default_str();
  app.add_option("--every", every_ms, "Milliseconds from one checkpoint to the next; 0: at once")->capture_default_str();
  app.add_option("--state", directory, "A fresh folder in it holds the files, and is removed afterwards")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const ScratchDirectory scratch(directory, "checkpoint_bench");
  Bench bench(scratch.path(), keys);
  const auto touches = static_cast<std::size_t>(dirty * static_cast<double>(keys));
  const Cost full = bench.checkpoint(touches);

  Cost sum;
  std::vector<double> freezes;
  const std::uint64_t compacted = bench.files().compaction;
  const double process_cpu = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
  const double worker_cpu = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
  const Clock::time_point begin = Clock::now();
  for (std::size_t round = 0; round < rounds; ++round) {
    const Cost one = bench.checkpoint(touches);
    freezes.push_back(one.freeze_ms);
    sum.encoded += one.encoded;
    sum.written += one.written;
    sum.worker_cpu += one.worker_cpu;
    sum.io_cpu += one.io_cpu;
    sum.files = std::max(sum.files, one.files);
    sum.step_ms = std::max(sum.step_ms, one.step_ms);
    sum.settle_ms = std::max(sum.settle_ms, one.settle_ms);
    if (round % 10 == 9) std::fprintf(stderr, "checkpoint %zu of %zu\n", round + 1, rounds);
    std::this_thread::sleep_until(begin + (round + 1) * std::chrono::milliseconds{every_ms});
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  // All processor time but what the worker spent on records.
  const double background = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - process_cpu - (cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - worker_cpu) +
                            sum.worker_cpu;
  const auto count = static_cast<double>(rounds);
  const auto encoded = static_cast<double>(sum.encoded);
  const auto written = static_cast<double>(sum.written);
  const double saved_bytes = static_cast<double>(full.written) / (written / count);
  const double saved_cpu = (full.worker_cpu + full.io_cpu) / ((sum.worker_cpu + sum.io_cpu) / count);
  const double rewritten = static_cast<double>(bench.files().compaction - compacted);
  std::printf("RESULT keys=%zu dirty=%g rounds=%zu every_ms=%zu stall_p99_ms=%.3f stall_max_ms=%.3f step_max_ms=%.2f settle_max_ms=%.2f "
              "bytes_per_dirty_byte=%.2f incremental_saving=%.1f incremental_saving_bytes=%.1f incremental_saving_cpu=%.1f "
              "write_amplification=%.2f background_cores=%.3f store_files_max=%zu\n",
              keys, dirty, rounds, every_ms, percentile(freezes, 0.99), percentile(freezes, 1), sum.step_ms, sum.settle_ms,
              written / encoded, std::min(saved_bytes, saved_cpu), saved_bytes, saved_cpu, (written + rewritten) / encoded,
              background / seconds, sum.files);
  return 0;
}

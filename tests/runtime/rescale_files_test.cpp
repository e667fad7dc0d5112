// A job that is opened again at another parallelism: rows whose key group goes to another task stay where they lie on the disk (K5; design:
// key groups are ranges of the one store, so a rescale hands out ranges).

#include <algorithm>
#include <map>
#include <thread>

#include <gmock/gmock.h>

#include <tidemark/checkpoint/checkpoint_store.hpp>
#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/memory/push_source.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "../support/temporary_directory.hpp"

namespace tidemark {
namespace {

using namespace std::chrono_literals;
using Key = std::uint64_t;
using Line = std::pair<Key, std::uint64_t>;

constexpr Key kKeys = 200'000;

// How often each key was there, of those that are there a second time.
struct Count {
  void operator()(const Key& key, std::uint64_t& count, ProcessContext<Key>&, Collector<Line>& out) {
    if (++count > 1) out({key, count});
  }
};

class Rescaled : public ::testing::Test {
 protected:
  // Reads these keys at the parallelism, then stops with the only checkpoint of its run. Its row files, by name.
  std::map<std::string, StoredFile> run(std::uint32_t parallelism, const std::vector<Key>& keys) {
    PushSource<Key> source(keys.size());
    for (const Key key : keys) source.push(key);
    Graph graph;
    auto keyed = graph.from("keys", source.source()).key_by([](const Key& key) { return key; });
    keyed.process<Line>("counts", Count{}).to("lines", lines.sink());
    RuntimeOptions options;
    options.state_directory = state;
    options.checkpoint_every = 0ms;
    options.parallelism = parallelism;
    options.logger = Logger::silent();
    auto started = Runtime::start(std::move(graph), options);
    if (!started.ok()) return ADD_FAILURE() << started.error().describe(), std::map<std::string, StoredFile>{};
    Runtime& runtime = **started;
    while (runtime.snapshot().records_in < keys.size() && !runtime.wait_for(0ms)) std::this_thread::sleep_for(1ms);
    runtime.request_stop();
    EXPECT_EQ(runtime.wait().state, JobState::kStopped);
    const Result<DirectoryFacts> facts = read_state_directory(posix_file_system(), state);
    std::map<std::string, StoredFile> files;
    for (const StoredFile& file : facts->checkpoints.back().manifest->files) {
      if (file.name.ends_with(".sst")) files[file.name] = file;
    }
    return files;
  }

  test_support::TemporaryDirectory directory;
  std::string state = directory / "state";
  MemorySink<Line> lines;
};

TEST_F(Rescaled, KeepsEveryRowFileAsItIsAndWritesWhatHasChangedAlone) {
  std::vector<Key> all(kKeys);
  for (Key key = 0; key < kKeys; ++key) all[key] = key;
  std::map<std::string, StoredFile> before = run(1, all);
  std::uint64_t bytes = 0;
  for (const auto& [name, file] : before) bytes += file.size;
  EXPECT_GT(bytes, 1'000'000U);
  EXPECT_THAT(lines.committed(), ::testing::IsEmpty());

  std::vector<Line> expected;
  std::uint64_t count = 1;
  for (const std::uint32_t parallelism : {2U, 3U, 1U}) {
    std::vector<Key> some;
    for (Key key = 0; key < kKeys; key += 1999) some.push_back(key);   // in all tasks
    ++count;
    for (const Key key : some) expected.emplace_back(key, count);
    const std::map<std::string, StoredFile> now = run(parallelism, some);
    std::uint64_t written = 0;
    for (const auto& [name, file] : now) written += before.contains(name) ? 0 : file.size;
    for (const auto& [name, file] : before) {
      ASSERT_TRUE(now.contains(name)) << name << " is gone at parallelism " << parallelism;
      EXPECT_EQ(now.at(name), file);
    }
    EXPECT_EQ(now.size(), before.size() + parallelism);   // a new one of each task
    EXPECT_LT(written, bytes / 50);
    before = now;
  }
  std::vector<Line> committed = lines.committed();
  std::sort(committed.begin(), committed.end());
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(committed, expected);
}

}  // namespace
}  // namespace tidemark

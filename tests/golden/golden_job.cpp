#include "golden_job.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>
#include <vector>

#include <tidemark/checkpoint/layout.hpp>
#include <tidemark/file/lines.hpp>
#include <tidemark/operators/stream.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "support/forwarding_file_system.hpp"

namespace tidemark::golden {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kRecords = 600;
constexpr std::size_t kFirstStop = 200;
constexpr std::size_t kSecondStop = 400;
constexpr std::int64_t kDisorder = 40;

struct Payment {
  std::string user;
  std::int64_t cents = 0;
  std::int64_t at = 0;
  EventTime time() const { return event_time(at); }
};

// Some of them late.
std::vector<Payment> payments() {
  SeededRandom random(5);
  std::vector<Payment> made;
  for (std::size_t i = 0; i < kRecords; ++i) {
    const auto delay = static_cast<std::int64_t>(random.next() % 60);
    made.push_back({"user-" + std::to_string(random.next() % 7), static_cast<std::int64_t>(random.next() % 1000),
                    static_cast<std::int64_t>(i) * 3 - delay});
  }
  return made;
}

std::string line_of(const Payment& payment) {
  return payment.user + " " + std::to_string(payment.cents) + " " + std::to_string(payment.at);
}

Payment payment_of(const std::string& line) {
  const std::size_t first = line.find(' ');
  const std::size_t second = line.find(' ', first + 1);
  Payment payment{.user = line.substr(0, first)};
  std::from_chars(line.data() + first + 1, line.data() + second, payment.cents);
  std::from_chars(line.data() + second + 1, line.data() + line.size(), payment.at);
  return payment;
}

// State "state", timers and, in event-time order, waiting records.
struct Spending {
  struct State {
    std::int64_t cents = 0;
    std::vector<std::int64_t> last;   // at most three
  };
  using Context = ProcessContext<std::string>;

  void operator()(const Payment& payment, State& state, Context& context, Collector<std::string>& out) const {
    state.cents += payment.cents;
    state.last.push_back(payment.cents);
    if (state.last.size() > 3) state.last.erase(state.last.begin());
    context.set_timer(payment.time() + 100us, 7);
    out("spent " + payment.user + " " + std::to_string(payment.at) + " " + std::to_string(state.cents));
  }
  void on_timer(const Timer& timer, const State& state, Context& context, Collector<std::string>& out) const {
    out("quiet " + context.key() + " " + std::to_string(micros(timer.time)) + " " + std::to_string(state.last.back()));
  }
};

// A list and a map, whose rows are those of their entries.
struct Receipts {
  struct State {
    ListState<std::int64_t> amounts{"amounts"};
    MapState<std::int64_t, std::int64_t> by_hundred{"by_hundred"};
  };
  void operator()(const Payment& payment, State& state, ProcessContext<std::string>&, Collector<std::string>& out) const {
    state.amounts.append(payment.cents);
    const std::int64_t* before = state.by_hundred.find(payment.cents / 100);
    state.by_hundred.put(payment.cents / 100, (before == nullptr ? 0 : *before) + payment.cents);
    if (payment.cents < 50) state.by_hundred.erase(payment.cents / 100);
    std::string line = "receipts " + payment.user + " " + std::to_string(state.amounts.size());
    for (const auto& [hundred, cents] : state.by_hundred) line += " " + std::to_string(hundred) + ":" + std::to_string(cents);
    if (state.amounts.size() % 5 == 0) out(std::move(line));
  }
};

// The same by window, whose rows have a time as well.
struct Days {
  struct State {
    PerWindow<ValueState<std::int64_t>> most{"most", tumbling(100us)};
    PerWindow<ListState<std::int64_t>> amounts{"amounts", tumbling(100us)};
    PerWindow<MapState<std::int64_t, std::int64_t>> by_hundred{"by_hundred", tumbling(200us, {.offset = 50us})};
  };
  using Context = ProcessContext<std::string>;

  void operator()(const Payment& payment, State& state, Context& context, Collector<std::string>&) const {
    const std::int64_t* most = state.most.find();
    if (most == nullptr || *most < payment.cents) state.most.set(payment.cents);
    state.amounts.append(payment.cents);
    const std::int64_t* before = state.by_hundred.find(payment.cents / 100);
    state.by_hundred.put(payment.cents / 100, (before == nullptr ? 0 : *before) + payment.cents);
    if (payment.cents < 50) state.by_hundred.erase(payment.cents / 100);
    context.set_timer(state.amounts.window().max_time());
  }
  void on_timer(const Timer& timer, const State& state, Context& context, Collector<std::string>& out) const {
    std::string line = "day " + context.key() + " " + std::to_string(micros(timer.time)) + " " + std::to_string(*state.most.find());
    for (const std::int64_t amount : state.amounts) line += " " + std::to_string(amount);
    for (const auto& [hundred, cents] : state.by_hundred) line += " " + std::to_string(hundred) + ":" + std::to_string(cents);
    out(std::move(line));
  }
};

// The last three of all payments: a list without a key, in the manifest.
struct LastThree {
  void operator()(const Payment& payment, std::vector<Payment>& last, Collector<std::string>& out) const {
    std::string line = "after";
    for (const Payment& each : last) line += " " + line_of(each);
    if (last.size() == 3) last.erase(last.begin());
    last.push_back(payment);
    if (payment.at % 5 == 0) out(std::move(line));
  }
};

template <class Windows>
auto lines_of(const Windows& windows, const std::string& name) {
  auto late = windows.late().map([name](const Late<Payment>& dropped) { return name + " late " + line_of(dropped.record); });
  return windows
      .map([name](const WindowResult<std::string, std::int64_t>& result) {
        return name + " " + result.key + " " + std::to_string(micros(result.window.start)) + " " + std::to_string(result.value);
      })
      .union_with(late);
}

Graph job(const std::string& directory, bool follow, Job which) {
  Graph graph;
  auto all = graph.from("payments", lines_source({.path = join_path(directory, "input.txt"), .follow = follow}))
                 .map([](const std::string& line) { return payment_of(line); })
                 .with_event_time(&Payment::time, {.out_of_orderness = std::chrono::microseconds{kDisorder}});
  auto keyed = all.key_by(&Payment::user);
  auto spent = keyed.process<std::string>("spent", Spending{}, event_time_order(&Payment::cents));
  auto tumbling_sums = keyed.window(tumbling(100us)).aggregate("tumbling", sum(&Payment::cents));
  auto sliding_sums = keyed.window(sliding(100us, 20us)).aggregate("sliding", sum(&Payment::cents));
  auto sessions = keyed.window(session(15us)).aggregate("sessions", sum(&Payment::cents));
  auto lines = spent.union_with(lines_of(tumbling_sums, "tumbling"))
                   .union_with(lines_of(sliding_sums, "sliding"))
                   .union_with(lines_of(sessions, "session"));
  if (which == Job::kOfTheFirstVersions) {
    lines.to("results", lines_sink(join_path(directory, "out")));
    return graph;
  }
  auto more = lines.union_with(keyed.process<std::string>("receipts", Receipts{}, event_time_order(&Payment::cents)));
  if (which == Job::kOfTheThird) {
    more.to("results", lines_sink(join_path(directory, "out")));
    return graph;
  }
  auto by_window = more.union_with(keyed.process<std::string>("days", Days{}, event_time_order(&Payment::cents)));
  if (which == Job::kOfTheFourth) {
    by_window.to("results", lines_sink(join_path(directory, "out")));
    return graph;
  }
  by_window.union_with(all.flat_map<std::string, Payment>("last", LastThree{})).to("results", lines_sink(join_path(directory, "out")));
  return graph;
}

// Publishes nothing more once the manifest of the newest checkpoint is there, as if the process had been killed between it and the commit.
class NoCommit final : public test_support::ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  Status rename_new(const std::string& from, const std::string& to) override {
    if (to.ends_with(".txt")) return Error{.code = ErrorCode::kStorageFailed, .message = "no commit"};
    return under_.rename_new(from, to);
  }
};

RuntimeOptions options_for(const std::string& directory, Random& random) {
  RuntimeOptions options;
  options.job_name = "golden";
  options.state_directory = join_path(directory, "state");
  options.checkpoint_every = 0ms;
  options.deterministic = true;
  options.random = &random;
  options.logger = Logger::silent();
  return options;
}

Status set_input(const std::string& directory, std::size_t records) {
  const std::vector<Payment> all = payments();
  Bytes text;
  for (std::size_t i = 0; i < records; ++i) text += line_of(all[i]) + "\n";
  const std::string path = join_path(directory, "input.txt");
  (void)posix_file_system().remove_file(path).ok();
  TIDEMARK_ASSIGN(const auto file, posix_file_system().create(path));
  TIDEMARK_TRY(file->append(text));
  return file->close();
}

// Until what is there was read and every watermark that it allows was sent; then stops with a checkpoint.
Status run_until(const std::string& directory, std::size_t from, std::size_t to, FileSystem& files) {
  TIDEMARK_TRY(set_input(directory, to));
  SeededRandom random(11);
  RuntimeOptions options = options_for(directory, random);
  options.files = &files;
  TIDEMARK_ASSIGN(const auto runtime, Runtime::start(job(directory, true, Job::kOfToday), options));
  const std::vector<Payment> all = payments();
  std::int64_t greatest = INT64_MIN;
  for (std::size_t i = 0; i < to; ++i) greatest = std::max(greatest, all[i].at);
  const auto there = [&](const JobSnapshot& now) {
    return now.records_in == to - from && now.watermark == event_time(greatest - kDisorder - 1);
  };
  while (!there(runtime->snapshot()) && !runtime->wait_for(0ms)) std::this_thread::sleep_for(1ms);
  runtime->request_stop();
  const JobResult result = runtime->wait();
  return result.error ? Status{*result.error} : Status{};
}

Status run_to_the_end(const std::string& directory, Job which) {
  TIDEMARK_TRY(set_input(directory, kRecords));
  SeededRandom random(11);
  TIDEMARK_ASSIGN(const auto runtime, Runtime::start(job(directory, false, which), options_for(directory, random)));
  const JobResult result = runtime->wait();
  return result.error ? Status{*result.error} : Status{};
}

}  // namespace

Status write_golden(const std::string& directory) {
  FileSystem& files = posix_file_system();
  TIDEMARK_TRY(files.make_directory(directory));
  TIDEMARK_TRY(run_until(directory, 0, kFirstStop, files));
  NoCommit no_commit{files};
  const Status cut_off = run_until(directory, kFirstStop, kSecondStop, no_commit);
  if (cut_off.ok()) return Error{.code = ErrorCode::kBrokenInvariant, .message = "the last commit was to fail"};
  const std::string state = join_path(directory, "state");
  TIDEMARK_TRY(newest_manifest(directory).status());
  TIDEMARK_TRY(remove_tree(files, all_live_path(state)));
  TIDEMARK_TRY(files.remove_file(place_path(state)));
  return files.remove_file(lock_path(state));
}

Status finish(const std::string& directory, Job which) { return run_to_the_end(directory, which); }

Status run_unbroken(const std::string& directory, Job which) {
  TIDEMARK_TRY(posix_file_system().make_directory(directory));
  return run_to_the_end(directory, which);
}

Result<Manifest> newest_manifest(const std::string& directory) {
  const std::string path = manifest_path(join_path(directory, "state"), kNewest);
  TIDEMARK_ASSIGN(const Bytes bytes, read_file(posix_file_system(), path, kMaxManifestBytes));
  return decode_manifest(bytes, path);
}

}  // namespace tidemark::golden

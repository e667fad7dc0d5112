// The hand-written loops: what a careful programmer writes who needs this one answer, on one thread and without checkpoints.

#include <algorithm>
#include <deque>
#include <limits>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "peer_workload.hpp"

namespace peer {
namespace {

using Clock = std::chrono::steady_clock;

// The moments of a run. Both ends are taken while the state is alive, as for a job.
struct Times {
  Clock::time_point begin = Clock::now();
  Clock::time_point half = begin;
  Clock::time_point end = begin;
};

struct Tally {
  std::uint64_t outputs = 0;
  std::uint64_t hash = 0;
  void add(std::uint64_t key, std::uint64_t a, std::uint64_t b, std::uint64_t c) {
    hash += output_hash(key, a, b, c);
    ++outputs;
  }
};

struct Sum {
  std::uint64_t count = 0;
  std::uint64_t amount = 0;
};
using Table = boost::unordered_flat_map<std::uint64_t, Sum>;

template <class Shape, class Each>
void for_each_event(std::uint64_t events, const Shape& shape, Times& times, Each each) {
  std::uint64_t i = 0;
  for (const std::uint64_t stop : {events / 2, events}) {
    times.half = Clock::now();
    for (; i < stop; ++i) each(event_at(i, shape));
  }
}

template <class Shape>
Answer pass(std::uint64_t events, const Shape& shape, Times& times) {
  Tally tally;
  for_each_event(events, shape, times, [&](const Event& event) {
    if (event.key % 4 != 0) tally.add(event.key, static_cast<std::uint64_t>(event.time_ms), event.amount * 908 / 1000, 0);
  });
  times.end = Clock::now();
  return {tally.outputs, tally.hash, std::nullopt};
}

// Sums by slices of `slide`. A sliding window is a running table: the slice that enters is added to it, the one that leaves is subtracted.
template <class Shape>
Answer windows(std::uint64_t events, const Shape& shape, const Workload& workload, Times& times) {
  const std::int64_t size = workload.size.count();
  const std::int64_t slide = workload.slide.count();
  const auto disorder = static_cast<std::int64_t>(shape.disorder_ms);
  Tally tally;
  std::deque<Table> slices;
  Table running;                                                            // sliding windows only
  std::int64_t oldest = kFirstTimeMs - disorder;                            // start of slices.front()
  oldest -= oldest % slide;
  std::int64_t next_end = oldest + slide;                                   // of the window that fires next

  const auto emit = [&](const Table& sums) {
    for (const auto& [key, sum] : sums) tally.add(key, static_cast<std::uint64_t>(next_end), sum.count, sum.amount);
  };
  const auto drop_oldest = [&] {
    slices.pop_front();
    oldest += slide;
  };
  const auto slide_on = [&] {
    const std::int64_t enters = next_end - slide;
    if (const auto at = static_cast<std::size_t>((enters - oldest) / slide); at < slices.size()) {
      for (const auto& [key, sum] : slices[at]) {
        Sum& total = running[key];
        total.count += sum.count;
        total.amount += sum.amount;
      }
    }
    if (enters - size >= oldest) {
      for (const auto& [key, sum] : slices.front()) {
        const auto total = running.find(key);
        if ((total->second.count -= sum.count) == 0) {
          running.erase(total);
        } else {
          total->second.amount -= sum.amount;
        }
      }
      drop_oldest();
    }
    emit(running);
  };
  const auto fire = [&](std::int64_t watermark) {
    for (; next_end - 1 <= watermark && !(slices.empty() && running.empty()); next_end += slide) {
      if (size != slide) {
        slide_on();
      } else if (!slices.empty()) {
        emit(slices.front());
        drop_oldest();
      }
    }
  };

  std::int64_t greatest = std::numeric_limits<std::int64_t>::min();
  for_each_event(events, shape, times, [&](const Event& event) {
    const auto slice = static_cast<std::size_t>((event.time_ms - oldest) / slide);
    while (slices.size() <= slice) slices.emplace_back();
    Sum& sum = slices[slice][event.key];
    ++sum.count;
    sum.amount += event.amount;
    if (event.time_ms > greatest) {
      greatest = event.time_ms;
      fire(greatest - disorder - 1);
    }
  });
  fire(std::numeric_limits<std::int64_t>::max() - 1);
  times.end = Clock::now();
  return {tally.outputs, tally.hash, std::nullopt};
}

// Events may be out of order, so a key may have several open sessions: a short list.
template <class Shape>
Answer sessions(std::uint64_t events, const Shape& shape, std::int64_t gap, Times& times) {
  struct Session {
    std::int64_t first;
    std::int64_t last;
    Sum sum;
  };
  Tally tally;
  const auto emit = [&](std::uint64_t key, const Session& session) {
    tally.add(key, static_cast<std::uint64_t>(session.first), session.sum.count, session.sum.amount);
  };
  std::vector<std::vector<Session>> open(shape.keys);
  std::int64_t greatest = std::numeric_limits<std::int64_t>::min();
  for_each_event(events, shape, times, [&](const Event& event) {
    greatest = std::max(greatest, event.time_ms);
    const std::int64_t watermark = greatest - static_cast<std::int64_t>(shape.disorder_ms) - 1;
    std::vector<Session>& sessions_of_key = open[event.key];
    Session merged{event.time_ms, event.time_ms, {1, event.amount}};
    std::erase_if(sessions_of_key, [&](const Session& session) {
      if (session.last + gap - 1 <= watermark) {
        emit(event.key, session);
        return true;
      }
      if (event.time_ms - session.last >= gap || session.first - event.time_ms >= gap) return false;
      merged = {std::min(merged.first, session.first), std::max(merged.last, session.last),
                {merged.sum.count + session.sum.count, merged.sum.amount + session.sum.amount}};
      return true;
    });
    sessions_of_key.push_back(merged);
  });
  for (std::uint64_t key = 0; key < shape.keys; ++key) {
    for (const Session& session : open[key]) emit(key, session);
  }
  times.end = Clock::now();
  return {tally.outputs, tally.hash, std::nullopt};
}

template <class Shape>
Answer total(std::uint64_t events, const Shape& shape, Times& times) {
  Tally tally;
  Table table;
  for_each_event(events, shape, times, [&](const Event& event) {
    Sum& sum = table[event.key];
    ++sum.count;
    sum.amount += event.amount;
    tally.add(event.key, sum.count, sum.amount, 0);
  });
  times.end = Clock::now();
  std::uint64_t last = 0;
  for (const auto& [key, sum] : table) last += output_hash(key, sum.count, sum.amount, 0);
  return {tally.outputs, tally.hash, last};
}

template <class Shape>
Answer velocity(std::uint64_t events, const Shape& shape, std::int64_t size, Times& times) {
  Tally tally;
  std::vector<std::deque<std::int64_t>> recent(shape.keys);
  for_each_event(events, shape, times, [&](const Event& event) {
    std::deque<std::int64_t>& of_key = recent[event.key];
    while (!of_key.empty() && of_key.front() <= event.time_ms - size) of_key.pop_front();
    of_key.push_back(event.time_ms);
    if (of_key.size() > kVelocityLimit) tally.add(event.key, static_cast<std::uint64_t>(event.time_ms), of_key.size(), 0);
  });
  times.end = Clock::now();
  return {tally.outputs, tally.hash, std::nullopt};
}

Answer run(const Workload& workload, std::uint64_t events, Times& times) {
  return with_shape(workload, [&](const auto& shape) {
    switch (workload.work) {
      case Work::kPass: return pass(events, shape, times);
      case Work::kWindow: return windows(events, shape, workload, times);
      case Work::kSession: return sessions(events, shape, workload.gap.count(), times);
      case Work::kTotal: return total(events, shape, times);
      case Work::kVelocity: return velocity(events, shape, workload.size.count(), times);
    }
    return Answer{};
  });
}

}  // namespace

Outcome run_loop(const Workload& workload, std::uint64_t events) {
  Times times;
  Outcome outcome;
  reset_peak_memory();
  const double cpu = cpu_seconds();
  times.begin = Clock::now();
  outcome.answer = run(workload, events, times);
  outcome.cpu_seconds = cpu_seconds() - cpu;
  outcome.seconds = std::chrono::duration<double>(times.end - times.begin).count();
  outcome.second_half_seconds = std::chrono::duration<double>(times.end - times.half).count();
  outcome.max_rss_mib = peak_memory_mib();
  return outcome;
}

}  // namespace peer

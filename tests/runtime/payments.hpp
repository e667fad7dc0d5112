#pragma once
// One job that most runtime tests run, and the naive model of what it must write: payments in several splits, some of them late, counted
// per account and window and summed up per account in event-time order.

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/random.hpp>
#include <tidemark/memory/memory_sink.hpp>
#include <tidemark/memory/memory_source.hpp>
#include <tidemark/operators/graph.hpp>

namespace tidemark::payments {

struct Payment {
  std::int64_t account = 0;
  std::int64_t id = 0;
  std::int64_t amount = 0;
  std::int64_t at = 0;   // microseconds
  EventTime time() const { return event_time(at); }
};

// A line of output; the first field is the key, "window" or "total" the second.
struct Line {
  std::string key;
  std::string text;
  friend auto operator<=>(const Line&, const Line&) = default;
};

inline constexpr std::int64_t kDisorder = 40;
inline constexpr std::int64_t kWindow = 100;

using Splits = std::vector<std::vector<Payment>>;

// `disorder` above kDisorder makes some of them late.
inline Splits make_payments(std::uint64_t seed, std::size_t splits, std::size_t per_split, std::int64_t disorder = 60) {
  SeededRandom random(seed);
  Splits made(splits);
  std::int64_t id = 0;
  for (auto& split : made) {
    for (std::size_t i = 0; i < per_split; ++i) {
      const auto late = static_cast<std::int64_t>(random.next() % static_cast<std::uint64_t>(disorder));
      split.push_back({.account = static_cast<std::int64_t>(random.next() % 23),
                       .id = id++,
                       .amount = static_cast<std::int64_t>(random.next() % 100),
                       .at = static_cast<std::int64_t>(i) * 3 - late});
    }
  }
  return made;
}

struct Total {
  std::int64_t sum = 0;
  std::int64_t count = 0;
};

// The job: windows and totals become lines of one sink, records too late for their window lines of another.
Graph make_graph(const Source<Payment>& source, const Sink<Line>& lines, const Sink<Line>& late);
// The same over two sources whose streams are united.
Graph make_graph_of_two(const Source<Payment>& first, const Source<Payment>& second, const Sink<Line>& lines, const Sink<Line>& late);

struct Expected {
  std::vector<Line> lines;   // sorted
  std::vector<Line> late;    // sorted
};

// By definition: a record is judged by its own split's watermark just before it (W5, L2); windows and totals are computed from what is
// kept.
inline Expected model(const Splits& splits) {
  Expected expected;
  std::map<std::pair<std::int64_t, std::int64_t>, std::pair<std::uint64_t, std::int64_t>> windows;
  std::vector<Payment> in_time;
  for (const auto& split : splits) {
    std::int64_t greatest = INT64_MIN;
    for (const Payment& payment : split) {
      if (payment.amount == 13) continue;
      const std::int64_t watermark = greatest == INT64_MIN ? INT64_MIN : greatest - kDisorder - 1;
      greatest = std::max(greatest, payment.at);
      const std::int64_t start = payment.at - ((payment.at % kWindow) + kWindow) % kWindow;
      if (start + kWindow - 1 <= watermark) {
        expected.late.push_back({std::to_string(payment.account), "late " + std::to_string(payment.id)});
      } else {
        auto& [count, sum] = windows[{payment.account, start}];
        ++count;
        sum += payment.amount;
      }
      if (payment.at > watermark) in_time.push_back(payment);
    }
  }
  for (const auto& [key, value] : windows) {
    expected.lines.push_back({std::to_string(key.first), "window " + std::to_string(key.second) + " " + std::to_string(value.first) + " " +
                                                             std::to_string(value.second)});
  }
  std::sort(in_time.begin(), in_time.end(),
            [](const Payment& a, const Payment& b) { return std::pair(a.at, a.id) < std::pair(b.at, b.id); });
  std::map<std::int64_t, Total> totals;
  for (const Payment& payment : in_time) {
    Total& total = totals[payment.account];
    total.sum += payment.amount;
    ++total.count;
    expected.lines.push_back({std::to_string(payment.account), "total " + std::to_string(payment.at) + " " + std::to_string(payment.id) +
                                                                   " " + std::to_string(total.count) + " " + std::to_string(total.sum)});
  }
  std::sort(expected.lines.begin(), expected.lines.end());
  std::sort(expected.late.begin(), expected.late.end());
  return expected;
}

inline std::vector<Line> sorted(std::vector<Line> lines) {
  std::sort(lines.begin(), lines.end());
  return lines;
}

// The lines of each key that start with `kind`, in the order in which they were committed.
inline std::map<std::string, std::vector<std::string>> by_key(const std::vector<Line>& lines, const std::string& kind) {
  std::map<std::string, std::vector<std::string>> grouped;
  for (const Line& line : lines) {
    if (line.text.rfind(kind, 0) == 0) grouped[line.key].push_back(line.text);
  }
  return grouped;
}

}  // namespace tidemark::payments

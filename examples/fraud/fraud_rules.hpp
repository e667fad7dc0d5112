#pragma once
// The rules of the fraud job: what is remembered of a card, and when one of its transactions is suspicious.

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <numbers>
#include <string>

#include <tidemark/operators/process.hpp>
#include <tidemark/operators/stream.hpp>

namespace fraud {

using namespace std::chrono_literals;
using tidemark::Collector;
using tidemark::EventTime;
using tidemark::ProcessContext;
using tidemark::Timer;

struct Transaction {
  std::int64_t card = 0;
  std::string id;
  EventTime time;
  double amount = 0;
  double latitude = 0;    // of the merchant, degrees
  double longitude = 0;
  std::string row;        // the whole input row, for late ones
};

struct Alert {
  std::int64_t card = 0;
  std::string transaction;
  EventTime time;
  std::string rule;
  double amount = 0;
  std::string detail;
};

// What a card remembers of a transaction.
struct Earlier {
  EventTime time;
  double amount = 0;
  double latitude = 0;
  double longitude = 0;
};

inline constexpr auto kMemory = 1h;
inline constexpr double kEarthRadiusKm = 6371;

// Great-circle distance (haversine).
template <class A, class B>
double kilometres_between(const A& a, const B& b) {
  const auto radians = [](double degrees) { return degrees * std::numbers::pi / 180; };
  const double half_latitude = std::sin(radians(b.latitude - a.latitude) / 2);
  const double half_longitude = std::sin(radians(b.longitude - a.longitude) / 2);
  const double h =
      half_latitude * half_latitude + std::cos(radians(a.latitude)) * std::cos(radians(b.latitude)) * half_longitude * half_longitude;
  return 2 * kEarthRadiusKm * std::asin(std::sqrt(std::min(1.0, h)));
}

template <class... Values>
std::string text(const char* format, Values... values) {
  char buffer[128];
  std::snprintf(buffer, sizeof buffer, format, values...);
  return buffer;
}

// Sees the transactions of one card at a time, in event-time order. `history` is the card's earlier ones less than an hour before this one.
class Rules {
 public:
  enum class Version { kV1, kV2 };
  struct Card {
    std::deque<Earlier> history;
  };

  explicit Rules(Version version) : version_(version) {}

  void operator()(const Transaction& now, Card& card, ProcessContext<std::int64_t>& context, Collector<Alert>& alerts) const {
    auto& history = card.history;
    if (!history.empty()) context.delete_timer(history.back().time + kMemory);
    while (!history.empty() && history.front().time <= now.time - kMemory) history.pop_front();
    if (version_ == Version::kV1) {
      high_velocity(now, history, alerts);
      impossible_travel(now, history, alerts);
      amount_anomaly(now, history, alerts);
    } else {
      many_in_five_minutes(now, history, alerts);
      large_amount(now, alerts);
    }
    history.push_back({now.time, now.amount, now.latitude, now.longitude});
    context.set_timer(now.time + kMemory);
  }

  // The card's last transaction is an hour old: nothing of it counts any more.
  void on_timer(const Timer&, Card&, ProcessContext<std::int64_t>& context, Collector<Alert>&) const { context.forget(); }

 private:
  using History = std::deque<Earlier>;

  static std::size_t count_after(const History& history, EventTime start) {
    std::size_t count = 0;
    for (auto earlier = history.rbegin(); earlier != history.rend() && earlier->time > start; ++earlier) ++count;
    return count;
  }
  static void alert(const Transaction& now, const char* rule, std::string detail, Collector<Alert>& alerts) {
    alerts.emit({now.card, now.id, now.time, rule, now.amount, std::move(detail)});
  }

  static void high_velocity(const Transaction& now, const History& history, Collector<Alert>& alerts) {
    const std::size_t recent = count_after(history, now.time - 60s);
    if (recent >= 5) alert(now, "high_velocity", text("%zu earlier in the last 60 s", recent), alerts);
  }
  static void impossible_travel(const Transaction& now, const History& history, Collector<Alert>& alerts) {
    if (history.empty()) return;
    const double km = kilometres_between(history.back(), now);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time - history.back().time).count();
    if (km > 5000) alert(now, "impossible_travel", text("%.0f km in %lld s", km, static_cast<long long>(seconds)), alerts);
  }
  static void amount_anomaly(const Transaction& now, const History& history, Collector<Alert>& alerts) {
    if (history.empty()) return;
    double sum = 0;
    for (const Earlier& earlier : history) sum += earlier.amount;
    const double mean = sum / static_cast<double>(history.size());
    if (now.amount > 10 * mean) alert(now, "amount_anomaly", text("mean of the last hour %.2f", mean), alerts);
  }
  static void many_in_five_minutes(const Transaction& now, const History& history, Collector<Alert>& alerts) {
    const std::size_t recent = count_after(history, now.time - 5min) + 1;
    if (recent > 5) alert(now, "high_velocity", text("%zu in the last 5 min", recent), alerts);
  }
  static void large_amount(const Transaction& now, Collector<Alert>& alerts) {
    if (now.amount > 10'000) alert(now, "large_amount", "above 10000", alerts);
  }

  Version version_;
};

}  // namespace fraud

#include <chrono>
#include <limits>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "windows_support.hpp"

namespace {

using namespace window_tests;
using namespace std::chrono_literals;
using operators_internal::Combined;

struct Payment {
  std::int32_t cents = 0;
  std::uint8_t flags = 0;
  double weight = 0;
  std::string city;
  std::chrono::milliseconds took{0};
};

// What an aggregate makes of the payments, added one by one, and merged from every split in two.
template <class... Aggregates>
auto result_of(const std::vector<Payment>& payments, Aggregates... aggregates) {
  using All = Combined<Payment, Aggregates...>;
  All all{std::move(aggregates)...};
  typename All::Accumulator whole{};
  for (const Payment& payment : payments) all.add(whole, payment);
  for (std::size_t cut = 0; cut <= payments.size(); ++cut) {
    typename All::Accumulator left{};
    typename All::Accumulator right{};
    for (std::size_t i = 0; i < payments.size(); ++i) all.add(i < cut ? left : right, payments[i]);
    all.merge(left, right);
    EXPECT_EQ(all.result(left), all.result(whole)) << "cut at " << cut;
    typename All::Accumulator decoded{};
    EXPECT_TRUE(decode_whole(encoded(left), decoded));
    EXPECT_EQ(all.result(decoded), all.result(whole));
  }
  return all.result(whole);
}

const std::vector<Payment> kPayments = {{500, 1, 0.5, "Oslo", 30ms}, {-200, 2, 4, "Aarhus", 10ms}, {100, 4, -1.5, "Turku", 20ms}};

TEST(Aggregates, CountSumAndCompare) {
  EXPECT_EQ(result_of(kPayments, count()), 3u);
  EXPECT_EQ(result_of(kPayments, sum(&Payment::cents)), 400);
  EXPECT_EQ(result_of(kPayments, sum(&Payment::weight)), 3.0);
  EXPECT_EQ(result_of(kPayments, sum(&Payment::took)), 60ms);
  EXPECT_EQ(result_of(kPayments, sum([](const Payment& payment) { return payment.city; })), "OsloAarhusTurku");
  EXPECT_EQ(result_of(kPayments, min(&Payment::cents)), -200);
  EXPECT_EQ(result_of(kPayments, max(&Payment::cents)), 500);
  EXPECT_EQ(result_of(kPayments, min(&Payment::weight)), -1.5);
  EXPECT_EQ(result_of(kPayments, max(&Payment::took)), 30ms);
  EXPECT_EQ(result_of(kPayments, min(&Payment::city)), "Aarhus");
  EXPECT_EQ(result_of(kPayments, max(&Payment::city)), "Turku");
  EXPECT_DOUBLE_EQ(result_of(kPayments, average(&Payment::cents)), 400.0 / 3);
}

TEST(Aggregates, GiveATupleWhenThereAreSeveral) {
  const auto results = result_of(kPayments, count(), sum(&Payment::cents), max(&Payment::city), average(&Payment::cents));
  static_assert(std::is_same_v<decltype(results), const std::tuple<std::uint64_t, std::int64_t, std::string, double>>);
  EXPECT_EQ(results, std::make_tuple(std::uint64_t{3}, std::int64_t{400}, std::string{"Turku"}, 400.0 / 3));
}

TEST(Aggregates, SumIntegersIn64BitsAndWrap) {
  static_assert(std::is_same_v<decltype(result_of(kPayments, sum(&Payment::cents))), std::int64_t>);
  static_assert(std::is_same_v<decltype(result_of(kPayments, sum(&Payment::flags))), std::uint64_t>);
  constexpr auto kGreatest = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(result_of(kPayments, sum([](const Payment&) { return kGreatest; })), kGreatest - 2);
  EXPECT_EQ(result_of(std::vector<Payment>(1000, kPayments[0]), sum(&Payment::cents)), 500'000);
}

TEST(Aggregates, PassOverNotANumber) {
  const auto weighing = [](double weight) {
    Payment payment;
    payment.weight = weight;
    return payment;
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::vector<Payment> payments = {weighing(std::numeric_limits<double>::quiet_NaN()), weighing(2), weighing(kInfinity)};
  EXPECT_EQ(result_of(payments, min(&Payment::weight)), 2);
  EXPECT_EQ(result_of(payments, max(&Payment::weight)), kInfinity);
  EXPECT_EQ(result_of({weighing(-kInfinity)}, max(&Payment::weight)), -kInfinity);
}

TEST(Aggregates, TakeFunctionsOfYourOwn) {
  struct Range {
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    std::int64_t greatest = std::numeric_limits<std::int64_t>::min();
  };
  const auto range = aggregate<Range>(
      [](Range& into, const Payment& payment) {
        into.least = std::min<std::int64_t>(into.least, payment.cents);
        into.greatest = std::max<std::int64_t>(into.greatest, payment.cents);
      },
      [](Range& into, const Range& from) {
        into.least = std::min(into.least, from.least);
        into.greatest = std::max(into.greatest, from.greatest);
      },
      [](const Range& found) { return found.greatest - found.least; });
  EXPECT_EQ(result_of(kPayments, range), 700);
  EXPECT_EQ(result_of(kPayments, range, count()), std::make_tuple(std::int64_t{700}, std::uint64_t{3}));
}

TEST(Aggregates, ReduceRecordsTwoByTwo) {
  const auto larger = [](const Item& a, const Item& b) { return a.time < b.time ? b : a; };
  operators_internal::Combined<Item, operators_internal::ReduceAggregate<Item, decltype(larger)>> reduce{{larger}};
  std::optional<Item> left;
  std::optional<Item> right;
  reduce.add(left, item(5));
  reduce.add(left, item(3));
  reduce.merge(right, left);
  reduce.merge(left, std::nullopt);
  EXPECT_EQ(reduce.result(left), item(5));
  EXPECT_EQ(reduce.result(right), item(5));
}

// The state of the usual aggregates is copied as memory, which tables and checkpoints are fastest with.
// Whether their parts may be merged wherever memory ran out (D1).
template <class... Aggregates>
bool is_exact(Aggregates... aggregates) {
  using All = Combined<Payment, Aggregates...>;
  static_cast<void>(All{std::move(aggregates)...});
  return All::kExact;
}

TEST(Aggregates, SayWhetherTheyAreExact) {
  const auto own = aggregate<std::int64_t>([](std::int64_t& into, const Payment&) { ++into; },
                                           [](std::int64_t& into, const std::int64_t& from) { into += from; },
                                           [](const std::int64_t& from) { return from; });
  EXPECT_TRUE(is_exact(count()));
  EXPECT_TRUE(is_exact(sum(&Payment::cents)));
  EXPECT_TRUE(is_exact(sum(&Payment::took)));
  EXPECT_TRUE(is_exact(average(&Payment::cents)));
  EXPECT_TRUE(is_exact(min(&Payment::weight))) << "the least of numbers is one of them";
  EXPECT_TRUE(is_exact(max(&Payment::city)));
  EXPECT_TRUE(is_exact(count(), sum(&Payment::cents), max(&Payment::took)));
  EXPECT_FALSE(is_exact(sum(&Payment::weight)));
  EXPECT_FALSE(is_exact(average(&Payment::weight)));
  EXPECT_FALSE(is_exact(own)) << "it may add floating-point numbers";
  EXPECT_FALSE(is_exact(count(), sum(&Payment::weight)));
}

TEST(Aggregates, KeepPlainAccumulatorsWithoutPadding) {
  using Usual = Combined<Payment, decltype(count()), decltype(sum(&Payment::cents)), decltype(average(&Payment::weight)),
      decltype(max(&Payment::took))>;
  static_assert(std::is_trivially_copyable_v<Usual::Accumulator>);
  static_assert(kEncodedAsMemory<Usual::Accumulator>);
  static_assert(sizeof(Usual::Accumulator) == 5 * 8);
}

}  // namespace

#pragma once
// The aggregates themselves, and several of them as one. Included by aggregates.hpp.

#include <chrono>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <tidemark/core/codec.hpp>

namespace tidemark {
inline namespace v0 {

// A is an aggregate for records of T. Its accumulator needs a Codec.
template <class A, class T>
concept AggregateFor = requires(A& a, typename A::template Accumulator<T>& into, const typename A::template Accumulator<T>& from,
    const T& record) {
  a.add(into, record);
  a.merge(into, from);
  a.result(from);
};

namespace operators_internal {

template <class Of, class T>
using ValueOf = std::remove_cvref_t<std::invoke_result_t<Of&, const T&>>;

// Whether an aggregate of T gives the same to the last bit wherever its records are parted and merged again in their order. Those that do
// not say so do not.
template <class A, class T>
inline constexpr bool kExact = false;
template <class A, class T>
  requires requires { A::template kExact<T>; }
inline constexpr bool kExact<A, T> = A::template kExact<T>;

template <class Value>
inline constexpr bool kIsTime = false;
template <class Rep, class Period>
inline constexpr bool kIsTime<std::chrono::duration<Rep, Period>> = true;
template <class Clock, class Span>
inline constexpr bool kIsTime<std::chrono::time_point<Clock, Span>> = true;

// Adding two of these is associative.
template <class Value>
inline constexpr bool kAddsExactly = std::is_integral_v<Value>;
template <class Rep, class Period>
inline constexpr bool kAddsExactly<std::chrono::duration<Rep, Period>> = std::is_integral_v<Rep>;

struct Count {
  template <class T>
  using Accumulator = std::uint64_t;
  template <class T>
  static constexpr bool kExact = true;
  template <class T>
  void add(std::uint64_t& into, const T&) {
    ++into;
  }
  void merge(std::uint64_t& into, std::uint64_t from) { into += from; }
  std::uint64_t result(std::uint64_t from) { return from; }
};

template <class Value>
using WideSum = std::conditional_t<
    std::is_integral_v<Value>, std::conditional_t<std::is_unsigned_v<Value>, std::uint64_t, std::int64_t>,
    std::conditional_t<std::is_floating_point_v<Value>, double, Value>>;

template <class Wide, class Value>
void add_wrapping(Wide& into, const Value& value) {
  if constexpr (std::is_integral_v<Wide>) {
    into = static_cast<Wide>(static_cast<std::uint64_t>(into) + static_cast<std::uint64_t>(value));
  } else {
    into += value;
  }
}

template <class Of>
struct Sum {
  template <class T>
  using Accumulator = WideSum<ValueOf<Of, T>>;
  template <class T>
  static constexpr bool kExact = kAddsExactly<ValueOf<Of, T>>;
  template <class Wide, class T>
  void add(Wide& into, const T& record) {
    add_wrapping(into, std::invoke(of, record));
  }
  template <class Wide>
  void merge(Wide& into, const Wide& from) {
    add_wrapping(into, from);
  }
  template <class Wide>
  Wide result(const Wide& from) {
    return from;
  }

  Of of;
};

template <class Number>
struct MeanParts {
  Number sum{};
  std::uint64_t count = 0;
};

template <class Of>
struct Average {
  template <class T>
    requires std::is_arithmetic_v<ValueOf<Of, T>>
  using Accumulator = MeanParts<WideSum<ValueOf<Of, T>>>;
  template <class T>
  static constexpr bool kExact = kAddsExactly<ValueOf<Of, T>>;
  template <class Number, class T>
  void add(MeanParts<Number>& into, const T& record) {
    add_wrapping(into.sum, std::invoke(of, record));
    ++into.count;
  }
  template <class Number>
  void merge(MeanParts<Number>& into, const MeanParts<Number>& from) {
    add_wrapping(into.sum, from.sum);
    into.count += from.count;
  }
  template <class Number>
  double result(const MeanParts<Number>& from) {
    return static_cast<double>(from.sum) / static_cast<double>(from.count);
  }

  Of of;
};

struct Less {
  template <class Value>
  static bool beats(const Value& a, const Value& b) {
    return a < b;
  }
  template <class Value>
  static constexpr Value worst() {
    if constexpr (std::numeric_limits<Value>::has_infinity) return std::numeric_limits<Value>::infinity();
    else if constexpr (std::is_arithmetic_v<Value>) return std::numeric_limits<Value>::max();
    else return Value::max();
  }
};
struct Greater {
  template <class Value>
  static bool beats(const Value& a, const Value& b) {
    return b < a;
  }
  template <class Value>
  static constexpr Value worst() {
    if constexpr (std::numeric_limits<Value>::has_infinity) return -std::numeric_limits<Value>::infinity();
    else if constexpr (std::is_arithmetic_v<Value>) return std::numeric_limits<Value>::lowest();
    else return Value::min();
  }
};

// Numbers and times start from the value that loses against all others, which costs neither a flag nor padding.
template <class Value, class Order>
struct ExtremeParts {
  Value value = Order::template worst<Value>();
};
template <class Value, class Order>
using ExtremeAccumulator = std::conditional_t<std::is_arithmetic_v<Value> || kIsTime<Value>, ExtremeParts<Value, Order>,
    std::optional<Value>>;

template <class Of, class Order>
struct Extreme {
  template <class T>
  using Accumulator = ExtremeAccumulator<ValueOf<Of, T>, Order>;
  // Where all values can be compared; NaNs never win, so they are no exception. Of equal ones the first is kept.
  template <class T>
  static constexpr bool kExact = std::is_arithmetic_v<ValueOf<Of, T>> || kIsTime<ValueOf<Of, T>> ||
                                 std::three_way_comparable<ValueOf<Of, T>, std::weak_ordering>;
  template <class Value, class T>
  void add(ExtremeParts<Value, Order>& into, const T& record) {
    take(into.value, std::invoke(of, record));
  }
  template <class Value>
  void merge(ExtremeParts<Value, Order>& into, const ExtremeParts<Value, Order>& from) {
    take(into.value, from.value);
  }
  template <class Value>
  Value result(const ExtremeParts<Value, Order>& from) {
    return from.value;
  }
  template <class Value, class T>
  void add(std::optional<Value>& into, const T& record) {
    take(into, std::invoke(of, record));
  }
  template <class Value>
  void merge(std::optional<Value>& into, const std::optional<Value>& from) {
    if (from) take(into, *from);
  }
  template <class Value>
  Value result(const std::optional<Value>& from) {
    return *from;
  }

  Of of;

 private:
  template <class Value>
  static void take(Value& best, const Value& value) {
    if (Order::beats(value, best)) best = value;
  }
  template <class Value>
  static void take(std::optional<Value>& best, const Value& value) {
    if (!best || Order::beats(value, *best)) best = value;
  }
};

template <class Acc, class Add, class Merge, class Result>
struct OwnAggregate {
  template <class T>
  using Accumulator = Acc;
  template <class T>
    requires std::invocable<Add&, Acc&, const T&>
  void add(Acc& into, const T& record) {
    std::invoke(add_, into, record);
  }
  void merge(Acc& into, const Acc& from)
    requires std::invocable<Merge&, Acc&, const Acc&>
  {
    std::invoke(merge_, into, from);
  }
  auto result(const Acc& from)
    requires std::invocable<Result&, const Acc&>
  {
    return std::invoke(result_, from);
  }

  Add add_;
  Merge merge_;
  Result result_;
};

// The records of a window combined two by two (reduce()).
template <class Record, class F>
struct ReduceAggregate {
  template <class T>
    requires std::same_as<T, Record>
  using Accumulator = std::optional<T>;
  void add(std::optional<Record>& into, const Record& record) {
    into = into ? std::invoke(f, *std::move(into), record) : record;
  }
  void merge(std::optional<Record>& into, const std::optional<Record>& from) {
    if (from) add(into, *from);
  }
  Record result(const std::optional<Record>& from) { return *from; }

  F f;
};

// The accumulators of several aggregates, as nested plain structs: unlike std::tuple these are trivially copyable where their parts are.
template <class... Part>
struct Parts;
template <class First>
struct Parts<First> {
  First first{};
};
template <class First, class... Rest>
struct Parts<First, Rest...> {
  First first{};
  Parts<Rest...> rest{};
};
template <std::size_t kIndex, class P>
auto& part(P& parts) {
  if constexpr (kIndex == 0) return parts.first;
  else return part<kIndex - 1>(parts.rest);
}

template <class A, class T>
struct Fitting {
  static_assert(AggregateFor<A, T>,
                "Tidemark: this aggregate does not fit the stream's record: give sum(), min(), max() and average() a member or function of "
                "the record, and "
                "aggregate<Accumulator>() the functions add(Accumulator&, const Record&), merge(Accumulator&, const Accumulator&) and "
                "result(const Accumulator&)");
  using Accumulator = typename A::template Accumulator<T>;
  using Result = std::decay_t<decltype(std::declval<A&>().result(std::declval<const Accumulator&>()))>;
};

// All aggregates of one window stage as one.
template <class T, class... Aggregates>
class Combined {
  static constexpr bool kOne = sizeof...(Aggregates) == 1;
  template <class... Any>
  struct OnlyOf;
  template <class One, class... Rest>
  struct OnlyOf<One, Rest...> {
    using type = One;
  };

 public:
  using Accumulator = std::conditional_t<kOne, typename OnlyOf<typename Fitting<Aggregates, T>::Accumulator...>::type,
                                         Parts<typename Fitting<Aggregates, T>::Accumulator...>>;
  // Of one aggregate its result, of several a tuple.
  using Result = std::conditional_t<kOne, typename OnlyOf<typename Fitting<Aggregates, T>::Result...>::type,
                                    std::tuple<typename Fitting<Aggregates, T>::Result...>>;

  static constexpr bool kExact = (operators_internal::kExact<Aggregates, T> && ...);

  explicit Combined(Aggregates... aggregates) : aggregates_(std::move(aggregates)...) {}

  void add(Accumulator& into, const T& record) {
    each([&]<std::size_t i>() { std::get<i>(aggregates_).add(at<i>(into), record); });
  }
  void merge(Accumulator& into, const Accumulator& from) {
    each([&]<std::size_t i>() { std::get<i>(aggregates_).merge(at<i>(into), at<i>(from)); });
  }
  Result result(const Accumulator& from) {
    if constexpr (kOne) {
      return std::get<0>(aggregates_).result(from);
    } else {
      return [&]<std::size_t... i>(std::index_sequence<i...>) {
        return Result(std::get<i>(aggregates_).result(at<i>(from))...);
      }(std::index_sequence_for<Aggregates...>{});
    }
  }

 private:
  template <class F>
  static void each(F f) {
    [&]<std::size_t... i>(std::index_sequence<i...>) { (f.template operator()<i>(), ...); }(std::index_sequence_for<Aggregates...>{});
  }
  template <std::size_t i, class A>
  static auto& at(A& accumulator) {
    if constexpr (kOne) return accumulator;
    else return part<i>(accumulator);
  }

  std::tuple<Aggregates...> aggregates_;
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

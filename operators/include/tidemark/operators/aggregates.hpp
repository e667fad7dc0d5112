#pragma once
// What windows compute: count(), sum(), min(), max(), average(), aggregate<Accumulator>(...) and reduce().
//
//   .window(tumbling(1min)).aggregate("spent", count(), sum(&Payment::cents))      // one result: std::tuple<std::uint64_t, std::int64_t>
//
// An aggregate folds the records of a key and window into an accumulator, which is what the state holds.
//
// Its law: a default-constructed accumulator stands for no record at all, merging it changes nothing, and add() and merge() are
// associative and commutative; then results do not depend on parallelism, batches or recovery (D1).
//
// Floating-point addition is not associative: such sums and averages are the same from run to run for a key whose records come from one
// split by one path (windows.hpp), but may otherwise differ in their last bits (D2).
//
// `of` below is a member pointer or a function of the record. Functions are copied once for each task and called by that task's thread
// alone.
// What they throw fails the job.

#include <cstdint>
#include <utility>

#include <tidemark/operators/detail/aggregate_parts.hpp>

namespace tidemark {
inline namespace v0 {

// How many records. Result: std::uint64_t.
inline operators_internal::Count count() { return {}; }

// The sum of a number, duration, or anything else with += whose default-constructed value is zero. Integers are added in 64 bits and wrap.
// Result: std::int64_t, std::uint64_t, double, or the type itself.
template <class Of>
operators_internal::Sum<Of> sum(Of of) {
  return {std::move(of)};
}

// The least or greatest value by <. Floating-point NaNs are passed over. Result: the value's type.
template <class Of>
operators_internal::Extreme<Of, operators_internal::Less> min(Of of) {
  return {std::move(of)};
}
template <class Of>
operators_internal::Extreme<Of, operators_internal::Greater> max(Of of) {
  return {std::move(of)};
}

// The mean of a number: the sum as sum() has it, divided by the count. Result: double.
template <class Of>
operators_internal::Average<Of> average(Of of) {
  return {std::move(of)};
}

// An aggregate of your own: add(Accumulator&, const T&), merge(Accumulator&, const Accumulator&), result(const Accumulator&) -> any type.
template <class Accumulator, class Add, class Merge, class Result>
operators_internal::OwnAggregate<Accumulator, Add, Merge, Result> aggregate(Add add, Merge merge, Result result) {
  return {std::move(add), std::move(merge), std::move(result)};
}

}  // namespace v0
}  // namespace tidemark

#pragma once
// What the runtime must be able to do with records whose type it does not know: make batches, move records between them, copy them.

#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include <tidemark/core/batch.hpp>
#include <tidemark/core/check.hpp>

namespace tidemark {
inline namespace v0 {

struct RecordType {
  std::unique_ptr<BatchBase> (*make_batch)() = nullptr;
  // Moves record i of `from` to the end of *to[targets[i]], with its columns; order is kept. `from` is left to be cleared.
  void (*scatter)(BatchBase& from, std::span<const std::uint16_t> targets, std::span<BatchBase* const> to,
                  Column<std::uint32_t>& scratch) = nullptr;
  // Exchanges the contents of two batches.
  void (*swap)(BatchBase& a, BatchBase& b) = nullptr;
  // Makes `to` a copy of `from`. Null: the record cannot be copied.
  void (*copy)(const BatchBase& from, BatchBase& to) = nullptr;
};

namespace operators_internal {

// The records of each target, in order: those of target t are picked[ends[t - 1]] up to picked[ends[t]], and ends[-1] is 0. Lies in
// `scratch`. With many targets by counting, so that their number costs nothing for each record.
struct PickedByTarget {
  std::uint32_t* picked;
  std::uint32_t* ends;
};
PickedByTarget pick_by_target(std::span<const std::uint16_t> targets, std::size_t target_count, Column<std::uint32_t>& scratch);

// Appends the picked elements to the column of a batch that had `base` records. Streams that meet in a union may differ in whether they
// know their origins: what is unknown is filled in as such.
template <class Element>
void gather_column(const Column<Element>& from, std::span<const std::uint32_t> picked, Column<Element>& to, std::size_t base) {
  if (from.empty() && to.empty()) return;
  to.resize(base, Element{});
  if (from.empty()) return to.resize(base + picked.size(), Element{});
  to.resize(base + picked.size());
  const Element* const source = from.data();
  Element* const sink = to.data() + base;
  for (std::size_t k = 0; k < picked.size(); ++k) sink[k] = source[picked[k]];
}

template <class T>
void scatter_records(BatchBase& from_base, std::span<const std::uint16_t> targets, std::span<BatchBase* const> to,
                     Column<std::uint32_t>& scratch) {
  auto& from = static_cast<Batch<T>&>(from_base);
  TIDEMARK_CHECK(targets.size() == from.values.size());
  const PickedByTarget by_target = pick_by_target(targets, to.size(), scratch);
  std::uint32_t begin = 0;
  for (std::size_t target = 0; target < to.size(); ++target) {
    const std::span<const std::uint32_t> picked{by_target.picked + begin, by_target.ends[target] - begin};
    begin = by_target.ends[target];
    if (picked.empty()) continue;
    auto& out = static_cast<Batch<T>&>(*to[target]);
    const std::size_t base = out.values.size();
    if constexpr (std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T>) {
      gather_column(from.values, picked, out.values, base);
    } else {
      for (const std::uint32_t i : picked) out.values.push_back(std::move(from.values[i]));
    }
    gather_column(from.times, picked, out.times, base);
    gather_column(from.hashes, picked, out.hashes, base);
    gather_column(from.origins, picked, out.origins, base);
    auto next = from.behind.begin();
    for (std::size_t k = 0; k < picked.size() && next != from.behind.end(); ++k) {
      while (next != from.behind.end() && next->index < picked[k]) ++next;
      if (next != from.behind.end() && next->index == picked[k]) out.behind.push_back({static_cast<std::uint32_t>(base + k), next->as_of});
    }
    out.split = from.split;
  }
}

template <class T>
void copy_records(const BatchBase& from_base, BatchBase& to_base) {
  const auto& from = static_cast<const Batch<T>&>(from_base);
  auto& to = static_cast<Batch<T>&>(to_base);
  to.values = from.values;
  to.times = from.times;
  to.hashes = from.hashes;
  to.origins = from.origins;
  to.behind = from.behind;
  to.split = from.split;
}

}  // namespace operators_internal

namespace operators_internal {
template <class T>
constexpr RecordType make_record_type() {
  RecordType made;
  made.make_batch = []() -> std::unique_ptr<BatchBase> { return std::make_unique<Batch<T>>(); };
  made.scatter = &scatter_records<T>;
  made.swap = [](BatchBase& a, BatchBase& b) { std::swap(static_cast<Batch<T>&>(a), static_cast<Batch<T>&>(b)); };
  if constexpr (std::is_copy_constructible_v<T>) made.copy = &copy_records<T>;
  return made;
}
}  // namespace operators_internal

// One constant object per type.
template <class T>
const RecordType& record_type() {
  static constexpr RecordType type = operators_internal::make_record_type<T>();
  return type;
}

}  // namespace v0
}  // namespace tidemark

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

template <class T>
void scatter_records(BatchBase& from_base, std::span<const std::uint16_t> targets, std::span<BatchBase* const> to,
                     Column<std::uint32_t>& picked) {
  auto& from = static_cast<Batch<T>&>(from_base);
  const std::size_t n = from.values.size();
  TIDEMARK_CHECK(targets.size() == n);
  for (std::size_t target = 0; target < to.size(); ++target) {
    picked.resize(n);
    std::size_t count = 0;
    for (std::size_t i = 0; i < n; ++i) {   // branch-free: write always, advance if it belongs here
      picked[count] = static_cast<std::uint32_t>(i);
      count += targets[i] == target;
    }
    if (count == 0) continue;
    auto& out = static_cast<Batch<T>&>(*to[target]);
    const std::size_t base = out.values.size();
    if constexpr (std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T>) {
      out.values.resize(base + count);
      for (std::size_t k = 0; k < count; ++k) out.values[base + k] = from.values[picked[k]];
    } else {
      for (std::size_t k = 0; k < count; ++k) out.values.push_back(std::move(from.values[picked[k]]));
    }
    auto gather = [&](const auto& source, auto& sink) {
      if (source.empty() && sink.empty()) return;
      // Streams that meet in a union may differ in whether they know their origins: what is unknown is filled in as such.
      sink.resize(base, typename std::decay_t<decltype(sink)>::value_type{});
      if (source.empty()) return sink.resize(base + count, typename std::decay_t<decltype(sink)>::value_type{});
      sink.resize(base + count);
      for (std::size_t k = 0; k < count; ++k) sink[base + k] = source[picked[k]];
    };
    gather(from.times, out.times);
    gather(from.hashes, out.hashes);
    gather(from.origins, out.origins);
    if (!from.behind.empty()) {
      auto next = from.behind.begin();
      for (std::size_t k = 0; k < count; ++k) {
        while (next != from.behind.end() && next->index < picked[k]) ++next;
        if (next != from.behind.end() && next->index == picked[k])
          out.behind.push_back({static_cast<std::uint32_t>(base + k), next->as_of});
      }
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

// One constant object per type.
template <class T>
const RecordType& record_type() {
  static constexpr RecordType type = [] {
    RecordType made;
    made.make_batch = []() -> std::unique_ptr<BatchBase> { return std::make_unique<Batch<T>>(); };
    made.scatter = &operators_internal::scatter_records<T>;
    made.swap = [](BatchBase& a, BatchBase& b) { std::swap(static_cast<Batch<T>&>(a), static_cast<Batch<T>&>(b)); };
    if constexpr (std::is_copy_constructible_v<T>) made.copy = &operators_internal::copy_records<T>;
    return made;
  }();
  return type;
}

}  // namespace v0
}  // namespace tidemark

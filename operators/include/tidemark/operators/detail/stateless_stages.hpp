#pragma once
// map, filter, flat_map: stages without state. They keep time, as_of and origin of their records (P1).

#include <functional>
#include <type_traits>
#include <utility>

#include <tidemark/operators/collector.hpp>
#include <tidemark/operators/operator.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

template <class In, class Out, class F>
class MapStage final : public Operator {
 public:
  explicit MapStage(F f) : f_(std::move(f)) {}

  Progress on_batch(BatchBase& batch) override {
    auto& in = static_cast<Batch<In>&>(batch);
    const std::size_t n = in.values.size();
    count().records_in += n;
    count().records_out += n;
    std::size_t i = 0;
    try {
      if constexpr (std::is_same_v<In, Out>) {
        for (; i < n; ++i) in.values[i] = std::invoke(f_, std::move(in.values[i]));
      } else {
        out_.clear();
        if constexpr (std::is_trivially_copyable_v<Out> && std::is_default_constructible_v<Out>) {
          out_.values.resize(n);
          for (; i < n; ++i) out_.values[i] = std::invoke(f_, std::move(in.values[i]));
        } else {
          out_.values.reserve(n);
          for (; i < n; ++i) out_.values.push_back(std::invoke(f_, std::move(in.values[i])));
        }
      }
    } catch (...) {
      fail_by_user_exception(context(), &in, i);
    }
    if constexpr (std::is_same_v<In, Out>) {
      return main().emit(in);
    } else {
      out_.times.swap(in.times);
      out_.origins.swap(in.origins);
      out_.behind.swap(in.behind);
      out_.split = in.split;
      return main().emit(out_);
    }
  }

 private:
  F f_;
  Batch<Out> out_;
};

template <class T, class F>
class FilterStage final : public Operator {
 public:
  explicit FilterStage(F f) : f_(std::move(f)) {}

  Progress on_batch(BatchBase& batch) override {
    auto& in = static_cast<Batch<T>&>(batch);
    const std::size_t n = in.values.size();
    kept_.resize(n);
    std::size_t kept = 0;
    std::size_t i = 0;
    try {
      for (; i < n; ++i) {   // branch-free: what is dropped is unpredictable
        kept_[kept] = static_cast<std::uint32_t>(i);
        kept += std::invoke(f_, std::as_const(in.values[i])) ? 1 : 0;
      }
    } catch (...) {
      fail_by_user_exception(context(), &in, i);
    }
    count().records_in += n;
    count().records_out += kept;
    count().filtered += n - kept;
    if (kept == 0) return Progress::kDone;
    if (kept < n) {
      compact(in.values, kept);
      compact(in.times, kept);
      compact(in.origins, kept);
      if (!in.behind.empty()) keep_behind(in.behind, kept);
    }
    return main().emit(in);
  }

 private:
  template <class C>
  void compact(C& column, std::size_t kept) {
    if (column.empty()) return;
    if constexpr (std::is_trivially_copyable_v<typename C::value_type>) {
      for (std::size_t k = 0; k < kept; ++k) column[k] = column[kept_[k]];
    } else {
      for (std::size_t k = 0; k < kept; ++k) {
        if (kept_[k] != k) column[k] = std::move(column[kept_[k]]);
      }
    }
    column.erase(column.begin() + static_cast<std::ptrdiff_t>(kept), column.end());
  }
  void keep_behind(std::vector<Behind>& behind, std::size_t kept) {
    std::size_t written = 0;
    std::size_t k = 0;
    for (const Behind entry : behind) {
      while (k < kept && kept_[k] < entry.index) ++k;
      if (k < kept && kept_[k] == entry.index) behind[written++] = {static_cast<std::uint32_t>(k), entry.as_of};
    }
    behind.resize(written);
  }

  F f_;
  Column<std::uint32_t> kept_;
};

template <class In, class Out, class F>
class FlatMapStage : public Operator {
 public:
  explicit FlatMapStage(F f) : f_(std::move(f)) {}

  Progress on_batch(BatchBase& batch) final {
    in_ = static_cast<Batch<In>*>(&batch);
    next_ = 0;
    next_behind_ = 0;
    count().records_in += in_->size();
    return resume();
  }
  bool pending() const final { return in_ != nullptr; }

  Progress resume() final {
    const std::size_t n = in_->size();
    while (next_ < n) {
      Batch<Out>& out = collector_.batch();
      out.clear();
      try {
        while (next_ < n && out.size() < context().max_batch) {
          EventTime as_of = kMinusInfinity;
          if (next_behind_ < in_->behind.size() && in_->behind[next_behind_].index == next_) as_of = in_->behind[next_behind_++].as_of;
          collector_.begin_record(*in_, next_, as_of);
          const std::size_t before = out.size();
          std::invoke(f_, std::as_const(in_->values[next_]), collector_);
          if (out.size() == before) ++count().filtered;
          ++next_;
        }
      } catch (...) {
        fail_by_user_exception(context(), in_, next_);
      }
      if (out.empty()) continue;
      count().records_out += out.size();
      if (main().emit(out) == Progress::kMore) {
        if (next_ == n) in_ = nullptr;
        return Progress::kMore;
      }
    }
    in_ = nullptr;
    return Progress::kDone;
  }

 protected:
  F f_;

 private:
  Collector<Out> collector_;
  Batch<In>* in_ = nullptr;
  std::size_t next_ = 0;
  std::size_t next_behind_ = 0;
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

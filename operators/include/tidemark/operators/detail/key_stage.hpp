#pragma once
// key_by: hashes each record's key once. The hash travels beside the values, picks the task, and is reused by every table downstream.

#include <functional>
#include <utility>

#include <tidemark/core/hash.hpp>
#include <tidemark/operators/operator.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

template <class T, class Key, class KeyOf>
class KeyStage final : public Operator {
 public:
  explicit KeyStage(KeyOf key_of) : key_of_(std::move(key_of)) {}

  Progress on_batch(BatchBase& batch) override {
    auto& in = static_cast<Batch<T>&>(batch);
    const std::size_t n = in.values.size();
    const std::uint64_t seed = context().key_space.seed;
    in.hashes.resize(n);
    std::size_t i = 0;
    try {
      for (; i < n; ++i) {
        const Key& key = std::invoke(key_of_, std::as_const(in.values[i]));   // a value lives as long as the reference
        in.hashes[i] = hash_key(key, seed, scratch_);
      }
    } catch (...) {
      fail_by_user_exception(context(), &in, i);
    }
    count().records_in += n;
    count().records_out += n;
    return main().emit(in);
  }

 private:
  KeyOf key_of_;
  Bytes scratch_;
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// flat_map with a list of the task's own (K6).

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tidemark/operators/detail/stateless_stages.hpp>
#include <tidemark/operators/graph.hpp>
#include <tidemark/state/backend.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

// The user's function, as flat_map without a list calls it.
template <class In, class Out, class Item, class F>
struct WithList {
  F f;
  std::vector<Item>* items = nullptr;
  void operator()(const In& record, Collector<Out>& out) { std::invoke(f, record, *items, out); }
};

// Why the job fails: at a barrier the list is longer than the manifest takes.
[[noreturn]] void fail_by_long_list(const OperatorContext& context, std::size_t items);

template <class In, class Out, class Item, class F>
class ListStage final : public FlatMapStage<In, Out, WithList<In, Out, Item, F>> {
  using Base = FlatMapStage<In, Out, WithList<In, Out, Item, F>>;

 public:
  explicit ListStage(F f) : Base({std::move(f)}) {}

  Status open(OperatorContext& context) override {
    TIDEMARK_TRY(Operator::open(context));
    list_ = &context.state->template operator_list<Item>("items");
    this->f_.items = &list_->items();
    return {};
  }
  void save(Bytes& out) const override {
    if (!list_->save(out)) fail_by_long_list(this->context(), list_->entries());
  }
  Status load(ByteView saved) override { return list_->load({&saved, 1}, 0, 1); }
  // Where other stages came or went and the parallelism stayed, every task has its own list again.
  Status load_rescaled(std::span<const ByteView> saved) override {
    const OperatorContext& context = this->context();
    if (saved.size() == context.parallelism) return load(saved[context.subtask]);
    return list_->load(saved, context.subtask, context.parallelism);
  }
  bool outlives_drain() const override { return true; }

 private:
  OperatorList<Item>* list_ = nullptr;
};

template <class In, class Out, class Item, class F>
Node list_node(std::string name, F f) {
  core_internal::require_storable<std::vector<Item>>();
  Node node{.kind = NodeKind::kOperator, .name = std::move(name)};
  node.description = "flat_map with a list for each task: what it emits may depend on the parallelism (D1)";
  node.stateful = true;
  node.outlets = {&record_type<Out>()};
  node.outlet_names = {""};
  node.make = [f = std::move(f)] { return std::make_unique<ListStage<In, Out, Item, F>>(f); };
  return node;
}

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

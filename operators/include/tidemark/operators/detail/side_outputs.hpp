#pragma once
// Side outputs of process(): typed batches beside the results, found by the tag's name.

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/batch.hpp>
#include <tidemark/core/time.hpp>
#include <tidemark/operators/collector.hpp>
#include <tidemark/operators/operator.hpp>
#include <tidemark/operators/record_type.hpp>

namespace tidemark {
inline namespace v0 {

template <class S>
class SideOutput;

namespace operators_internal {

// Where a call of the user's function stands: what it emits gets the time, as_of and origin of the record or timer (P1, T5).
struct CallPosition {
  const BatchBase* batch = nullptr;   // null: no record of a batch at hand
  std::size_t index = 0;
  EventTime time = kMinusInfinity;
  EventTime as_of = kMinusInfinity;

  template <class Out>
  void begin(Collector<Out>& out) const {
    if (batch != nullptr) {
      out.begin_record(*batch, index, as_of);
    } else {
      out.begin_time(time, as_of);
    }
  }
};

// A side output that somebody asked for.
struct SideDeclaration {
  std::string name;
  const RecordType* type = nullptr;
};

// The side outputs of one operator instance. Outlet kFirstSideOutlet + i belongs to declaration i.
class SideOutputs {
 public:
  explicit SideOutputs(const std::vector<SideDeclaration>& declared);

  // `outlets` is the first of as many as were declared; both outlive the object.
  void open(const OperatorContext& context, Outlet* outlets) {
    context_ = &context;
    outlets_ = outlets;
  }

  template <class S>
  void emit(const SideOutput<S>& tag, S&& value, const CallPosition& at) {
    const std::size_t index = find(tag.name(), &record_type<S>());
    if (index == kNone) return;
    Side& side = sides_[index];
    if (side.holder == nullptr) {
      auto made = std::make_unique<Typed<S>>();
      side.batch = &made->collector.batch();
      side.holder = std::move(made);
    }
    Collector<S>& collector = static_cast<Typed<S>&>(*side.holder).collector;
    at.begin(collector);
    collector.emit(std::move(value));
    largest_ = std::max(largest_, side.batch->size());
  }

  // Records in the fullest batch since flushed().
  std::size_t largest() const { return largest_; }
  void flushed() { largest_ = 0; }
  // Null: nothing was ever emitted there.
  BatchBase* batch(std::size_t index) const { return sides_[index].batch; }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  struct Holder {
    virtual ~Holder() = default;
  };
  template <class S>
  struct Typed final : Holder {
    Collector<S> collector;
  };
  struct Side {
    SideDeclaration declaration;
    std::unique_ptr<Holder> holder;
    BatchBase* batch = nullptr;
  };

  // kNone: nobody listens. Names are compared, not addresses: a tag may be made anew in each call. The last one found is tried first.
  std::size_t find(const std::string& name, const RecordType* type);

  const OperatorContext* context_ = nullptr;
  Outlet* outlets_ = nullptr;
  std::vector<Side> sides_;
  std::size_t last_ = 0;
  std::size_t largest_ = 0;
};

// Makes the operators of a process() node. side_outlet() recognises such a node by it and adds to `sides` while the graph is being built.
struct ProcessFactory {
  std::vector<SideDeclaration> sides;
  std::function<std::unique_ptr<Operator>(const std::vector<SideDeclaration>&)> make;
  std::unique_ptr<Operator> operator()() const { return make(sides); }
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

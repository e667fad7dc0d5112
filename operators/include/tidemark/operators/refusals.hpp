#pragma once
// Sets records aside: to quarantine, to the log, or by failing the job, as the policy says (Q1-Q4). One object per operator.

#include <string>

#include <tidemark/operators/operator.hpp>

namespace tidemark {
inline namespace v0 {

class Refusals {
 public:
  // All three outlive the object.
  void open(const OperatorContext& context, OperatorCounters& counters, Outlet& quarantine) {
    context_ = &context;
    counters_ = &counters;
    outlet_ = &quarantine;
  }
  // Whether refused records of this reason end as quarantined rows, so that building their payload is worth while.
  bool keeps_payload(QuarantineReason reason) const { return context_->policy[reason] == OnRefused::kQuarantine && outlet_->connected(); }
  // Throws JobFailure if the policy is kFail. `record.operator_name` and the split of `origin` (null: unknown) are filled in.
  void refuse(Quarantined record, const Origin* origin);
  // Hands on what was quarantined. Call at the end of on_batch(), or when `full()`; the answer as of Outlet::emit.
  Progress flush();
  bool full() const { return batch_.size() >= 256; }

 private:
  const OperatorContext* context_ = nullptr;
  OperatorCounters* counters_ = nullptr;
  Outlet* outlet_ = nullptr;
  Batch<Quarantined> batch_;
  Batch<Quarantined> sent_;
  std::uint64_t logged_ = 0;   // a poison stream must not fill the disk with log lines (S14)
};

}  // namespace v0
}  // namespace tidemark

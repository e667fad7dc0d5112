#pragma once
// The end of a stream: hands batches to the sink's writer and seals its epochs.

#include <memory>
#include <string>
#include <utility>

#include <tidemark/operators/operator.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

class SinkStage final : public Operator {
 public:
  explicit SinkStage(std::shared_ptr<SinkBase> sink) : Operator(0), sink_(std::move(sink)) {}

  Status open(OperatorContext& context) override;
  Progress on_batch(BatchBase& batch) override;
  EpochSeal seal(CheckpointId epoch) override { return writer_->seal(epoch); }

 private:
  std::shared_ptr<SinkBase> sink_;
  std::unique_ptr<SinkWriterBase> writer_;
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

#include <tidemark/operators/detail/sink_stage.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

Status SinkStage::open(OperatorContext& context) {
  TIDEMARK_TRY(Operator::open(context));
  TIDEMARK_ASSIGN(writer_, sink_->open_writer(*context.io, context.identity));
  return {};
}

Progress SinkStage::on_batch(BatchBase& batch) {
  count().records_in += batch.size();
  Status status;
  try {
    status = writer_->write_batch(batch);
  } catch (...) {
    fail_by_user_exception(context(), &batch, batch.size());
  }
  if (!status.ok()) throw JobFailure(status.error());
  return Progress::kDone;
}

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

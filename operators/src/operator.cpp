#include <tidemark/operators/operator.hpp>

#include <tidemark/core/check.hpp>

namespace tidemark {
inline namespace v0 {

namespace {
template <class Send>
Progress send_to_all(std::size_t count, Send send) {
  Progress progress = Progress::kDone;
  for (std::size_t i = 0; i < count; ++i) progress = progress | send(i);
  return progress;
}
}  // namespace

Progress Operator::on_watermark(EventTime watermark) {
  return send_to_all(outlets_.size(), [&](std::size_t i) { return outlets_[i].watermark(watermark); });
}
Progress Operator::on_status(bool idle) {
  return send_to_all(outlets_.size(), [&](std::size_t i) { return outlets_[i].status(idle); });
}
Progress Operator::on_end() {
  return send_to_all(outlets_.size(), [&](std::size_t i) { return outlets_[i].end(); });
}

std::string describe_origin(const OperatorContext& context, const BatchBase& batch, std::size_t index) {
  if (index >= batch.origins.size()) return {};
  const Origin origin = batch.origins[index];
  if (context.split_names == nullptr || origin.split >= context.split_names->size()) return {};
  return " at split \"" + (*context.split_names)[origin.split] + "\" position " + std::to_string(origin.position);
}

void fail_by_user_exception(const OperatorContext& context, const BatchBase* batch, std::size_t index) {
  std::string what;
  try {
    throw;
  } catch (const JobFailure&) {
    throw;
  } catch (const BrokenInvariant&) {
    throw;
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
    what = "an exception that is no std::exception";
  }
  std::string where = batch != nullptr ? describe_origin(context, *batch, index) : std::string{};
  if (batch != nullptr && index < batch->times.size()) where += ", event time " + to_string(batch->times[index]);
  throw JobFailure(Error{.code = ErrorCode::kUserFunction,
                         .message = "the function of operator \"" + context.name + "\" threw" + where,
                         .facts = {{"exception", what}},
                         .why = "what the function had done for this record cannot be told apart from what it had not",
                         .fix = "let the function handle this record; the job goes on from its last checkpoint when it is started again"});
}

}  // namespace v0
}  // namespace tidemark

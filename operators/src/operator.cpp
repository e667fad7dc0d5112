#include <tidemark/operators/operator.hpp>

#include <tidemark/core/check.hpp>
#include <tidemark/core/detail/thrown.hpp>

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

namespace {
// " at split "x" position 17, event time ...", as far as it is known.
std::string place_of(const OperatorContext& context, const BatchBase* batch, std::size_t index) {
  if (batch == nullptr) return {};
  std::string place = describe_origin(context, *batch, index);
  if (index < batch->times.size()) place += ", event time " + to_string(batch->times[index]);
  return place;
}
}  // namespace

void fail_by_user_exception(const OperatorContext& context, const BatchBase* batch, std::size_t index) {
  std::string what;
  try {
    throw;
  } catch (const JobFailure& failure) {
    if (failure.error().code != ErrorCode::kTooMany) throw;
    Error error = failure.error();   // from where neither operator nor record is known
    error.message = "a key of operator \"" + context.name + "\" has reached its limit" + place_of(context, batch, index) + ": " +
                    error.message;
    throw JobFailure(std::move(error));
  } catch (const BrokenInvariant&) {
    throw;
  } catch (...) {
    what = core_internal::what_was_thrown();
  }
  throw JobFailure(Error{.code = ErrorCode::kUserFunction,
                         .message = "the function of operator \"" + context.name + "\" threw" + place_of(context, batch, index),
                         .facts = {{"exception", what}},
                         .why = "what the function had done for this record cannot be told apart from what it had not",
                         .fix = "let the function handle this record; the job goes on from its last checkpoint when it is started again"});
}

}  // namespace v0
}  // namespace tidemark

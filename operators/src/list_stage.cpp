#include <tidemark/operators/detail/list_stage.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

void fail_by_long_list(const OperatorContext& context, std::size_t items) {
  throw JobFailure(Error{.code = ErrorCode::kUserFunction,
                         .message = "the list of operator \"" + context.name + "\" is too long for a checkpoint",
                         .facts = {{"subtask", std::to_string(context.subtask)},
                                   {"items", std::to_string(items)},
                                   {"most that is saved", std::to_string(kMaxOperatorListBytes) + " bytes in each task"}},
                         .why = "every checkpoint writes it anew, as a part of the manifest",
                         .fix = "let the function keep fewer items, raise the parallelism, or keep them by key with process()"});
}

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

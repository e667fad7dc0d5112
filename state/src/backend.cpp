#include <tidemark/state/backend.hpp>

#include <tidemark/core/check.hpp>

namespace tidemark {
inline namespace v0 {

StateBackend::StateBackend(KeySpace space, std::uint32_t first_group, std::uint32_t end_group)
    : space_(space), first_group_(first_group), end_group_(end_group) {
  TIDEMARK_CHECK(first_group < end_group && end_group <= space.groups);
}

StateBackend::~StateBackend() = default;

void StateBackend::adopt(std::unique_ptr<StateComponent> component) {
  for (const auto& other : components_) {
    TIDEMARK_CHECK(other->schema().name != component->schema().name, "two states are called " + component->schema().name);
  }
  component->set_id(static_cast<StateId>(components_.size()));
  component->set_tracking(tracking_);
  components_.push_back(std::move(component));
}

void StateBackend::set_tracking(bool on) {
  tracking_ = on;
  for (const auto& component : components_) component->set_tracking(on);
}

MemoryAccount& StateBackend::derived_memory(std::function<void()> forget) {
  TIDEMARK_CHECK(!forget_derived_, "an operator has one account for what it derives");
  forget_derived_ = std::move(forget);
  return derived_memory_;
}

void StateBackend::attach(ColdRows* cold, MemoryBudget* budget) {
  derived_memory_.attach(budget);
  for (const auto& component : components_) component->attach(cold, budget);
}

void StateBackend::shrink(bool to_the_least) {
  if (forget_derived_) forget_derived_();
  for (const auto& component : components_) component->shrink(to_the_least);
}

void StateBackend::follow_growth(bool may_shrink) {
  for (const auto& component : components_) component->follow_growth(may_shrink);
}

void StateBackend::note_checkpoint(std::uint64_t number) {
  for (const auto& component : components_) component->note_checkpoint(number);
}

void StateBackend::freeze(RowSink& rows) {
  for (const auto& component : components_) component->freeze(rows);
  encode_at_ = 0;
}

bool StateBackend::encode_some(std::size_t max_rows) {
  // One component a call, so that no call takes more than max_rows.
  if (encode_at_ < components_.size() && components_[encode_at_]->encode_some(max_rows)) ++encode_at_;
  return encode_at_ == components_.size();
}

void StateBackend::settle(bool completed) {
  for (const auto& component : components_) component->settle(completed);
}

Status StateBackend::restore_row(StateId id, ByteView key_after_state_id, ByteView value) {
  for (const auto& component : components_) {
    if (component->id() == id) return component->restore_row(key_after_state_id, value);
  }
  return Error{.code = ErrorCode::kStateMismatch,
               .message = "the checkpoint holds rows of state number " + std::to_string(id) + ", which the operator does not have",
               .facts = {},
               .why = "",
               .fix = ""};
}

}  // namespace v0
}  // namespace tidemark

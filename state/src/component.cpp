#include <tidemark/state/component.hpp>

#include <tidemark/core/check.hpp>

namespace tidemark {
inline namespace v0 {

std::string StateSchema::text() const {
  std::string text = kind + " of " + (key.empty() ? value : key);
  if (!entry.empty()) text += " by " + entry;
  if (!key.empty() && !value.empty()) text += " to " + value;
  if (!parameters.empty()) text += ", " + parameters;
  return text;
}

std::uint64_t StateSchema::fingerprint() const { return schema_fingerprint(text()); }

StateComponent::~StateComponent() = default;

void StateComponent::set_id(StateId id) {
  TIDEMARK_CHECK(!frozen(), "state " + schema_.name);
  context_.id = id;
}

void StateComponent::set_tracking(bool on) {
  TIDEMARK_CHECK(entries() == 0, "state " + schema_.name);
  context_.tracking = on;
}

void StateComponent::note_checkpoint(std::uint64_t number) {
  TIDEMARK_CHECK(number > context_.checkpoint && !frozen(), "checkpoint " + std::to_string(number) + " of state " + schema_.name);
  context_.checkpoint = number;
}

void StateComponent::attach(ColdRows*, MemoryBudget* budget) { charge_to(budget); }

void StateComponent::begin_freeze(RowSink& rows) {
  TIDEMARK_CHECK(context_.tracking && !frozen(), "state " + schema_.name);
  context_.rows = &rows;
}

void StateComponent::end_settle() {
  TIDEMARK_CHECK(frozen(), "state " + schema_.name);
  context_.rows = nullptr;
}

Status StateComponent::malformed_row() const {
  return Error{.code = ErrorCode::kCheckpointCorrupt,
               .message = "a row of state \"" + schema_.name + "\" cannot be decoded",
               .facts = {{"schema", schema_.text()}},
               .why = "its bytes are not what this schema writes",
               .fix = "restore an older checkpoint"};
}

Status StateComponent::foreign_row(std::uint64_t hash) const {
  return Error{.code = ErrorCode::kCheckpointCorrupt,
               .message = "a row of state \"" + schema_.name + "\" belongs to a key group of another task",
               .facts = {{"hash", std::to_string(hash)}},
               .why = "",
               .fix = ""};
}

}  // namespace v0
}  // namespace tidemark

#pragma once
// All state of one operator instance in one task.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/hash.hpp>
#include <tidemark/state/component.hpp>
#include <tidemark/state/due_table.hpp>
#include <tidemark/state/entries_table.hpp>
#include <tidemark/state/keyed_table.hpp>
#include <tidemark/state/memory_budget.hpp>
#include <tidemark/state/operator_list.hpp>
#include <tidemark/state/slice_table.hpp>
#include <tidemark/state/time_buffer.hpp>
#include <tidemark/state/timers.hpp>
#include <tidemark/state/window_entries_table.hpp>

namespace tidemark {
inline namespace v0 {

// Owns its components; the references it gives out live as long as it does. Not thread-safe: it belongs to its task.
class StateBackend {
 public:
  // For the key groups [first_group, end_group) of the job's key space.
  StateBackend(KeySpace space, std::uint32_t first_group, std::uint32_t end_group);
  StateBackend(const StateBackend&) = delete;
  StateBackend& operator=(const StateBackend&) = delete;
  ~StateBackend();

  // Each makes a state; its name must be new in this backend. Ids count from 0 until the runtime sets others.
  template <class Key, class Value>
  KeyedTable<Key, Value>& keyed_table(std::string name, std::string parameters = {}, Residency residency = Residency::kWhatIsTouched) {
    return add(
        std::make_unique<KeyedTable<Key, Value>>(std::move(name), std::move(parameters), residency, space_, first_group_, end_group_));
  }
  // And a second state for its index, with the name "due".
  template <class Key, class Value>
  DueTable<Key, Value>& due_table(std::string name, std::string parameters = {}) {
    auto index = std::make_unique<DueIndex<Key>>("due", space_, first_group_, end_group_);
    auto& table = add(
        std::make_unique<DueTable<Key, Value>>(std::move(name), std::move(parameters), *index, space_, first_group_, end_group_));
    add(std::move(index));   // behind the table, whose rows are encoded first
    return table;
  }
  // Content: EntryValue<V>, EntryList<V> or EntryMap<K, V>.
  template <class Key, class Content>
  EntriesTable<Key, Content>& entries_table(std::string name, const Expiry& expiry) {
    return add(std::make_unique<EntriesTable<Key, Content>>(std::move(name), expiry, space_, first_group_, end_group_));
  }
  // The same for each window. `windows`: see WindowEntriesTable.
  template <class Key, class Content, class Windows>
  WindowEntriesTable<Key, Content, Windows>& window_entries_table(std::string name, Windows windows) {
    return add(std::make_unique<WindowEntriesTable<Key, Content, Windows>>(std::move(name), std::move(windows), space_, first_group_,
                                                                           end_group_));
  }
  template <class Key, class Value>
  SliceTable<Key, Value>& slice_table(std::string name, std::string parameters = {},
                                      SliceResidency residency = SliceResidency::kWhatIsTouched) {
    return add(
        std::make_unique<SliceTable<Key, Value>>(std::move(name), std::move(parameters), residency, space_, first_group_, end_group_));
  }
  template <class Key>
  TimerTable<Key>& timers(std::string name = "timers") {
    return add(std::make_unique<TimerTable<Key>>(std::move(name), space_, first_group_, end_group_));
  }
  template <class Key, class T, class Order = ByBytesAlone>
  TimeBuffer<Key, T, Order>& time_buffer(std::string name, Order order = {}) {
    return add(std::make_unique<TimeBuffer<Key, T, Order>>(std::move(name), std::move(order), space_, first_group_, end_group_));
  }
  template <class Item>
  OperatorList<Item>& operator_list(std::string name) {
    return add(std::make_unique<OperatorList<Item>>(std::move(name)));
  }

  // For what the operator derives from its states and holds beside them: charged to the budget as one state more. shrink() calls `forget`
  // first, so that the operator gives up what it can make anew. To be asked for once at most, before attach().
  MemoryAccount& derived_memory(std::function<void()> forget);
  // How many there are that share the budget.
  std::size_t accounts() const { return components_.size() + (forget_derived_ ? 1 : 0); }

  const KeySpace& key_space() const { return space_; }
  std::uint32_t first_group() const { return first_group_; }
  std::uint32_t end_group() const { return end_group_; }
  // In the order in which they were made.
  std::span<const std::unique_ptr<StateComponent>> components() const { return components_; }

  // For all components, also those made later. false: no checkpoint will be taken, and nothing is marked.
  void set_tracking(bool on);

  // As in StateComponent, for all components.
  void attach(ColdRows* cold, MemoryBudget* budget);
  void shrink(bool to_the_least = false);
  void follow_growth(bool may_shrink);
  void note_checkpoint(std::uint64_t number);
  void freeze(RowSink& rows);
  bool encode_some(std::size_t max_rows);
  void settle(bool completed);
  // Errors: kStateMismatch if no state has this id; kCheckpointCorrupt.
  Status restore_row(StateId id, ByteView key_after_state_id, ByteView value);

 private:
  template <class Component>
  Component& add(std::unique_ptr<Component> component) {
    Component& added = *component;
    adopt(std::move(component));
    return added;
  }
  void adopt(std::unique_ptr<StateComponent> component);

  KeySpace space_;
  std::uint32_t first_group_;
  std::uint32_t end_group_;
  bool tracking_ = true;
  std::vector<std::unique_ptr<StateComponent>> components_;
  std::size_t encode_at_ = 0;   // components before it have nothing frozen
  MemoryAccount derived_memory_;
  std::function<void()> forget_derived_;
};

}  // namespace v0
}  // namespace tidemark

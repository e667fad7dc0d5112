#pragma once
// The state of a process() function as its operator keeps it: one plain struct for each key, or a struct of handles, each bound to a
// table of its own.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/pfr/core.hpp>

#include <tidemark/core/codec.hpp>
#include <tidemark/operators/operator.hpp>
#include <tidemark/operators/per_window.hpp>
#include <tidemark/state/backend.hpp>
#include <tidemark/state/handles.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

// What an operator says of a handle.
struct DeclaredState {
  std::string name;
  Expiry expiry{};
  std::optional<StateWindows> windows{};
  std::optional<std::size_t> max_entries{};
};
// Errors: kBadName, kBadConfiguration.
Status check_declared_states(const std::string& operator_name, const std::vector<DeclaredState>& states);

template <class T>
concept IsHandle = requires { typename T::Content; } && std::is_base_of_v<state_internal::StateHandle<typename T::Content>, T>;

template <class Handle>
std::optional<std::size_t> max_entries_of(const Handle& handle) {
  if constexpr (requires { handle.max_entries(); }) return handle.max_entries();
  return std::nullopt;   // one value
}

template <class T>
concept IsPerWindow = requires(const T& handle) { { handle.windows() } -> std::convertible_to<StateWindows>; };

// The table that a handle is bound to.
template <class Key, class Handle>
struct TableOfHandle {
  using Type = EntriesTable<Key, typename Handle::Content>;
  static Type& make(StateBackend& backend, const Handle& handle) {
    return backend.entries_table<Key, typename Handle::Content>(handle.name(), handle.expiry());
  }
  static DeclaredState declare(const Handle& handle) {
    return {.name = handle.name(), .expiry = handle.expiry(), .max_entries = max_entries_of(handle)};
  }
};
template <class Key, IsPerWindow Handle>
struct TableOfHandle<Key, Handle> {
  using Type = WindowEntriesTable<Key, typename Handle::Content, StateWindows>;
  static Type& make(StateBackend& backend, const Handle& handle) {
    return backend.window_entries_table<Key, typename Handle::Content>(handle.name(), handle.windows());
  }
  static DeclaredState declare(const Handle& handle) {
    return {.name = handle.name(), .windows = handle.windows(), .max_entries = max_entries_of(handle)};
  }
};

// What is among the members of a state.
struct NoHandles {
  static constexpr bool kAny = false;
  static constexpr bool kAll = false;
};
struct SomeHandles {
  static constexpr bool kAny = true;
  static constexpr bool kAll = false;
};
template <class... Field>
struct HandlesAlone {
  static constexpr bool kAny = true;
  static constexpr bool kAll = true;
  using Contents = std::tuple<typename Field::Content...>;
  template <class Key>
  using Tables = std::tuple<typename TableOfHandle<Key, Field>::Type*...>;
};
template <class... Field>
constexpr auto handles_among(std::type_identity<std::tuple<Field&...>>) {
  if constexpr (sizeof...(Field) > 0 && (IsHandle<Field> && ...)) {
    return HandlesAlone<Field...>{};
  } else if constexpr ((IsHandle<Field> || ...)) {
    return SomeHandles{};
  } else {
    return NoHandles{};
  }
}

// A state that has a codec is stored whole, whatever it is made of.
template <class State>
constexpr auto handles_among() {
  if constexpr (Storable<State>) {
    return NoHandles{};
  } else if constexpr (core_internal::is_reflectable<State>()) {
    return handles_among(std::type_identity<core_internal::FieldsOf<State>>{});
  } else {
    return NoHandles{};
  }
}
template <class State>
using HandlesOf = decltype(handles_among<State>());

// For the body of a template that takes a user's state: one that does not fit is refused in one sentence.
template <class... Content>
constexpr void require_contents(std::type_identity<std::tuple<Content...>>) {
  (Content::require(), ...);
}
template <class State>
constexpr void require_state() {
  using Handles = HandlesOf<State>;
  static_assert(Handles::kAll || !Handles::kAny,
                "Tidemark: the members of a state of process() are either all state handles (ValueState, ListState, MapState, PerWindow) "
                "or none is: put the plain ones into a ValueState");
  if constexpr (Handles::kAll) {
    require_contents(std::type_identity<typename Handles::Contents>{});
  } else if constexpr (!Handles::kAny) {
    core_internal::require_storable<State>();
  }
}

// A function that takes no state.
struct Nothing {};

// When a call is made.
struct CallTimes {
  EventTime time = kMinusInfinity;        // of the record or timer
  EventTime watermark = kMinusInfinity;
  EventTime decision = kMinusInfinity;    // StateCall::decision
};

// A plain struct. `Key` and `State` as given to process().
template <class Key, class State, bool kHandles = HandlesOf<State>::kAll>
class KeyedStates {
 public:
  Status open(OperatorContext& context) {
    table_ = &context.state->template keyed_table<Key, State>("state");
    return {};
  }
  void prefetch(std::uint64_t hash) const { table_->prefetch(hash); }
  // Brings in, together, the states of keys that are about to be used and are not in memory; time_of(i) is the time of use i.
  template <class KeyOf, class TimeOf>
  void fetch(const std::uint64_t* hashes, std::size_t n, KeyOf& key_of, TimeOf&) {
    table_->fetch(hashes, n, key_of);
  }
  // For one call of the function.
  State& to_change(std::uint64_t hash, const Key& key, const CallTimes&) { return table_->upsert(hash, key); }
  const State& to_read(std::uint64_t hash, const Key& key, const CallTimes&) const {
    const State* state = table_->find(hash, key);
    return state != nullptr ? *state : absent_;
  }
  void erase(std::uint64_t hash, const Key& key) { table_->erase(hash, key); }
  // Whether the call since to_change() or to_read() wrote to a window that is gone.
  bool missed() const { return false; }

  // As EntriesTable.
  void set_watermark(EventTime) {}
  bool sweep(std::size_t) { return true; }

 private:
  KeyedTable<Key, State>* table_ = nullptr;
  const State absent_{};
};

template <class Key>
class KeyedStates<Key, Nothing, false> {
 public:
  Status open(OperatorContext&) { return {}; }
  void prefetch(std::uint64_t) const {}
  template <class KeyOf, class TimeOf>
  void fetch(const std::uint64_t*, std::size_t, KeyOf&, TimeOf&) {}
  void erase(std::uint64_t, const Key&) {}
  bool missed() const { return false; }
  void set_watermark(EventTime) {}
  bool sweep(std::size_t) { return true; }
};

// A struct of handles: there is one, which each call points to its key.
template <class Key, class State>
class KeyedStates<Key, State, true> {
 public:
  KeyedStates() = default;
  KeyedStates(const KeyedStates&) = delete;   // the handles point to call_
  KeyedStates& operator=(const KeyedStates&) = delete;

  Status open(OperatorContext& context) {
    std::vector<DeclaredState> declared;
    each([&]<class Handle>(const Handle& handle, auto*&) { declared.push_back(TableOfHandle<Key, Handle>::declare(handle)); });
    TIDEMARK_TRY(check_declared_states(context.name, declared));
    each([&]<class Handle>(Handle& handle, auto*& table) {
      table = &TableOfHandle<Key, Handle>::make(*context.state, handle);
      handle.bind(*table, call_);
    });
    return {};
  }
  void prefetch(std::uint64_t hash) const {
    std::apply([hash](auto*... table) { (table->prefetch(hash), ...); }, tables_);
  }
  template <class KeyOf, class TimeOf>
  void fetch(const std::uint64_t* hashes, std::size_t n, KeyOf& key_of, TimeOf& time_of) {
    const auto fetch = [&](auto& table) {
      if constexpr (requires { table.fetch(hashes, n, key_of, time_of); }) {
        table.fetch(hashes, n, key_of, time_of);
      } else {
        table.fetch(hashes, n, key_of);
      }
    };
    std::apply([&](auto*... table) { (fetch(*table), ...); }, tables_);
  }
  State& to_change(std::uint64_t hash, const Key& key, const CallTimes& times) {
    call_ = {hash, &key, times.time, times.watermark, call_.number + 1, times.decision};
    return state_;
  }
  const State& to_read(std::uint64_t hash, const Key& key, const CallTimes& times) { return to_change(hash, key, times); }
  void erase(std::uint64_t hash, const Key& key) {
    call_.hash = hash;
    call_.key = &key;
    ++call_.number;
    std::apply([this](auto*... table) { (table->forget(call_), ...); }, tables_);
  }
  bool missed() const { return call_.missed; }

  void set_watermark(EventTime watermark) {
    std::apply([watermark](auto*... table) { (table->set_watermark(watermark), ...); }, tables_);
  }
  bool sweep(std::size_t max) {
    return std::apply([max](auto*... table) { return (std::size_t{0} + ... + (table->sweep(max) ? 0 : 1)) == 0; }, tables_);
  }

 private:
  // Calls f(handle, its table) for each.
  template <class F>
  void each(F f) {
    each_of(boost::pfr::structure_tie(state_), f, std::make_index_sequence<std::tuple_size_v<decltype(tables_)>>{});
  }
  template <class Tie, class F, std::size_t... I>
  void each_of(Tie handles, F& f, std::index_sequence<I...>) {
    (f(std::get<I>(handles), std::get<I>(tables_)), ...);
  }

  StateCall call_;
  State state_{};
  typename HandlesOf<State>::template Tables<Key> tables_{};
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

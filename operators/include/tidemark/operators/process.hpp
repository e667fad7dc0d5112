#pragma once
// process(): free-form logic for each key, with a state of the user's own, timers of event time and side outputs.
//
// Order (P2, P3). With arrival_order(), the default, records are handled as they come, and timers run where the watermark stands in the
// input. That is deterministic for a key whose records come from one split by one path (no union of streams that stem from it, no earlier
// key_by above parallelism 1) if it uses neither timers nor context.watermark() nor, where records are behind, a time to live; or if one
// bounded split alone feeds the operator so (D2). With event_time_order() records wait until the watermark has reached their time; then
// records and timers of a key run in one sequence by time, and the results never depend on splits, batches or parallelism (D1).
//
//   struct Velocity {
//     struct State { std::deque<EventTime> recent; };
//     void operator()(const Payment& payment, State& state, ProcessContext<CardId>& context, Collector<Alert>& out);
//     void on_timer(const Timer& timer, State& state, ProcessContext<CardId>& context, Collector<Alert>& out);   // optional
//   };
//   payments.key_by(&Payment::card).process<Alert>("velocity", Velocity{}, event_time_order())
//
// The function is a lambda or a struct; its parameter types are written out, since the state is read off them. `State&` creates the key's
// state, default constructed, and marks it changed; `const State&` changes nothing and sees a default-constructed value for a key without
// state. A function without state leaves the parameter out.
//
// A plain struct is one value for each key, stored as a whole whenever it was changed. State of which a call changes a small part is better
// made of handles (state/handles.hpp): values, lists and maps whose entries are stored one by one, each with a name, and with a time to
// live if wanted (K8). The State then holds handles alone, and both functions see those of their key:
//
//   struct State {
//     ValueState<Profile> profile{"profile", {.ttl = 24h}};
//     MapState<std::string, Visit> merchants{"merchants", {.ttl = 1h}};
//     ListState<Payment> recent{"recent", {.max_entries = 10'000}};
//   };
//   void operator()(const Payment& payment, State& state, ProcessContext<CardId>& context, Collector<Alert>& out) {
//     if (const Visit* visit = state.merchants.find(payment.merchant)) ...
//     state.merchants.put(payment.merchant, Visit{...});
//     state.recent.append(payment);
//   }
//
// PerWindow<MapState<...>> and its like have another content for each tumbling window (per_window.hpp).
//
// A hostile stream may make the state of one key grow without end. Against that there are limits for each key: max_entries of lists and
// maps, and max_timers of the stage (process_options.hpp). Going beyond one fails the job (TM0606), since what a call has done cannot be
// taken back; a function that would rather give way asks size() first. How many keys there are is not limited: a ttl or forget() bounds
// them.
//
// The watermark of a time to live is context.watermark(), so in event-time order what has expired does not depend on the steps in which the
// watermark came. context.forget() erases all states of the key.
//
// References and the context are good for that call alone. The function is copied once for each task and called by that task's thread
// alone. What it throws fails the job with the operator and, where known, the record's position. What one call emits is never cut, so a
// batch grows past its usual size if a single call emits more than that.

#include <tidemark/operators/detail/process_node.hpp>
#include <tidemark/operators/per_window.hpp>
#include <tidemark/operators/process_context.hpp>
#include <tidemark/operators/process_options.hpp>
#include <tidemark/operators/process_order.hpp>
#include <tidemark/state/handles.hpp>

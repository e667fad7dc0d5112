#pragma once
// What a function given to process() meets: its context, its timers and the tags of its side outputs.

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include <tidemark/core/time.hpp>
#include <tidemark/operators/detail/process_timers.hpp>
#include <tidemark/operators/detail/side_outputs.hpp>

namespace tidemark {
inline namespace v0 {

// The tag of a side output of records S. A function emits to it by context.emit(tag, value); the stage's side(tag) gives the stream. Tags
// of one name are the same side output; one name must not stand for two types.
template <class S>
class SideOutput {
 public:
  explicit SideOutput(std::string name) : name_(std::move(name)) {}
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

// What on_timer() is told. Event-time timers are identified by (key, tag, time); setting one twice is setting it once (T1).
struct Timer {
  EventTime time{};
  TimerTag tag = 0;
};

// What a function may ask and do for the key whose record or timer it handles. Good for that call alone.
template <class Key>
class ProcessContext {
 public:
  // Made by the operator.
  explicit ProcessContext(operators_internal::ProcessCall<Key>& call) : call_(call) {}

  const Key& key() const { return *call_.key; }
  // Of the record or timer; kMinusInfinity for a record of a stream without event time.
  EventTime time() const { return call_.at.time; }
  // In arrival order the operator's watermark. In event-time order the time just below the greatest one handled so far.
  EventTime watermark() const { return call_.watermark; }
  // Whether results of this call are behind (W5, T5): in arrival order, whether the record came after its split's watermark had passed it.
  bool is_behind() const { return call_.at.as_of != kMinusInfinity; }

  // on_timer() is called for this key when the watermark reaches `time`, in order of (time, tag); for a time that it has passed already,
  // with the next watermark (in event-time order: next), never inside this call (T2, T3). Precondition: the function has an on_timer();
  // otherwise the job fails. When the input has ended, existing timers run, and new ones are counted as `timers_after_end` but do not run
  // (T4).
  void set_timer(EventTime time, TimerTag tag = 0) { call_.timers->set(call_.hash, *call_.key, time, tag); }
  // Does nothing if there is no such timer.
  void delete_timer(EventTime time, TimerTag tag = 0) { call_.timers->erase(call_.hash, *call_.key, time, tag); }

  // Erases this key's state after the call. Its timers stay.
  void forget() { call_.forget = true; }

  // Emits to a side output, with time and as_of of the results. Where nobody asked for the side output by side(tag) the value is dropped.
  template <class S>
  void emit(const SideOutput<S>& tag, std::type_identity_t<S> value) {
    call_.sides->emit(tag, std::move(value), call_.at);
  }

 private:
  operators_internal::ProcessCall<Key>& call_;
};

}  // namespace v0
}  // namespace tidemark

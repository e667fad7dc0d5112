#pragma once
// What a function given to process() looks like, read off its parameter types, with a sentence for each misuse.

#include <cstddef>
#include <type_traits>

#include <tidemark/core/codec.hpp>
#include <tidemark/operators/collector.hpp>

namespace tidemark {
inline namespace v0 {

template <class Key>
class ProcessContext;
struct Timer;

namespace operators_internal {

template <class... T>
struct TypeList {
  static constexpr std::size_t kSize = sizeof...(T);
};

template <std::size_t kIndex, class First, class... Rest>
struct TypeAt : TypeAt<kIndex - 1, Rest...> {};
template <class First, class... Rest>
struct TypeAt<0, First, Rest...> {
  using type = First;
};
template <std::size_t kIndex, class List>
struct Parameter;
template <std::size_t kIndex, class... T>
struct Parameter<kIndex, TypeList<T...>> : TypeAt<kIndex, T...> {};

// The result and parameters of a function, a function pointer, or a pointer to a member function.
template <class F>
struct Signature;
template <class R, class... A>
struct Signature<R(A...)> {
  using Result = R;
  using Parameters = TypeList<A...>;
};
template <class R, class... A>
struct Signature<R(A...) noexcept> : Signature<R(A...)> {};
template <class F>
struct Signature<F*> : Signature<F> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...)> : Signature<R(A...)> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) const> : Signature<R(A...)> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) noexcept> : Signature<R(A...)> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) const noexcept> : Signature<R(A...)> {};

template <class F>
struct CallSignature : Signature<decltype(&F::operator())> {};
template <class F>
  requires std::is_pointer_v<F>
struct CallSignature<F> : Signature<F> {};

template <class F>
concept HasReadableCall = std::is_pointer_v<F> || requires { &F::operator(); };
template <class F>
concept HasOnTimer = requires { &F::on_timer; };

// Checks one of the two functions of F. `Subject` is the record or the Timer.
template <class Signature, class Subject, class Key, class Out>
struct CheckedCall {
  using Parameters = typename Signature::Parameters;
  static_assert(Parameters::kSize == 3 || Parameters::kSize == 4,
                "Tidemark: a function for process() takes (const Record&, State&, ProcessContext<Key>&, Collector<Out>&), or the "
                "same without the state; its on_timer() takes a const Timer& for the record");
  static_assert(std::is_void_v<typename Signature::Result>,
                "Tidemark: a function for process() returns nothing: it emits its results through the Collector");
  static constexpr bool kHasState = Parameters::kSize == 4;

  template <std::size_t kIndex>
  using At = typename Parameter<kIndex, Parameters>::type;
  using StateParameter = std::conditional_t<kHasState, typename Parameter<1, Parameters>::type, void>;
  using State = std::remove_cvref_t<StateParameter>;
  // False for a const State&.
  static constexpr bool kWrites = kHasState && !std::is_const_v<std::remove_reference_t<StateParameter>>;

  static_assert(std::is_convertible_v<const Subject&, At<0>>,
                "Tidemark: the first parameter of a function for process() is the stream's record, as const Record&; "
                "that of its on_timer() is const Timer&");
  static_assert(!kHasState || std::is_lvalue_reference_v<StateParameter>,
                "Tidemark: a function for process() takes its state by reference: State& to change it, const State& to only read it");
  static_assert(std::is_same_v<At<Parameters::kSize - 2>, ProcessContext<Key>&>,
                "Tidemark: the last parameter but one of a function for process() is ProcessContext<Key>&, with the type of "
                "the key from key_by()");
  static_assert(std::is_same_v<At<Parameters::kSize - 1>, Collector<Out>&>,
                "Tidemark: the last parameter of a function for process() is Collector<Out>&, with the type Out that "
                "is given to process<Out>()");
};

struct NoTimerCall {
  static constexpr bool kHasState = false;
  static constexpr bool kWrites = false;
  using State = void;
};
template <class F, class Key, class Out>
struct TimerCall : NoTimerCall {};
template <HasOnTimer F, class Key, class Out>
struct TimerCall<F, Key, Out> : CheckedCall<Signature<decltype(&F::on_timer)>, Timer, Key, Out> {};

// Everything about F. State is void if neither function takes one.
template <class F, class Key, class T, class Out>
struct ProcessFunction {
  static_assert(HasReadableCall<F>,
                "Tidemark: the parameter types of a function for process() are written out, since its state is read off them: "
                "no auto parameters, and one operator() only");
  using Call = CheckedCall<CallSignature<F>, T, Key, Out>;
  using OnTimer = TimerCall<F, Key, Out>;
  using State = std::conditional_t<Call::kHasState, typename Call::State, typename OnTimer::State>;

  static constexpr bool kHasState = Call::kHasState || OnTimer::kHasState;
  static constexpr bool kHasTimers = HasOnTimer<F>;
  static_assert(!Call::kHasState || !OnTimer::kHasState || std::is_same_v<typename Call::State, typename OnTimer::State>,
                "Tidemark: operator() and on_timer() of a function for process() share one state: both must name the same type");
  static_assert(!kHasState || std::is_default_constructible_v<State>,
                "Tidemark: the state of a function for process() needs a default constructor: that is the state of a key that was "
                "not seen before");
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

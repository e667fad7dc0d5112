#pragma once
// A function given to migrate(), as a step from one schema to another.

#include <type_traits>
#include <utility>

#include <tidemark/core/codec.hpp>
#include <tidemark/operators/detail/process_function.hpp>
#include <tidemark/state/migration.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

#define TIDEMARK_MIGRATION_SENTENCE                                                                                               \
  "Tidemark: migrate() takes a function New(const Old&) with its types written out: Old is what an earlier release stored, New what " \
  "is stored now, or what another migration takes"

template <class Call>
struct MigrationCall {
  static_assert(Call::Parameters::kSize == 1, TIDEMARK_MIGRATION_SENTENCE);
  using Parameter = typename operators_internal::Parameter<0, typename Call::Parameters>::type;
  using Old = std::remove_cvref_t<Parameter>;
  using New = std::remove_cvref_t<typename Call::Result>;
  static_assert(std::is_convertible_v<const Old&, Parameter> && !std::is_void_v<New>, TIDEMARK_MIGRATION_SENTENCE);
};

template <class F>
Migration migration(F f) {
  static_assert(HasReadableCall<F>, TIDEMARK_MIGRATION_SENTENCE);
  using Call = MigrationCall<CallSignature<F>>;
  using Old = typename Call::Old;
  using New = typename Call::New;
  core_internal::require_storable<Old>();
  core_internal::require_storable<New>();
  if constexpr (Storable<Old> && Storable<New>) {
    return {.from = Codec<Old>::schema(), .to = Codec<New>::schema(), .convert = [f = std::move(f)](ByteView& in, Bytes& out) mutable {
              Old old{};
              if (!Codec<Old>::decode(in, old)) return false;
              Codec<New>::encode(f(std::as_const(old)), out);
              return true;
            }};
  } else {
    return {};   // refused above; more about it would bury the sentence
  }
}

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

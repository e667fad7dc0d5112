#pragma once
// Equality of keys. A key's identity is all its bytes (K1, fault F42); a canonical codec makes equal values and equal bytes the same thing.

#include <concepts>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>

#include <boost/pfr/core.hpp>

#include <tidemark/core/codec.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

template <class Key>
bool same_key(const Key& a, const Key& b) {
  if constexpr (std::is_integral_v<Key> || std::is_enum_v<Key>) {
    return a == b;
  } else if constexpr (kEncodedAsMemory<Key>) {
    return std::memcmp(&a, &b, sizeof a) == 0;
  } else if constexpr (std::equality_comparable<Key>) {
    return a == b;
  } else if constexpr (core_internal::is_storable_aggregate<Key>()) {
    const auto fields_a = boost::pfr::structure_tie(a);
    const auto fields_b = boost::pfr::structure_tie(b);
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return (same_key(std::get<I>(fields_a), std::get<I>(fields_b)) && ...);
    }(std::make_index_sequence<std::tuple_size_v<decltype(fields_a)>>{});
  } else {
    return encoded(a) == encoded(b);
  }
}

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

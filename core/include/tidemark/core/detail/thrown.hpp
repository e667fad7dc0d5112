#pragma once
// What a user's function has thrown, whatever its type.

#include <exception>
#include <string>

namespace tidemark {
inline namespace v0 {
namespace core_internal {

// In a catch block.
inline std::string what_was_thrown() {
  try {
    throw;
  } catch (const std::exception& thrown) {
    return thrown.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

}  // namespace core_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// How a job ended, for the message of a test that fails.

#include <string>

#include <tidemark/runtime/runtime.hpp>

namespace tidemark::test_support {

inline std::string describe(const JobResult& result) {
  return result.error ? result.error->describe() : std::string{to_string(result.state)};
}

}  // namespace tidemark::test_support

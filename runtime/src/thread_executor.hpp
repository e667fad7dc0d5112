#pragma once
// The executor of production: each loop has a thread of its own, which sleeps in an Asio loop; jobs have the threads that are asked for.

#include <tidemark/core/detail/executor.hpp>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

// One object for the whole process, without state.
core_internal::Executor& thread_executor();

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

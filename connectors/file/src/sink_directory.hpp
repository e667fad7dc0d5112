#pragma once
// The directory of a file sink.

#include <string>

#include <tidemark/core/status.hpp>
#include <tidemark/operators/sink.hpp>

namespace tidemark {
inline namespace v0 {
namespace file_internal {

// Checks the sink's name and makes the directory if it is absent.
Status prepare_directory(const IoContext& io, const SinkIdentity& identity, const std::string& directory);

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

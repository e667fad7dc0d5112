#include "src/sink_directory.hpp"

#include <tidemark/core/file_system.hpp>
#include <tidemark/core/names.hpp>

namespace tidemark {
inline namespace v0 {
namespace file_internal {

Status prepare_directory(const IoContext& io, const SinkIdentity& identity, const std::string& directory) {
  TIDEMARK_TRY(check_name("sink", identity.sink));
  if (identity.sink.front() == '.') {
    return Error{.code = ErrorCode::kBadName,
                 .message = "the file sink \"" + identity.sink + "\" has a name that begins with a dot",
                 .facts = {},
                 .why = "its results begin with its name, and would be hidden",
                 .fix = "give it another name"};
  }
  return make_directories(io.files, directory);
}

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

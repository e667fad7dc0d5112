#pragma once
// Calls of the system that may do a part of what was asked, repeated until all is done.

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include <sys/types.h>

#include <tidemark/core/bytes.hpp>

namespace tidemark {
inline namespace v0 {
namespace core_internal {

// Repeats a call that a signal interrupted. Not for close(): Linux frees the descriptor even then.
template <class Call>
auto uninterrupted(Call call) {
  decltype(call()) result{};
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

// write(data, size) as the system's: how much it wrote, or -1 and errno. Returns 0, or the errno that ended it.
template <class Write>
int write_whole(ByteView bytes, Write write) {
  while (!bytes.empty()) {
    const ssize_t written = uninterrupted([&] { return write(bytes.data(), bytes.size()); });
    if (written <= 0) return written < 0 ? errno : ENOSPC;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

// read(data, size, offset) as the system's pread. Reads `size` bytes, or all up to the end of the file; `done` says how many. Returns 0, or
// the errno that ended it.
template <class Read>
int read_whole(char* buffer, std::size_t size, std::uint64_t offset, std::size_t& done, Read read) {
  for (done = 0; done < size;) {
    const ssize_t taken = uninterrupted([&] { return read(buffer + done, size - done, static_cast<off_t>(offset + done)); });
    if (taken < 0) return errno;
    if (taken == 0) break;
    done += static_cast<std::size_t>(taken);
  }
  return 0;
}

}  // namespace core_internal
}  // namespace v0
}  // namespace tidemark

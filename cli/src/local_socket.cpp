#include "src/local_socket.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <tidemark/checkpoint/layout.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

namespace {

constexpr int kWaiting = 16;  // connections that the kernel keeps for us

Error failure(const std::string& what, const std::string& directory) {
  return Error{.code = ErrorCode::kStorageFailed,
               .message = "cannot " + what + " \"" + socket_path(directory) + "\": " + std::strerror(errno)};
}

// The address of the socket in `directory`, by the open directory. Valid as long as that is open.
sockaddr_un address_in(int directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket_path("/proc/self/fd/" + std::to_string(directory));
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

// Calls bind() or connect() with that address.
template <class Call>
int with_address(const std::string& directory, Call call) {
  const int opened = ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return -1;
  const sockaddr_un address = address_in(opened);
  const int result = call(reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(sizeof address));
  const int reason = errno;
  ::close(opened);
  errno = reason;
  return result;
}

}  // namespace

LocalSocket::LocalSocket(LocalSocket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

LocalSocket& LocalSocket::operator=(LocalSocket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

LocalSocket::~LocalSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<LocalSocket> LocalSocket::listen_in(FileSystem& files, const std::string& directory) {
  TIDEMARK_ASSIGN(const FileKind kind, files.kind(socket_path(directory)));
  if (kind == FileKind::kOther) TIDEMARK_TRY(files.remove_file(socket_path(directory)));
  LocalSocket made(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (made.descriptor_ < 0) return failure("make the socket", directory);
  // Before bind(), which gives the file the mode of the socket: there is no moment at which others could connect.
  if (::fchmod(made.descriptor_, S_IRUSR | S_IWUSR) != 0) return failure("restrict the socket", directory);
  const auto bind = [&](const sockaddr* address, socklen_t size) { return ::bind(made.descriptor_, address, size); };
  if (with_address(directory, bind) != 0 || ::listen(made.descriptor_, kWaiting) != 0) return failure("listen at", directory);
  return made;
}

Result<LocalSocket> LocalSocket::connect_in(const std::string& directory) {
  LocalSocket made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (made.descriptor_ < 0) return failure("make a socket for", directory);
  const auto connect = [&](const sockaddr* address, socklen_t size) { return ::connect(made.descriptor_, address, size); };
  if (with_address(directory, connect) == 0) return made;
  if (errno != ENOENT && errno != ECONNREFUSED && errno != ENOTDIR) return failure("connect to", directory);
  return Error{.code = ErrorCode::kJobNotRunning,
               .message = "no job runs on the state directory \"" + directory + "\"",
               .facts = {{"nobody answers at", socket_path(directory)}},
               .fix = "name the state directory of a job that its run command runs now, with --state DIR"};
}

std::optional<LocalSocket> LocalSocket::accept() {
  const int accepted = ::accept4(descriptor_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted < 0) return std::nullopt;  // also when descriptors have run out: they wait, and are asked for again
  return LocalSocket(accepted);
}

bool LocalSocket::receive(std::string& into, std::size_t limit) {
  std::string chunk(limit, '\0');
  const ssize_t taken = ::recv(descriptor_, chunk.data(), chunk.size(), 0);
  if (taken < 0) return errno == EAGAIN || errno == EINTR;
  into.append(chunk, 0, static_cast<std::size_t>(taken));
  return taken > 0;
}

bool LocalSocket::send(std::string& rest) {
  const ssize_t sent = ::send(descriptor_, rest.data(), rest.size(), MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  rest.erase(0, static_cast<std::size_t>(sent));
  return true;
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// The Unix socket in a state directory, by which a running job can be talked to. Only its owner can connect: the socket has mode 0600 in a
// directory of mode 0700. The state directory may have any path, though a socket's address has room for 107 bytes: it is named by its open
// directory.

#include <optional>
#include <string>
#include <string_view>

#include <tidemark/core/file_system.hpp>
#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

// One end of a connection, or the place where they arrive. Closes at destruction. One thread.
class LocalSocket {
 public:
  // Listens in the state directory, which the caller owns (its lock), so that a socket that is there already is a dead process's.
  static Result<LocalSocket> listen_in(FileSystem& files, const std::string& directory);
  // Connects to the job that listens there. kJobNotRunning if none does.
  static Result<LocalSocket> connect_in(const std::string& directory);
  LocalSocket(LocalSocket&& other) noexcept;
  LocalSocket& operator=(LocalSocket&& other) noexcept;
  ~LocalSocket();

  // Those of the listening side never wait.
  // The next connection; none: nobody waits.
  std::optional<LocalSocket> accept();
  // Appends what has arrived to `into`, at most `limit` bytes. false: the other side has closed, or the connection broke. The connecting
  // side waits until something arrives.
  bool receive(std::string& into, std::size_t limit);
  // Removes what could be sent from the front of `rest`. false: the connection broke.
  bool send(std::string& rest);

 private:
  explicit LocalSocket(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

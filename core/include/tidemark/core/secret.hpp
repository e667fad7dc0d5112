#pragma once
// A password, token or key (S15). It is given by a reference to where it lies, so that no command line and no configuration holds it. It
// cannot be copied, printed, formatted or stored: each of these does not compile.

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {

inline constexpr std::size_t kLongestSecret = 64 * 1024;

// Has one place in memory, which is wiped when it ends. Moving leaves an empty secret behind.
class Secret {
 public:
  // `reference` is "file:PATH", for what is in the file but for one line end after it, or "env:NAME", for the value of a variable of the
  // environment (which keeps it). kBadConfiguration if it is neither, if the secret is empty or longer than kLongestSecret, or cannot be
  // read. No error has the secret in it, nor a reference that is neither, since that may be the secret itself.
  static Result<Secret> from(FileSystem& files, std::string_view reference);

  Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  // For the one call that needs it. Good until the secret ends or is moved.
  ByteView reveal() const { return {bytes_.get(), size_}; }
  // Takes the same time wherever the two differ, so that nobody who may try finds it byte by byte. Of the length it makes no secret.
  bool matches(ByteView candidate) const;

  bool operator==(const Secret&) const = delete;   // use matches()

 private:
  explicit Secret(std::size_t size) : bytes_(std::make_unique<char[]>(size)), size_(size) {}
  void wipe() noexcept;

  std::unique_ptr<char[]> bytes_;   // no std::string, which leaves short ones behind when it is moved
  std::size_t size_;
};

template <class Stream>
Stream& operator<<(Stream&, const Secret&) {
  static_assert(sizeof(Stream) == 0, "Tidemark: a Secret cannot be printed; hand reveal() to the one call that needs it");
}

}  // namespace v0
}  // namespace tidemark

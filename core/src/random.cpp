#include <tidemark/core/random.hpp>

#include <cerrno>

#include <sys/random.h>

#include <tidemark/core/check.hpp>

namespace tidemark {
inline namespace v0 {

namespace {
class SystemRandom final : public Random {
 public:
  std::uint64_t next() override {
    std::uint64_t number = 0;
    ssize_t taken = 0;
    do {
      taken = ::getrandom(&number, sizeof number, 0);
    } while (taken < 0 && errno == EINTR);
    // The kernel gives up to 256 bytes whole, or nothing because of a signal.
    TIDEMARK_CHECK(taken == static_cast<ssize_t>(sizeof number));
    return number;
  }
};
}  // namespace

Random& system_random() {
  static SystemRandom random;
  return random;
}

}  // namespace v0
}  // namespace tidemark

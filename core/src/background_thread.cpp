#include <tidemark/core/background_thread.hpp>

#include <pthread.h>
#include <sys/resource.h>

namespace tidemark {
inline namespace v0 {

void become_background_thread(const char* name) {
  constexpr int kNiceness = 5;
  static_cast<void>(::pthread_setname_np(::pthread_self(), name));
  static_cast<void>(::setpriority(PRIO_PROCESS, 0, kNiceness));   // on Linux: of this thread
}

}  // namespace v0
}  // namespace tidemark

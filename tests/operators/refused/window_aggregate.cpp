#include <tidemark/operators/windows.hpp>

struct Click {
  int user = 0;
};
struct Payment {
  int cents = 0;
};

void refused() {
  using Sum = decltype(tidemark::sum(&Payment::cents));
  (void)sizeof(tidemark::operators_internal::Combined<Click, Sum>);
}

#pragma once
// Replaces every operator new and delete of a test program. Include it in one source of it, which defines on_allocation(): called before
// each allocation, by any thread; it may throw std::bad_alloc.

#include <cstddef>
#include <cstdlib>
#include <new>

namespace tidemark::test_support {

void on_allocation();

inline void* allocate(std::size_t size, std::size_t alignment) {
  on_allocation();
  // aligned_alloc wants a multiple of the alignment.
  void* memory = alignment == 0 ? std::malloc(size) : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace tidemark::test_support

// GCC looks through the replaced functions and takes malloc and free for a pair that does not belong together.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

void* operator new(std::size_t size) { return tidemark::test_support::allocate(size, 0); }
void* operator new[](std::size_t size) { return tidemark::test_support::allocate(size, 0); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return tidemark::test_support::allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return tidemark::test_support::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

#pragma once
// Where a slice lets go of memory and never reads a row to change it, a key may have several rows, which make its value together. What
// tells them apart is a generation at the end of the row key, 8 bytes big-endian; generation 0 is written as nothing.

#include <cstdint>
#include <vector>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/hash.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

// The generation of each key group of one slice: that under which its entries in memory are written. As long as a group has one, all its
// entries of it stay in memory, so that a row of it is replaced and never added to. Rows of lesser ones are in the store alone. Generation
// 0: there are none such.
class Generations {
 public:
  // For the key groups [first_group, end_group), all at `generation`.
  Generations(const KeySpace& space, std::uint32_t first_group, std::uint32_t end_group, std::uint64_t generation)
      : space_(space), first_group_(first_group), of_groups_(end_group - first_group, generation) {}

  // Groups count from the first one.
  std::uint64_t of_group(std::uint32_t group) const { return of_groups_[group]; }
  void set(std::uint32_t group, std::uint64_t generation) { of_groups_[group] = generation; }

  std::size_t bytes() const { return sizeof *this + of_groups_.capacity() * sizeof(of_groups_[0]); }

  // To the row key of a key with this hash.
  void append(Bytes& row_key, std::uint64_t hash) const {
    const std::uint64_t generation = of_groups_[space_.group_of(hash) - first_group_];
    if (generation != 0) append_u64_big_endian(row_key, generation);
  }
  // From what is left of a row key behind the encoded key. false: it is no generation.
  [[nodiscard]] static bool take(ByteView rest, std::uint64_t& generation) {
    generation = 0;
    return rest.empty() || (take_u64_big_endian(rest, generation) && rest.empty() && generation != 0);
  }

 private:
  KeySpace space_;
  std::uint32_t first_group_;
  std::vector<std::uint64_t> of_groups_;
};

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// Positions of splits whose records are numbered: the number of the next record, eight bytes. Not promised.

#include <cstdint>
#include <string>
#include <vector>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {
namespace memory_internal {

Bytes encode_position(std::uint64_t next);
// Where a reader of `split` begins: `first` for an empty position. kSourceChanged: the position is not one that a split from `first` in
// steps of `step`
// up to `end` can have had, so the records behind it are not the ones that were read before.
Result<std::uint64_t> decode_position(const std::string& split, const Bytes& position, std::uint64_t first, std::uint64_t step,
    std::uint64_t end);
// The split's number in a list of `count` splits. kSourceChanged: there is none of this name.
Result<std::uint64_t> split_number(const std::string& split, std::uint64_t count);
// "0", "1", ...
std::vector<std::string> numbered_splits(std::uint64_t count);

}  // namespace memory_internal
}  // namespace v0
}  // namespace tidemark

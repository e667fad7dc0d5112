// Z1: the small forms that are stored beside manifests or within them. Any bytes are refused, or read as what is written back unchanged.

#include <tidemark/core/hash.hpp>
#include <tidemark/memory/detail/split_position.hpp>

#include "fuzz.hpp"
#include "src/file_position.hpp"
#include "src/footer.hpp"
#include "src/staged_names.hpp"

namespace tidemark::fuzz {
namespace {

using namespace file_internal;

template <class Decode>
void read_back(const Bytes& bytes, Decode decode) {
  const auto decoded = decode(bytes);
  if (!decoded.ok()) return;
  const Bytes again = encode(*decoded);
  // A length may have been written with more bytes than it needs.
  require(again == bytes || (again.size() < bytes.size() && decode(again).ok()), "what was read is written as it was");
  require(!decode(bytes + '\0').ok(), "what is read ends where its form ends");
}

// LINEAGE, as the manifest's frame.
void read_lineage(ByteView bytes) {
  using namespace checkpoint_internal;
  const Result<Framed> framed = take_footer(bytes, kLineageMagic, 1, "LINEAGE");
  if (!framed.ok()) return;
  Bytes again{framed->payload};
  append_footer(again, framed->footer, kLineageMagic);
  require(again == bytes, "a footer that is taken is the one that would be written");
}

void read_split_position(const Bytes& bytes) {
  const Result<std::uint64_t> next = memory_internal::decode_position("0", bytes, 3, 5, 1000);
  require(!next.ok() || (*next >= 3 && *next <= 1000 + 5), "a position lies in its split");
}

}  // namespace

// The first letter says which form follows.
void run(ByteView input) {
  if (input.empty()) return;
  const Bytes bytes{input.substr(1)};
  switch (input.front()) {
    case 'p': return read_back(bytes, decode_file_position);
    case 's': return read_back(bytes, decode_staged_record);
    case 'm': return read_back(bytes, [](const Bytes& marker) { return decode_marker(marker, "marker"); });
    case 'l': return read_lineage(bytes);
    case 'n': return read_split_position(bytes);
    default: return;
  }
}

}  // namespace tidemark::fuzz

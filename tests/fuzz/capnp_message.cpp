// Z2: a Cap'n Proto message of any bytes is refused, or is a value with one canonical form (S08, fault F34).

#include <tidemark/capnp/message.hpp>

#include "fuzz.hpp"
#include "tree.capnp.h"

namespace tidemark::fuzz {
namespace {

using Message = CapnpMessage<fuzz_wire::Tree>;

// Reads everything that is there.
std::size_t visit(fuzz_wire::Tree::Reader tree) {
  std::size_t seen = tree.getName().size() + tree.getFlags().size();
  for (const auto tag : tree.getTags()) seen += tag.size();
  for (const auto child : tree.getChildren()) seen += visit(child);
  if (tree.isData()) seen += tree.getData().size();
  return seen;
}
void look(const Message& message) {
  (void)message.read([](fuzz_wire::Tree::Reader tree) { return visit(tree); });
}

}  // namespace

void run(ByteView input) {
  if (const Result<Message> foreign = Message::from_bytes(input); foreign.ok()) {
    look(*foreign);
    const Bytes bytes = foreign->to_bytes();
    const Result<Message> same = Message::from_bytes(bytes);
    require(same.ok() && *same == *foreign, "a message that was taken has one form");
    Message stored;
    require(decode_whole(bytes, stored) && stored == *foreign, "a message that was taken can be stored");
  }
  // Of a row only the form is checked: its checksum and the schema in the manifest say that it is of this type.
  Message stored;
  ByteView in = input;
  if (!Codec<Message>::decode(in, stored)) return;
  require(encoded(stored) == input.substr(0, input.size() - in.size()), "a stored message is written as it was read");
}

}  // namespace tidemark::fuzz

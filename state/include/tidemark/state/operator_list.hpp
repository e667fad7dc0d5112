#pragma once
// A list that belongs to no key: each task of an operator has one of its own (K6). It has no rows. Its operator saves it into the manifest,
// which every checkpoint writes anew, so it is for few items; as a state it has a schema and a number like any other.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/codec.hpp>
#include <tidemark/state/component.hpp>

namespace tidemark {
inline namespace v0 {

// Encoded, in one task.
inline constexpr std::size_t kMaxOperatorListBytes = std::size_t{1} << 20;

template <class Item>
class OperatorList final : public StateComponent {
 public:
  explicit OperatorList(std::string name)
      : StateComponent({.name = std::move(name),
                        .kind = kOperatorList,
                        .key = {},
                        .value = Codec<Item>::schema(),
                        .parameters = {},
                        .reads = state_internal::schema_reader<Item>()}) {}

  std::vector<Item>& items() { return items_; }

  // For Operator::save(): every item with its length before it, so that who does not know the type can count them. false: it is longer than
  // kMaxOperatorListBytes, and `out` holds a part of it.
  [[nodiscard]] bool save(Bytes& out) const {
    const std::size_t begin = out.size();
    Bytes bytes;
    for (const Item& item : items_) {
      bytes.clear();
      Codec<Item>::encode(item, bytes);
      append_sized(out, bytes);
      if (out.size() - begin > kMaxOperatorListBytes) return false;
    }
    return true;
  }
  // At a restore, after begin_new() if the checkpoint does not know this state: then nothing is taken. Of the saved lists, put one after
  // another, this one becomes every `parallelism`-th item from that with the index `subtask` on. Errors: kCheckpointCorrupt.
  Status load(std::span<const ByteView> saved, std::uint32_t subtask, std::uint32_t parallelism) {
    if (new_) return {};
    items_.clear();
    std::uint64_t index = 0;
    for (ByteView list : saved) {
      for (ByteView bytes; !list.empty(); ++index) {
        if (!take_sized(list, bytes)) return malformed();
        if (index % parallelism != subtask) continue;
        Item item{};
        if (!decode_whole(bytes, item)) return malformed();
        items_.push_back(std::move(item));
      }
    }
    return {};
  }

  void begin_new() override { new_ = true; }
  void freeze(RowSink& rows) override { begin_freeze(rows); }
  bool encode_some(std::size_t) override { return true; }
  void settle(bool) override { end_settle(); }
  Status restore_row(ByteView, ByteView) override { return malformed_row(); }
  std::size_t entries() const override { return items_.size(); }
  std::size_t bytes() const override { return items_.capacity() * sizeof(Item); }

 private:
  Status malformed() const {
    return Error{.code = ErrorCode::kCheckpointCorrupt,
                 .message = "the items of list \"" + schema().name + "\" cannot be decoded",
                 .facts = {{"schema", schema().text()}},
                 .why = "their bytes are not what this schema writes",
                 .fix = "restore an older checkpoint"};
  }

  std::vector<Item> items_;
  bool new_ = false;
};

}  // namespace v0
}  // namespace tidemark

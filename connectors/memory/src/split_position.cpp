#include <charconv>

#include <tidemark/core/detail/planted.hpp>
#include <tidemark/memory/detail/split_position.hpp>

namespace tidemark {
inline namespace v0 {
namespace memory_internal {
namespace {

Error source_changed(std::string message, std::string facts_position) {
  return {.code = ErrorCode::kSourceChanged,
          .message = std::move(message),
          .facts = {{"position", std::move(facts_position)}},
          .why = "the records behind the position would not be those that the checkpoint counts as read",
          .fix = "start with the source that the checkpoint was made with, or without the checkpoint"};
}

}  // namespace

Bytes encode_position(std::uint64_t next) {
  Bytes out;
  append_u64(out, planted(core_internal::Bug::kP07) ? next + 1 : next);   // off by one
  return out;
}

Result<std::uint64_t> decode_position(const std::string& split, const Bytes& position, std::uint64_t first, std::uint64_t step,
    std::uint64_t end) {
  if (position.empty()) return first;
  ByteView in = position;
  std::uint64_t next = 0;
  if (!take_u64(in, next) || !in.empty()) {
    return source_changed("the position of split \"" + split + "\" is not one of a source in memory",
        std::to_string(position.size()) + " bytes");
  }
  // The last step may lead past the end, but no second one.
  if (next < first || (next - first) % step != 0 || (next != first && next - step >= end)) {
    return source_changed("split \"" + split + "\" has no record " + std::to_string(next), std::to_string(next));
  }
  return next;
}

Result<std::uint64_t> split_number(const std::string& split, std::uint64_t count) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(split.data(), split.data() + split.size(), number);
  if (error != std::errc{} || end != split.data() + split.size() || number >= count) {
    return source_changed("there is no split \"" + split + "\" among " + std::to_string(count), split);
  }
  return number;
}

std::vector<std::string> numbered_splits(std::uint64_t count) {
  std::vector<std::string> names;
  for (std::uint64_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

}  // namespace memory_internal
}  // namespace v0
}  // namespace tidemark

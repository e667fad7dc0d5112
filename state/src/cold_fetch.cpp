#include <tidemark/state/detail/cold_fetch.hpp>

#include <tidemark/core/job_failure.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

void ColdFetch::begin() {
  bytes_.clear();
  ends_.clear();
}

void ColdFetch::view_keys() {
  keys_.clear();
  std::size_t begin = 0;
  for (const std::size_t end : ends_) {
    keys_.emplace_back(bytes_.data() + begin, end - begin);
    begin = end;
  }
}

void ColdFetch::read(const std::function<bool(std::size_t index, ByteView value)>& take) {
  view_keys();
  bool readable = true;
  const Status status = rows_.get(keys_, [&](std::size_t index, ByteView value) { readable = readable && take(index, value); });
  if (!status.ok()) fail(status);
  if (!readable) fail_malformed();
}

void ColdFetch::read_prefixes(const std::function<bool(std::size_t index, ByteView rest, ByteView value)>& take) {
  view_keys();
  bool readable = true;
  const Status status = rows_.read_prefixes(keys_, [&](std::size_t index, ByteView key, ByteView value) {
    return readable = take(index, key.substr(keys_[index].size()), value);
  });
  if (!status.ok()) fail(status);
  if (!readable) fail_malformed();
}

void ColdFetch::read_range(StateId state, ByteView first, ByteView end,
                           const std::function<Next(ByteView key_after_state_id, ByteView value)>& take) {
  Bytes from;
  Bytes to;
  append_u16_big_endian(from, state);
  from.append(first);
  append_u16_big_endian(to, end.empty() ? static_cast<StateId>(state + 1) : state);   // ids end long before they would wrap
  to.append(end);
  Next next = Next::kGoOn;
  const Status status = rows_.read_range(from, to, [&](ByteView key, ByteView value) {
    key.remove_prefix(sizeof(StateId));
    next = take(key, value);
    return next == Next::kGoOn;
  });
  if (!status.ok()) fail(status);
  if (next == Next::kMalformed) fail_malformed();
}

void ColdFetch::fail(const Status& status) const {
  Error error = status.error();
  error.facts.insert(error.facts.begin(), {"state", state_});
  throw JobFailure(std::move(error));
}

void ColdFetch::fail_malformed() const {
  throw JobFailure(Error{.code = ErrorCode::kCheckpointCorrupt,
                         .message = "a row of state \"" + state_ + "\" cannot be decoded",
                         .facts = {},
                         .why = "its bytes are not what the state's schema writes",
                         .fix = "restore an older checkpoint"});
}

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

#include "src/source_head.hpp"

#include <algorithm>

#include <tidemark/core/check.hpp>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

namespace {
// What a batch from a source is to have at most, going by the records of the one before.
constexpr std::size_t kBatchBytes = std::size_t{256} << 10;
}  // namespace

Status SourceHead::open(OperatorContext& context) {
  TIDEMARK_TRY(Operator::open(context));
  refusals_.open(context, count(), outlet(kQuarantineOutlet));
  return {};
}

Status SourceHead::open_splits(std::vector<Split> splits, std::vector<SplitListener*> listeners) {
  listeners_ = std::move(listeners);
  std::vector<std::uint32_t> numbers;
  for (Split& split : splits) {
    numbers.push_back(split.number);
    OpenSplit open{.split = std::move(split), .reader = nullptr, .waits = false};
    if (!open.split.finished) {
      TIDEMARK_ASSIGN(open.reader, source_->open_split(*context().io, open.split.name, open.split.position));
    }
    splits_.push_back(std::move(open));
  }
  for (SplitListener* listener : listeners_) listener->splits_assigned(numbers);
  return {};
}

SourceHead::Found SourceHead::read() {
  if (end_sent_) return Found::kEnded;
  if (!ended_splits_.empty()) {
    const std::uint32_t split = ended_splits_.back();
    ended_splits_.pop_back();
    for (SplitListener* listener : listeners_) (void)listener->split_ended(split);
    return Found::kSomething;
  }
  if (waiting_split_) {
    const std::uint32_t split = *std::exchange(waiting_split_, std::nullopt);
    for (SplitListener* listener : listeners_) (void)listener->split_waits(split);
    return Found::kSomething;
  }
  for (std::size_t tried = 0; tried < splits_.size() && !draining_; ++tried) {
    OpenSplit& open = splits_[next_];
    next_ = next_ + 1 == splits_.size() ? 0 : next_ + 1;
    if (open.reader == nullptr) continue;
    const Result<PollResult> found = poll(open);
    if (!found.ok()) {
      Error error = found.error();
      error.facts.insert(error.facts.begin(), {"source", context().name + ", split " + open.split.name});
      throw JobFailure(std::move(error));
    }
    const bool was_waiting = std::exchange(open.waits, *found == PollResult::kNothingNow);
    if (*found == PollResult::kEnd) {
      open.split.position = open.reader->position();
      open.split.finished = true;
      open.reader = nullptr;
      ended_splits_.push_back(open.split.number);
    }
    const bool delivered = !batch_->empty();
    // What is at hand was delivered; the watermark follows it at once, so that a quiet stream is not delayed (W4 b).
    if (open.waits && (delivered || !was_waiting)) waiting_split_ = open.split.number;
    if (delivered || !refused_.empty() || !ended_splits_.empty() || waiting_split_ || *found == PollResult::kRecords) {
      (void)refusals_.flush();
      if (delivered) {
        activity_.take(*batch_);
        (void)main().emit(*batch_);
      }
      return Found::kSomething;
    }
  }
  const bool more = std::any_of(splits_.begin(), splits_.end(), [](const OpenSplit& open) { return open.reader != nullptr; });
  if (more && !draining_) return Found::kNothingNow;
  if (!std::exchange(infinity_sent_, true)) {
    cut_off_ = more;
    (void)on_watermark(kPlusInfinity);
  } else {
    end_sent_ = true;
    (void)on_end();
  }
  return Found::kSomething;
}

Result<PollResult> SourceHead::poll(OpenSplit& open) {
  std::size_t limit = std::min({ramp_, std::size_t{context().max_batch}, fitting_});
  if (ramp_ < context().max_batch) ramp_ *= 2;
  for (const SplitListener* listener : listeners_)
    limit = std::min<std::size_t>(limit, listener->records_until_watermark(open.split.number));
  batch_->clear();
  batch_->split = open.split.number;
  refused_.clear();
  auto found = open.reader->poll_into(*batch_, limit, refused_);
  if (!found.ok()) return found;
  if (!batch_->empty()) fitting_ = std::max<std::size_t>(1, kBatchBytes * batch_->size() / batch_->bytes());
  count().records_in += batch_->size() + refused_.size();
  count().records_out += batch_->size();
  for (Origin& origin : batch_->origins) origin.split = open.split.number;
  for (Refused& refused : refused_) {
    const Origin origin{open.split.number, refused.position};
    refusals_.refuse({.reason = refused.reason, .error = std::move(refused.error), .payload = std::move(refused.payload)}, &origin);
  }
  return found;
}

std::chrono::milliseconds SourceHead::poll_again_after() const {
  std::chrono::milliseconds least{1000};
  for (const OpenSplit& open : splits_) {
    if (open.reader != nullptr) least = std::min(least, open.reader->poll_again_after());
  }
  return least;
}

std::vector<SourceHead::Split> SourceHead::splits() const {
  std::vector<Split> all;
  for (const OpenSplit& open : splits_) {
    all.push_back(open.split);
    if (open.reader != nullptr) all.back().position = open.reader->position();
  }
  return all;
}

Progress SourceHead::on_batch(BatchBase&) { TIDEMARK_CHECK(false, "a source has no input"); }

void SourceHead::save(Bytes& out) const {
  append_u8(out, static_cast<std::uint8_t>(infinity_sent_ | end_sent_ << 1));
  // A barrier can come between the last batch of a split and the word that it ended: what is owed is owed after a restore, too.
  append_varint(out, ended_splits_.size());
  for (const std::uint32_t split : ended_splits_) append_u32(out, split);
}

Status SourceHead::take_saved(ByteView saved, std::uint8_t& flags, std::vector<std::uint32_t>& ended) const {
  std::uint64_t count = 0;
  bool readable = take_u8(saved, flags) && take_varint(saved, count);
  for (std::uint64_t i = 0; readable && i < count; ++i) readable = take_u32(saved, ended.emplace_back());
  if (readable && saved.empty()) return {};
  return Error{.code = ErrorCode::kCheckpointCorrupt, .message = "the saved state of source \"" + context().name + "\" cannot be read"};
}

Status SourceHead::load(ByteView saved) {
  std::uint8_t flags = 0;
  TIDEMARK_TRY(take_saved(saved, flags, ended_splits_));
  infinity_sent_ = flags & 1;
  end_sent_ = flags & 2;
  return {};
}

// An end that was sent is sent again: other tasks than those that had it may have to hear of it now. So is the end of a split: by a stage
// that is new in the job.
Status SourceHead::load_rescaled(std::span<const ByteView> saved) {
  for (const ByteView one : saved) {   // only to know that it can be read
    std::uint8_t flags = 0;
    std::vector<std::uint32_t> owed;
    TIDEMARK_TRY(take_saved(one, flags, owed));
  }
  for (const OpenSplit& open : splits_) {
    if (open.split.finished) ended_splits_.push_back(open.split.number);
  }
  return {};
}

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

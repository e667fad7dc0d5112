#include <tidemark/operators/detail/event_time_stage.hpp>

#include <algorithm>
#include <utility>

#include <tidemark/core/check.hpp>
#include <tidemark/core/detail/planted.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

std::string duration_text(Duration duration) {
  const std::int64_t count = duration.count();
  if (count == 0) return "0s";
  struct Unit {
    std::int64_t micros;
    const char* name;
  };
  for (const Unit unit :
       {Unit{86'400'000'000, "d"}, Unit{3'600'000'000, "h"}, Unit{60'000'000, "min"}, Unit{1'000'000, "s"}, Unit{1'000, "ms"}}) {
    if (count % unit.micros == 0) return std::to_string(count / unit.micros) + unit.name;
  }
  return std::to_string(count) + "us";
}

std::string event_time_text(const EventTimeOptions& options) {
  std::string text = "event time, out of order by " + duration_text(options.out_of_orderness);
  if (options.max_ahead) text += ", at most " + duration_text(*options.max_ahead) + " ahead";
  return text;
}

namespace {
Status check_guard(const EventTimeOptions& options) {
  if (!options.max_ahead) return {};
  if (*options.max_ahead <= options.out_of_orderness + Duration{1} || *options.max_ahead > kLongestDuration) {
    return Error{.code = ErrorCode::kBadGraph,
                 .message = "with_event_time(): max_ahead must be more than out_of_orderness + 1us, and at most 2^61 us",
                 .facts = {{"max_ahead", std::to_string(options.max_ahead->count()) + " us"},
                           {"out_of_orderness", std::to_string(options.out_of_orderness.count()) + " us"}},
                 .why = "otherwise no record could be later than the ones before it",
                 .fix = "give the longest time that may lie between two records of a split, e.g. {.max_ahead = 24h}"};
  }
  if (options.time_origin && (*options.time_origin < kFirstRecordTime || *options.time_origin > kLastRecordTime)) {
    return Error{.code = ErrorCode::kBadGraph,
                 .message = "with_event_time(): no record can have the time of time_origin",
                 .facts = {{"time_origin", to_string(*options.time_origin)}},
                 .fix = "give a time near which the first record of each split must lie, or leave it out to trust that record"};
  }
  return {};
}

// After a restore splits may stand below what was sent: those of a source that is new. None of them was idle, so none is left out (W11);
// one that was would see its records late as soon as another one is read faster. A no-op at any other time.
void wait_for_all(WatermarkMerger& merger) {
  if (merger.output() == kPlusInfinity) return;
  for (std::size_t i = 0; i < merger.size(); ++i) {
    WatermarkMerger::Input input = merger.input(i);
    if (input.finished || input.idle || input.watermark >= merger.output()) continue;
    input.watermark = merger.output();
    merger.restore(i, input);
  }
}
}  // namespace

Status EventTimeStageBase::open(OperatorContext& context) {
  TIDEMARK_TRY(Operator::open(context));
  if (options_.out_of_orderness < Duration{0} || options_.out_of_orderness > kLongestDuration) {
    return Error{.code = ErrorCode::kBadGraph,
                 .message = "with_event_time(): out_of_orderness must lie between 0 and 2^61 us",
                 .facts = {{"out_of_orderness", std::to_string(options_.out_of_orderness.count()) + " us"}},
                 .fix = "give the longest delay by which a record of one split may follow a later one, e.g. {.out_of_orderness = 5s}"};
  }
  TIDEMARK_TRY(check_guard(options_));
  refusals_.open(context, count(), outlet(kQuarantineOutlet));
  return {};
}

void EventTimeStageBase::splits_assigned(const std::vector<std::uint32_t>& splits) {
  for (const std::uint32_t number : splits) splits_.push_back({number, WatermarkGenerator{options_.out_of_orderness}});
  merger_ = WatermarkMerger{splits.size()};
}

std::size_t EventTimeStageBase::index_of(std::uint32_t split) const {
  for (std::size_t i = 0; i < splits_.size(); ++i) {
    if (splits_[i].number == split) return i;
  }
  TIDEMARK_CHECK(false, "split " + std::to_string(split) + " was never assigned");
}

EventTimeStageBase::SplitState& EventTimeStageBase::state_of(std::uint32_t split) {
  return splits_[splits_.size() == 1 && splits_[0].number == split ? 0 : index_of(split)];
}

std::uint32_t EventTimeStageBase::records_until_watermark(std::uint32_t split) const {
  return splits_[index_of(split)].generator.records_until_watermark();
}

std::size_t EventTimeStageBase::step(SplitState& split, const Column<EventTime>& times, std::size_t begin, std::vector<Behind>& behind) {
  WatermarkGenerator& generator = split.generator;
  const std::size_t end = begin + std::min<std::size_t>(times.size() - begin, generator.records_until_watermark());
  EventTime greatest = generator.greatest();
  EventTime least = kPlusInfinity;
  EventTime last = greatest;
  for (std::size_t i = begin; i < end; ++i) {
    least = std::min(least, times[i]);
    last = std::max(last, times[i]);
  }
  // If even the least time is above the watermark that the greatest one gives, nobody is behind.
  if (least <= generator.watermark_at(last)) {
    for (std::size_t i = begin; i < end; ++i) {
      const EventTime as_of = greatest == kMinusInfinity ? kMinusInfinity : generator.watermark_at(greatest);
      if (times[i] <= as_of) behind.push_back({static_cast<std::uint32_t>(i - begin), as_of});
      greatest = std::max(greatest, times[i]);
    }
  }
  generator.advance_to(last);
  generator.count(end - begin);
  return end;
}

bool EventTimeStageBase::takes_all(SplitState& split, EventTime least, EventTime greatest) const {
  if (least < kFirstRecordTime || greatest > kLastRecordTime) return false;
  if (!options_.max_ahead) return true;
  // Behind a split's first record its watermark only rises, and the guard's limit with it.
  const EventTime watermark = split.generator.watermark();
  if (watermark == kMinusInfinity || greatest > FutureGuard::limit(options_, watermark)) return false;
  split.guard.end_row();
  return true;
}

std::optional<Quarantined> EventTimeStageBase::refusal(SplitState& split, EventTime& reached, EventTime time) const {
  if (time < kFirstRecordTime || time > kLastRecordTime) {
    return Quarantined{.reason = QuarantineReason::kTimeOutOfRange,
                       .time = time,
                       .error = "event time " + std::to_string(micros(time)) + " us is out of range"};
  }
  const EventTime watermark = split.generator.watermark_at(reached);
  if (!options_.max_ahead || !split.guard.refuses(time, watermark, options_)) {
    reached = std::max(reached, time);
    return std::nullopt;
  }
  const bool first = watermark == kMinusInfinity;
  return Quarantined{.reason = QuarantineReason::kTooFarAhead,
                     .time = time,
                     .decision_watermark = watermark,
                     .error = "event time " + to_string(time) + " is more than " + duration_text(*options_.max_ahead) + " ahead of the " +
                              (first ? "time origin " + to_string(*options_.time_origin) : "watermark " + to_string(watermark))};
}

Progress EventTimeStageBase::send_watermark(const SplitState& split) {
  wait_for_all(merger_);
  const auto risen = merger_.on_watermark(index_of(split.number), split.generator.watermark());
  return risen ? Operator::on_watermark(*risen) : Progress::kDone;
}

Progress EventTimeStageBase::split_waits(std::uint32_t split) { return send_watermark(state_of(split)); }

Progress EventTimeStageBase::split_ended(std::uint32_t split) {
  // Its last watermark first: the others go on from the least of what is left (W13). +infinity is for the source to send.
  const std::size_t index = index_of(split);
  wait_for_all(merger_);
  auto risen = merger_.on_watermark(index, splits_[index].generator.watermark());
  if (const auto after = merger_.on_finished(index)) risen = after;
  return risen && !sent_end_ ? Operator::on_watermark(*risen) : Progress::kDone;
}

Progress EventTimeStageBase::on_watermark(EventTime watermark) {
  TIDEMARK_CHECK(watermark == kPlusInfinity, "only the end of the input comes from above");
  if (std::exchange(sent_end_, true)) return Progress::kDone;
  end_owed_ = true;
  // Nothing follows the last record, so the watermark may reach it, and timers up to there run as they would in the midst of the input: how
  // far the clock comes before the end depends on what was read alone (D1), not on which split ended first.
  EventTime last = kMinusInfinity;
  for (const SplitState& split : splits_) last = std::max(last, split.generator.greatest());
  last = std::min(last, kLastRecordTime - Duration{1});   // A6: no watermark in the midst of the input is higher either
  if (last > merger_.output() && Operator::on_watermark(last) == Progress::kMore) return Progress::kMore;
  return send_end();
}

Progress EventTimeStageBase::send_end() {
  end_owed_ = false;
  merger_.end();
  return Operator::on_watermark(kPlusInfinity);
}

void EventTimeStageBase::save(Bytes& out) const {
  append_varint(out, splits_.size());
  for (std::size_t i = 0; i < splits_.size(); ++i) {
    const WatermarkMerger::Input& input = merger_.input(i);
    append_u32(out, splits_[i].number);
    splits_[i].generator.save(out);
    append_time(out, input.watermark);
    append_u8(out, static_cast<std::uint8_t>(input.idle | input.finished << 1));
  }
  append_time(out, merger_.output());
  append_u8(out, sent_end_);
  for (const SplitState& split : splits_) {   // of most jobs nothing, as before there was a guard
    if (!split.guard.in_row()) continue;
    append_u32(out, split.number);
    split.guard.save(out);
  }
}

Status EventTimeStageBase::load(ByteView saved) {
  EventTime output;
  std::size_t others = 0;
  TIDEMARK_TRY(take_saved(saved, output, sent_end_, others));
  TIDEMARK_CHECK(others == 0, "stage " + context().name + " was given splits of another task");
  merger_.restore_output(output);
  return {};
}

// The splits of an instance are dealt anew; each goes on with its own generator. What was promised downstream is the least that any
// instance had promised: an instance that had sent its end promised nothing more.
Status EventTimeStageBase::load_rescaled(std::span<const ByteView> saved) {
  EventTime promised = kPlusInfinity;
  for (const ByteView one : saved) {
    EventTime output;
    bool sent_end = false;
    std::size_t others = 0;   // of the instances that have them now
    TIDEMARK_TRY(take_saved(one, output, sent_end, others));
    if (!sent_end) promised = std::min(promised, output);
  }
  if (promised == kPlusInfinity) {
    // All had sent their end. Those whose splits had ended will do so again; after a drain the splits go on from where they stood.
    EventTime greatest = kMinusInfinity;
    for (std::size_t i = 0; i < merger_.size(); ++i) {
      const WatermarkMerger::Input& input = merger_.input(i);
      greatest = std::max(greatest, input.watermark);
      if (!input.finished && !input.idle) promised = std::min(promised, input.watermark);
    }
    if (promised == kPlusInfinity) promised = greatest;
  }
  merger_.restore_output(promised);
  return {};
}

// Takes the splits of this instance from what one instance had saved, and counts the others.
Status EventTimeStageBase::take_saved(ByteView saved, EventTime& output, bool& sent_end, std::size_t& others) {
  const Error damaged{.code = ErrorCode::kCheckpointCorrupt,
                      .message = "the saved watermarks of \"" + context().name + "\" cannot be read"};
  const auto find = [this](std::uint32_t number) {
    return std::find_if(splits_.begin(), splits_.end(), [number](const SplitState& split) { return split.number == number; });
  };
  std::uint64_t count = 0;
  if (!take_varint(saved, count)) return damaged;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint32_t number = 0;
    std::uint8_t flags = 0;
    WatermarkGenerator generator{options_.out_of_orderness};
    WatermarkMerger::Input input;
    if (!take_u32(saved, number) || !generator.load(saved) || !take_time(saved, input.watermark) || !take_u8(saved, flags)) return damaged;
    input.idle = flags & 1;
    input.finished = flags & 2;
    const auto mine = find(number);
    if (mine == splits_.end()) {
      ++others;
      continue;
    }
    if (!planted(core_internal::Bug::kP25)) mine->generator = generator;   // else it begins anew
    merger_.restore(static_cast<std::size_t>(mine - splits_.begin()), input);
  }
  std::uint8_t ended = 0;
  if (!take_time(saved, output) || !take_u8(saved, ended)) return damaged;
  sent_end = ended != 0;
  while (!saved.empty()) {
    std::uint32_t number = 0;
    FutureGuard guard;
    if (!take_u32(saved, number) || !guard.load(saved)) return damaged;
    if (const auto mine = find(number); mine != splits_.end() && options_.max_ahead) mine->guard = guard;
  }
  return {};
}

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

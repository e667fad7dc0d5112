#include <tidemark/operators/watermark_merger.hpp>

#include <algorithm>

namespace tidemark {
inline namespace v0 {

bool WatermarkMerger::all_finished() const {
  return std::all_of(inputs_.begin(), inputs_.end(), [](const Input& input) { return input.finished; });
}

bool WatermarkMerger::idle() const {
  bool any_idle = false;
  for (const Input& input : inputs_) {
    if (input.finished || input.empty) continue;
    if (!input.idle) return false;
    any_idle = true;
  }
  return any_idle;
}

EventTime WatermarkMerger::greatest() const {
  EventTime greatest = kMinusInfinity;
  for (const Input& input : inputs_) greatest = std::max(greatest, input.watermark);
  return greatest;
}

std::optional<EventTime> WatermarkMerger::on_watermark(std::size_t index, EventTime watermark) {
  Input& input = inputs_[index];
  if (input.finished || watermark <= input.watermark) return std::nullopt;
  input.watermark = watermark;
  return derive();
}

std::optional<EventTime> WatermarkMerger::on_status(std::size_t index, bool idle) {
  Input& input = inputs_[index];
  if (input.finished || input.idle == idle) return std::nullopt;
  input.idle = idle;
  return derive();
}

std::optional<EventTime> WatermarkMerger::on_finished(std::size_t index) {
  inputs_[index].finished = true;
  return derive();
}

std::optional<EventTime> WatermarkMerger::derive() {
  EventTime least = kPlusInfinity;
  bool any_counted = false;
  bool any_active = false;
  for (const Input& input : inputs_) {
    if (input.finished || input.idle || input.empty) continue;
    any_active = true;
    if (input.watermark < output_) continue;   // W11: not aligned
    any_counted = true;
    least = std::min(least, input.watermark);
  }
  EventTime derived = output_;
  if (any_counted) {
    derived = least;
  } else if (!any_active) {
    derived = greatest();   // W12: everything open is idle; W13: nothing is open
  }
  if (derived <= output_) return std::nullopt;
  output_ = derived;
  return output_;
}

}  // namespace v0
}  // namespace tidemark
